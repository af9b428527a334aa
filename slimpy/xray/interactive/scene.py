"""What is to be seen of an image's files: after a layer, all or only its changes, filtered."""

from __future__ import annotations

import heapq
from dataclasses import dataclass

from slimpy.model import FileType, display
from slimpy.xray.interactive.timeline import TOP, Entry, Timeline
from slimpy.xray.members import Member
from slimpy.xray.stack import Kind

MOST_BIGGEST = 1000
"""How many of the biggest files can be visited one after the other."""


@dataclass(frozen=True, slots=True)
class Look:
    """What to show: the files after a layer (counted from 0), and of these only what it changes,
    only some kinds of changes (none: whatever), only paths with a text in them.
    """

    layer: int = 0
    changes: bool = False
    kinds: frozenset[Kind] = frozenset()
    text: str = ""
    by_size: bool = False

    @property
    def is_narrow(self) -> bool:
        """Whether anything is left out."""
        return self.changes or bool(self.kinds) or bool(self.text)


@dataclass(frozen=True, slots=True)
class Row:
    """A path as it is shown. ``size`` in bytes is that of a file, or of all files shown below it,
    several names of a file counted once; ``freed`` that of what the layer removes there.
    ``touched`` says that the layer changes it, or something shown below it.
    """

    index: int
    path: str
    entry: Entry
    kind: Kind | None
    size: int
    freed: int
    touched: bool
    foldable: bool


class Scene:
    """The rows of one look. It is made by a single pass over all paths, without recursion."""

    def __init__(self, story: Timeline, look: Look) -> None:
        self.look = look
        self._story = story
        count = len(story.paths)
        self._entries: list[Entry | None] = [story.at(i, look.layer) for i in range(count)]
        self._shown = bytearray(count)
        self._touched = bytearray(count)
        self._sizes = [0] * count
        self._freed = [0] * count
        self.matches = 0
        """How many paths are shown for their own sake, not for what lies in them."""
        self.size = 0
        """Bytes of all files that are shown."""
        self._choose()
        self._add_up()

    def _choose(self) -> None:
        """Which paths are shown for their own sake, and the bytes of each file."""
        look, seen, gone = self.look, set[int](), list[int]()
        text = look.text.lower()
        for index, entry in enumerate(self._entries):
            if entry is None or not self._fits(index, entry, text):
                continue
            self._shown[index] = 1
            self.matches += 1
            self._touched[index] = self._change(entry) is not None
            member = entry.member
            if not member.is_file:
                continue
            if entry.kind is Kind.REMOVED:
                gone.append(index)
            elif member.content not in seen:
                seen.add(member.content)
                self._sizes[index] = member.length
        for index in gone:
            entry = self._entries[index]
            if entry is not None and entry.member.content not in seen:
                seen.add(entry.member.content)
                self._freed[index] = entry.member.length
        self.size = sum(self._sizes)

    def _fits(self, index: int, entry: Entry, text: str) -> bool:
        change = self._change(entry)
        if change is None and (self.look.changes or self.look.kinds):
            return False
        if self.look.kinds and change not in self.look.kinds:
            return False
        return not text or text in display(self._story.paths[index]).lower()

    def _change(self, entry: Entry) -> Kind | None:
        """What the layer that is looked at does to a path."""
        return entry.kind if entry.layer == self.look.layer else None

    def _add_up(self) -> None:
        """Directories show what is shown below them: the last paths first."""
        for index in range(len(self._entries) - 1, -1, -1):
            above = self._story.above[index]
            if above != TOP and self._shown[index]:
                self._shown[above] = 1
                self._touched[above] |= self._touched[index]
                self._sizes[above] += self._sizes[index]
                self._freed[above] += self._freed[index]

    def below(self, index: int) -> tuple[int, ...]:
        """What is shown in a directory (or at the top), in order."""
        found = (i for i in self._story.below.get(index, ()) if self._shown[i])
        if not self.look.by_size:
            return tuple(found)
        return tuple(sorted(found, key=lambda i: (-max(self._sizes[i], self._freed[i]), i)))

    def is_shown(self, index: int) -> bool:
        """Whether the path is shown, perhaps in a folded directory."""
        return bool(self._shown[index])

    def above(self, index: int) -> int:
        """The directory of a path, or `TOP`."""
        return self._story.above[index]

    def row(self, index: int) -> Row:
        """A path that is shown."""
        path = self._story.paths[index]
        entry = self._entries[index] or Entry(0, None, Member(path, FileType.DIRECTORY, 0o755))
        member = entry.member
        return Row(
            index,
            path,
            entry,
            self._change(entry),
            size=member.length if member.is_file else self._sizes[index],
            freed=self._freed[index],
            touched=bool(self._touched[index]),
            foldable=any(self._shown[i] for i in self._story.below.get(index, ())),
        )

    def biggest(self) -> tuple[int, ...]:
        """The files that are shown and are there, the biggest first."""
        files = (
            i
            for i, entry in enumerate(self._entries)
            if entry is not None
            and self._shown[i]
            and entry.member.is_file
            and entry.kind is not Kind.REMOVED
        )
        return tuple(heapq.nsmallest(MOST_BIGGEST, files, key=self._by_length))

    def _by_length(self, index: int) -> tuple[int, int]:
        entry = self._entries[index]
        return -(entry.member.length if entry else 0), index
