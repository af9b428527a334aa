"""Whole packages of what ran, without what nobody runs."""

from __future__ import annotations

import pytest

from probes.model import FileEvent, Operation
from slimpy.keep.policy import TABLE
from slimpy.model import Level, Rule
from tests.unit.keep.rules.apps import asked_by
from tests.unit.keep.worlds import Thing, World, event, file, link, program

LIB = "/usr/lib/python3.11"
SITE = "/usr/local/lib/python3.12/site-packages"


def dpkg(**packages: dict[str, Thing]) -> dict[str, Thing]:
    """Files of packages with the database that says whose they are."""
    status = "".join(f"Package: {name}\nVersion: 1\nArchitecture: amd64\n\n" for name in packages)
    things = {"/var/lib/dpkg/status": file(status)}
    for name, files in packages.items():
        things |= files
        things[f"/var/lib/dpkg/info/{name}.list"] = file("".join(f"{path}\n" for path in files))
    return things


def apk(**packages: dict[str, Thing]) -> dict[str, Thing]:
    things: dict[str, Thing] = {}
    lines = []
    for name, files in packages.items():
        things |= files
        lines += [f"P:{name}", "V:1"]
        for path in files:
            directory, _, base = path[1:].rpartition("/")
            lines += [f"F:{directory}", f"R:{base}"]
        lines.append("")
    return things | {"/lib/apk/db/installed": file("\n".join(lines) + "\n")}


def whole(things: dict[str, Thing], *events: FileEvent, level: Level = Level.SAFE) -> set[str]:
    others = {policy.rule for policy in TABLE} - {Rule.PACKAGE}
    world = World(things)
    keep = world.decide(*events, level=level, disabled=frozenset(others))
    return asked_by(keep, world, Rule.PACKAGE)


SERVER = {
    "/usr/sbin/server": program(),
    "/usr/lib/server/mod_a.so": file(),
    "/usr/share/server/errors.html": file(),
    "/etc/server/server.conf": file(),
    "/usr/share/doc/server/README": file(),
    "/usr/share/man/man8/server.8.gz": file(),
    "/usr/share/locale/de/LC_MESSAGES/server.mo": file(),
    "/usr/share/lintian/overrides/server": file(),
    "/usr/share/bug/server": file(),
    "/usr/include/server.h": file(),
    "/usr/lib/libserver.a": file(),
    "/usr/lib/pkgconfig/server.pc": file(),
    "/usr/lib/cmake/server/config.cmake": file(),
}
USEFUL = set(list(SERVER)[:4])


@pytest.mark.parametrize("database", [dpkg, apk])
def test_the_rest_of_a_package_without_documentation(database) -> None:  # type: ignore[no-untyped-def]
    things = database(server=SERVER, idle={"/usr/bin/idle": program(), "/etc/idle": file()})
    assert whole(things, event("/usr/sbin/server", Operation.EXEC)) == USEFUL


@pytest.mark.parametrize(
    "seen",
    [
        event("/usr/sbin/server", Operation.STAT),
        event("/etc/server", Operation.LIST),
        event("/usr/share/doc/server/README"),
        event("/usr/sbin/server", Operation.EXEC, "EACCES"),
    ],
)
def test_looking_at_a_package_is_not_using_it(seen: FileEvent) -> None:
    assert whole(dpkg(server=SERVER), seen) == set()


def test_other_levels_do_not_keep_packages() -> None:
    ran = event("/usr/sbin/server", Operation.EXEC)
    assert whole(dpkg(server=SERVER), ran, level=Level.BALANCED) == set()


def test_of_a_box_of_tools_only_those_that_ran() -> None:
    tools = {f"/usr/bin/tool{n}": program() for n in range(10)}
    box = tools | {"/usr/lib/box/data": file()}
    one = whole(dpkg(box=box), event("/usr/bin/tool3", Operation.EXEC))
    assert one == {"/usr/bin/tool3", "/usr/lib/box/data"}
    most = [event(f"/usr/bin/tool{n}", Operation.EXEC) for n in range(6)]
    assert whole(dpkg(box=box), *most) == set(box)


def test_a_tool_that_ran_by_its_other_name() -> None:
    box = {f"/usr/bin/tool{n}": program() for n in range(10)} | {"/usr/bin/nick": link("tool1")}
    assert whole(dpkg(box=box), event("/usr/bin/nick", Operation.EXEC)) == {
        *("/usr/bin/tool1", "/usr/bin/nick"),
    }


