"""What holds for every image and every run."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from probes.model import FileEvent, Operation
from slimpy.image.links import resolve
from slimpy.image.tree import Tree
from slimpy.keep.refusals import refusal
from slimpy.keep.standins import StandIns
from slimpy.model import FileType, ImagePath, KeepSet
from tests.unit.keep.worlds import SOCKET, Thing, World, directory, event, file, link, program

NAMES = st.sampled_from(["a", "b", "lib", "usr", "bin", "x.py", "run.sh", ".wh.a", "etc", "dev"])
PATHS = st.lists(NAMES, min_size=1, max_size=4).map(lambda names: "/" + "/".join(names))
WALKS = st.lists(NAMES | st.sampled_from(["..", "."]), min_size=1, max_size=5).map("/".join)
SIZES = st.sampled_from([0, 1, 200_000, 300_000, 1 << 21])
INODES = st.sampled_from([0, 0, 0, 7, 8])
THINGS = st.one_of(
    st.builds(lambda size, inode: file(size=size, inode=inode), SIZES, INODES),
    st.just(directory()),
    st.just(SOCKET),
    st.builds(lambda slash, walk: link(slash + walk), st.sampled_from(["", "/"]), WALKS),
    st.builds(lambda path: program(f"#!{path}\n"), PATHS),
    st.builds(lambda name: program(f"#!/usr/bin/env {name}\n"), NAMES),
)
EVENTS = st.builds(
    lambda path, operation, error, by, final: event(
        f"/{path}", operation, error, by=by, final=final
    ),
    WALKS,
    st.sampled_from(Operation),
    st.sampled_from([None, None, None, "ENOENT", "EACCES", "ENOTDIR", "ELOOP"]),
    st.sampled_from(["/usr/bin/a", "/a"]),
    st.none() | PATHS,
)


def consistent(things: dict[str, Thing]) -> dict[str, Thing]:
    """Without what lies below something that is no directory."""
    kept: dict[str, Thing] = {}
    for path in sorted(things, key=lambda path: path.count("/")):
        above = path.rpartition("/")[0]
        if not above or kept.get(above, directory()).type is FileType.DIRECTORY:
            if above and above not in kept:
                continue
            kept[path] = things[path]
    return kept


def with_parents(things: dict[str, Thing]) -> dict[str, Thing]:
    whole: dict[str, Thing] = {}
    for path in things:
        parts = path.split("/")
        for end in range(2, len(parts)):
            whole.setdefault("/".join(parts[:end]), directory())
    return consistent(whole | things)


WORLDS = st.builds(
    lambda things, config: World(with_parents(things), config),
    st.dictionaries(PATHS, THINGS, max_size=25),
    st.fixed_dictionaries(
        {},
        optional={
            "Entrypoint": st.lists(PATHS, max_size=1),
            "WorkingDir": PATHS,
            "Volumes": st.dictionaries(PATHS, st.just({}), max_size=1),
            "Env": st.just(["PATH=/bin:/usr/bin"]),
        },
    ),
)
RUNS = st.lists(EVENTS, max_size=12)


def is_real(tree: Tree, path: ImagePath) -> bool:
    return all(
        (entry := tree.get(above)) is not None and entry.type is FileType.DIRECTORY
        for above in tree.parents(path)
    )


@settings(deadline=None)
@given(WORLDS, RUNS, st.lists(PATHS, max_size=1))
def test_every_kept_path_is_real_has_its_parents_and_a_reason(
    world: World, run: list[FileEvent], includes: list[str]
) -> None:
    keep = world.decide(*run, includes=tuple(includes), changed=("/a/b",))
    for path, reasons in keep.reasons.items():
        entry = world.tree.get(path)
        assert entry is not None
        assert is_real(world.tree, path)
        assert all(above in keep for above in world.tree.parents(path))
        assert reasons
        assert len(set(reasons)) == len(reasons)
        assert not refusal(entry)
        assert path not in keep.refused


@settings(deadline=None)
@given(WORLDS, RUNS)
def test_every_kept_link_leads_where_it_led(world: World, run: list[FileEvent]) -> None:
    keep = world.decide(*run)
    stand_ins = StandIns(world.tree)
    for path in keep.reasons:
        entry = world.tree.get(path)
        assert entry is not None
        if entry.type is not FileType.LINK:
            continue
        found = resolve(world.tree, path)
        end = world.tree.get(found.real) if found.real else None
        if end is None or refusal(end) or any(link in keep.refused for link in found.links):
            continue
        # The one exception: a name in a listing, where a stand-in for its target is unwelcome.
        only_a_name = {reason.rule for reason in keep.reasons[path]} == {"listed"}
        if only_a_name and not stand_ins.welcome(end) and end.path not in keep:
            continue
        assert end.path in keep
        assert all(link in keep for link in found.links)


@settings(deadline=None)
@given(WORLDS, RUNS)
def test_what_was_opened_is_kept_whole(world: World, run: list[FileEvent]) -> None:
    keep = world.decide(*run)
    for item in run:
        real = resolve(world.tree, item.path).real
        entry = world.tree.get(real) if real else None
        if item.error is None and item.operation is Operation.OPEN and entry is not None:
            assert entry.path in keep or entry.path in keep.refused
            assert entry.type is FileType.DIRECTORY or entry.path not in keep.placeholders


@settings(deadline=None)
@given(WORLDS, RUNS, st.randoms(use_true_random=False))
def test_the_order_of_events_does_not_matter(
    world: World, run: list[FileEvent], shuffler: random.Random
) -> None:
    shuffled = list(run)
    shuffler.shuffle(shuffled)
    first, second = world.decide(*run), world.decide(*shuffled)
    assert first == second
    assert list(first.reasons) == list(second.reasons)


@settings(deadline=None)
@given(WORLDS, RUNS)
def test_deciding_again_on_what_is_kept_adds_nothing(world: World, run: list[FileEvent]) -> None:
    # What was opened below a regular file cannot be: such a trace contradicts the image.
    run = [item for item in run if resolve(world.tree, item.path).real is not None]
    first = world.decide(*run)
    whole = {path: why for path, why in first.reasons.items() if path not in first.placeholders}
    second = world.decide(*run, extra=whole)
    assert set(second.reasons) == set(first.reasons)
    assert stand_ins(world, second) == stand_ins(world, first)
    assert second.refused == first.refused


def stand_ins(world: World, keep: KeepSet) -> set[ImagePath]:
    """The files kept by name only; an empty directory is the same whether it is whole or not."""
    found = ((path, world.tree.get(path)) for path in keep.placeholders)
    return {path for path, entry in found if entry and entry.type is not FileType.DIRECTORY}


@settings(deadline=None)
@given(WORLDS, RUNS, RUNS)
def test_a_longer_run_never_keeps_less(
    world: World, run: list[FileEvent], more: list[FileEvent]
) -> None:
    first, second = world.decide(*run), world.decide(*run, *more)
    assert set(first.reasons) <= set(second.reasons)
    assert whole_files(first, world) <= whole_files(second, world)


def whole_files(keep: KeepSet, world: World) -> set[ImagePath]:
    files = (entry.path for entry in world.tree if entry.type is FileType.FILE)
    return {path for path in files if path in keep and path not in keep.placeholders}
