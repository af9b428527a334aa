"""The program in the terminal: its keys, and what they change."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen, Screen
from textual.widgets import Footer, Input, Static

from slimpy.xray.facts import XRay
from slimpy.xray.interactive import wording
from slimpy.xray.interactive.listing import Listing
from slimpy.xray.interactive.panes import Facts, FileTree, LayerList, styled
from slimpy.xray.interactive.scene import Look, Scene
from slimpy.xray.interactive.timeline import timeline
from slimpy.xray.stack import Kind, Stack

HELP = (
    ("Tab", "go to the next pane: layers, facts, files"),
    ("↑ ↓ PgUp PgDn", "move; also j, k; Home or g, End or G"),
    ("[ ]", "layer before, layer after, from anywhere"),
    ("Enter, Space", "fold or unfold a directory"),
    ("← →", "fold or go up, unfold or go in; also h, l"),
    ("e, z", "unfold everything below the cursor; fold everything"),
    ("v", "all files after the layer, or only what it changes"),
    ("a c r", "only what the layer adds, changes, removes, or several"),
    ("/", "only paths with a text in them; Esc ends it"),
    ("s", "sort by size or by name"),
    ("b", "go to the biggest file; again: to the next one"),
    ("?", "this help"),
    ("q", "quit"),
)
"""Keys, and what they do."""
_SIGNS = "Signs: + added, ~ changed, - removed, · something in it is."


class HelpScreen(ModalScreen[None]):
    """The keys."""

    DEFAULT_CSS = """
    HelpScreen { align: center middle; }
    HelpScreen > Static { width: 76; height: auto; max-height: 100%; padding: 1 2;
        border: round $primary; background: $surface; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,enter", "dismiss(None)", "Close")
    ]

    def compose(self) -> ComposeResult:
        """One line for each key."""
        lines = [("", f"{keys:<15}{what}") for keys, what in HELP]
        yield Static(styled([*lines, ("", ""), ("facts", _SIGNS)]), markup=False)