def test_scripts_of_a_runtime_that_never_ran_are_left_out() -> None:
    tls = {
        "/usr/bin/tls": program(),
        "/usr/lib/libtls.so.1": file(),
        "/usr/bin/rehash": program("#!/usr/bin/snake\n"),
        "/usr/bin/rehash2": program("#!/usr/bin/env snake\n"),
        "/usr/bin/rehash3": link("rehash"),
        "/usr/bin/wrap": program("#!/bin/sh\n"),
        "/bin/sh": program(),
    }
    things = dpkg(tls=tls) | {"/usr/bin/snake": program()}
    used = event("/usr/lib/libtls.so.1")
    assert whole(things, used) == {
        *("/usr/bin/tls", "/usr/lib/libtls.so.1", "/usr/bin/wrap", "/bin/sh"),
    }
    with_snake = whole(things, used, event("/usr/bin/snake", Operation.EXEC))
    assert {"/usr/bin/rehash", "/usr/bin/rehash2", "/usr/bin/rehash3"} <= with_snake


def test_a_python_distribution_that_was_imported() -> None:
    things = {
        f"{SITE}/nice/__init__.py": file(),
        f"{SITE}/nice/rare.py": file(),
        f"{SITE}/nice/rare.pyi": file(),
        f"{SITE}/nice/data/x.json": file(),
        f"{SITE}/nice/tests/test_x.py": file(),
        f"{SITE}/nice/__pycache__/rare.cpython-312.pyc": file(),
        f"{SITE}/nice_more.py": file(),
        f"{SITE}/nice-1.dist-info/METADATA": file(),
        f"{SITE}/nice-1.dist-info/RECORD": file(
            "nice/__init__.py,sha256=x,1\nnice/rare.py,,\nnice_more.py,,\n../../../bin/nice,,\n"
            "nice-1.dist-info/METADATA,,\n__pycache__/nice_more.cpython-312.pyc,,\n"
        ),
        f"{SITE}/other/__init__.py": file(),
        f"{SITE}/other-1.dist-info/RECORD": file("other/__init__.py,,\n"),
    }
    found = whole(things, event(f"{SITE}/nice/__init__.py"))
    assert found == {
        *(f"{SITE}/nice/__init__.py", f"{SITE}/nice/rare.py", f"{SITE}/nice/data/x.json"),
        *(f"{SITE}/nice_more.py", f"{SITE}/nice-1.dist-info/METADATA"),
        f"{SITE}/nice-1.dist-info/RECORD",
    }


@pytest.mark.parametrize(
    ("used", "root", "left_out"),
    [
        ("/app/node_modules/@a/b/index.js", "/app/node_modules/@a/b", ("test/x.js", "index.d.ts")),
        ("/app/node_modules/c/lib/x.js", "/app/node_modules/c", ("lib/x.js.map", "docs/a.md")),
        ("/gems/rack-3.0.1/lib/rack.rb", "/gems/rack-3.0.1", ("spec/x.rb",)),
        (f"{LIB}/os.py", LIB, ("test/x.py", "idlelib/x.py", "dist-packages/y.py", "libx.a")),
        ("/usr/lib/ruby/3.1.0/json.rb", "/usr/lib/ruby/3.1.0", ("gems/x.rb",)),
        ("/usr/share/perl/5.36/strict.pm", "/usr/share/perl/5.36", ("pod/x.pod",)),
    ],
)
def test_libraries_that_no_package_owns(used: str, root: str, left_out: tuple[str, ...]) -> None:
    base = {used: file(), f"{root}/some/other.file": file(), "/elsewhere/x": file()}
    found = whole(base | {f"{root}/{path}": file() for path in left_out}, event(used))
    assert found == {used, f"{root}/some/other.file"}


@pytest.mark.parametrize(
    "record", [b"", b"\xff\xfe,,\n" * 5000, b"../../etc,,\n/etc/shadow,,\n" * 5000, b"," * 50_000]
)
def test_hostile_records(record: bytes) -> None:
    things = {
        f"{SITE}/a/__init__.py": file(),
        f"{SITE}/a-1.dist-info/RECORD": file(record),
        "/etc/shadow": file(),
    }
    found = whole(things, event(f"{SITE}/a/__init__.py"))
    assert f"{SITE}/a/__init__.py" in found
    assert "/etc/shadow" not in found
