"""A pane of lines with a cursor, of which only those on the screen are ever drawn."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from slimpy.xray.interactive.wording import Piece


class Listing(ScrollView, can_focus=True):
    """Lines that are asked for one by one. Texts are drawn as they are: nothing in them is taken
    for markup.
    """

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "listing--added",
        "listing--changed",
        "listing--removed",
        "listing--untouched",
        "listing--facts",
        "listing--cursor",
    }
    DEFAULT_CSS = """
    Listing { overflow-x: hidden; overflow-y: auto; }
    Listing > .listing--added { color: $text-success; }
    Listing > .listing--changed { color: $text-warning; }
    Listing > .listing--removed { color: $text-error; }
    Listing > .listing--facts { text-style: dim; }
    Listing > .listing--cursor { background: $panel-lighten-2; }
    Listing:focus > .listing--cursor { background: $primary; text-style: bold; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", show=False),
        Binding("down,j", "move(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown", "page(1)", show=False),
        Binding("home,g", "go(0)", show=False),
        Binding("end,G", "end", show=False),
    ]

    cursor: reactive[int] = reactive(0, repaint=False)
    """The number of the line that is chosen."""

    class Moved(Message):
        """The cursor is on another line."""

        def __init__(self, listing: Listing, line: int) -> None:
            super().__init__()
            self.listing = listing
            self.line = line

        @property
        def control(self) -> Listing:
            """The pane."""
            return self.listing

    class Chosen(Moved):
        """The user wants to do what can be done with a line."""

    def count(self) -> int:
        """How many lines there are."""
        raise NotImplementedError

    def pieces(self, line: int) -> Iterable[Piece]:
        """What a line shows."""
        raise NotImplementedError

    def changed(self, cursor: int) -> None:
        """Other lines are there; the cursor goes to one of them."""
        self.virtual_size = Size(self.scrollable_content_region.width, self.count())
        self.set_reactive(Listing.cursor, self._inside(cursor))
        self._follow()
        self.refresh()
        self.post_message(self.Moved(self, self.cursor))

    def text_of(self, line: int) -> str:
        """A line's text, whole."""
        return "".join(text for _, text in self.pieces(line))

    def validate_cursor(self, line: int) -> int:
        """The nearest line that there is."""
        return self._inside(line)

    def watch_cursor(self, before: int, line: int) -> None:
        """Draw what moved."""
        self.refresh_line(before)
        self.refresh_line(line)
        self._follow()
        self.post_message(self.Moved(self, line))

    def render_line(self, y: int) -> Strip:
        """A line of the screen."""
        width = self.scrollable_content_region.width
        number = y + self.scroll_offset.y
        base = self.rich_style
        if not 0 <= number < self.count():
            return Strip.blank(width, base)
        drawn = [Segment(text, self._style(style)) for style, text in self.pieces(number)]
        strip = Strip(drawn).adjust_cell_length(width, Style())
        if number == self.cursor:
            strip = strip.apply_style(
                self.get_component_rich_style("listing--cursor", partial=True)
            )
        return strip.apply_style(base)

    def _style(self, name: str) -> Style:
        if not name:
            return Style()
        return self.get_component_rich_style(f"listing--{name}", partial=True)

    def on_mount(self) -> None:
        """Show the first lines."""
        self.virtual_size = Size(0, self.count())

    async def on_click(self, event: events.Click) -> None:
        """Go to a line; on it already: do what Enter does."""
        place = event.get_content_offset(self)
        line = place.y + self.scroll_offset.y if place else self.count()
        if line >= self.count():
            return
        if line == self.cursor:
            self.post_message(self.Chosen(self, line))
        self.cursor = line

    def action_move(self, lines: int) -> None:
        """Go up or down."""
        self.cursor += lines

    def action_page(self, pages: int) -> None:
        """Go up or down by what the pane shows."""
        self.cursor += pages * max(1, self.scrollable_content_region.height - 1)

    def action_go(self, line: int) -> None:
        """Go to a line."""
        self.cursor = line

    def action_end(self) -> None:
        """Go to the last line."""
        self.cursor = self.count() - 1

    def _inside(self, line: int) -> int:
        return max(0, min(line, self.count() - 1))

    def _follow(self) -> None:
        spot = Region(0, self.cursor, 1, 1)
        self.scroll_to_region(spot, animate=False, force=True)
