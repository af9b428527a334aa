"""Words, quotes and variables."""

from __future__ import annotations

import pytest

from slimpy.lint.words import LONGEST_VALUE, names, pairs, plain, split


def test_split() -> None:
    text = 'a \'b c\'  "d \\" e" f\\ g'
    assert [word.text for word in split(text, "\\")] == ["a", "'b c'", '"d \\" e"', "f\\ g"]
    assert [text[word.offset :][: len(word.text)] for word in split(text, "\\")] == [
        word.text for word in split(text, "\\")
    ]


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ("a'b c'\"d\"", "ab cd"),
        ("$A-${A}", "1-1"),
        ("'$A'", "$A"),
        ('"$A"', "1"),
        ("\\$A", "$A"),
        ("${NONE:-x$A}", "x1"),
        ("${EMPTY:-x}", "x"),
        ("${EMPTY-x}", ""),
        ("${A:-x}", "1"),
        ("${A:+x}", "x"),
        ("${EMPTY:+x}", ""),
        ("$NONE", None),
        ("${NONE:+x}", None),
        ("$UNKNOWN", None),
        ("${UNKNOWN:-x}", None),
        ("${A#x}", None),
        ("${A:-${A}}", None),
        ("$", "$"),
        ("100$ and", "100$ and"),
        ('"a\\nb"', "a\\nb"),
    ],
)
def test_variables(raw: str, value: str | None) -> None:
    assert plain(raw, "\\", {"A": "1", "EMPTY": "", "UNKNOWN": None}) == value


def test_the_other_escape() -> None:
    assert plain("C:\\a`$b", "`", {}) == "C:\\a$b"


def test_values_that_name_each_other_end() -> None:
    value: str | None = "x" * 100
    for _ in range(100):
        value = plain("$A$A", "\\", {"A": value})
    assert value is None
    assert plain("a" * (LONGEST_VALUE + 1), "\\") is not None


def test_names_and_pairs() -> None:
    assert names("$A ${B:-c} d") == ("A", "B")
    assert pairs("A=1 B='2 3' C", "\\") == (("A", "1", 0), ("B", "'2 3'", 4), ("C", "", 12))
    assert pairs("LANG C.UTF-8  x ", "\\") == (("LANG", "C.UTF-8  x", 0),)
    assert pairs("", "\\") == ()
