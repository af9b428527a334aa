"""The shell code of RUN, CMD and scripts, read by a real parser: commands and what is around "
"them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

from slimpy.lint.source import Text

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

LARGEST = 256 << 10
"""Bytes of a script that are read."""

MOST_NODES = 100_000
MOST_STEPS = 20_000  # reports of progress while parsing; see slimpy.keep.rules.shell_syntax
DEEPEST = 3  # scripts in arguments of scripts: sh -c 'bash -c ...'

_WORDS = frozenset(
    {
        *("word", "string", "raw_string", "ansi_c_string", "concatenation", "number"),
        *("simple_expansion", "expansion", "command_substitution", "process_substitution"),
        *("translated_string", "arithmetic_expansion", "brace_expression"),
    }
)
_WRAPPERS = {
    "sudo": "ugpCrtDhRT",
    "doas": "uC",
    "env": "uCS",
    "exec": "a",
    "command": "",
    "nohup": "",
    "time": "fo",
    "nice": "n",
    "ionice": "cn",
    "eatmydata": "",
}
"""Programs that start another one, and their short options that take a value."""

_SHELLS = frozenset({"sh", "bash", "dash", "ash", "zsh", "ksh"})
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Command:
    """A simple command. ``words`` are unquoted, variables as they are written; ``through`` are the
    programs that start it (``sudo``, ``env``), ``line`` is that of the file it stands in.

    ``pipe`` numbers the pipeline that it belongs to (0: none), ``background`` tells that nobody
    waits for it, ``first`` that it opens the script.
    """

    words: tuple[str, ...]
    line: int
    through: tuple[str, ...] = ()
    pipe: int = 0
    background: bool = False
    first: bool = False
    variables: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        """The program, without its directory."""
        return self.words[0].rpartition("/")[2] if self.words else ""

    @property
    def arguments(self) -> tuple[str, ...]:
        """What follows the program's name."""
        return self.words[1:]

    def has(self, *options: str) -> bool:
        """Whether one of these options is given: ``--long``, ``--long=x``, or ``-x`` among others
        (``-qy``).
        """
        for word in self.arguments:
            if word.partition("=")[0] in options:
                return True
            if re.fullmatch(r"-[A-Za-z]+", word) and any(
                len(option) == 2 and option[1] in word[1:] for option in options
            ):
                return True
        return False


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement of the outermost list: its kind in the grammar, its first command, its line, and
    whether it ends with ``|| something``.
    """

    kind: str
    line: int
    name: str = ""
    handled: bool = False


@dataclass(frozen=True, slots=True)
class Script:
    """Shell code. ``statements`` are those that only ``;`` and line ends separate."""

    commands: tuple[Command, ...] = ()
    statements: tuple[Statement, ...] = ()
    damaged: bool = False

    def pipelines(self) -> Iterator[tuple[Command, ...]]:
        """Commands that are joined by pipes."""
        groups: dict[int, list[Command]] = {}
        for command in self.commands:
            if command.pipe:
                groups.setdefault(command.pipe, []).append(command)
        return (tuple(group) for group in groups.values() if len(group) > 1)

    def named(self, *names: str) -> Iterator[Command]:
        """Its commands of these programs."""
        return (command for command in self.commands if command.name in names)


def parse(text: Text) -> Script:
    """Read shell code; what is too large or too deep is damaged, and says nothing."""
    return _parse(text, 0)


def direct(words: tuple[str, ...], line: int) -> Script:
    """A program that is started without a shell, as one command; ``sh -c CODE`` is looked into."""
    return _with_inner(Script((_unwrapped(Command(words, line, first=True)),)), 0)


def _parse(text: Text, depth: int) -> Script:
    data = text.value.encode("utf-8", "replace")
    if len(data) > LARGEST or b"\0" in data:
        return Script(damaged=True)
    steps = 0

    def piece(offset: int, _point: object) -> bytes:
        return data[offset : offset + 4096]

    def too_long(_offset: int, _has_error: bool) -> bool:
        nonlocal steps
        steps += 1
        return steps > MOST_STEPS

    parser = _parser()
    tree = parser.parse(piece, progress_callback=too_long)
    if tree is None or steps > MOST_STEPS or tree.root_node.descendant_count > MOST_NODES:
        parser.reset()
        return Script(damaged=True)
    return _with_inner(_Reader(text, data).read(tree.root_node), depth)


@cache
def _parser() -> Parser:
    import tree_sitter
    import tree_sitter_bash

    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_bash.language()))


def _with_inner(script: Script, depth: int) -> Script:
    """The script with the commands of scripts in its arguments."""
    commands: list[Command] = []
    for command in script.commands:
        commands.append(command)
        code = _code(command)
        if code is not None and depth < DEEPEST:
            inner = _parse(Text(code, ((0, command.line),)), depth + 1)
            commands.extend(
                replace(item, line=command.line, through=(*command.through, *item.through), pipe=0)
                for item in inner.commands
            )
    return replace(script, commands=tuple(commands))


def _code(command: Command) -> str | None:
    """What ``sh -c`` is to run."""
    if command.name not in _SHELLS:
        return None
    for number, word in enumerate(command.arguments):
        if re.fullmatch(r"-[a-z]*c", word):
            return next(iter(command.arguments[number + 1 :]), None)
        if not word.startswith("-") and word != "pipefail":
            return None
    return None


@dataclass(frozen=True, slots=True)
class _Visit:
    node: Node
    pipe: int = 0
    background: bool = False
    behind: tuple[str, ...] = ()  # words of this command that stand behind a redirection


class _Reader:
    """Walks a syntax tree with a stack of its own: hostile code nests deeper than recursion."""

    def __init__(self, text: Text, data: bytes) -> None:
        self.places = _in_bytes(text, data)
        self.commands: list[Command] = []
        self.pipes = 0

    def read(self, root: Node) -> Script:
        waiting = [_Visit(root)]
        while waiting:
            visit = waiting.pop()
            if visit.node.type in ("command", "declaration_command"):
                self._command(visit)
            waiting.extend(reversed(self._inside(visit)))
        return Script(tuple(self.commands), tuple(self._statements(root)), root.has_error)

    def line(self, node: Node) -> int:
        """The line of the file on which a node begins."""
        return self.places.line(node.start_byte)

    def _command(self, visit: _Visit) -> None:
        node = visit.node
        words = [_text(node.children[0])] if node.type == "declaration_command" else []
        variables = []
        for child in node.children:
            if child.type == "command_name" or child.type in _WORDS:
                words.append(_word(child))
            elif child.type == "variable_assignment":
                name, _, value = _text(child).partition("=")
                variables.append((name, value.strip("'\"")))
        command = Command(
            words=(*words, *visit.behind),
            line=self.line(node),
            pipe=visit.pipe,
            background=visit.background,
            first=not self.commands,
            variables=tuple(variables),
        )
        self.commands.append(_unwrapped(command))

    def _inside(self, visit: _Visit) -> list[_Visit]:
        node, pipe = visit.node, visit.pipe
        if node.type == "pipeline":
            if not pipe:  # else it is the beginning of a longer one
                self.pipes += 1
                pipe = self.pipes
        elif node.type not in ("redirected_statement", "negated_command", "list"):
            pipe = 0
        children = node.children
        behind = tuple(_behind(node)) if node.type == "redirected_statement" else ()
        # Only a command that the sign follows runs in the background, or one that ends there.
        return [
            _Visit(
                child,
                # `a | b | c && d` is parsed as a piped into the list of `b | c` and d.
                0 if node.type == "list" and number else pipe,
                (number + 1 < len(children) and children[number + 1].type == "&")
                or (visit.background and node.type in ("pipeline", "redirected_statement", "list")),
                behind,
            )
            for number, child in enumerate(children)
        ]

    def _statements(self, root: Node) -> Iterator[Statement]:
        for child in root.children:
            if child.is_named and child.type not in ("comment", "heredoc_body"):
                yield Statement(child.type, self.line(child), _first_name(child), _handled(child))


def _in_bytes(text: Text, data: bytes) -> Text:
    """The text's marks, counted in bytes."""
    if len(data) == len(text.value):
        return text
    marks, at, offset = [], 0, 0
    for mark, line in text.marks:
        offset += len(text.value[at:mark].encode("utf-8", "replace"))
        marks.append((offset, line))
        at = mark
    return Text("", tuple(marks))


