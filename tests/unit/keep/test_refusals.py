"""What cannot or must not ship is refused by name, never silently."""

from __future__ import annotations

import pytest

from probes.model import Operation
from tests.unit.keep.worlds import FIFO, SOCKET, Thing, World, event, file, link


@pytest.mark.parametrize(
    ("path", "thing", "why"),
    [
        ("/run/app.sock", SOCKET, "socket"),
        ("/data/.wh.gone", file(), ".wh."),
        ("/data/.wh.dir/inside", file(), ".wh."),
        ("/etc/hosts", file(), "engine"),
        ("/etc/hostname", file(), "engine"),
        ("/etc/resolv.conf", link("/run/resolv.conf"), "engine"),
        ("/.dockerenv", file(), "engine"),
        ("/dev/console", file(), "engine"),
    ],
)
def test_refused_paths_are_told_with_the_reason(path: str, thing: Thing, why: str) -> None:
    keep = World({path: thing}).decide(includes=(path,))
    assert why in keep.refused[path]
    assert path not in keep


def test_a_link_to_something_refused_tells_of_it() -> None:
    world = World({"/app/sock": link("/run/app.sock"), "/run/app.sock": SOCKET})
    keep = world.decide(event("/app/sock", Operation.CONNECT))
    assert "/app/sock" in keep
    assert list(keep.refused) == ["/run/app.sock"]


def test_what_nobody_asks_for_is_not_refused() -> None:
    assert not World({"/run/app.sock": SOCKET, "/etc/hosts": file()}).decide().refused


def test_a_named_pipe_can_ship() -> None:
    keep = World({"/run/pipe": FIFO}).decide(event("/run/pipe"))
    assert "/run/pipe" in keep
