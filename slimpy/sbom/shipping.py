"""Which of the paths that a package database names are in a slim image."""

from __future__ import annotations

from collections.abc import Container

from slimpy.image.links import resolve
from slimpy.image.tree import Tree
from slimpy.model import FileType, ImagePath, KeepSet


class Shipping:
    """Answers for paths as databases write them: links on the way count as where they lead."""

    def __init__(self, tree: Tree, keep: KeepSet) -> None:
        self._tree = tree
        self._keep = keep
        self._real: dict[str, ImagePath | None] = {}
        self._directories = {above for path in keep.reasons for above in tree.parents(path)}

    def has(self, path: str) -> bool:
        """Whether a file or link ships whole, or a directory at all."""
        real = self._at(path)
        if real is None:
            return False
        entry = self._tree.get(real)
        if entry is not None and entry.type is FileType.DIRECTORY:
            return real in self._keep.reasons or real in self._directories
        return self.whole(real)

    def whole(self, path: str) -> bool:
        """Whether a path ships, and not by its name alone."""
        real = self._at(path)
        return real in self._keep.reasons and real not in self._keep.placeholders

    def unchanged(self, path: str, rewritten: Container[ImagePath]) -> bool:
        """Whether a path ships with the contents of the original."""
        real = self._at(path)
        return self.whole(path) and real not in rewritten and real not in self._keep.rewritten

    def _at(self, path: str) -> ImagePath | None:
        known = self._tree.get(path)
        if known is not None:
            return known.path
        directory, _, last = path.rstrip("/").rpartition("/")
        if last in (".", ""):
            return ImagePath("/")
        if directory not in self._real:
            self._real[directory] = resolve(self._tree, directory or "/").real
        real = self._real[directory]
        return None if real is None else ImagePath(f"{real.rstrip('/')}/{last}")
