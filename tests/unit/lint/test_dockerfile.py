"""The syntax of Dockerfiles."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slimpy.lint.dockerfile import MOST_INSTRUCTIONS, Dockerfile, parse


def seen(file: Dockerfile) -> list[tuple[str, int, int, str]]:
    return [(item.keyword, item.line, item.end, item.rest.value) for item in file.instructions]


def test_comments_blank_lines_and_case() -> None:
    file = parse("\ufeff# one\n\n  from a AS b \n\trun  ls  # no comment\n# two\n")
    assert seen(file) == [("FROM", 3, 3, "a AS b"), ("RUN", 4, 4, "ls  # no comment")]
    assert file.comments == {1: "one", 5: "two"}
    assert not file.problems


def test_continued_lines_skip_comments_between() -> None:
    file = parse("RUN a \\\n  # why\n  && b \\  \n  && c\nUSER x")
    assert seen(file)[0] == ("RUN", 1, 4, "a   && b   && c")
    rest = file.instructions[0].rest
    assert [rest.line(rest.value.index(word)) for word in ("a", "b", "c")] == [1, 3, 4]
    assert file.comments == {2: "why"} and seen(file)[1][0] == "USER"


def test_an_escaped_escape_does_not_continue() -> None:
    assert [item[0] for item in seen(parse("RUN a\\\\\nUSER b"))] == ["RUN", "USER"]


def test_the_escape_directive() -> None:
    file = parse("# syntax=docker/dockerfile:1\n# Escape = `\nRUN dir C:\\ `\n  more\n")
    assert (file.escape, file.directives["syntax"]) == ("`", "docker/dockerfile:1")
    assert seen(file) == [("RUN", 3, 4, "dir C:\\   more")]


def test_directives_end_where_anything_else_begins() -> None:
    file = parse("# a comment\n# escape=`\nRUN a\\\nb\n")
    assert (file.escape, len(file.instructions)) == ("\\", 1)
    assert parse("# escape=x\n").problems[0].line == 1
    assert "twice" in parse("# escape=`\n# escape=`\n").problems[0].message


def test_flags() -> None:
    file = parse(
        'RUN --mount=type=cache,target=/a --network="none" echo --not=one\nCOPY --link a b'
    )
    assert file.instructions[0].flags == (
        ("mount", "type=cache,target=/a"),
        ("network", "none"),
    )
    assert file.instructions[0].rest.value == "echo --not=one"
    assert file.instructions[1].flag("link") == "" and file.instructions[1].flag("from") is None
    assert parse("CMD --not-a-flag").instructions[0].rest.value == "--not-a-flag"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('CMD ["a", "b c"]', ("a", "b c")),
        ('CMD [ "a" , \\\n "b" ]', ("a", "b")),
        ("CMD ['a']", None),
        ('CMD ["a",]', None),
        ("RUN [ -f a ]", None),
        ("CMD [1]", None),
        ("CMD []", ()),
        ('LABEL ["a"]', None),
        ("CMD " + "[" * 100_000, None),
    ],
)
def test_json_form(text: str, words: tuple[str, ...] | None) -> None:
    assert parse(text).instructions[0].words == words


def test_heredocs() -> None:
    text = "RUN <<A cat <<-'B'\none\nA\n\ttwo # $x\n\tB\nCOPY <<end /x\nRUN not\nend\nUSER a\n"
    file = parse(text)
    assert [item[:3] for item in seen(file)] == [
        ("RUN", 1, 5),
        ("COPY", 6, 8),
        ("USER", 9, 9),
    ]
    first, second = file.instructions[0].heredocs
    assert (first.name, first.quoted, first.body.value) == ("A", False, "one\n")
    assert (second.name, second.quoted, second.body.value) == ("B", True, "two # $x\n")
    assert second.body.line(0) == 4


@pytest.mark.parametrize(
    "text",
    [
        'RUN echo "<<EOF"',
        "RUN echo '<<EOF'",
        "RUN echo $((1 << 2))",
        "RUN cat <<<word",
        "CMD a <<E",
    ],
)
def test_what_is_no_heredoc(text: str) -> None:
    file = parse(f"{text}\nUSER a\n")
    assert len(file.instructions) == 2 and not file.problems


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("FROM a\nRUN b \\\n", 2, "continued"),
        ("FROM a\nRUN b \\\n\n c", 3, "empty line"),
        ("RUN <<E\nx\n", 1, "no end"),
    ],
)
def test_problems_have_lines(text: str, line: int, said: str) -> None:
    (problem,) = parse(text).problems
    assert problem.line == line and said in problem.message


def test_windows_line_ends() -> None:
    assert seen(parse("FROM a\r\nRUN b \\\r\n c\r\n"))[1] == ("RUN", 2, 3, "b  c")


def test_too_many_instructions_are_told() -> None:
    file = parse("RUN a\n" * (MOST_INSTRUCTIONS + 1))
    assert len(file.instructions) == MOST_INSTRUCTIONS
    assert str(MOST_INSTRUCTIONS) in file.problems[-1].message


PIECES = st.sampled_from(
    [
        *"\\`#\"'$<>[]{}\n \t-=",
        "RUN ",
        "FROM ",
        "<<E",
        "E\n",
        "\\\n",
        "# escape=`\n",
        "\r\n",
        "é",
        "a",
    ]
)


@given(st.lists(PIECES, max_size=60).map("".join))
def test_every_line_belongs_to_one_place(text: str) -> None:
    file = parse(text)
    at = 0
    for item in file.instructions:
        assert at < item.line <= item.end <= text.count("\n") + 1
        at = item.end
        assert all(item.line <= line <= item.end for _, line in item.rest.marks if item.rest.value)
        assert item.keyword and not item.keyword[0].isspace()
