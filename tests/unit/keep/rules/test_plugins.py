"""Shared objects that kept programs load by name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slimpy.keep.rules.plugins_names import MOST_HITS, constants
from slimpy.model import Rule
from tests.unit.keep.rules.apps import asked_by, kept
from tests.unit.keep.worlds import Thing, World, elf, event, file, program

LOADER = "/lib64/ld.so"
LIBC = "/usr/lib/x86_64-linux-gnu/libc.so.6"
OTHER = "/usr/lib/x86_64-linux-gnu/libother.so.3"
APP = "/usr/bin/app"
PLUGINS = "/usr/lib/app/modules"


def library(name: str = "x", *, size: int | None = None, needed: tuple[str, ...] = ()) -> Thing:
    data = elf(soname=name, needed=needed)
    return Thing(data=data, size=size)


def app(text: bytes = b"", *imports: str) -> Thing:
    return program(elf(interpreter=LOADER, needed=("libc.so.6",), imports=imports, text=text))


def asked(things: dict[str, Thing], *opened: str) -> set[str]:
    base = {LOADER: program(), LIBC: library("libc.so.6"), OTHER: library("libother.so.3")}
    world = World(base | things)
    keep = kept(world, Rule.PLUGIN, *(event(path) for path in (LIBC, *opened)))
    return asked_by(keep, world, Rule.PLUGIN) - set(opened)


@pytest.mark.parametrize(
    ("text", "imports", "found"),
    [
        (b"\0libother.so.3\0", ("dlopen",), {OTHER}),
        (b"xlibother.so.3Rust", ("dlopen",), {OTHER}),
        (b"\0libother.so.3\0", ("dlmopen",), {OTHER}),
        (b"\0libother.so.3\0", ("open",), set()),
        (b"\0libother.so\0", ("dlopen",), set()),
        (b"\0libother.so.33\0", ("dlopen",), set()),
        (b"\0/opt/x/any.so\0", ("dlopen",), {"/opt/x/any.so"}),
        (b"\0/opt/x/nothing.so\0", ("dlopen",), set()),
        (b"\0libfar.so.1\0", ("dlopen",), set()),
    ],
)
def test_names_in_constants(text: bytes, imports: tuple[str, ...], found: set[str]) -> None:
    things = {
        APP: app(text, *imports),
        "/opt/x/any.so": library("any"),
        "/opt/x/libfar.so.1": library("far"),
    }
    assert asked(things, APP) == found


def test_names_are_looked_up_wherever_libraries_are_kept() -> None:
    things = {
        APP: app(b"\0libfar.so.1\0", "dlopen"),
        "/usr/local/lib/libfar.so.1": library("far"),
        "/usr/local/lib/libused.so": library("used"),
    }
    assert asked(things, APP) == set()
    assert asked(things, APP, "/usr/local/lib/libused.so") == {"/usr/local/lib/libfar.so.1"}


def test_names_that_bundling_left_behind() -> None:
    bundled = "/usr/lib/x86_64-linux-gnu/libmine-0a1b2c3d.so.1"
    data = elf(soname="m", imports=("dlopen",), text=b"\0libother.so.3\0")
    assert asked({bundled: Thing(data=data)}, bundled) == set()


def test_all_beside_a_plugin_that_was_loaded() -> None:
    things = {
        APP: app(b"", "dlopen"),
        f"{PLUGINS}/one.so": library("one.so"),
        f"{PLUGINS}/two.so": library("two.so"),
        f"{PLUGINS}/deep/three.so": library("three.so"),
        f"{PLUGINS}/readme.txt": file(),
        f"{PLUGINS}/not.so": file("text"),
    }
    assert asked(things, APP, f"{PLUGINS}/one.so") == {f"{PLUGINS}/two.so"}
    assert asked(things, APP) == set()


def test_a_library_that_something_needs_is_no_plugin() -> None:
    data = elf(interpreter=LOADER, needed=("libc.so.6", "libprivate.so"))
    things = {
        APP: program(data),
        "/opt/app/lib/libprivate.so": library("libprivate.so"),
        "/opt/app/lib/libunused.so": library("libunused.so"),
    }
    assert asked(things, APP, "/opt/app/lib/libprivate.so") == set()


@pytest.mark.parametrize(
    "directory",
    [
        *("/usr/lib", "/usr/lib/x86_64-linux-gnu", "/usr/lib/python3/dist-packages/a"),
        *("/usr/lib/php/20220829", "/usr/lib/ruby/3.1.0", "/usr/lib/x86_64-linux-gnu/gconv"),
    ],
)
def test_never_whole_library_directories_nor_those_of_languages(directory: str) -> None:
    things = {f"{directory}/one.so": library("one.so"), f"{directory}/two.so": library("two.so")}
    assert asked(things, f"{directory}/one.so") == set()


def test_of_large_directories_only_what_configuration_names() -> None:
    things = {
        f"{PLUGINS}/one.so": library("one.so", size=5 << 20),
        f"{PLUGINS}/two.so": library("two.so", size=5 << 20),
        f"{PLUGINS}/named.so": library("named.so"),
        "/etc/app.conf": file("load_module modules/named.so;\n"),
    }
    assert asked(things, f"{PLUGINS}/one.so") == set()
    found = asked(things, f"{PLUGINS}/one.so", "/etc/app.conf")
    assert found == {f"{PLUGINS}/named.so"}


def test_plugins_that_bring_much_along_stay_away() -> None:
    heavy = "/usr/lib/x86_64-linux-gnu/libheavy.so.1"
    things = {
        f"{PLUGINS}/one.so": library("one.so"),
        f"{PLUGINS}/two.so": library("two.so", needed=("libheavy.so.1",)),
        heavy: library("libheavy.so.1", size=100 << 20),
    }
    assert asked(things, f"{PLUGINS}/one.so") == set()
    found = asked(things, f"{PLUGINS}/one.so", heavy)
    assert found == {f"{PLUGINS}/two.so"}


@pytest.mark.parametrize(("size", "found"), [(1000, True), (2 << 20, False)])
def test_directories_that_are_named_count_if_they_are_small(size: int, found: bool) -> None:
    things = {
        APP: app(b"\0/usr/lib/app/modules\0", "dlopen"),
        f"{PLUGINS}/one.so": library("one.so", size=size),
    }
    assert (f"{PLUGINS}/one.so" in asked(things, APP)) is found


def test_descriptions_of_libtool_where_they_were_read() -> None:
    things = {
        f"{PLUGINS}/{name}{suffix}": library(f"{name}.so") if suffix == ".so" else file()
        for name in ("one", "two")
        for suffix in (".so", ".la")
    }
    opened = (f"{PLUGINS}/one.so", f"{PLUGINS}/one.la")
    assert f"{PLUGINS}/two.la" in asked(things, *opened)
    assert f"{PLUGINS}/two.la" not in asked(things, f"{PLUGINS}/one.so")


@pytest.mark.parametrize(
    "data",
    [b".so" * 500_000, b"/lib" * 400_000, b"/" * 1_000_000 + b".so", b"lib" * 400_000 + b".so.1"],
)
def test_hostile_constants_are_bounded(data: bytes) -> None:
    found = constants(data)
    assert len(found.libraries) + len(found.paths) <= 2 * MOST_HITS


@given(st.binary(max_size=500))
def test_any_bytes_are_searched(data: bytes) -> None:
    found = constants(data + b"\0libx.so.1\0/usr/lib/x\0")
    assert "libx.so.1" in found.libraries
    assert "/usr/lib/x" in found.directories


def test_damaged_files_are_no_plugins() -> None:
    things = {
        f"{PLUGINS}/one.so": library("one.so"),
        f"{PLUGINS}/bad.so": Thing(data=b"\x7fELF" + b"\xff" * 200),
    }
    assert asked(things, f"{PLUGINS}/one.so") == set()
