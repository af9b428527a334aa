"""Follows references from kept source files to further ones: what the rules of languages share."""

from __future__ import annotations

import posixpath
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from typing import ClassVar

from probes.model import TraceWarning
from slimpy.image.tree import name
from slimpy.keep.programs import Head
from slimpy.keep.scene import Finding, Scene, Want
from slimpy.keep.turn import Turn
from slimpy.model import Entry, FileType, ImagePath, Reason, Rule, decoded, display

LARGEST_SOURCE = 4 << 20
"""How much of one source file is read to find its references, in bytes."""

MOST_TEXT = 256 << 20
"""How much source text one rule reads in one decision, in bytes."""

MOST_ENTRIES = 20_000
"""A directory that code names as a whole is kept up to so many entries."""

_LIBRARY_TOPS = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib")

UNNEEDED = frozenset(
    {
        *("test", "tests", "__tests__", "spec", "specs", "testing", "t", "xt"),
        *("doc", "docs", "example", "examples", "demo", "demos", "sample", "samples"),
        *("bench", "benchmark", "benchmarks", "coverage", ".github", ".git", "man"),
    }
)
"""Directories of packages that programs do not run from, by custom."""

_UNNEEDED_FILE = re.compile(
    r"(readme|changelog|changes|history|contributing|authors|news|todo|upgrading|security"
    r"|code_of_conduct)(\.(md|markdown|rst|txt|rdoc|html))?"
    r"|.*\.(map|d\.[cm]?ts|flow|pdb|diz|md|markdown|rdoc|o|a|la|h|hpp|c|cc|cpp)",
    re.IGNORECASE,
)


class Reach(ABC):
    """A rule that reads every kept source file of a language once and wants what it refers to.

    What a file refers to follows from the file and the image alone, so the answer does not depend
    on the order in which files come. Nothing is read until a runtime of the language is kept: the
    scripts of a web page are no Node program.
    """

    rule: ClassVar[Rule]

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self._running = False
        self._waiting: list[Head] = []
        self._visited: set[ImagePath] = set()
        self._left = MOST_TEXT

    @abstractmethod
    def is_runtime(self, head: Head) -> bool:
        """Whether this kept file is a program or library that runs the language."""

    @abstractmethod
    def is_source(self, path: ImagePath) -> bool:
        """Whether a file is source text, by its name."""

    def is_script(self, head: Head) -> bool:  # noqa: ARG002 - for rules that need it
        """Whether a file is source text, by its first bytes."""
        return False

    @abstractmethod
    def visit(self, entry: Entry, text: str) -> Iterable[Finding]:
        """What a kept file asks for; ``text`` is empty for what is no source."""

    def started(self, head: Head) -> Iterable[Finding]:  # noqa: ARG002 - likewise
        """What a kept runtime asks for by itself."""
        return ()

    def __call__(self, turn: Turn) -> Iterator[Finding]:
        """The rule at work (`slimpy.keep.turn.Finder`)."""
        for head in turn.files:
            if self.is_runtime(head):
                self._running = True
                yield from self.started(head)
        self._waiting += turn.files
        if self._running:
            heads, self._waiting = self._waiting, []
            yield from self._follow(heads)

    def wants(
        self, paths: Iterable[str], by: str, detail: str, *, follow: bool = True
    ) -> Iterator[Want]:
        """Wants for those paths at which the image has something."""
        for path in paths:
            if self.scene.entry(path) is not None:
                yield Want(path, Reason(self.rule, by, display(detail)), follow=follow)

    def _follow(self, heads: Iterable[Head]) -> Iterator[Finding]:
        """Visits files level by level: one batch of contents for each level is much faster."""
        level = [
            (head.entry, self.is_source(head.entry.path) or self.is_script(head)) for head in heads
        ]
        while level:
            level = [item for item in level if item[0].path not in self._visited]
            self.scene.contents.fetch([entry.path for entry, is_source in level if is_source])
            following: dict[ImagePath, Entry] = {}
            for entry, is_source in level:
                if entry.path in self._visited:
                    continue
                self._visited.add(entry.path)
                for finding in self.visit(entry, self._text(entry) if is_source else ""):
                    yield finding
                    if isinstance(finding, Want) and finding.whole:
                        self._note(finding, following)
            if self._left <= 0:
                text = f"{self.rule.value}: more source text than is read; some references unknown"
                yield TraceWarning("reach", text)
                return
            level = [(entry, True) for entry in following.values()]

    def _note(self, want: Want, following: dict[ImagePath, Entry]) -> None:
        """Remember where a want leads, if references are to be looked for there at once."""
        real = self.scene.walk(want.path, follow=want.follow).real
        if real is None or real in self._visited or not self.is_source(real):
            return
        entry = self.scene.tree.get(real)
        if entry is not None and entry.type is FileType.FILE and entry.size:
            following[real] = entry

    def _text(self, entry: Entry) -> str:
        self._left -= min(entry.size, LARGEST_SOURCE)
        return text_of(self.scene, entry.path, LARGEST_SOURCE)


