"""The shared frameworks of .NET, and the app's assemblies."""

from __future__ import annotations

import json

import pytest

from slimpy.model import Rule
from tests.unit.keep.rules.apps import asked_by, kept
from tests.unit.keep.worlds import Thing, World, elf, event, file

DOTNET = "/usr/share/dotnet"
CORE = f"{DOTNET}/shared/Microsoft.NETCore.App/8.0.4"
MACHINE = f"{CORE}/libcoreclr.so"
WEB = f"{DOTNET}/shared/Microsoft.AspNetCore.App"


def framework() -> dict[str, Thing]:
    return {
        MACHINE: file(elf(soname="libcoreclr.so")),
        f"{CORE}/System.Runtime.dll": file("1"),
        f"{CORE}/System.Xml.dll": file("1"),
        f"{CORE}/System.Xml.pdb": file("1"),
        f"{CORE}/libmscordaccore.so": file("1"),
        f"{CORE}/createdump": file("1"),
        f"{WEB}/8.0.4/Web.dll": file("1"),
        f"{WEB}/6.0.1/Web.dll": file("1"),
        f"{DOTNET}/sdk/8.0.1/csc.dll": file("1"),
    }


def reach(things: dict[str, Thing], *opened: str, **config: object) -> set[str]:
    made = World(things, config)
    keep = kept(made, Rule.DOTNET, *map(event, (MACHINE, *opened)))
    return asked_by(keep, made, Rule.DOTNET)


def configured(*frameworks: tuple[str, str]) -> Thing:
    listed = [{"name": name, "version": version} for name, version in frameworks]
    return file(json.dumps({"runtimeOptions": {"frameworks": listed}}))


def test_the_framework_is_a_unit_without_parts_for_debuggers() -> None:
    assert reach(framework()) == {
        MACHINE,
        f"{CORE}/System.Runtime.dll",
        f"{CORE}/System.Xml.dll",
    }


def test_without_the_runtime_nothing_is_kept() -> None:
    made = World({**framework(), "/app/a.deps.json": file("{}")})
    keep = kept(made, Rule.DOTNET, event("/app/a.deps.json"))
    assert not asked_by(keep, made, Rule.DOTNET)


def test_frameworks_of_the_app_in_the_fitting_version() -> None:
    config = configured(("Microsoft.NETCore.App", "8.0.0"), ("Microsoft.AspNetCore.App", "8.0.0"))
    things = {**framework(), "/app/a.runtimeconfig.json": config}
    found = reach(things, "/app/a.runtimeconfig.json")
    assert f"{WEB}/8.0.4/Web.dll" in found
    assert f"{WEB}/6.0.1/Web.dll" not in found


def test_the_single_framework_of_a_console_app() -> None:
    text = (
        '{"runtimeOptions": {"framework": {"name": "Microsoft.AspNetCore.App", "version": "6.0"}}}'
    )
    things = {**framework(), "/app/a.runtimeconfig.json": file(text)}
    assert f"{WEB}/6.0.1/Web.dll" in reach(things, "/app/a.runtimeconfig.json")


DEPS = {
    "targets": {
        ".NETCoreApp,Version=v8.0": {
            "a/1.0.0": {"runtime": {"a.dll": {}}},
            "Lib/2.0.0": {
                "runtime": {"lib/net8.0/Lib.dll": {}},
                "resources": {"lib/net8.0/de/Lib.resources.dll": {"locale": "de"}},
                "runtimeTargets": {
                    "runtimes/linux-x64/native/libl.so": {"rid": "linux-x64"},
                    "runtimes/linux-musl-x64/native/libl.so": {"rid": "linux-musl-x64"},
                    "runtimes/linux-arm64/native/libl.so": {"rid": "linux-arm64"},
                    "runtimes/win-x64/native/l.dll": {"rid": "win-x64"},
                    "runtimes/unix/lib/Unix.dll": {"rid": "unix"},
                },
            },
        }
    }
}


def test_assemblies_and_native_parts_for_this_platform() -> None:
    paths = [
        *("a.dll", "Lib.dll", "de/Lib.resources.dll", "runtimes/unix/lib/Unix.dll"),
        *("runtimes/linux-x64/native/libl.so", "runtimes/linux-musl-x64/native/libl.so"),
        *("runtimes/linux-arm64/native/libl.so", "runtimes/win-x64/native/l.dll", "Other.dll"),
    ]
    things = {
        **framework(),
        "/app/a.deps.json": file(json.dumps(DEPS)),
        **{f"/app/{path}": file("1") for path in paths},
    }
    found = {path for path in reach(things, "/app/a.deps.json") if path.startswith("/app/")}
    assert found == {
        "/app/a.dll",
        "/app/Lib.dll",
        "/app/de/Lib.resources.dll",
        "/app/runtimes/unix/lib/Unix.dll",
        "/app/runtimes/linux-x64/native/libl.so",
    }


def test_libraries_that_are_opened_by_computed_names() -> None:
    directory = "/usr/lib/x86_64-linux-gnu"
    icu, tls = f"{directory}/libicuuc.so.72", f"{directory}/libssl.so.3"
    things = {**framework(), icu: file("1"), tls: file("1"), f"{directory}/libz.so.1": file("1")}
    assert {icu, tls} == reach(things) - reach(framework())
    invariant = reach(things, Env=["DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=true"])
    assert tls in invariant
    assert icu not in invariant


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "[" * 50_000,
        '{"targets": [1]}',
        '{"targets": {"x": {"y": {"runtime": {"../../etc/shadow": {}, "": {}}}}}}',
        '{"targets": {"x": {"y": {"runtimeTargets": {"a": 1, "b": {"rid": 5}}}}}}',
        '{"runtimeOptions": {"frameworks": {"name": 1}, "framework": [2]}}',
        '{"runtimeOptions": {"frameworks": [{"name": "..", "version": "8"}, 5, null]}}',
    ],
)
@pytest.mark.parametrize("name", ["/app/a.deps.json", "/app/a.runtimeconfig.json"])
def test_hostile_lists_are_survived(text: str, name: str) -> None:
    found = reach({**framework(), name: file(text), "/etc/shadow": file("1")}, name)
    assert "/etc/shadow" not in found
    assert f"{CORE}/System.Xml.dll" in found