class Explorer(App[None]):
    """An image to look around in: layers and facts on the left, files on the right.

    Args:
        chosen: the layer to start at, counted from 0.
    """

    ENABLE_COMMAND_PALETTE = False
    TITLE = "slim xray"
    CSS = """
    #left { width: 42%; }
    #layers, #facts, #files { border: round $panel-lighten-2; border-title-color: $foreground; }
    #layers { height: 40%; }
    #facts { height: 1fr; padding: 0 1; }
    #layers:focus, #facts:focus, #files:focus { border: round $primary; }
    #look, #path { height: auto; padding: 0 1; }
    #path { height: 4; }
    #look { max-height: 2; text-style: bold; }
    #filter { display: none; height: 3; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("v", "changes", "All/changes"),
        Binding("a", "only('added')", "Added"),
        Binding("c", "only('changed')", "Changed"),
        Binding("r", "only('removed')", "Removed"),
        Binding("slash", "filter", "Filter", key_display="/"),
        Binding("s", "sort", "Sort"),
        Binding("b", "biggest", "Biggest"),
        Binding("question_mark", "help", "Help", key_display="?"),
        Binding("q", "quit", "Quit"),
        Binding("left_square_bracket", "layer(-1)", show=False),
        Binding("right_square_bracket", "layer(1)", show=False),
        Binding("escape", "unfilter", show=False),
        Binding("ctrl+c", "quit", show=False, priority=True),
    ]

    def __init__(self, found: XRay, stack: Stack, chosen: int = 0) -> None:
        super().__init__()
        self._found = found
        self._story = timeline(stack)
        self._biggest: tuple[int, ...] = ()
        self._visited = 0
        self.look = Look(chosen)
        """What is shown."""

    def compose(self) -> ComposeResult:
        """The panes."""
        with Horizontal():
            with Vertical(id="left"):
                yield LayerList(self._found.layers, self.look.layer)
                yield Facts()
            with Vertical():
                yield Static(id="look", markup=False)
                yield FileTree(Scene(self._story, self.look))
                yield Static(id="path", markup=False)
                yield Input(id="filter", placeholder="a part of the path")
        yield Footer()

    def on_mount(self) -> None:
        """Start at the list of layers."""
        self._panes.query_one(LayerList).border_title = wording.title(self._found)
        self._panes.query_one(LayerList).border_subtitle = "size, wasted, instruction"
        self._panes.query_one(LayerList).focus()
        self._tell_layer()
        self._tell_scene()

    @property
    def _panes(self) -> Screen[None]:
        """The screen with the panes, even while the help is in front of it."""
        return self.screen_stack[0]

    def show(self, look: Look) -> None:
        """Look at the image in another way."""
        if look == self.look:
            return
        self.look = look
        self._biggest, self._visited = (), 0
        self._panes.query_one(FileTree).put(Scene(self._story, look))
        self._tell_scene()

    def on_listing_moved(self, event: Listing.Moved) -> None:
        """Another layer, or another path."""
        if isinstance(event.listing, LayerList) and self._found.layers:
            self.show(replace(self.look, layer=event.line))
            self._tell_layer()
        elif isinstance(event.listing, FileTree):
            self._tell_path()

    def _tell_layer(self) -> None:
        layers = self._found.layers
        lines = list(wording.image_lines(self._found))
        if layers:
            lines[:0] = wording.layer_lines(layers[self.look.layer], len(layers))
        self._panes.query_one(Facts).say(lines)

    def _tell_scene(self) -> None:
        scene = self._panes.query_one(FileTree).scene
        self._panes.query_one("#look", Static).update(styled([("", wording.look_text(scene))]))
        self._tell_path()

    def _tell_path(self) -> None:
        row = self._panes.query_one(FileTree).row
        lines = wording.path_lines(row) if row else [("facts", "nothing to show")]
        self._panes.query_one("#path", Static).update(styled(lines))

    def action_layer(self, step: int) -> None:
        """Another layer, from anywhere."""
        self._panes.query_one(LayerList).cursor += step

    def action_changes(self) -> None:
        """All files, or only what the layer changes."""
        self.show(replace(self.look, changes=not self.look.changes))

    def action_only(self, name: str) -> None:
        """Only one kind of changes, or no longer."""
        self.show(replace(self.look, kinds=self.look.kinds ^ {Kind(name)}))

    def action_sort(self) -> None:
        """By size, or by name."""
        self.show(replace(self.look, by_size=not self.look.by_size))

    def action_biggest(self) -> None:
        """The biggest file, then the next ones."""
        tree = self._panes.query_one(FileTree)
        self._biggest = self._biggest or tree.scene.biggest()
        if self._biggest:
            tree.reveal(self._biggest[self._visited % len(self._biggest)])
            self._visited += 1
            tree.focus()

    def action_help(self) -> None:
        """The keys."""
        self.push_screen(HelpScreen())

    def action_filter(self) -> None:
        """Ask for a part of the path."""
        asked = self._panes.query_one("#filter", Input)
        asked.display = True
        self.set_focus(asked)

    def action_unfilter(self) -> None:
        """No part of the path any more."""
        asked = self._panes.query_one("#filter", Input)
        asked.value = ""
        self._asked(asked)
        self.show(replace(self.look, text=""))

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter while it is typed."""
        self.show(replace(self.look, text=event.value.strip()))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Keep the filter."""
        self._asked(event.input)

    def _asked(self, asked: Input) -> None:
        if asked.display:
            self.set_focus(self._panes.query_one(FileTree))
            asked.display = False


def explore(found: XRay, stack: Stack, chosen: int = 0) -> None:
    """Let the user look around until they quit.

    Args:
        chosen: the layer to start at, counted from 0.

    Raises:
        RuntimeError: a bug; it has been told in detail.
    """
    app = Explorer(found, stack, chosen)
    app.run()
    if app.return_code:
        message = "the panes failed"
        raise RuntimeError(message)
