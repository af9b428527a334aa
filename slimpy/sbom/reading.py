"""Bounded reading of what lies in an image: nothing is trusted, nothing is left out silently."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from probes.model import TraceWarning
from slimpy.image.contents import Contents
from slimpy.image.links import resolve
from slimpy.image.tree import Tree
from slimpy.model import Entry, FileType, ImagePath, display

MOST_BYTES = 512 << 20
"""Bytes of metadata that are read of one image, all together."""

LARGEST = 64 << 20
"""Bytes of one file of metadata."""

LONGEST = 512
"""Characters of a name, a version or a licence; what is longer is no such thing."""


class Reading:
    """Reads small files of an image within bounds, and counts what it could not make out."""

    def __init__(self, tree: Tree, contents: Contents) -> None:
        self.tree = tree
        self.contents = contents
        self._left = MOST_BYTES
        self._troubles: Counter[str] = Counter()
        self._directories: dict[str, ImagePath | None] = {}

    def trouble(self, text: str) -> None:
        """Count one thing that could not be read."""
        self._troubles[text] += 1

    def warnings(self) -> tuple[TraceWarning, ...]:
        """All that was counted."""
        found = sorted(self._troubles.items())
        return tuple(TraceWarning("packages", text, count) for text, count in found)

    def fetch(self, entries: Iterable[Entry]) -> None:
        """Make files available in one go."""
        small = (entry.path for entry in entries if entry.size <= LARGEST)
        self.contents.fetch(small)

    def file(self, path: str) -> Entry | None:
        """The regular file that a path leads to."""
        real = resolve(self.tree, path).real
        entry = None if real is None else self.tree.get(real)
        return entry if entry is not None and entry.type is FileType.FILE else None

    def real(self, directory: str) -> ImagePath | None:
        """Where a directory's path leads to, links on the way included."""
        if directory not in self._directories:
            self._directories[directory] = resolve(self.tree, directory).real
        return self._directories[directory]

    def files_in(self, directory: str) -> tuple[Entry, ...]:
        """The regular files in the directory that a path leads to."""
        real = self.real(directory)
        if real is None:
            return ()
        return tuple(e for e in self.tree.children(real) if e.type is FileType.FILE)

    def data(self, entry: Entry | None, what: str) -> bytes:
        """The contents of a file; empty, and counted as ``what``, where they are too large."""
        if entry is None:
            return b""
        if entry.size > min(LARGEST, self._left):
            self.trouble(f"{what} is too large to be read")
            return b""
        self._left -= entry.size
        try:
            return self.contents.read(entry.path, entry.size)
        except FileNotFoundError:
            self.trouble(f"{what} cannot be read")
            return b""


def plain(value: object) -> str:
    """A name, version or licence as printable text; empty if it is none, or far too long."""
    if not isinstance(value, str):
        return ""
    text = " ".join(value.split(" ")).strip()
    return "" if len(text) > LONGEST else display(text)


def real_files(tree: Tree, paths: Iterable[str]) -> frozenset[ImagePath]:
    """Those of these real paths that are in the image and are no directories."""
    found = (tree.get(path) for path in paths)
    return frozenset(e.path for e in found if e is not None and e.type is not FileType.DIRECTORY)
