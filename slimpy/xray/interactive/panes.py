"""The panes: the layers, what there is to say of one, and the files."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from rich.style import Style
from rich.text import Text
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Static

from slimpy.xray.facts import LayerFacts
from slimpy.xray.interactive import wording
from slimpy.xray.interactive.listing import Listing
from slimpy.xray.interactive.outline import Outline
from slimpy.xray.interactive.scene import Row, Scene
from slimpy.xray.interactive.timeline import TOP
from slimpy.xray.interactive.wording import Piece

_NARROW = 70
"""Columns of the tree below which names need the room of modes and owners."""
_STYLES = {
    "strong": Style(bold=True),
    "facts": Style(dim=True),
    "changed": Style(color="yellow"),
}


def styled(lines: Iterable[Piece]) -> Text:
    """Lines below each other; nothing in them is taken for markup."""
    text = Text()
    for number, (style, line) in enumerate(lines):
        text.append("\n" if number else "")
        text.append(line, _STYLES.get(style, Style()))
    return text


class LayerList(Listing):
    """The layers, the base first."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "app.focus('files')", "Files")]

    def __init__(self, layers: tuple[LayerFacts, ...], chosen: int = 0) -> None:
        super().__init__(id="layers")
        self._layers = layers
        self.cursor = chosen

    def count(self) -> int:
        """How many layers there are."""
        return len(self._layers)

    def pieces(self, line: int) -> Iterable[Piece]:
        """A layer's line."""
        return wording.layer_pieces(self._layers[line])


class Facts(VerticalScroll):
    """What there is to say of a layer and of the image, as long as it may be."""

    def __init__(self) -> None:
        super().__init__(Static(id="facts-text", markup=False), id="facts")

    def say(self, lines: Iterable[Piece]) -> None:
        """Show other lines, from their start."""
        self.query_one(Static).update(styled(lines))
        self.scroll_home(animate=False)


class FileTree(Listing):
    """The files, as a tree that is unfolded where somebody looks."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,space", "fold", "Fold", key_display="⏎"),
        Binding("right,l", "enter", show=False),
        Binding("left,h", "leave", show=False),
        Binding("e", "unfold_below", "Unfold all below"),
        Binding("z", "fold_all", show=False),
    ]

    def __init__(self, scene: Scene) -> None:
        super().__init__(id="files")
        self._outline = Outline(scene)

    @property
    def scene(self) -> Scene:
        """What is shown."""
        return self._outline.scene

    def put(self, scene: Scene) -> None:
        """Show other files; the cursor stays at its path, or what is above it."""
        here = self._index
        self._outline.put(scene)
        self.changed(self._outline.line_of(here))

    def count(self) -> int:
        """How many lines are unfolded."""
        return len(self._outline.lines)

    def pieces(self, line: int) -> Iterable[Piece]:
        """A path's line."""
        item = self._outline.lines[line]
        row = self.scene.row(item.index)
        unfolded = self._outline.is_open(item.index)
        return wording.row_pieces(row, item, unfolded=unfolded, brief=self._is_narrow)

    def on_resize(self) -> None:
        """Say what is in the columns."""
        self.border_subtitle = "size, name" if self._is_narrow else "mode, owner, size, name"

    @property
    def _is_narrow(self) -> bool:
        return self.size.width < _NARROW

    @property
    def row(self) -> Row | None:
        """What the cursor is at; None in an empty tree."""
        return None if self._index == TOP else self.scene.row(self._index)

    @property
    def _index(self) -> int:
        lines = self._outline.lines
        return lines[self.cursor].index if self.cursor < len(lines) else TOP

    def reveal(self, index: int) -> None:
        """Go to a path that is shown, unfolding what it lies in."""
        self.changed(self._outline.reveal(index))

    def on_listing_chosen(self, _event: Listing.Chosen) -> None:
        """A second click."""
        self.action_fold()

    def action_fold(self) -> None:
        """Fold or unfold."""
        if self._index != TOP:
            self._outline.toggle(self._index)
            self.changed(self.cursor)

    def action_enter(self) -> None:
        """Unfold; if it is already, go to what is in it."""
        row = self.row
        if row is None or not row.foldable:
            return
        if self._outline.is_open(row.index):
            self.cursor += 1
        else:
            self.action_fold()

    def action_leave(self) -> None:
        """Fold; if it is already, go to the directory above."""
        if self._index == TOP:
            return
        if self._outline.is_open(self._index):
            self.action_fold()
        elif (above := self.scene.above(self._index)) != TOP:
            self.cursor = self._outline.line_of(above)

    def action_unfold_below(self) -> None:
        """Unfold everything below."""
        if self._index != TOP:
            self._outline.unfold_below(self._index)
            self.changed(self.cursor)

    def action_fold_all(self) -> None:
        """Fold everything."""
        here = self._index
        self._outline.fold_all()
        self.changed(self._outline.line_of(here))
