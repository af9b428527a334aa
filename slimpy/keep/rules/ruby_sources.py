"""Finds in Ruby text what it requires, loads and autoloads, and the files it names beside itself.

No parser: keywords and the literals behind them are matched. What is found still has to exist in
the image, so a name in a comment or a string costs little.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class Base(StrEnum):
    """What a reference is relative to."""

    LOAD_PATH = "load path"
    FILE = "file"  # the directory of the file that holds the reference


@dataclass(frozen=True, slots=True)
class Reference:
    """One feature or path; ``prefix`` if the rest is computed."""

    path: str
    base: Base
    prefix: bool = False


_COMMENT = re.compile(r"^[ \t]{0,200}#[^\n]*$", re.MULTILINE)
_CALL = re.compile(
    r"\b(?P<verb>require_relative|require_dependency|require|load|autoload|eager_autoload)\b"
    r"(?:[ \t]{0,8}\(|[ \t]{1,8})[ \t]{0,8}"
    r"(?::?['\"]?\w{1,100}['\"]?[ \t]{0,8},[ \t\n]{0,40})?"
    r"(?P<quote>['\"])(?P<text>[^'\"\n]{1,200})(?P=quote)(?P<plus>[ \t]{0,4}\+)?"
)
_JOINED = re.compile(
    r"(?:\b__dir__|\bFile\.dirname\([ \t]{0,4}__FILE__[ \t]{0,4}\)|\b__FILE__)"
    r"(?P<parts>(?:[ \t]{0,8}[,+][ \t\n]{0,40}['\"][^'\"\n]{1,200}['\"]){1,12})"
    r"(?P<more>[ \t]{0,8}[,+])?"
)
_EXPANDED = re.compile(
    r"\bexpand_path[ \t]{0,4}\(?[ \t]{0,8}['\"](?P<text>[^'\"\n]{1,200})['\"][ \t]{0,8},"
    r"[ \t\n]{0,40}"
    r"(?P<at>__FILE__|__dir__|File\.dirname\([ \t]{0,4}__FILE__[ \t]{0,4}\))"
)
_INTERPOLATED = re.compile(
    r"[\"`]#\{(?:__dir__|File\.dirname\([ \t]{0,4}__FILE__[ \t]{0,4}\))\}"
    r"(?P<text>/[^\"`\n]{1,200})[\"`]"
)
_QUOTED = re.compile(r"['\"]([^'\"]{1,200})['\"]")
_COMPUTED = re.compile(
    r"^[^'\"#\n]{0,200}\b(?:require|require_relative|load)(?:[ \t]{0,4}\(|[ \t]{1,4})[ \t]{0,4}"
    r"(?:[a-z_@]\w{0,60}\b(?![:=])|File\.|Dir\.|Pathname)",
    re.MULTILINE,
)
_AUTOLOADER = re.compile(
    r"\bZeitwerk\b|\bActiveSupport::Autoload\b|\bDir(?:\.glob\b|\[)[^\n]{0,200}\.rb\b"
)


def references(text: str) -> Iterator[Reference]:
    """All that a source file refers to by literals."""
    text = _COMMENT.sub("", text)
    for match in _CALL.finditer(text):
        base = Base.FILE if match["verb"] == "require_relative" else Base.LOAD_PATH
        literal, hole, _ = match["text"].partition("#{")
        prefix = bool(hole or match["plus"])
        if literal:
            yield Reference(literal, base, prefix)
            if literal.startswith("."):
                yield Reference(literal, Base.FILE, prefix)
    for match in _INTERPOLATED.finditer(text):
        literal, hole, _ = match["text"].partition("#{")
        yield Reference(f".{literal}", Base.FILE, bool(hole))
    for match in _EXPANDED.finditer(text):
        # __FILE__ counts as a directory there: the first ".." only leaves the file.
        path = match["text"] if match["at"] != "__FILE__" else _without_file(match["text"])
        yield Reference(path, Base.FILE)
    for match in _JOINED.finditer(text):
        parts = "/".join(part.strip("/") for part in _QUOTED.findall(match["parts"]))
        literal, hole, _ = parts.partition("#{")
        more = bool(hole or match["more"])
        yield Reference(f"./{literal}{'/' if match['more'] and not hole else ''}", Base.FILE, more)


def loads_by_name(text: str) -> bool:
    """Whether code is loaded by names that are computed, or by listing a directory."""
    return _AUTOLOADER.search(text) is not None or (
        _COMPUTED.search(_COMMENT.sub("", text)) is not None
    )


_DEPENDENCY = re.compile(
    r"\badd_(?:runtime_)?dependency\b[ \t]{0,4}\(?[ \t]{0,4}"
    r"(?:%q<|['\"])([A-Za-z0-9][\w.-]{0,100})(?:>|['\"])"
)


def dependencies(gemspec: str) -> frozenset[str]:
    """The gems that a gemspec needs at run time."""
    return frozenset(_DEPENDENCY.findall(gemspec))


_FEATURE = re.compile(rb"(?<=\x00)([a-z]\w{2,40}(?:/\w{1,60}){0,6})(?:\.rb|\.so)?(?=\x00)")


def required_by_binary(data: bytes) -> frozenset[str]:
    """Literals in an extension that calls rb_require and that could be what it requires."""
    if b"rb_require\0" not in data and b"rb_f_require\0" not in data:
        return frozenset()
    return frozenset(feature.decode("ascii", "replace") for feature in _FEATURE.findall(data))


def _without_file(path: str) -> str:
    return path.removeprefix("../") if path != ".." else "."
