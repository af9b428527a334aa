"""Paths as databases write them, against what ships."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from slimpy.model import ImagePath
from slimpy.sbom.shipping import Shipping
from tests.unit.sbom.world import image, keeping, write

FILES: dict[str, str | bytes] = {
    "/lib": "-> usr/lib",
    "/usr/lib/a.so": "-> a.so.1",
    "/usr/lib/a.so.1": "a",
    "/usr/lib/gone.so": "g",
    "/usr/share/name": "n",
    "/usr/share/empty/x": "x",
    "/loop": "-> loop",
}
KEPT = ("/lib", "/usr/lib/a.so.1", "/usr/share/name", "/usr/share/changed")


@pytest.fixture
def ships(tmp_path: Path) -> Shipping:
    tree, _ = image(write(tmp_path, {**FILES, "/usr/share/changed": "c"}))
    keep = replace(
        keeping(KEPT),
        placeholders=frozenset((ImagePath("/usr/share/name"),)),
        rewritten={ImagePath("/usr/share/changed"): b"other"},
    )
    return Shipping(tree, keep)


@pytest.mark.parametrize(
    ("path", "has", "whole"),
    [
        ("/usr/lib/a.so.1", True, True),
        ("/lib/a.so.1", True, True),  # by the link of a merged /usr
        ("/lib", True, True),  # the link itself
        ("/usr/lib/a.so", False, False),  # a link that does not ship, to a file that does
        ("/usr/lib/gone.so", False, False),
        ("/usr/lib", True, False),  # a directory is there for what is in it
        ("/usr", True, False),
        ("/usr/share/empty", False, False),
        ("/usr/share/name", False, False),  # by its name alone
        ("/.", True, False),  # as dpkg names the root
        ("/loop/x", False, False),
        ("/lib/../../etc/passwd", False, False),
        ("", True, False),
    ],
)
def test_what_ships(ships: Shipping, path: str, has: bool, whole: bool) -> None:
    assert (ships.has(path), ships.whole(path)) == (has, whole)


def test_what_is_unchanged(ships: Shipping) -> None:
    library = ImagePath("/usr/lib/a.so.1")
    assert ships.unchanged("/lib/a.so.1", ())
    assert not ships.unchanged("/lib/a.so.1", {library})  # rewritten under its real path
    assert not ships.unchanged("/usr/share/changed", ())
    assert not ships.unchanged("/usr/lib/gone.so", ())
