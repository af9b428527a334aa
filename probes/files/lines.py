"""The syntax of one line of strace's log: a call, its arguments, its result, and escaped text.

The forms are those of strace 6.1 with ``-f -y``; every function takes any bytes without raising.
"""

from __future__ import annotations

import re
from typing import NamedTuple

UNFINISHED = b" <unfinished ...>"
"""How a line ends whose call was interrupted by a line of another task."""

RETURNED = "?"
"""The outcome of a call that did not return, or whose error has no name."""

_NAME = re.compile(rb"([A-Za-z_]\w*|\?+)\(")
# Everything up to the next bracket or comma that is not inside a string or a descriptor's <path>.
# Possessive, so that a damaged line costs no more than its length.
_PIECE = re.compile(
    rb'(?:[^"<()\[\]{},]++|"(?:[^"\\]++|\\.)*"|<[^<>]*+>|<<)*([()\[\]{},])', re.DOTALL
)
_RESULT = re.compile(rb" *= (.+)", re.DOTALL)
_ERROR = re.compile(rb"-1 (E[A-Z0-9]+)(?: |$)")
_RESUMED = re.compile(rb"<\.\.\. ([A-Za-z_]\w*|\?+) resumed>(.*)", re.DOTALL)
_ANNOTATION = re.compile(rb"[^<>]*<([^<>]*)>(\(deleted\))?")
_ESCAPE = re.compile(rb"\\([0-7]{1,3}|x[0-9a-fA-F]{2}|.)", re.DOTALL)
_LETTERS = {
    b"n": b"\n",
    b"t": b"\t",
    b"r": b"\r",
    b"v": b"\v",
    b"f": b"\f",
    b"a": b"\a",
    b"b": b"\b",
}


class Call(NamedTuple):
    """One finished call: name, arguments as printed, and what stands behind the equals sign."""

    name: bytes
    args: tuple[bytes, ...]
    result: bytes

    def arg(self, index: int) -> bytes:
        """One argument as printed; empty where the call has fewer."""
        return self.args[index] if index < len(self.args) else b""


class Annotation(NamedTuple):
    """What ``-y`` prints after a descriptor: mostly a path, else such as ``socket:[1234]``."""

    text: str
    deleted: bool

    @property
    def is_path(self) -> bool:
        """Whether it names a place in the file system that is still there."""
        return self.text.startswith("/") and not self.deleted


def call_name(text: bytes) -> bytes | None:
    """The name of the call that a line starts with, None if it starts with none."""
    match = _NAME.match(text)
    return match[1] if match else None


def parse(text: bytes) -> Call | None:
    """A line without its pid as a call, None where it is not one whole call."""
    match = _NAME.match(text)
    if match is None:
        return None
    args: list[bytes] = []
    start = position = match.end()
    depth = 0
    while piece := _PIECE.match(text, position):
        position = piece.end()
        match piece[1]:
            case b"(" | b"[" | b"{":
                depth += 1
            case b"," if depth == 0:
                args.append(text[start : position - 1].strip(b" "))
                start = position
            case b")" if depth == 0:
                return _ended(
                    match[1], args, text[start : position - 1].strip(b" "), text[position:]
                )
            case b")" | b"]" | b"}":
                depth -= 1
            case _:
                pass
    return None


def _ended(name: bytes, args: list[bytes], last: bytes, rest: bytes) -> Call | None:
    result = _RESULT.match(rest)
    if result is None:
        return None
    if last or args:
        args.append(last)
    return Call(name, tuple(args), result[1])


def resumed(text: bytes) -> tuple[bytes, bytes] | None:
    """Name and rest of a line such as ``<... read resumed>"", 1) = 0``; None for another."""
    match = _RESUMED.match(text)
    return (match[1], match[2]) if match else None


def outcome(result: bytes) -> str:
    """``ok``, the errno's name, or `RETURNED` where neither is known."""
    if result.startswith(b"?"):
        return RETURNED
    if not result.startswith(b"-1"):
        return "ok"
    match = _ERROR.match(result)
    return match[1].decode() if match else RETURNED


def quick_outcome(text: bytes) -> str | None:
    """The outcome of a call whose arguments do not matter, None where it is not a whole call."""
    before, equals, result = text.rpartition(b" = ")
    if not equals:
        return None
    if b" = " in before:  # one of the two may be part of a file's name
        call = parse(text)
        return outcome(call.result) if call else None
    return outcome(result) if before.rstrip(b" ").endswith(b")") else None


def is_cut(arg: bytes) -> bool:
    """Whether strace shortened this string, so that it is not the whole text."""
    return arg.endswith(b'"...')


def quoted(arg: bytes) -> str | None:
    """The text of a string argument (raw bytes as surrogate escapes); None for a pointer."""
    if len(arg) < 2 or arg[:1] != b'"' or arg[-1:] != b'"':
        return None
    return _decoded(arg[1:-1])


def annotation(arg: bytes) -> Annotation | None:
    """What stands after a descriptor in an argument or a result, None where nothing does."""
    match = _ANNOTATION.match(arg)
    return Annotation(_decoded(match[1]), match[2] is not None) if match else None


def unescape(raw: bytes) -> bytes:
    """The bytes behind C escapes: letters, one to three octal digits, two hexadecimal ones."""
    return _ESCAPE.sub(_unescaped, raw) if b"\\" in raw else raw


def _unescaped(match: re.Match[bytes]) -> bytes:
    code: bytes = match[1]
    if code[0] in b"01234567":
        return bytes((int(code, 8) & 0xFF,))
    if len(code) == 3:
        return bytes((int(code[1:], 16),))
    return _LETTERS.get(code, code)


def _decoded(raw: bytes) -> str:
    return unescape(raw).decode("utf-8", "surrogateescape")
