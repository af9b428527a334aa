"""Programs ship with loader and libraries, scripts with their interpreters."""

from __future__ import annotations

import pytest

from probes.model import Operation
from slimpy.model import Reason, Rule
from tests.unit.keep.worlds import (
    SOCKET,
    Thing,
    World,
    elf,
    event,
    file,
    files_kept,
    link,
    program,
    rules,
)

LOADER = "/lib64/ld-linux-x86-64.so.2"
LIBRARIES = {
    "/lib": link("usr/lib"),
    "/lib64": link("usr/lib64"),
    "/usr/lib64/ld-linux-x86-64.so.2": link("../lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"),
    "/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2": program(elf(soname="ld-linux-x86-64.so.2")),
    "/usr/lib/x86_64-linux-gnu/libc.so.6": program(elf(soname="libc.so.6")),
    "/usr/lib/x86_64-linux-gnu/libz.so.1": link("libz.so.1.2.13"),
    "/usr/lib/x86_64-linux-gnu/libz.so.1.2.13": file(elf(soname="libz.so.1")),
    "/usr/lib/x86_64-linux-gnu/libm.so.6": file(elf(soname="libm.so.6")),
    "/etc/ld.so.conf": file("/usr/lib/x86_64-linux-gnu\n"),
}
PYTHON = elf(interpreter=LOADER, needed=("libc.so.6", "libz.so.1"))
PATH = {"Env": ["PATH=/opt/bin:/usr/local/bin:/usr/bin"]}


def test_a_program_brings_its_loader_and_libraries_and_the_links_to_them() -> None:
    world = World(LIBRARIES | {"/usr/bin/app": program(PYTHON)})
    keep = world.decide(event("/usr/bin/app", Operation.EXEC))
    where = "/usr/lib/x86_64-linux-gnu"
    assert Rule.LOADER in rules(keep, f"{where}/ld-linux-x86-64.so.2")
    assert Rule.LIBRARY in rules(keep, f"{where}/libz.so.1.2.13")
    assert {"/lib64", "/usr/lib64/ld-linux-x86-64.so.2", f"{where}/libz.so.1"} <= set(keep.reasons)
    assert f"{where}/libm.so.6" not in keep
    assert not keep.warnings


def test_what_is_packed_was_fetched_and_nothing_else() -> None:
    world = World(LIBRARIES | {"/usr/bin/app": program(PYTHON)})
    keep = world.decide(event("/usr/bin/app", Operation.EXEC))
    assert world.store.fetched >= files_kept(keep, world)
    assert "/usr/lib/x86_64-linux-gnu/libm.so.6" not in world.store.fetched


def test_a_library_that_the_image_lacks_is_told() -> None:
    world = World(LIBRARIES | {"/usr/bin/app": program(elf(interpreter=LOADER, needed=("no.so",)))})
    (warning,) = world.decide(event("/usr/bin/app", Operation.EXEC)).warnings
    assert warning.code == "library"
    assert "no.so" in warning.text


def test_contents_that_are_not_there_become_a_warning() -> None:
    world = World({"/usr/bin/app": program(), "/usr/bin/b": program()})
    del world.store.files["/usr/bin/app"]
    keep = world.decide(event("/usr/bin/app"), event("/usr/bin/b"))
    assert [(warning.code, warning.count) for warning in keep.warnings] == [("unreadable", 1)]
    assert "/usr/bin/app" in keep


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("#!/usr/bin/python3", {"/usr/bin/python3.11"}),
        ("#! /usr/bin/python3 -E", {"/usr/bin/python3.11"}),
        ("#!\t/usr/bin/python3\t-E", {"/usr/bin/python3.11"}),
        ("#!/usr/bin/env python3", {"/usr/bin/env", "/usr/bin/python3.11"}),
        ("#!/usr/bin/env -S python3 -u", {"/usr/bin/env", "/usr/bin/python3.11"}),
        ("#!/usr/bin/env -Spython3 -u", {"/usr/bin/env", "/usr/bin/python3.11"}),
        ("#!/usr/bin/env --split-string=python3", {"/usr/bin/env", "/usr/bin/python3.11"}),
        ("#!/usr/bin/env -S -i -u HOME A=b python3", {"/usr/bin/env", "/usr/bin/python3.11"}),
        ('#!/usr/bin/env -S "python3', {"/usr/bin/env"}),
        ("#!/usr/bin/env", {"/usr/bin/env"}),
        ("#!", set()),
        ("#!/usr/bin/python3\r", {"/usr/bin/python3.11"}),
    ],
)
def test_the_interpreter_of_a_script_is_kept(line: str, found: set[str]) -> None:
    world = World(
        {
            "/app/run": program(f"{line}\nprint()\n"),
            "/usr/bin/env": program(),
            "/usr/bin/python3": link("python3.11"),
            "/usr/bin/python3.11": program(),
        },
        PATH,
    )
    keep = world.decide(event("/app/run", Operation.EXEC))
    assert files_kept(keep, world) == {"/app/run"} | found
    for path in found:
        assert rules(keep, path) == {Rule.INTERPRETER}
    assert ("/usr/bin/python3" in keep) == ("/usr/bin/python3.11" in found)


def test_interpreters_can_be_scripts_and_busybox_applets() -> None:
    world = World(
        {
            "/app/run": program("#!/app/wrap\n"),
            "/app/wrap": program("#!/bin/sh\n"),
            "/bin/sh": link("/bin/busybox"),
            "/bin/ls": link("/bin/busybox"),
            "/bin/busybox": program(),
        }
    )
    keep = world.decide(event("/app/run", Operation.EXEC))
    assert files_kept(keep, world) == {"/app/run", "/app/wrap", "/bin/busybox"}
    assert "/bin/sh" in keep
    assert "/bin/ls" not in keep


def test_env_searches_the_images_path_in_order() -> None:
    things: dict[str, Thing] = {
        "/app/run": program("#!/usr/bin/env node\n"),
        "/usr/bin/env": program(),
        "/opt/bin/node": file("not a program"),
        "/usr/local/bin/node": program(),
        "/usr/bin/node": program(),
    }
    keep = World(things, PATH).decide(event("/app/run", Operation.EXEC))
    assert keep.reasons["/usr/local/bin/node"] == (
        Reason(Rule.INTERPRETER, "/app/run", "#!/usr/bin/env node"),
    )
    assert "/usr/bin/node" not in keep


def test_a_missing_interpreter_is_told() -> None:
    keep = World({"/app/run": program("#!/usr/bin/perl\n")}).decide(event("/app/run"))
    assert [warning.code for warning in keep.warnings] == ["interpreter"]
    assert "/usr/bin/perl" in keep.warnings[0].text


def test_a_file_that_nobody_can_run_needs_no_interpreter() -> None:
    world = World({"/app/mod.py": file("#!/usr/bin/python3\n"), "/usr/bin/python3": program()})
    assert "/usr/bin/python3" not in world.decide(event("/app/mod.py"))


def test_the_contents_of_stand_ins_and_special_files_are_not_read() -> None:
    world = World(
        {"/srv/d/heavy": file("#!/bin/sh", size=1 << 30), "/srv/s": SOCKET, "/srv/l": link("d")}
    )
    keep = world.decide(event("/srv/d", Operation.LIST), event("/srv/s"), event("/srv/l"))
    assert keep.placeholders == {"/srv/d/heavy"}
    assert not world.store.fetched