def _behind(statement: Node) -> Iterator[str]:
    """Words that follow a redirection: the parser takes them for parts of it."""
    for child in statement.children:
        if child.type == "file_redirect":
            yield from map(_word, child.children_by_field_name("destination")[1:])


def _first_name(node: Node) -> str:
    """The program of a statement's first command."""
    while node.type in ("redirected_statement", "list", "pipeline", "negated_command"):
        inner = [child for child in node.children if child.is_named]
        if not inner:
            return ""
        node = inner[0]
    if node.type == "declaration_command":
        return _text(node.children[0])
    name = node.child_by_field_name("name") if node.type == "command" else None
    return _text(name)


def _handled(node: Node) -> bool:
    while node.type == "pipeline" and node.children:
        node = node.children[-1]  # see `_Reader._inside`
    return node.type == "list" and any(child.type == "||" for child in node.children)


def _text(node: Node | None) -> str:
    return (node.text or b"").decode("utf-8", "replace") if node is not None else ""


def _word(node: Node) -> str:
    """A word without its quotes, its variables as they are written."""
    if node.type in ("command_name", "concatenation", "translated_string"):
        children = [child for child in node.children if child.is_named]
        # What has no children of its own is a plain word.
        return "".join(map(_plain, children)) if children else _plain(node)
    return _plain(node)


def _plain(node: Node) -> str:
    text = _text(node)
    match node.type:
        case "raw_string":
            return text[1:-1]
        case "ansi_c_string":
            return _ESCAPED.sub(r"\1", text[2:-1])
        case "string":
            return re.sub(r'\\([$`"\\\n])', r"\1", text[1:-1])
        case "concatenation":
            return "".join(_plain(child) for child in node.children if child.is_named)
        case "word" | "command_name":
            return _ESCAPED.sub(lambda found: "" if found[1] == "\n" else found[1], text)
        case _:
            return text


def _unwrapped(command: Command) -> Command:
    """The command that is really run, where another program starts it: sudo, env, exec."""
    words, through, variables = command.words, list(command.through), list(command.variables)
    while words and (name := words[0].rpartition("/")[2]) in _WRAPPERS and len(words) > 1:
        through.append(name)
        words = words[1:]
        while words and (words[0].startswith("-") or "=" in words[0].partition("/")[0]):
            if not words[0].startswith("-"):
                variable, _, value = words[0].partition("=")
                variables.append((variable, value))
            takes = len(words[0]) == 2 and words[0][1] in _WRAPPERS[name]
            words = words[2 if takes else 1 :]
    return replace(command, words=words, through=tuple(through), variables=tuple(variables))
