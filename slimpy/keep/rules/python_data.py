"""Data files that Python packages read from their own directories."""

from __future__ import annotations

import re
from collections.abc import Container, Generator, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from probes.model import TraceWarning
from slimpy.image.tree import name
from slimpy.keep.rules.python_modules import Modules
from slimpy.keep.scene import Finding, Scene, Want
from slimpy.model import Entry, FileType, ImagePath, Reason, Rule, display

LARGE = 8 << 20
"""A data directory up to this size (bytes) is kept whole when the package's code names it."""

HUGE = 48 << 20
"""One up to this size too, if it is one flat table; above, only what is named by itself."""

MOST_FILES = 20_000
"""Files of one data directory that are looked at."""

_NEEDLESS = (
    *(".pyi", ".pyx", ".pxd", ".pxi", ".c", ".cc", ".cpp", ".cxx", ".cu", ".h", ".hpp", ".hh"),
    *(".a", ".la", ".lib", ".o", ".f", ".f90", ".rs", ".pyc", ".pyo", ".map", ".po", ".pot"),
    *(".rst", ".md", ".orig", ".exe", ".dll", ".dylib", ".pyd", ".typed", ".cmake", ".pc"),
)
_ASIDE = frozenset(
    ("tests", "test", "doc", "docs", "example", "examples", "benchmarks", "include", "licenses")
)
_SHARED = frozenset(
    ("templates", "static", "locale", "locales", "translations", "fixtures", "jinja2")
)
"""Directories that a framework looks for in the packages of others."""

_FILLED = re.compile(r"[%{*]")


def words_of(strings: AbstractSet[str]) -> Iterator[str]:
    """The names of files and directories in string constants.

    ``{name}.json`` and ``.json`` become ``*.json``.
    """
    for text in strings:
        for part in text.split("/"):
            if not part:
                continue
            yield part
            stem, dot, suffix = part.rpartition(".")
            if dot and suffix and (not stem or _FILLED.search(stem)):
                yield f"*.{suffix}"
            elif _FILLED.match(part) and (end := part.rpartition("}")[2] or part[2:]):
                yield f"*{end}"


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A data file, or a directory of data, beside kept code; it waits until it is named."""

    entry: Entry
    home: ImagePath
    by: ImagePath


class PackageData:
    """Keeps data that lies beside kept code when the code of the same package names it."""

    def __init__(self, scene: Scene, modules: Modules) -> None:
        self._scene = scene
        self._modules = modules
        self._words: dict[ImagePath, set[str]] = {}
        self._unread: dict[ImagePath, list[AbstractSet[str]]] = {}
        self._all: set[str] = set()
        self._own: set[str] = set()
        self._seen: set[ImagePath] = set()
        self._waiting: list[_Candidate] = []
        self._warned: set[ImagePath] = set()
        self._given: set[ImagePath] = set()

    def note(self, home: ImagePath, strings: AbstractSet[str], *, own: bool) -> None:
        """Take in the string constants of a kept file; ``own`` if nobody installed it."""
        self._unread.setdefault(home, []).append(strings)
        self._all |= strings & _SHARED
        if own:
            self._own |= strings

    def reach(self, directory: ImagePath, home: ImagePath, by: ImagePath) -> None:
        """Look for data in a directory that holds kept code."""
        if directory in self._seen or home == by:
            return
        self._seen.add(directory)
        for child in self._scene.tree.children(directory):
            base = name(child.path)
            if child.type is FileType.DIRECTORY:
                is_code = bool(self._modules.folder(child.path).code)
                if is_code or base in _ASIDE or base == "__pycache__":
                    continue
            elif child.type is not FileType.FILE or not _is_data(base):
                continue
            self._waiting.append(_Candidate(child, home, by))

    def findings(self, kept: Container[ImagePath]) -> Iterator[Finding]:
        """What has been named by now; directories also if something in them is kept."""
        still = []
        for candidate in self._waiting:
            is_directory = candidate.entry.type is FileType.DIRECTORY
            if self._is_named(candidate) or (is_directory and candidate.entry.path in kept):
                if not is_directory:
                    yield self._want(candidate)
                    continue
                if (yield from self._all_of(candidate)):
                    continue
            still.append(candidate)
        self._waiting = still

    def _is_named(self, candidate: _Candidate) -> bool:
        base = name(candidate.entry.path)
        words = self._words_of(candidate.home)
        if base in words or base in self._all:
            return True
        if candidate.entry.type is FileType.DIRECTORY:
            return False
        stem, _, suffix = base.rpartition(".")
        return bool(stem) and (f"*.{suffix}" in words or (len(stem) > 3 and stem in words))

    def _words_of(self, home: ImagePath) -> set[str]:
        words = self._words.setdefault(home, set())
        for strings in self._unread.pop(home, ()):
            words.update(words_of(strings))
        return words

    def _want(self, candidate: _Candidate, path: ImagePath | None = None) -> Want:
        reason = Reason(Rule.PYTHON, candidate.by, "data that the package names")
        return Want(path or candidate.entry.path, reason)

    def _all_of(self, candidate: _Candidate) -> Generator[Finding, None, bool]:
        """The files of a directory, or those that are named by now; tells whether that is all."""
        top = candidate.entry.path
        files = [entry for entry in self._below(top) if _is_data(name(entry.path))]
        total = sum(entry.size for entry in files)
        direct = sum(entry.size for entry in files if "/" not in entry.path[len(top) + 1 :])
        is_whole = total <= LARGE or (total <= HUGE and direct * 2 >= total)
        if not is_whole:
            if top not in self._warned:
                self._warned.add(top)
                text = f"of the {total / 1e6:.0f} MB in {display(top)} only what is named is kept"
                yield TraceWarning("python-data", text)
            files = [entry for entry in files if self._names(entry.path[len(top) + 1 :])]
        for entry in files:
            if entry.path not in self._given:
                self._given.add(entry.path)
                yield self._want(candidate, entry.path)
        return is_whole

    def _names(self, inside: str) -> bool:
        first, slash, _ = inside.partition("/")
        return not slash or first in self._own

    def _below(self, directory: ImagePath) -> Iterator[Entry]:
        stack, count = [directory], 0
        while stack and count < MOST_FILES:
            for entry in self._scene.tree.children(stack.pop()):
                count += 1
                if entry.type is FileType.DIRECTORY:
                    if name(entry.path) not in _ASIDE:
                        stack.append(entry.path)
                elif entry.type is FileType.FILE or entry.type is FileType.LINK:
                    yield entry


def _is_data(base: str) -> bool:
    return not base.endswith(_NEEDLESS) and not base.endswith(".py")
