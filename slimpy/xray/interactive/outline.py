"""The lines of the tree: which directories are unfolded, and where a path is."""

from __future__ import annotations

from dataclasses import dataclass

from slimpy.xray.interactive.scene import Scene
from slimpy.xray.interactive.timeline import TOP

FEW = 300
"""So many paths that a narrow look finds are unfolded without being asked for."""


@dataclass(frozen=True, slots=True)
class Line:
    """A path, by its index, and how many directories it lies in."""

    index: int
    depth: int


class Outline:
    """The lines that are unfolded. Only what lies in unfolded directories is ever looked at.

    What the user unfolds stays so whatever the look is, except where a narrow look unfolds by
    itself: that lasts until the look changes.
    """

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.lines: list[Line] = []
        self._mine: set[int] = set()
        self._open = self._mine
        self.put(scene)

    def put(self, scene: Scene) -> None:
        """Show another scene of the same image."""
        self.scene = scene
        self._open = self._mine
        if scene.look.is_narrow and scene.matches <= FEW:
            self._open = set(self._directories(TOP))
        self._build()

    def is_open(self, index: int) -> bool:
        """Whether a directory is unfolded."""
        return index in self._open

    def toggle(self, index: int) -> None:
        """Unfold a directory, or fold it."""
        if index in self._open:
            self._open.discard(index)
        elif self.scene.below(index):
            self._open.add(index)
        self._build()

    def unfold_below(self, index: int) -> None:
        """Unfold a directory (or `TOP`: all) and those below it."""
        self._open.update(self._directories(index))
        self._build()

    def fold_all(self) -> None:
        """Fold everything."""
        self._open.clear()
        self._build()

    def reveal(self, index: int) -> int:
        """Unfold what a path lies in; the number of its line."""
        above = self.scene.above(index)
        while above != TOP:
            self._open.add(above)
            above = self.scene.above(above)
        self._build()
        return self.line_of(index)

    def line_of(self, index: int) -> int:
        """The number of the line of a path, or of the nearest directory above it that has one; 0
        where there is none.
        """
        numbers = {line.index: number for number, line in enumerate(self.lines)}
        while index != TOP:
            if index in numbers:
                return numbers[index]
            index = self.scene.above(index)
        return 0

    def _directories(self, top: int) -> list[int]:
        """Everything in which something is shown, at and below a path."""
        found: list[int] = []
        waiting = [top]
        while waiting:
            here = waiting.pop()
            below = self.scene.below(here)
            if below and here != TOP:
                found.append(here)
            waiting += below
        return found

    def _build(self) -> None:
        self.lines = []
        waiting = [Line(index, 0) for index in reversed(self.scene.below(TOP))]
        while waiting:
            line = waiting.pop()
            self.lines.append(line)
            if line.index in self._open:
                below = self.scene.below(line.index)
                waiting += (Line(index, line.depth + 1) for index in reversed(below))
