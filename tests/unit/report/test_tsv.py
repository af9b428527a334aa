from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slimpy.model import decoded
from slimpy.report.tsv import escape, unescape


@given(st.binary())
def test_any_bytes_come_back(data):
    text = decoded(data)
    written = escape(text)
    assert written.isprintable()
    assert "\t" not in written
    assert unescape(written) == text


@given(st.text())
def test_any_text_comes_back(text):
    assert unescape(escape(text)) == text
    assert escape(text).isprintable()


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("/usr/bin/env", "/usr/bin/env"),
        ("a\tb\nc\rd", "a\\tb\\nc\\rd"),
        ("back\\slash", "back\\\\slash"),
        ("\x1b[0m", "\\u001b[0m"),
        ("\udcff", "\\xff"),
        ("\u202e", "\\u202e"),
        ("\U000e0001", "\\U000e0001"),
        ("Größe", "Größe"),
    ],
)
def test_how_it_looks(text, written):
    assert escape(text) == written


@pytest.mark.parametrize("text", ["\\", "\\q", "\\x1", "\\u12", "\\Uffffffff", "a\\"])
def test_a_bad_escape_is_an_error(text):
    with pytest.raises(ValueError, match="not an escape"):
        unescape(text)
