"""Libraries without a program of their own, batches, and files that are no ELF or damaged."""

from __future__ import annotations

import pytest

from slimpy.elf import process
from slimpy.elf.closure import MAXIMUM_LINK_REASONS, closure
from slimpy.elf.files import ElfFiles
from slimpy.model import ImagePath
from tests.trees import HostContents, tree_of
from tests.unit.elf.workbench import GLIBC_LOADER, Workbench, libraries, lost, rpath, runpath


def test_a_plugin_is_loaded_as_if_by_itself(bench: Workbench) -> None:
    bench.library("/app/plugin.so", "liba.so", options=runpath("$ORIGIN/libs"))
    bench.library("/app/libs/liba.so", "libb.so")
    bench.library("/usr/lib/libb.so")
    outcome = bench.closure("/app/plugin.so")
    assert libraries(outcome) == {"/app/libs/liba.so", "/usr/lib/libb.so"}
    assert GLIBC_LOADER not in outcome.needed


def test_a_plugin_profits_from_the_rpath_of_a_program(bench: Workbench) -> None:
    bench.library("/app/plugin.so", "liba.so")
    bench.library("/deep/liba.so", "libb.so")
    bench.library("/deep/libb.so")
    bench.program("/app/main", options=rpath("/deep"))
    assert lost(bench.closure("/app/plugin.so")) == {("liba.so", "/app/plugin.so")}
    outcome = bench.closure("/app/plugin.so", "/app/main")
    assert libraries(outcome) == {"/deep/liba.so", "/deep/libb.so"}
    assert lost(outcome) == set()


def test_a_plugin_may_need_what_the_process_has_loaded(bench: Workbench) -> None:
    bench.library("/app/plugin.so", "libvm.so")
    bench.library("/app/server/libvm.so")
    assert lost(bench.closure("/app/plugin.so")) == {("libvm.so", "/app/plugin.so")}
    assert lost(bench.closure("/app/plugin.so", "/app/server/libvm.so")) == set()


def test_a_program_does_not_profit_from_other_files(bench: Workbench) -> None:
    bench.program("/app/main", "libvm.so")
    bench.library("/app/server/libvm.so")
    outcome = bench.closure("/app/main", "/app/server/libvm.so")
    assert lost(outcome) == {("libvm.so", "/app/main")}


def test_dlopen_notes_are_followed_unless_only_suggested(bench: Workbench) -> None:
    note = bench.scratch / "note.s"
    text = (
        '[{"soname":["libx.so.2","libx.so.1"],"feature":"x","priority":"required"},'
        '{"soname":["liby.so.1"],"priority":"suggested"}]'
    )
    quoted = text.replace('"', '\\"')
    note.write_text(
        '.section .note.dlopen,"a",@note\n.balign 4\n.long 4, 9f-8f, 0x407c0c0a\n'
        f'.asciz "FDO"\n8: .asciz "{quoted}"\n9: .balign 4\n'
        '.section .note.GNU-stack,"",@progbits\n'
    )
    bench.program("/app/main", options=[str(note)])
    for name in ("libx.so.1", "liby.so.1"):
        bench.library(f"/usr/lib/{name}")
    outcome = bench.closure("/app/main")
    assert libraries(outcome) == {"/usr/lib/libx.so.1"}
    assert lost(outcome) == set()


def test_static_and_other_files_need_nothing(bench: Workbench) -> None:
    bench.program("/app/static", options=["-static", "-no-pie"])
    bench.write(
        "/app/script.py", b"#!/usr/bin/python3\nprint('a script, not an ELF file at all')\n"
    )
    outcome = bench.closure("/app/static", "/app/script.py", "/app", "/nowhere")
    assert (dict(outcome.needed), outcome.missing, outcome.warnings) == ({}, (), ())


def test_damaged_files_are_warnings_and_stay_kept(bench: Workbench) -> None:
    bench.program("/app/main", "liba.so", options=runpath("/one:/two"))
    bench.library("/one/liba.so")
    bench.library("/two/liba.so")
    library = bench.host("/one/liba.so")
    library.write_bytes(library.read_bytes()[:200])
    bench.write("/app/broken", b"\x7fELF" + bytes(100))
    outcome = bench.closure("/app/main", "/app/broken")
    assert libraries(outcome) == {"/one/liba.so", "/two/liba.so"}
    assert lost(outcome) == set()
    assert [warning.code for warning in outcome.warnings] == ["elf-damaged", "elf-damaged"]
    assert "/app/broken is a damaged ELF file" in outcome.warnings[0].text


def test_the_files_of_one_process_are_bounded(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "MAXIMUM_OBJECTS", 3)
    bench.program("/app/main", "liba.so")
    bench.library("/usr/lib/liba.so", "libb.so")
    bench.library("/usr/lib/libb.so")
    outcome = bench.closure("/app/main")
    assert libraries(outcome) == {"/usr/lib/liba.so", "/usr/lib/libb.so"}
    assert [warning.code for warning in outcome.warnings] == ["elf-crowded"]


def test_a_link_on_the_way_to_many_libraries_has_few_reasons(bench: Workbench) -> None:
    names = [f"lib{number}.so" for number in range(20)]
    bench.program("/app/main", *names)
    for name in names:
        bench.library(f"/usr/lib/{name}")
    bench.host("/lib/x").parent.joinpath("ld-musl-x86_64.so.1").unlink()
    bench.host("/lib/x").parent.rmdir()
    bench.link("/lib", "usr/lib")
    outcome = bench.closure("/app/main")
    assert len(libraries(outcome)) == 20
    assert len(outcome.needed[ImagePath("/lib")]) == MAXIMUM_LINK_REASONS


def test_contents_come_in_one_batch_for_each_level(bench: Workbench) -> None:
    for program in "123":
        bench.program(f"/app/{program}", "liba.so", "libb.so")
    bench.library("/usr/lib/liba.so", "libc1.so")
    bench.library("/usr/lib/libb.so", "libc1.so", "libd.so")
    bench.library("/usr/lib/libc1.so")
    bench.library("/usr/lib/libd.so")
    bench.library("/usr/lib/libunused.so")
    contents = HostContents(bench.root)
    tree = tree_of(bench.root)
    known = ElfFiles(tree, contents)
    roots = [ImagePath(f"/app/{program}") for program in "123"]
    first = closure(tree, contents, roots, environment={}, known=known)
    assert [set(batch) for batch in contents.batches] == [
        {"/app/1", "/app/2", "/app/3"},
        {"/usr/lib/liba.so", "/usr/lib/libb.so"},
        {"/usr/lib/libc1.so", "/usr/lib/libd.so"},
    ]
    again = closure(tree, contents, roots, environment={}, known=known)
    assert again == first
    assert len(contents.batches) == 3
