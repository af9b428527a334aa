"""Names of shared objects and of their directories in the constants of ELF files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from slimpy.image.tree import name, parent
from slimpy.keep.scene import Scene
from slimpy.model import Entry, FileType, ImagePath

LONGEST = 256
"""Bytes of one constant that are looked at."""

MOST_HITS = 20_000
"""Places in one file that are looked at."""

MOST_DIRECTORIES = 256
"""Directories in which libraries are looked for."""

_BEFORE = re.compile(rb"[\w./+-]*\Z")
_VERSION = re.compile(rb"(?:\.[0-9]{1,5}){0,4}")
_AFTER = re.compile(rb"[\w./+-]*")
_LIBRARY = re.compile(r"lib[\w+.-]{1,100}\.so(?:\.\d{1,5}){0,4}")
_DEFAULT = re.compile(r"/(?:usr/|usr/local/)?lib(?:32|64|x32)?(?:/[\w]+-linux-[\w]+)?")


@dataclass(frozen=True, slots=True)
class Constants:
    """What an ELF file names: libraries without a directory, shared objects with one, and
    directories below some ``lib``; sorted.
    """

    libraries: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    directories: tuple[str, ...] = ()


def constants(data: bytes) -> Constants:
    """Names in the bytes of a file. Compilers differ in how they end a constant, so a library's
    name is what its letters allow; whether there is such a file tells the rest.
    """
    libraries, paths, directories = set(), set(), set()
    for before, at in _hits(data, b".so"):
        version = _VERSION.match(data, at + 3)
        end = at + 3 if version is None else version.end()
        text = (before + data[at:end]).decode("ascii", "replace")
        if text.startswith("/"):
            paths.add(text)
        base = text.rpartition("/")[2]
        start = base.rfind("lib")
        if start >= 0 and _LIBRARY.fullmatch(base[start:]):
            libraries.add(base[start:])
    for before, at in _hits(data, b"/lib"):
        rest = _AFTER.match(data, at, at + LONGEST)
        text = (before + (rest[0] if rest else b"")).decode("ascii", "replace")
        if text.startswith("/") and ".so" not in text:
            directories.add(text.rstrip("/"))
    return Constants(tuple(sorted(libraries)), tuple(sorted(paths)), tuple(sorted(directories)))


def _hits(data: bytes, literal: bytes) -> Iterator[tuple[bytes, int]]:
    """Each place of a literal, with the letters of a path that stand before it."""
    at = data.find(literal)
    for _ in range(MOST_HITS):
        if at < 0:
            return
        before = _BEFORE.search(data[max(0, at - LONGEST) : at])
        yield (before[0] if before else b""), at
        at = data.find(literal, at + 1)


def is_default(directory: str) -> bool:
    """Whether loaders look for libraries there without being told."""
    return _DEFAULT.fullmatch(directory) is not None


class LibraryNames:
    """Libraries by name, in the directories from which some are kept; asked again as more are."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._directories: dict[ImagePath, None] = {}
        self._names: dict[str, ImagePath] = {}
        self._any_version: set[str] = set()

    @property
    def directories(self) -> tuple[ImagePath, ...]:
        """Where libraries are looked for."""
        return tuple(self._directories)

    def note(self, library: Entry) -> Iterator[tuple[str, ImagePath]]:
        """Look also where this library lies, if loaders would; yields (path, who named it)."""
        directory = parent(library.path)
        if directory in self._directories or len(self._directories) >= MOST_DIRECTORIES:
            return
        if ".so" not in name(library.path) or not is_default(directory):
            return
        self._directories[directory] = None
        for base, by in tuple(self._names.items()):
            yield from self._in(directory, base, by)

    def ask(
        self, names: Iterable[str], by: ImagePath, *, any_version: bool = False
    ) -> Iterator[tuple[str, ImagePath]]:
        """Where libraries of these names are; yields (path, who named it).

        With ``any_version`` a name without a version stands for those with one, too.
        """
        for base in names:
            if any_version:
                self._any_version.add(base)
            if base not in self._names and _LIBRARY.fullmatch(base):
                self._names[base] = by
                for directory in tuple(self._directories):
                    yield from self._in(directory, base, by)

    def _in(
        self, directory: ImagePath, base: str, by: ImagePath
    ) -> Iterator[tuple[str, ImagePath]]:
        path = f"{directory}/{base}"
        entry = self._scene.entry(path)
        if entry is not None and entry.type is FileType.FILE:
            yield path, by
        elif base in self._any_version:
            for child in self._scene.tree.children(directory):
                if name(child.path).startswith(f"{base}."):
                    yield child.path, by
