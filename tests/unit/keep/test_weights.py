"""Every level is weighed, and nothing more is read for it."""

from __future__ import annotations

import pytest

from slimpy.keep.decide import decide
from slimpy.keep.scene import Scene
from slimpy.keep.weights import LevelWeight, weigh
from slimpy.model import ImagePath, Level, Reason, Rule
from tests.unit.keep.rules.apps import debian
from tests.unit.keep.worlds import World, event, file


def world() -> World:
    things = {
        "/app/main.x": file(size=10),
        "/app/page.html": file(size=100),
        "/app/again": file(size=1_000, inode=5),
        "/app/other-name": file(size=1_000, inode=5),
        "/usr/lib/base/used": file(size=10_000),
        "/usr/lib/base/unused": file(size=100_000),
    }
    return debian(things, owned=["/usr/lib/base/used", "/usr/lib/base/unused"])


def weights(level: Level, **extra: tuple[Reason, ...]) -> dict[str, LevelWeight]:
    image = world()
    scene = image.scene(event("/app/main.x"), event("/usr/lib/base/used"))
    missed = {ImagePath(f"/{path.replace('__', '/')}"): why for path, why in extra.items()}
    keep = decide(scene.image, scene.tree, scene.trace, scene.contents, level=level, extra=missed)
    read = image.store.fetched
    found = weigh(scene, keep, level)
    databases = {path for path in image.store.fetched if path.startswith("/var/lib/dpkg")}
    more = image.store.fetched - read - databases
    assert more <= keep.reasons.keys()
    assert [item.level for item in found] == list(Level)
    return {item.level: item for item in found}


def test_levels_below_the_one_built_are_exact() -> None:
    found = weights(Level.SAFE)
    assert [item.exact for item in found.values()] == [True, True, True]
    assert found["minimal"].bytes == 10_010
    assert found["minimal"].files == 2
    assert found["balanced"].bytes == 11_110
    assert found["balanced"].files == 5


@pytest.mark.parametrize("level", Level)
def test_levels_above_are_estimates(level: Level) -> None:
    found = weights(level)
    assert [item.exact for item in found.values()] == [level.includes(item) for item in Level]
    exact = weights(Level.SAFE)
    assert {name: item.bytes for name, item in found.items()} == {
        name: item.bytes for name, item in exact.items()
    }


def test_what_was_mended_counts_at_every_level() -> None:
    found = weights(Level.BALANCED, usr__lib__base__unused=(Reason(Rule.REPAIR),))
    assert found["minimal"].bytes == 110_010


def test_the_scene_is_the_one_of_the_build() -> None:
    image = world()
    scene = Scene(image.image, image.tree, image.scene().trace, image.store, ("/app",))
    keep = decide(scene.image, scene.tree, scene.trace, scene.contents, ignore=("/app",))
    assert {item.bytes for item in weigh(scene, keep, Level.MINIMAL)} == {0}
