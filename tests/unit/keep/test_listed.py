"""Listings stay the same, without shipping everything and without broken stand-ins."""

from __future__ import annotations

import pytest

from probes.model import Operation
from slimpy.keep.listed import SMALL_DIRECTORY
from slimpy.model import Rule
from tests.unit.keep.worlds import World, directory, event, file, files_kept, link, program, rules


def listing(path: str) -> object:
    return event(path, Operation.LIST)


def test_a_small_directory_is_kept_whole_and_its_subdirectories_empty() -> None:
    world = World(
        {
            "/srv/conf.d/a.conf": file("a"),
            "/srv/conf.d/b.conf": file("b"),
            "/srv/conf.d/old/c.conf": file("c"),
        }
    )
    keep = world.decide(listing("/srv/conf.d"))
    assert files_kept(keep, world) == {"/srv/conf.d/a.conf", "/srv/conf.d/b.conf"}
    assert keep.placeholders == {"/srv/conf.d/old"}
    assert rules(keep, "/srv/conf.d/a.conf") == {Rule.LISTED}


def test_a_large_directory_shows_its_names() -> None:
    world = World(
        {
            "/srv/pool/a": file(size=SMALL_DIRECTORY),
            "/srv/pool/b": file("b"),
            "/srv/pool/empty": file(b""),
            "/srv/pool/latest": link("a"),
            "/srv/pool/sub": directory(),
        }
    )
    keep = world.decide(listing("/srv/pool"))
    for path in world.things:
        assert path in keep
    assert keep.placeholders == {"/srv/pool/a", "/srv/pool/b"}


def test_what_is_kept_anyway_does_not_count_as_weight() -> None:
    world = World({"/srv/pool/a": file(size=SMALL_DIRECTORY), "/srv/pool/b": file("b")})
    keep = world.decide(listing("/srv/pool"), event("/srv/pool/a"))
    assert not keep.placeholders
    assert Rule.LISTED in rules(keep, "/srv/pool/b")


@pytest.mark.parametrize(("size", "whole"), [(SMALL_DIRECTORY, True), (SMALL_DIRECTORY + 1, False)])
def test_the_limit_is_on_all_files_together(size: int, whole: bool) -> None:
    world = World({"/srv/pool/a": file(size=size - 1), "/srv/pool/b": file(size=1)})
    assert bool(files_kept(world.decide(listing("/srv/pool")), world)) == whole


def test_a_listed_link_to_a_heavy_library_is_left_dangling() -> None:
    world = World(
        {
            "/srv/pool/libx.so.2": link("/usr/lib/libx.so.2"),
            "/srv/pool/README": file(),
            "/usr/lib/libx.so.2": file(size=SMALL_DIRECTORY + 1),
            "/srv/links/x": link("/usr/lib/libx.so.2"),
        }
    )
    keep = world.decide(listing("/srv/links"))
    assert "/srv/links/x" in keep
    assert "/usr/lib/libx.so.2" not in keep


def test_a_target_counts_as_the_weight_of_its_link() -> None:
    world = World(
        {
            "/srv/links/a": link("/data/a"),
            "/srv/links/b": file("b"),
            "/data/a": file(size=SMALL_DIRECTORY),
        }
    )
    keep = world.decide(listing("/srv/links"))
    assert keep.placeholders == {"/srv/links/b", "/data/a"}


def test_certificates_behind_links_are_kept_with_them() -> None:
    world = World(
        {"/etc/certs/x.pem": link("/usr/share/ca/x.crt"), "/usr/share/ca/x.crt": file("x")}
    )
    keep = world.decide(listing("/etc/certs"))
    assert files_kept(keep, world) == {"/usr/share/ca/x.crt"}


@pytest.mark.parametrize(
    "names",
    [
        ("/app/big.py", "/app/lazy.py"),
        ("/app/__pycache__/x.pyc", "/app/lazy"),
        ("/app/flask-3.dist-info/RECORD", "/app/lazy"),
        ("/usr/lib/python3/dist-packages/lazy", "/usr/lib/python3/dist-packages/x"),
        ("/app/node_modules/x/package.json", "/app/node_modules/x/lazy.js"),
        ("/usr/share/perl/5.36.0/Big", "/usr/share/perl/5.36.0/lazy"),
        ("/opt/plugins/x.so.1", "/opt/plugins/lazy"),
    ],
)
def test_where_code_is_searched_by_name_there_are_no_stand_ins(names: tuple[str, ...]) -> None:
    where = names[-1].rpartition("/")[0]
    world = World({path: file(size=SMALL_DIRECTORY) for path in (*names, f"{where}/another")})
    keep = world.decide(listing(where))
    assert not keep.placeholders
    assert not files_kept(keep, world)


def test_a_small_module_directory_is_kept_whole_but_gets_no_empty_packages() -> None:
    world = World({"/app/main.py": file(), "/app/lazy.py": file(), "/app/pkg/__init__.py": file()})
    keep = world.decide(listing("/app"), event("/app/main.py"))
    assert files_kept(keep, world) == {"/app/main.py", "/app/lazy.py"}
    assert "/app/pkg" not in keep


@pytest.mark.parametrize(
    "where",
    [
        *("/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin"),
        *("/lib", "/lib64", "/usr/lib", "/usr/lib/x86_64-linux-gnu", "/usr/local/lib"),
    ],
)
def test_nothing_is_kept_of_a_listed_program_or_library_directory(where: str) -> None:
    keep = World({f"{where}/a": file(), f"{where}/sub/b": file()}).decide(listing(where))
    assert where in keep
    assert f"{where}/a" not in keep
    assert f"{where}/sub" not in keep


def test_an_empty_program_never_stands_in() -> None:
    world = World({"/srv/hooks/run": program(), "/srv/hooks/data": file(size=SMALL_DIRECTORY)})
    keep = world.decide(listing("/srv/hooks"))
    assert keep.placeholders == {"/srv/hooks/data"}
    assert "/srv/hooks/run" not in keep


def test_the_root_shows_directories_only() -> None:
    world = World(
        {"/data": link("srv/data"), "/srv/data/x": file(), "/app/x": file(), "/readme": file()}
    )
    keep = world.decide(listing("/"))
    assert {"/app", "/data", "/srv/data"} <= set(keep.reasons)
    assert "/readme" not in keep
    assert keep.placeholders == {"/app", "/srv/data"}


def test_private_keys_are_not_kept_because_their_directory_was_listed() -> None:
    keep = World({"/etc/ssl/private/key.pem": file("key")}).decide(listing("/etc/ssl/private"))
    assert keep.placeholders == {"/etc/ssl/private/key.pem"}


def test_a_stand_in_that_is_a_hard_link_of_a_kept_file_costs_nothing() -> None:
    heavy = SMALL_DIRECTORY
    world = World(
        {
            "/srv/pool/a": file(inode=9),
            "/srv/pool/b": file(size=heavy + 1),
            "/srv/other": file(inode=9),
        }
    )
    keep = world.decide(listing("/srv/pool"), event("/srv/other"))
    assert Rule.HARDLINK in rules(keep, "/srv/pool/a")
    assert keep.placeholders == {"/srv/pool/b"}


def test_a_failed_listing_shows_nothing() -> None:
    keep = World({"/srv/d/a": file()}).decide(event("/srv/d", Operation.LIST, "EACCES"))
    assert "/srv/d" in keep
    assert "/srv/d/a" not in keep