def text_of(scene: Scene, path: ImagePath, limit: int) -> str:
    """The first ``limit`` bytes of a regular file as text; empty where it cannot be read."""
    try:
        return decoded(scene.contents.read(path, limit))
    except FileNotFoundError:
        return ""


def beside(directory: str, reference: str) -> str:
    """A relative reference made absolute; it cannot climb above the root."""
    path = posixpath.normpath(f"/{directory}/{reference}")
    return f"/{path.lstrip('/')}"  # POSIX lets two leading slashes stand


def is_file(scene: Scene, path: str) -> bool:
    """Whether a path leads to a regular file."""
    entry = scene.entry(path)
    return entry is not None and entry.type is FileType.FILE


def is_directory(scene: Scene, path: str) -> bool:
    """Whether a path leads to a directory."""
    entry = scene.entry(path)
    return entry is not None and entry.type is FileType.DIRECTORY


def is_unneeded(entry: Entry) -> bool:
    """Whether an entry is, by its name, a test, documentation, or left over from a build."""
    base = name(entry.path)
    if entry.type is FileType.DIRECTORY:
        return base.lower() in UNNEEDED
    return _UNNEEDED_FILE.fullmatch(base) is not None


def files_below(
    scene: Scene,
    directory: str,
    *,
    skip: Callable[[Entry], bool] = is_unneeded,
    most_bytes: int = 64 << 20,
    deep: bool = True,
) -> tuple[Entry, ...]:
    """The files and links below a directory, without what ``skip`` answers true for.

    Empty if they are more than `MOST_ENTRIES` or weigh more than ``most_bytes`` together.
    """
    top = scene.walk(directory).real
    if top is None:
        return ()
    found = []
    weight = 0
    waiting = [top]
    while waiting:
        for entry in scene.tree.children(waiting.pop()):
            if skip(entry):
                continue
            if entry.type is FileType.DIRECTORY:
                if deep:
                    waiting.append(entry.path)
            elif entry.type in (FileType.FILE, FileType.LINK):
                found.append(entry)
                weight += entry.size
        if len(found) > MOST_ENTRIES or weight > most_bytes:
            return ()
    return tuple(found)


def libraries_named(scene: Scene, pattern: re.Pattern[str]) -> Iterator[ImagePath]:
    """Shared objects in the system's library directories whose whole name fits."""
    waiting = [real for top in _LIBRARY_TOPS if (real := scene.walk(top).real)]
    for directory in dict.fromkeys(waiting):
        for entry in scene.tree.children(directory):
            if entry.type is FileType.DIRECTORY and "-linux-" in name(entry.path):
                found = scene.tree.children(entry.path)
                yield from (inner.path for inner in found if pattern.fullmatch(name(inner.path)))
            elif entry.type is not FileType.DIRECTORY and pattern.fullmatch(name(entry.path)):
                yield entry.path
