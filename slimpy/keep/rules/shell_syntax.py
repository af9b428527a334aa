"""Shell scripts read by a real parser: commands, assignments and words of every branch."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from slimpy.model import decoded

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

LARGEST_SCRIPT = 256 << 10
"""Bytes of a script that are read; longer ones carry an archive behind the code."""

MOST_NODES = 200_000
MOST_STEPS = 20_000  # reports of progress; a clean script of the largest size makes about 2,000
DEEPEST = 24  # words within words

_WORDS = frozenset(
    {
        *("word", "string", "raw_string", "ansi_c_string", "translated_string", "concatenation"),
        *("simple_expansion", "expansion", "command_substitution", "number"),
    }
)
_FOR_PROGRAMS = frozenset({"command", "declaration_command"})
"""What is around an assignment whose value a program gets in its environment."""

_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED_IN_QUOTES = re.compile(r'\\([$`"\\\n])')


@dataclass(frozen=True, slots=True)
class Use:
    """A value that is only known when the script runs: a variable, or what a command prints.

    ``name`` is the variable's (``@`` and digits are arguments), empty if it is none. ``default`` is
    what stands in where it is not set, ``cut`` the end that is taken off (``${x%/*}``), ``printed``
    the words of the command.
    """

    name: str = ""
    default: Word | None = None
    cut: str = ""
    printed: tuple[Word, ...] = ()


Word = tuple[str | Use, ...]
"""A word in its parts: known text with quotes removed, and uses."""

UNKNOWN: Word = (Use(),)


@dataclass(frozen=True, slots=True)
class Command:
    """A simple command; ``function`` is the name of the function around it, if any."""

    words: tuple[Word, ...]
    function: str = ""


@dataclass(frozen=True, slots=True)
class Script:
    """What a script says, whatever branch is taken.

    ``words`` are all of its words, those of redirections and tests too. ``damaged`` tells that
    some of it could not be understood.
    """

    commands: tuple[Command, ...] = ()
    assignments: tuple[tuple[str, Word], ...] = ()
    functions: frozenset[str] = frozenset()
    words: tuple[Word, ...] = ()
    damaged: bool = False


def parse(source: bytes) -> Script:
    """Read a script; what is beyond a bound or behind a NUL byte is not looked at."""
    text = source[:LARGEST_SCRIPT].partition(b"\0")[0]
    steps = 0

    def piece(offset: int, _point: object) -> bytes:
        return text[offset : offset + 4096]

    def too_long(_offset: int, _has_error: bool) -> bool:
        nonlocal steps
        steps += 1
        return steps > MOST_STEPS

    parser = _parser()
    tree = parser.parse(piece, progress_callback=too_long)
    if tree is None or steps > MOST_STEPS:
        parser.reset()
        return Script(damaged=True)
    root = tree.root_node
    if root.descendant_count > MOST_NODES:
        return Script(damaged=True)
    return _Reader().read(root)


@cache
def _parser() -> Parser:
    import tree_sitter
    import tree_sitter_bash

    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_bash.language()))


class _Visit(NamedTuple):
    """A node to look at, and what is known of where it stands."""

    node: Node
    above: str = ""  # the type of the node around it
    function: str = ""  # the function around it
    in_word: bool = False
    behind: tuple[Word, ...] = ()  # words of this command that stand behind a redirection


class _Reader:
    """Walks a syntax tree with a stack of its own: a hostile script nests deeper than recursion."""

    def __init__(self) -> None:
        self.commands: list[Command] = []
        self.assignments: list[tuple[str, Word]] = []
        self.functions: set[str] = set()
        self.words: list[Word] = []

    def read(self, root: Node) -> Script:
        waiting = [_Visit(root)]
        while waiting:
            visit = waiting.pop()
            self._note(visit)
            waiting.extend(reversed(self._inside(visit)))
        return Script(
            tuple(self.commands),
            tuple(self.assignments),
            frozenset(self.functions),
            tuple(self.words),
            root.has_error,
        )

    def _note(self, visit: _Visit) -> None:
        node = visit.node
        match node.type:
            case "command":
                self._command((*_words(node), *visit.behind), visit)
            case "command_name" if visit.above == "ERROR":
                # The parser could not make out the whole command.
                self._command((_name_word(node),), visit)
            case "declaration_command":
                self._command(((_text(node.children[0]),), *_words(node)), visit)
            case "variable_assignment":
                self._assignment(node)
            case "for_statement":
                name = _text(node.child_by_field_name("variable"))
                self.assignments.extend((name, word) for word in _words(node))
            case "function_definition":
                self.functions.add(_text(node.child_by_field_name("name")))
        if node.type in _WORDS and not visit.in_word:
            self.words.append(_word(node))

    def _command(self, words: tuple[Word, ...], visit: _Visit) -> None:
        self.commands.append(Command(words, visit.function))

    def _inside(self, visit: _Visit) -> list[_Visit]:
        node = visit.node
        kind, function = node.type, visit.function
        if kind == "function_definition":
            function = _text(node.child_by_field_name("name"))
        # A substitution inside of a word starts commands of its own, with words of their own.
        in_word = (visit.in_word or kind in _WORDS) and kind != "command_substitution"
        if kind == "variable_assignment" and visit.above not in _FOR_PROGRAMS:
            # The value counts where the variable is used.
            in_word = True
        behind = tuple(_words_behind(node)) if kind == "redirected_statement" else ()
        return [_Visit(child, kind, function, in_word, behind) for child in node.children]

    def _assignment(self, node: Node) -> None:
        name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
        if name is None or value is None:
            return
        if value.type == "array":
            self.assignments.extend((_base_name(name), word) for word in _words(value))
        else:
            self.assignments.append((_base_name(name), _word(value)))


def _base_name(node: Node) -> str:
    return _text(node).partition("[")[0]


def _text(node: Node | None) -> str:
    return decoded(node.text or b"") if node is not None else ""


def _words(node: Node) -> Iterator[Word]:
    """The words of a command, an array or a loop, in order and without assignments before it."""
    for child in node.children:
        if child.type == "command_name":
            yield _name_word(child)
        elif child.type in _WORDS:
            yield _word(child)
        elif child.type == "process_substitution":
            yield UNKNOWN


def _words_behind(statement: Node) -> Iterator[Word]:
    """Words that follow a redirection: the parser takes them for parts of it."""
    for child in statement.children:
        if child.type == "file_redirect":
            yield from map(_word, child.children_by_field_name("destination")[1:])
        elif child.type == "heredoc_redirect":
            yield from map(_word, child.children_by_field_name("argument"))


def _name_word(node: Node) -> Word:
    return _word(node.children[0]) if node.child_count else (_unescaped(_text(node)),)


def _word(node: Node, depth: int = 0) -> Word:
    """The parts of a word, text that touches joined."""
    parts: list[str | Use] = []
    for part in _parts(node, depth):
        if isinstance(part, str) and parts and isinstance(parts[-1], str):
            parts[-1] += part
        else:
            parts.append(part)
    return tuple(parts)


def _parts(node: Node, depth: int) -> Iterator[str | Use]:
    if depth > DEEPEST:
        yield Use()
        return
    match node.type:
        case "word" | "number":
            # A number can be a base and an expansion: 16#$x.
            yield _unescaped(_text(node)) if not node.child_count else Use()
        case "variable_name" | "special_variable_name" | "subscript":
            yield _text(node)
        case "raw_string":
            yield _text(node)[1:-1]
        case "ansi_c_string":
            yield _unescaped(_text(node)[2:-1])
        case "string_content":
            yield _ESCAPED_IN_QUOTES.sub(r"\1", _text(node))
        case "string" | "concatenation" | "translated_string":
            for child in node.children:
                if child.is_named:
                    yield from _parts(child, depth + 1)
        case "simple_expansion":
            yield Use(_text(node)[1:])
        case "expansion":
            yield _expansion(node, depth)
        case "command_substitution":
            yield Use(printed=_printed(node, depth))
        case "{" | "}" | ",":
            yield _text(node)
        case _:
            yield Use()


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda found: "" if found[1] == "\n" else found[1], text)


_WITH_DEFAULT = frozenset({":-", "-", ":=", "="})


def _expansion(node: Node, depth: int) -> Use:
    """``${...}``: a plain name, one with a default, or one with an end cut off."""
    children = node.children[1:-1]
    if not children or children[0].type not in (
        *("variable_name", "special_variable_name", "subscript"),
    ):
        return Use()
    name = _base_name(children[0])
    if len(children) == 1:
        return Use(name)
    operator, rest = children[1].type, children[2:]
    value = tuple(part for child in rest for part in _parts(child, depth + 1))
    if operator in _WITH_DEFAULT:
        return Use(name, default=value)
    if operator in ("%", "%%", "#", "##"):
        return Use(name, cut=operator + "".join(_text(child) for child in rest))
    if operator in (":?", "?"):
        return Use(name)
    # ${x:+y}: y, or nothing.
    return Use(default=value) if operator in (":+", "+") else Use()


def _printed(node: Node, depth: int) -> tuple[Word, ...]:
    """The words of the command whose output is taken, where that is one simple command.

    Of ``cd X && pwd`` they are those of ``cd``: it is how scripts find the directory they are in.
    """
    inner = [child for child in node.children if child.is_named]
    if len(inner) == 1 and inner[0].type == "list":
        inner = [child for child in inner[0].children if child.is_named][:1]
    if len(inner) == 1 and inner[0].type == "redirected_statement":
        inner = [child for child in inner[0].children if child.is_named][:1]
    if len(inner) != 1 or inner[0].type != "command":
        return ()
    words = []
    for child in inner[0].children:
        if child.type == "command_name" and child.child_count:
            words.append(_word(child.children[0], depth + 1))
        elif child.type in _WORDS:
            words.append(_word(child, depth + 1))
    return tuple(words)
