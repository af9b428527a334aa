"""Shell code of RUN: commands, and what is around them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slimpy.lint.shell import LARGEST, direct, parse
from slimpy.lint.source import Text, joined


def words(code: str) -> list[tuple[str, ...]]:
    return [command.words for command in parse(Text(code)).commands]


@pytest.mark.parametrize(
    ("code", "commands"),
    [
        ("a && b || c; d", [("a",), ("b",), ("c",), ("d",)]),
        ("for i in 1 2; do a $i; done", [("a", "$i")]),
        ("if a; then b; else c; fi", [("a",), ("b",), ("c",)]),
        ("(a; { b; }) | c", [("a",), ("b",), ("c",)]),
        ("f() { a; }; f", [("a",), ("f",)]),
        ("x=$(a) b", [("b",), ("a",)]),
        ("echo 'a; b' \"c && d\" e\\ f", [("echo", "a; b", "c && d", "e f")]),
        ("a >b c 2>&1 d", [("a", "c", "d")]),
        ("cat <<E\nrm -rf /\nE\nb", [("cat",), ("b",)]),
        ("sh -c 'a && b'", [("sh", "-c", "a && b"), ("a",), ("b",)]),
        ('bash -euo pipefail -c "a"', [("bash", "-euo", "pipefail", "-c", "a"), ("a",)]),
        ("sh script -c x", [("sh", "script", "-c", "x")]),
        ("'a'\"b\"c=1", [("abc=1",)]),
    ],
)
def test_commands(code: str, commands: list[tuple[str, ...]]) -> None:
    assert words(code) == commands


def test_programs_that_start_others() -> None:
    (command,) = parse(
        Text("sudo -u root env -i A=1 nice -n 5 /usr/bin/apt-get -qy install x")
    ).commands
    assert command.name == "apt-get" and command.through == ("sudo", "env", "nice")
    assert command.variables == (("A", "1"),)
    assert command.has("-y") and command.has("-q", "--quiet") and not command.has("-i")
    assert not parse(Text("a -yes")).commands[0].has("--y") and parse(Text("a --b=c")).commands[
        0
    ].has("--b")


def test_pipes_and_background() -> None:
    script = parse(Text("a | b | c && d & wait; e | f"))
    assert [[command.name for command in pipe] for pipe in script.pipelines()] == [
        ["a", "b", "c"],
        ["e", "f"],
    ]
    assert [command.name for command in script.commands if command.background] == [*"abcd"]


def test_lines_are_those_of_the_file() -> None:
    script = parse(joined([("é && a ", 3), ("&& b ", 5), ("&& c", 9)]))
    assert [command.line for command in script.commands] == [3, 3, 5, 9]


def test_statements() -> None:
    script = parse(Text("set -e\nx=1; a && b || true\nfor i in 1; do c; done"))
    assert [(item.kind, item.name, item.line, item.handled) for item in script.statements] == [
        ("command", "set", 1, False),
        ("variable_assignment", "", 1, False),
        ("list", "a", 1, True),
        ("for_statement", "", 1, False),
    ]


def test_direct() -> None:
    assert [item.words for item in direct(("sh", "-c", "a; b"), 7).commands] == [
        ("sh", "-c", "a; b"),
        ("a",),
        ("b",),
    ]
    assert direct((), 1).commands[0].name == ""


def test_what_is_too_large_says_nothing() -> None:
    assert parse(Text("a;" * LARGEST)).damaged
    assert parse(Text("a\0b")).damaged
    assert len(parse(Text("sh -c '" * 5 + "x" + "'" * 5)).commands) >= 1


PIECES = st.sampled_from(
    [*"|&;()<>{}$`'\"\\\n #=[]!", "a", " ", "<<E", "sh -c ", "sudo ", "é", "$(", "do", "\ud800"]
)


@given(st.lists(PIECES, max_size=40).map("".join))
def test_any_text_is_read(code: str) -> None:
    for command in parse(Text(code)).commands:
        assert command.line == 1 or "\n" in code
        assert all(isinstance(word, str) for word in command.words)
