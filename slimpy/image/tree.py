"""An immutable index of every path of an image, and the pure string functions on such paths."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from slimpy.errors import EngineLostError
from slimpy.model import ROOT, Entry, FileType, ImagePath, display, encoded


def join(base: ImagePath, name: str) -> ImagePath:
    """The path of ``name`` (one or more plain components, no ``..``) in the directory ``base``."""
    return ImagePath(f"/{name}" if base == ROOT else f"{base}/{name}")


def parent(path: ImagePath) -> ImagePath:
    """The directory that a normalised path lies in; the root's is the root."""
    return ImagePath(path.rpartition("/")[0] or "/")


def name(path: ImagePath) -> str:
    """The last component of a path; empty for the root."""
    return path.rpartition("/")[2]


class Tree:
    """Every path of an image with its metadata, known without reading contents.

    Iteration is in the order of the bytes of the path's components, so a directory comes before all
    that is in it and its whole subtree comes before its next sibling.
    """

    __slots__ = ("_children", "_entries", "_inodes")

    def __init__(self, entries: Iterable[Entry]) -> None:
        """Index ``entries`` (any order, real normalised paths).

        Of duplicates the last wins; missing parent directories are made up: mode 0755, owner 0:0.

        Raises:
            EngineLostError: something lies below an entry that is no directory.
        """
        self._entries = {entry.path: entry for entry in entries}
        self._add_parents()
        self._children = self._grouped_children()
        self._inodes = self._grouped_inodes()

    def _add_parents(self) -> None:
        known = self._entries
        if ROOT not in known:
            known[ROOT] = Entry(ROOT, FileType.DIRECTORY)
        for path in list(known):
            above = parent(path)
            while above not in known:
                known[above] = Entry(above, FileType.DIRECTORY)
                above = parent(above)

    def _grouped_children(self) -> dict[ImagePath, tuple[Entry, ...]]:
        groups: dict[ImagePath, list[Entry]] = {}
        for entry in self._entries.values():
            if entry.path == ROOT:
                continue
            # The parent's own string is the key: a second copy of each path would cost memory.
            above = self._entries[parent(entry.path)]
            if above.type is not FileType.DIRECTORY:
                message = (
                    f"the image's listing has {display(entry.path)} below what is no directory"
                )
                raise EngineLostError(message)
            groups.setdefault(above.path, []).append(entry)
        # One directory at a time: sort keys of the whole tree at once would double the memory.
        return {
            path: tuple(sorted(group, key=lambda entry: encoded(name(entry.path))))
            for path, group in groups.items()
        }

    def _grouped_inodes(self) -> dict[int, tuple[ImagePath, ...]]:
        groups: dict[int, list[ImagePath]] = {}
        for entry in self._entries.values():
            if entry.inode:
                groups.setdefault(entry.inode, []).append(entry.path)
        return {inode: tuple(sorted(group, key=order)) for inode, group in groups.items()}

    def get(self, path: str) -> Entry | None:
        """The entry at a real path (links are not followed), or None."""
        return self._entries.get(ImagePath(path))

    def __contains__(self, path: object) -> bool:
        return path in self._entries

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        yield self._entries[ROOT]
        yield from self.below(ROOT)

    def children(self, path: ImagePath) -> tuple[Entry, ...]:
        """The entries directly in a directory, sorted; empty for anything else."""
        return self._children.get(path, ())

    def below(self, path: ImagePath) -> Iterator[Entry]:
        """The whole subtree of a directory without the directory itself, in the tree's order."""
        # An explicit stack: a hostile image can nest deeper than the interpreter recurses.
        stack = [iter(self.children(path))]
        while stack:
            entry = next(stack[-1], None)
            if entry is None:
                stack.pop()
                continue
            yield entry
            if entry.path in self._children:
                stack.append(iter(self._children[entry.path]))

    def hardlinks(self, entry: Entry) -> tuple[Entry, ...]:
        """All names of the same file in the tree's order, ``entry`` itself included."""
        if not entry.inode:
            return (entry,)
        return tuple(self._entries[path] for path in self._inodes.get(entry.inode, (entry.path,)))

    def parents(self, path: ImagePath) -> Iterator[ImagePath]:
        """The directories on the way, from the root to the direct parent; none for the root."""
        if path == ROOT:
            return
        yield ROOT
        end = path.find("/", 1)
        while end != -1:
            yield ImagePath(path[:end])
            end = path.find("/", end + 1)


def order(path: ImagePath) -> bytes:
    """The sort key of the tree's order; NUL for slash puts a directory right before its subtree."""
    return b"" if path == ROOT else encoded(path).replace(b"/", b"\0")
