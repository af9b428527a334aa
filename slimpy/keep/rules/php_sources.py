"""Finds in PHP text the files that it includes and the classes that it names.

No parser: expressions of constants are matched. What is found still has to exist in the image.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_HERE = re.compile(
    r"(?P<up>(?:\\?\bdirname\(\s{0,8}){0,6})(?:\b__DIR__\b|(?P<file>\b__FILE__\b))"
    r"(?P<levels>(?:\s{0,8},\s{0,8}\d)?(?:\s{0,8}\)){0,6}(?:\s{0,8},\s{0,8}\d\s{0,8}\))?)"
    r"\s{0,8}\.\s{0,8}(?P<quote>['\"])(?P<text>[^'\"\n]{1,200})(?P=quote)(?P<plus>\s{0,8}\.)?"
)
_OWN = re.compile(r"\b__DIR__\s{0,8}\.\s{0,8}\$")
_INCLUDE = re.compile(
    r"\b(?:require|include)(?:_once)?\b\s{0,8}\(?\s{0,8}(?P<quote>['\"])(?P<text>[^'\"\n]{1,200})"
    r"(?P=quote)(?P<plus>\s{0,8}\.)?"
)
_LEVELS = re.compile(r",\s{0,8}(\d)")
_HOLE = re.compile(r"\{?\$")
_NAMESPACE = re.compile(
    r"^\s{0,40}(?:<\?php\s{1,40})?namespace\s{1,8}([\w\\]{1,200})", re.MULTILINE
)
_USE = re.compile(
    r"^\s{0,40}use\s{1,8}(?:function\s{1,8}|const\s{1,8})?(?P<name>\\?[A-Za-z_][\w\\]{0,200})"
    r"(?:\s{1,8}as\s{1,8}(?P<alias>\w{1,100})|\s{0,8}(?P<group>\{[^}]{0,4000}\}))?",
    re.MULTILINE,
)
_NAME = re.compile(r"\\{0,2}[A-Za-z_][A-Za-z0-9_]*(?:\\{1,2}[A-Za-z_][A-Za-z0-9_]*)*")
_COMMENT = re.compile(r"^[ \t]{0,200}(?:\*|//|#(?!\[))[^\n]*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Include:
    """A path that code includes or reads.

    ``base`` is how it is meant: relative to the file, or as a search along the include path;
    ``prefix`` if the rest of the path is computed.
    """

    path: str
    here: bool
    prefix: bool


def includes(text: str) -> Iterator[Include]:
    """Paths built on the file's own directory, and literals that are included."""
    for match in _HERE.finditer(text):
        hole = _HOLE.search(match["text"]) if match["quote"] == '"' else None
        literal = match["text"][: hole.start()] if hole else match["text"]
        yield Include(f"{_up(match)}{literal}", here=True, prefix=bool(hole or match["plus"]))
    for match in _INCLUDE.finditer(text):
        hole = _HOLE.search(match["text"]) if match["quote"] == '"' else None
        literal = match["text"][: hole.start()] if hole else match["text"]
        if literal:
            yield Include(literal, here=False, prefix=bool(hole or match["plus"]))
    if _OWN.search(text):
        yield Include("./", here=True, prefix=True)


def _up(match: re.Match[str]) -> str:
    """How far the expression climbs: each dirname() is one step, or as many as it says."""
    steps = match["up"].count("dirname")
    closed = match["levels"].count(")")
    if steps and closed:
        steps += sum(int(level) - 1 for level in _LEVELS.findall(match["levels"]))
    else:
        steps = 0
    if match["file"]:
        steps -= 1  # the first only leaves the file itself
    return "." + "/.." * max(0, min(steps, 20)) + "/"


def classes(text: str) -> frozenset[str]:
    """Fully qualified names of classes that the text may mean, without a leading backslash.

    Every name is taken as absolute, as relative to the namespace, and as an imported one: only
    those that an autoloader has a file for count in the end.
    """
    text = _COMMENT.sub("", text)
    namespace = _NAMESPACE.search(text)
    inside = f"{namespace[1]}\\" if namespace else ""
    imported = dict(_imports(text))
    found = set(imported.values())
    for token in set(_NAME.findall(text)):
        name = token.replace("\\\\", "\\")
        plain = name.lstrip("\\")
        first, rest, last = plain.partition("\\")
        if rest or name.startswith("\\"):
            found.add(plain)
        if not name.startswith("\\") and (rest or first[:1].isupper()):
            found.add(inside + plain)
            if first in imported:
                found.add(f"{imported[first]}{rest}{last}")
    return frozenset(name for name in found if name)


def _imports(text: str) -> Iterator[tuple[str, str]]:
    """The short names that ``use`` makes, and what they stand for."""
    for match in _USE.finditer(text):
        name = match["name"].strip("\\")
        if match["group"]:
            for part in match["group"].strip("{} \n").split(","):
                words = part.split()
                if words:
                    member = f"{name}\\{words[0]}"
                    yield words[-1].rpartition("\\")[2], member
        else:
            yield match["alias"] or name.rpartition("\\")[2], name
