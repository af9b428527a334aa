"""The user's patterns."""

from __future__ import annotations

import pytest

from slimpy.model import ROOT, Reason, Rule
from tests.unit.keep.worlds import World, directory, file, files_kept, link, rules

THINGS = {
    "/lib": link("usr/lib"),
    "/usr/lib/a.so": file(),
    "/usr/lib/sub/b.so": file(),
    "/usr/lib/sub/deep/c.so": file(),
    "/usr/lib/empty": directory(),
    "/app/[x]": file(),
    "/app/x": file(),
    "/app/current": link("v1"),
    "/app/v1/data": file(),
    "/app/dangling": link("nowhere"),
}


@pytest.mark.parametrize(
    ("pattern", "kept"),
    [
        ("/usr/lib/a.so", {"/usr/lib/a.so"}),
        ("/lib/a.so", {"/usr/lib/a.so"}),
        ("/usr/lib/*.so", {"/usr/lib/a.so"}),
        ("/lib/?.so", {"/usr/lib/a.so"}),
        ("/*/a.so", {"/usr/lib/a.so"}),
        ("/usr/lib/**/*.so", {"/usr/lib/a.so", "/usr/lib/sub/b.so", "/usr/lib/sub/deep/c.so"}),
        ("/usr/**/**/deep", {"/usr/lib/sub/deep/c.so"}),
        ("/usr/lib/sub", {"/usr/lib/sub/b.so", "/usr/lib/sub/deep/c.so"}),
        ("/usr/lib/sub/", {"/usr/lib/sub/b.so", "/usr/lib/sub/deep/c.so"}),
        ("/usr/lib/s*", {"/usr/lib/sub/b.so", "/usr/lib/sub/deep/c.so"}),
        ("/app/**", {"/app/[x]", "/app/x", "/app/v1/data"}),
        ("/app/[[]x]", {"/app/[x]"}),
        ("/app/[x]", {"/app/x"}),
        ("/app/current", {"/app/v1/data"}),
        ("/app/cur*/data", {"/app/v1/data"}),
        ("c.so", {"/usr/lib/sub/deep/c.so"}),
        ("sub/*.so", {"/usr/lib/sub/b.so"}),
        ("/usr/lib/empty", set()),
        ("/app/dangling", set()),
    ],
)
def test_patterns(pattern: str, kept: set[str]) -> None:
    world = World(THINGS)
    keep = world.decide(includes=(pattern,))
    assert files_kept(keep, world) == kept
    assert not keep.placeholders
    assert not keep.warnings
    for path in kept:
        assert Rule.INCLUDE in rules(keep, path)


def test_the_users_spelling_works_in_the_slim_image_too() -> None:
    keep = World(THINGS).decide(includes=("/l*/a.so", "/app/cur*/data", "/app/dangling"))
    assert {"/lib", "/app/current", "/app/dangling"} <= set(keep.reasons)
    assert keep.reasons["/app/dangling"] == (Reason(Rule.INCLUDE, "", "--keep /app/dangling"),)


def test_stars_do_not_go_through_links() -> None:
    keep = World(THINGS | {"/app/z": link("v1")}).decide(includes=("/app/**/data",))
    assert "/app/v1/data" in keep
    assert not {"/app/current", "/app/z"} & set(keep.reasons)


def test_a_pattern_without_a_match_is_told() -> None:
    keep = World(THINGS).decide(includes=("/opt/*", "/app/x"))
    assert [(w.code, "/opt/*" in w.text) for w in keep.warnings] == [("include", True)]


def test_the_root_means_everything() -> None:
    world = World(THINGS)
    assert set(world.decide(includes=("/",)).reasons) == {entry.path for entry in world.tree}


def test_hostile_depth_is_no_problem() -> None:
    deep = "/d" * 3000
    world = World({f"{deep}/x": file()})
    keep = world.decide(includes=("/**/**/x",))
    assert f"{deep}/x" in keep
    assert ROOT in keep
