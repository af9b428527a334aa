"""The panes of `slim xray --interactive`, driven by keys, in a terminal that is made up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Static

from slimpy.xray.inspect import inspected
from slimpy.xray.interactive.app import HELP, Explorer, HelpScreen
from slimpy.xray.interactive.listing import Listing
from slimpy.xray.interactive.panes import FileTree, LayerList
from tests.unit.xray.images import directory, file, image, layer, link

EVIL = "[red]evil[@click=app.quit]x\x1b[2J"
LAYERS = (
    layer(
        directory("etc", 0o750),
        file("etc/conf", b"c" * 1200, mode=0o640, uid=3, gid=4),
        file("etc/gone", b"g" * 800),
        file(f"opt/{EVIL}", b"e" * 30),
        file("usr/lib/big", b"b" * 9000),
        link("lib", "usr/lib"),
    ),
    layer(file("etc/conf", b"C" * 2000), file("etc/.wh.gone"), file("srv/new", b"n" * 5)),
)
HISTORY = [
    {"created_by": "/bin/sh -c #(nop) ADD file:0123456789abcdef in / "},
    {"created_by": "RUN /bin/sh -c make [bold]x[/bold] && rm /etc/gone # buildkit"},
]
Play = Callable[[Explorer, "Pilot[None]"], Awaitable[None]]


def played(play: Play, *layers: bytes, size: tuple[int, int] = (150, 40)) -> None:
    """Run the panes on an image, and play with them."""
    found, stack = inspected(image(layers or LAYERS, history=HISTORY if not layers else []))

    async def run() -> None:
        app = Explorer(found, stack)
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            await play(app, pilot)

    asyncio.run(run())


def lines(app: Explorer, kind: type[Listing] = FileTree) -> list[str]:
    """What a pane shows, as it is drawn."""
    pane = app.query_one(kind)
    height = pane.scrollable_content_region.height
    return [text for y in range(height) if (text := pane.render_line(y).text.rstrip())]


def text_of(app: Explorer, selector: str) -> str:
    return str(app.query_one(selector, Static).render())


def here(app: Explorer) -> str:
    """The path under the cursor."""
    row = app.query_one(FileTree).row
    return row.path if row else ""


async def press(pilot: Pilot[None], *keys: str) -> None:
    await pilot.press(*keys)
    await pilot.pause()


def test_the_first_sight() -> None:
    async def play(app: Explorer, pilot: Pilot[None]) -> None:
        assert lines(app, LayerList) == [
            "  1   11.0 kB  18% ADD file:0123456789abcdef /",
            "  2    2.0 kB   0% RUN make [bold]x[/bold] && rm /etc/gone",
        ]
        assert lines(app) == [
            "drwxr-x---         0:0    2.0 kB + ▸ etc/",
            "lrw-r--r--         0:0           +   lib → usr/lib",
            "drwxr-xr-x         0:0      30 B · ▸ opt/",
            "drwxr-xr-x         0:0    9.0 kB · ▸ usr/",
        ]
        assert text_of(app, "#look") == "files after layer 1 | 9 paths shown, 11.0 kB | by name"
        assert "efficiency 78.5%" in str(app.query_one(LayerList).border_title)
        facts = text_of(app, "#facts-text")
        assert "added    6, changed 0, removed 0 paths" in facts
        assert "wasted   2.0 kB (18.1%) that later layers hide" in facts

    played(play)


def test_another_layer_shows_its_files_and_its_facts() -> None:
    async def play(app: Explorer, pilot: Pilot[None]) -> None:
        await press(pilot, "down")
        assert text_of(app, "#look").startswith("files after layer 2 | 11 paths shown, 11.0 kB")
        assert "·" in lines(app)[0] and "srv/" in lines(app)[3]
        assert "RUN make [bold]x[/bold]\n  && rm /etc/gone" in text_of(app, "#facts-text")
        await press(pilot, "down", "down", "up")
        assert app.look.layer == 0
        await press(pilot, "tab", "tab", "right_square_bracket")
        assert app.look.layer == 1, "from the files, too"

    played(play)


def test_it_can_start_at_a_later_layer() -> None:
    found, stack = inspected(image(LAYERS, history=HISTORY))

    async def run() -> None:
        app = Explorer(found, stack, 1)
        async with app.run_test(size=(150, 40)) as pilot:
            await pilot.pause()
            assert text_of(app, "#look").startswith("files after layer 2")
            assert app.query_one(LayerList).cursor == app.look.layer == 1
            await press(pilot, "up")
            assert text_of(app, "#look").startswith("files after layer 1")

    asyncio.run(run())


def test_folding_and_going_in_and_out() -> None:
    async def play(app: Explorer, pilot: Pilot[None]) -> None:
        await press(pilot, "enter")
        assert app.query_one(FileTree).has_focus
        await press(pilot, "enter")
        assert lines(app)[:3] == [
            "drwxr-x---         0:0    2.0 kB + ▾ etc/",
            "-rw-r-----         3:4    1.2 kB +     conf",
            "-rw-r--r--         0:0     800 B +     gone",
        ]
        await press(pilot, "right", "j")
        assert here(app) == "/etc/gone"
        assert text_of(app, "#path") == (
            "-rw-r--r-- (0644), owner 0:0, 800 bytes, added by layer 1\n/etc/gone"
        )
        await press(pilot, "left")
        assert here(app) == "/etc"
        await press(pilot, "left")
        assert len(lines(app)) == 4
        await press(pilot, "end")
        assert here(app) == "/usr"
        await press(pilot, "e")
        assert [line.split()[-1] for line in lines(app)[3:]] == ["usr/", "lib/", "big"]
        await press(pilot, "end", "z")
        assert here(app) == "/usr" and len(lines(app)) == 4

    played(play)


def test_the_path_under_the_cursor_stays_when_the_layer_changes() -> None:
    async def play(app: Explorer, pilot: Pilot[None]) -> None:
        await press(pilot, "enter", "enter", "down")
        assert here(app) == "/etc/conf"
        await press(pilot, "right_square_bracket")
        assert here(app) == "/etc/conf"
        assert lines(app)[1:3] == [
            "-rw-r--r--         0:0    2.0 kB ~     conf",
            "-rw-r--r--         0:0    -800 B -     gone",
        ]

    played(play)


def test_changes_only_and_kinds() -> None:
    async def play(app: Explorer, pilot: Pilot[None]) -> None:
        def names() -> list[str]:
            return [line.split()[-1] for line in lines(app)]

        await press(pilot, "down", "v")
        assert names() == ["etc/", "conf", "gone", "srv/", "new"], "few paths are unfolded"
        await press(pilot, "r")
        assert names() == ["etc/", "gone"]
        await press(pilot, "a")
        assert names() == ["etc/", "gone", "srv/", "new"]
        assert "added and removed only" in text_of(app, "#look")
        await press(pilot, "a", "r", "c")
        assert names() == ["etc/", "conf"]
        await press(pilot, "c", "v")
        assert names() == ["etc/", "usr/lib", "opt/", "srv/", "usr/"]

    played(play)


def test_a_filter_is_typed_kept_and_ended() -> None:
    async def play(app: Explorer, pilot: Pilot[None]) -> None:
        await press(pilot, "slash", *"EVIL")
        asked = app.query_one(Input)
        assert asked.has_focus and asked.value == "EVIL"
        assert len(lines(app)) == 2
        await press(pilot, "enter")
        assert app.query_one(FileTree).has_focus and app.look.text == "EVIL"
        assert not asked.display
        await press(pilot, "escape")
        assert app.look.text == "" and len(lines(app)) == 4
        await press(pilot, "slash", *"nowhere")
        assert (lines(app), text_of(app, "#path")) == ([], "nothing to show")
        await press(pilot, "enter", "enter", "left", "right", "e", "z", "down", "b", "end")
        assert lines(app) == []
        await press(pilot, "slash", "escape")
        assert len(lines(app)) == 4 and app.query_one(FileTree).has_focus

    played(play)


def test_names_are_shown_as_they_are_and_never_obeyed() -> None:
    async def play(app: Explorer, pilot: Pilot[None]) -> None:
        await press(pilot, "slash", *"evil", "enter", "end")
        assert lines(app)[1].endswith("+     [red]evil[@click=app.quit]x\\x1b[2J")
        assert text_of(app, "#path").endswith("\n/opt/[red]evil[@click=app.quit]x\\x1b[2J")
        pane = app.query_one(FileTree)
        drawn = [segment for y in range(3) for segment in pane.render_line(y)]
        assert all(segment.text.isprintable() for segment in drawn)

    played(play)


def test_signs_have_colours_of_their_own() -> None:
    async def play(app: Explorer, pilot: Pilot[None]) -> None:
        await press(pilot, "down", "v", "tab", "tab", "end")
        pane = app.query_one(FileTree)
        colours = {}
        for y in range(5):
            for segment in pane.render_line(y):
                if segment.text.strip() in ("+", "~", "-"):
                    assert segment.style is not None
                    colours.setdefault(segment.text.strip(), set()).add(segment.style.color)
        assert sorted(colours) == ["+", "-", "~"]
        assert len(set.union(*colours.values())) == 3

    played(play)


def test_sorting_and_the_biggest() -> None:
    async def play(app: Explorer, pilot: Pilot[None]) -> None:
        await press(pilot, "s")
        assert [line.split()[-1] for line in lines(app)] == ["usr/", "etc/", "opt/", "usr/lib"]
        await press(pilot, "b")
        assert here(app) == "/usr/lib/big" and app.query_one(FileTree).has_focus
        await press(pilot, "b")
        assert here(app) == "/etc/conf"
        await press(pilot, "b", "b", "b")
        assert here(app) == "/usr/lib/big", "after the last comes the first"

    played(play)


def test_help_names_every_key_and_closes() -> None:
    async def play(app: Explorer, pilot: Pilot[None]) -> None:
        await press(pilot, "question_mark")
        assert isinstance(app.screen, HelpScreen)
        text = str(app.screen.query_one(Static).render())
        assert all(what in text for _, what in HELP)
        await press(pilot, "escape")
        assert not isinstance(app.screen, HelpScreen)
        app.query_one(LayerList).action_end()
        app.action_help()  # before what moved the cursor is told
        await pilot.pause()
        assert isinstance(app.screen, HelpScreen) and app.look.layer == 1

    played(play)
    told = " ".join(keys for keys, _ in HELP)
    for key in "vacrsbezq?/":
        assert key in told


@pytest.mark.parametrize("key", ["q", "ctrl+c"])
def test_the_end(key: str) -> None:
    async def play(app: Explorer, pilot: Pilot[None]) -> None:
        assert app.return_code is None
        await pilot.press(key)
        assert app.return_code == 0

    played(play)


def test_the_mouse() -> None:
    async def play(app: Explorer, pilot: Pilot[None]) -> None:
        await pilot.click(FileTree, offset=(40, 3))
        await pilot.pause()
        assert here(app) == "/opt"
        before = len(lines(app))
        await pilot.click(FileTree, offset=(40, 3))
        await pilot.pause()
        assert len(lines(app)) == before + 1

    played(play)


def test_long_lists_scroll_with_the_cursor_and_draw_only_what_is_seen() -> None:
    async def play(app: Explorer, pilot: Pilot[None]) -> None:
        await press(pilot, "tab", "tab", "e", "end")
        tree = app.query_one(FileTree)
        assert here(app) == "/d/f2999" and tree.count() == 3001
        assert any("f2999" in line for line in lines(app)), "it is on the screen"
        await press(pilot, "pageup")
        assert here(app) < "/d/f2999"
        await press(pilot, "home")
        assert here(app) == "/d" and lines(app)[0].endswith("▾ d/")

    played(play, layer(*(file(f"d/f{number:04}", b"x") for number in range(3000))))


def test_a_narrow_terminal_leaves_room_for_names() -> None:
    async def play(app: Explorer, pilot: Pilot[None]) -> None:
        assert lines(app)[0] == "   2.0 kB + ▸ etc/"

    played(play, size=(80, 24))


@pytest.mark.parametrize("layers", [(), (layer(),)])
def test_an_image_of_nothing(layers: tuple[bytes, ...]) -> None:
    found, stack = inspected(image(layers))

    async def run() -> None:
        app = Explorer(found, stack)
        async with app.run_test() as pilot:
            await press(pilot, "down", "v", "b", "tab", "tab", "enter", "e", "right_square_bracket")
            assert text_of(app, "#path") == "nothing to show"
            assert "Image memory" in text_of(app, "#facts-text")

    asyncio.run(run())
