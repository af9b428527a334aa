"""A program that walks over the whole image does not make all of it ship."""

from __future__ import annotations

from probes.model import Operation
from slimpy.keep.scan import FEWEST_DIRECTORIES, FEWEST_PATHS
from slimpy.model import Rule
from tests.unit.keep.worlds import World, event, file, files_kept, rules

LARGE = {f"/usr/share/doc/p{n}/copyright": file() for n in range(2 * FEWEST_PATHS)}
LARGE |= {"/usr/lib/libx.so.1": file(), "/srv/used": file(), "/srv/asked": file()}


def looks(by: str) -> list[object]:
    return [event(path, Operation.STAT, by=by) for path in LARGE]


def test_of_what_only_a_scan_saw_names_are_kept() -> None:
    world = World(LARGE)
    keep = world.decide(
        *looks("/usr/bin/find"),
        event("/srv/used", by="/usr/bin/app"),
        event("/srv/asked", Operation.STAT, by="/usr/bin/app"),
    )
    assert files_kept(keep, world) == {"/srv/used", "/srv/asked"}
    assert "/usr/share/doc/p1/copyright" in keep.placeholders
    assert "/usr/lib/libx.so.1" not in keep
    (warning,) = keep.warnings
    assert warning.code == "scan"
    assert "/usr/bin/find" in warning.text
    assert warning.count == len(LARGE) - 1


def test_listing_most_directories_is_a_scan_too_and_keeps_no_directory_whole() -> None:
    things = {f"/data/d{n}/small": file() for n in range(2 * FEWEST_DIRECTORIES)}
    world = World(things)
    keep = world.decide(
        *(event(path.rpartition("/")[0], Operation.LIST, by="/usr/bin/find") for path in things)
    )
    assert [warning.code for warning in keep.warnings] == ["scan"]
    assert not files_kept(keep, world)
    assert set(things) <= keep.placeholders


def test_looking_at_a_few_paths_of_a_small_image_is_no_scan() -> None:
    world = World({f"/srv/{n}": file() for n in range(20)})
    keep = world.decide(*(event(f"/srv/{n}", Operation.STAT) for n in range(20)))
    assert len(files_kept(keep, world)) == 20
    assert not keep.warnings


def test_opening_what_it_saw_is_use_and_no_scan() -> None:
    world = World(LARGE)
    keep = world.decide(*looks("/usr/bin/app"), *(event(path) for path in LARGE))
    assert files_kept(keep, world) == set(LARGE)
    assert rules(keep, "/usr/lib/libx.so.1") == {Rule.TOUCHED}
    assert not keep.warnings


def test_a_directory_that_the_app_lists_too_is_not_left_to_the_scan() -> None:
    things = {f"/data/d{n}/small": file() for n in range(2 * FEWEST_DIRECTORIES)}
    scan = [event(path.rpartition("/")[0], Operation.LIST, by="/usr/bin/find") for path in things]
    world = World(things)
    for events in (
        [*scan, event("/data/d7", Operation.LIST)],
        [event("/data/d7", Operation.LIST), *scan],
    ):
        assert files_kept(world.decide(*events), world) == {"/data/d7/small"}
