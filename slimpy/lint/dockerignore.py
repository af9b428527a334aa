"""`.dockerignore`: which paths of a build context are left out."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass

from slimpy.image.globs import matches

MOST_PATTERNS = 1000
MOST_PARTS = 64  # of a pattern


@dataclass(frozen=True, slots=True)
class Pattern:
    """A line of the file: the components of its path, and whether it takes paths back in."""

    parts: tuple[str, ...]
    negative: bool


def parse(text: str) -> tuple[Pattern, ...]:
    """The patterns of a file, as the reference has them ("`.dockerignore` files")."""
    found = []
    for line in text.splitlines()[: MOST_PATTERNS * 4]:
        pattern = line.strip()
        if not pattern or pattern.startswith("#"):
            continue
        negative = pattern.startswith("!")
        path = posixpath.normpath("/" + pattern.removeprefix("!").strip()).strip("/")
        # Go's filepath.Match says [^...] where Python says [!...].
        fitting = path.replace("[^", "[!").replace("\\", "")
        parts = tuple(part for part in fitting.split("/") if part)
        if parts and len(parts) <= MOST_PARTS:
            found.append(Pattern(parts, negative))
    return tuple(found[:MOST_PATTERNS])


def ignored(patterns: Sequence[Pattern], path: str) -> bool:
    """Whether a path is left out: the last pattern that it, or a directory above it, matches."""
    parts = path.split("/")
    result = False
    for pattern in patterns:
        if pattern.negative == result and matches(pattern.parts, parts, above=True):
            result = not pattern.negative
    return result


def takes_back(patterns: Sequence[Pattern]) -> bool:
    """Whether some paths below an ignored directory may be part of the context all the same."""
    return any(pattern.negative for pattern in patterns)
