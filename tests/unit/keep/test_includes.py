"""The user's patterns."""

from __future__ import annotations

import pytest

from slimpy.model import ROOT, Reason, Rule
from slimpy.settings import Wishes
from tests.unit.keep.worlds import (
    World,
    directory,
    event,
    file,
    files_kept,
    link,
    program,
    rules,
)

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


TOOLS = {
    "/bin": link("usr/bin"),
    "/usr/bin/dash": program(),
    "/usr/bin/sh": link("dash"),
    "/usr/bin/ls": program(),
    "/usr/bin/jq": program("#!/usr/bin/env run\n"),
    "/usr/bin/run": program(),
    "/usr/bin/env": program(),
    "/usr/bin/other": program(),
}


def test_a_program_by_name_comes_with_its_interpreter() -> None:
    world = World(TOOLS)
    keep = world.decide(wishes=Wishes(programs=("jq", "/bin/ls", "nothing")))
    assert files_kept(keep, world) == {
        *("/usr/bin/jq", "/usr/bin/run", "/usr/bin/env", "/usr/bin/ls"),
    }
    assert keep.reasons["/usr/bin/jq"] == (Reason(Rule.INCLUDE, "", "--keep-bin jq"),)
    assert [w.text for w in keep.warnings] == [
        "the image has nothing that answers --keep-bin nothing"
    ]


def test_a_shell_and_everyday_tools() -> None:
    world = World(TOOLS)
    keep = world.decide(wishes=Wishes(shell=True))
    assert files_kept(keep, world) == {"/usr/bin/dash", "/usr/bin/ls", "/usr/bin/env"}
    assert "/usr/bin/sh" in keep and not keep.warnings
    assert World({"/x": file()}).decide(wishes=Wishes(shell=True)).warnings


SITE = "/usr/lib/python3/site-packages"
PACKAGES = {
    "/var/lib/dpkg/status": file("Package: curl\nVersion: 1\nArchitecture: amd64\n"),
    "/var/lib/dpkg/info/curl.list": file("/usr/bin/curl\n/usr/share/doc/curl/README\n"),
    "/usr/bin/curl": file(),
    "/usr/share/doc/curl/README": file(),
    f"{SITE}/Nice_Name-1.0.dist-info/RECORD": file(
        'nice/__init__.py,sha256=x,1\n"nice/a,b.txt",,\n../../../bin/nice,,\nnice/gone.py,,\n'
    ),
    f"{SITE}/nice/__init__.py": file(),
    f"{SITE}/nice/a,b.txt": file(),
    f"{SITE}/nice/unlisted.py": file(),
    "/usr/bin/nice": file(),
    f"{SITE}/old.egg-info/top_level.txt": file("oldpack\nmodule\n"),
    f"{SITE}/oldpack/x.py": file(),
    f"{SITE}/module.py": file(),
    "/app/node_modules/@a/b/index.js": file(),
    "/app/node_modules/@a/c/index.js": file(),
    "/gems/rack-3.0/lib/rack.rb": file(),
    "/gems/rack-test-2.0/lib/x.rb": file(),
}


@pytest.mark.parametrize(
    ("package", "found"),
    [
        ("curl", {"/usr/bin/curl", "/usr/share/doc/curl/README"}),
        (
            "nice.name",
            {
                *(f"{SITE}/nice/__init__.py", f"{SITE}/nice/a,b.txt", "/usr/bin/nice"),
                f"{SITE}/Nice_Name-1.0.dist-info/RECORD",
            },
        ),
        (
            "old",
            {f"{SITE}/{p}" for p in ("old.egg-info/top_level.txt", "oldpack/x.py", "module.py")},
        ),
        ("@a/b", {"/app/node_modules/@a/b/index.js"}),
        ("rack", {"/gems/rack-3.0/lib/rack.rb"}),
        ("nothing", set()),
    ],
)
def test_whole_packages_by_name(package: str, found: set[str]) -> None:
    world = World(PACKAGES)
    keep = world.decide(wishes=Wishes(packages=(package,)))
    assert files_kept(keep, world) == found
    assert bool(keep.warnings) == (not found)


def test_what_is_dropped_never_ships_and_is_told() -> None:
    world = World(THINGS)
    keep = world.decide(
        event("/usr/lib/sub/b.so"),
        event("/lib/a.so"),
        wishes=Wishes(keep=("/usr/lib/sub", "/app/x"), drop=("/usr/lib/sub", "/app/x", "/none")),
    )
    assert files_kept(keep, world) == {"/usr/lib/a.so"}
    assert "dropped by the user" in keep.refused["/usr/lib/sub/deep/c.so"]
    assert [(w.code, w.count) for w in keep.warnings] == [("drop", 1)]
    assert "/usr/lib/sub/b.so" in keep.warnings[0].text


def test_dropping_a_link_leaves_what_it_leads_to() -> None:
    keep = World(THINGS).decide(event("/app/current/data"), wishes=Wishes(drop=("/app/current",)))
    assert "/app/v1/data" in keep and "/app/current" not in keep
