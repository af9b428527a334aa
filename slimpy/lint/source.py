"""Text that was joined out of the lines of a file, and still knows where each part stood."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

Mark = tuple[int, int]
"""An offset in a text, and the line of the file that begins there (from 1)."""


@dataclass(frozen=True, slots=True)
class Text:
    """A text and its marks, in ascending order; the first is at offset 0."""

    value: str
    marks: tuple[Mark, ...] = ((0, 1),)

    def line(self, offset: int) -> int:
        """The line of the file on which the character at ``offset`` stands."""
        at = bisect_right(self.marks, (offset, 1 << 62)) - 1
        return self.marks[max(at, 0)][1]

    def cut(self, start: int, end: int | None = None) -> Text:
        """The part from ``start`` to ``end``."""
        stop = len(self.value) if end is None else end
        inner = tuple((at - start, line) for at, line in self.marks if start < at < stop)
        return Text(self.value[start:stop], ((0, self.line(start)), *inner))

    def stripped(self) -> Text:
        """Without white space at both ends."""
        left = len(self.value) - len(self.value.lstrip())
        return self.cut(left, max(left, len(self.value.rstrip())))


def joined(pieces: list[tuple[str, int]]) -> Text:
    """Pieces of a file, each with its line, as one text."""
    marks, parts, offset = [], [], 0
    for piece, line in pieces:
        marks.append((offset, line))
        parts.append(piece)
        offset += len(piece)
    return Text("".join(parts), tuple(marks) or ((0, 1),))
