"""What the rules of languages share."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slimpy.keep.rules import reach
from slimpy.keep.rules.reach import beside, files_below, is_unneeded, libraries_named
from slimpy.model import Rule
from tests.unit.keep.rules.apps import kept
from tests.unit.keep.worlds import World, directory, elf, event, file, link, program, rules


@given(st.text("ab./", max_size=12), st.text("ab./", max_size=12))
def test_a_relative_path_becomes_a_plain_absolute_one(base: str, reference: str) -> None:
    path = beside(base, reference)
    assert path.startswith("/")
    assert path == "/" or not path.endswith("/")
    assert "//" not in path
    assert not {"..", "."} & set(path.split("/"))


@pytest.mark.parametrize(
    ("base", "reference", "wanted"),
    [
        ("/a/b", "c", "/a/b/c"),
        ("/a/b", "../c/./d/", "/a/c/d"),
        ("/a", "../../../c", "/c"),
        ("/", "c", "/c"),
        ("/a", "/c", "/a/c"),
    ],
)
def test_beside(base: str, reference: str, wanted: str) -> None:
    assert beside(base, reference) == wanted


def test_files_below_a_link_without_what_is_not_needed() -> None:
    made = World(
        {
            "/l": link("/d"),
            "/d/a": file(),
            "/d/README.md": file(),
            "/d/test/b": file(),
            "/d/e/c.so": link("c.so.1"),
            "/d/e/c.so.1": file(),
            "/d/f": directory(),
        }
    )
    found = {entry.path for entry in files_below(made.scene(), "/l")}
    assert found == {"/d/a", "/d/e/c.so", "/d/e/c.so.1"}
    shallow = {entry.path for entry in files_below(made.scene(), "/l", deep=False)}
    assert shallow == {"/d/a"}


def test_a_directory_that_is_too_heavy_is_not_kept_in_part() -> None:
    made = World({"/d/a": file(size=60), "/d/b": file(size=60)})
    assert files_below(made.scene(), "/d", most_bytes=100) == ()
    assert len(files_below(made.scene(), "/d", most_bytes=120)) == 2


def test_names_that_are_not_needed() -> None:
    things = {
        **{f"/a/{name}": file() for name in ("x.js.map", "x.d.ts", "CHANGELOG", "x.a")},
        "/b/x.js": file(),
        "/b/readme.js": file(),
        "/b/latest": directory(),
    }
    made = World(things)
    unneeded = {path for path in things if is_unneeded(made.tree.get(path))}
    assert unneeded == {path for path in things if path.startswith("/a/")}


def test_libraries_of_the_system_by_name() -> None:
    things = {
        "/usr/lib/x86_64-linux-gnu/libx.so.1": file(),
        "/lib64/libx.so.1": file(),
        "/opt/lib/libx.so.1": file(),
        "/usr/lib/other/libx.so.1": file(),
        "/usr/lib/libx.so": file(),
    }
    found = set(libraries_named(World(things).scene(), re.compile(r"libx\.so\.1")))
    assert found == {"/usr/lib/x86_64-linux-gnu/libx.so.1", "/lib64/libx.so.1"}


def test_more_text_than_is_read_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "MOST_TEXT", 100)
    things = {
        "/usr/bin/node": program(elf(interpreter="/lib/ld.so")),
        "/app/package.json": file('{"name": "a"}'),
        "/app/a.js": file("require('./b')" + " " * 100),
        "/app/b.js": file("require('./c')"),
        "/app/c.js": file("1"),
    }
    made = World(things)
    keep = kept(made, Rule.NODE, event("/usr/bin/node"), event("/app/a.js"))
    assert Rule.NODE in rules(keep, "/app/b.js")
    assert "reach" in {warning.code for warning in keep.warnings}


def sources() -> Iterator[Path]:
    names = ("reach", "node*", "java*", "ruby*", "php*", "perl*", "dotnet*", "erlang*")
    for name in names:
        yield from sorted(Path(reach.__file__).parent.glob(f"{name}.py"))


@pytest.mark.parametrize("path", list(sources()), ids=lambda path: path.stem)
def test_no_rule_runs_what_the_image_brings(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"\b(eval|exec|__import__|importlib|subprocess|pickle)\b\s*[(.]", text)
