"""Facts of single files, and what damage does."""

from __future__ import annotations

import io
import random
import struct
import subprocess
from pathlib import Path

import pytest

from slimpy.elf.facts import DamagedElfError, DlopenHint, ElfFacts, read
from tests.unit.elf.workbench import GLIBC_LOADER, Workbench, rpath, runpath


def facts_of(path: Path) -> ElfFacts:
    with path.open("rb") as file:
        facts = read(file)
    assert facts is not None
    return facts


def test_a_program_of_this_machine() -> None:
    python = Path("/usr/bin/env").resolve()
    facts = facts_of(python)
    assert facts.interpreter == GLIBC_LOADER
    assert (facts.machine, facts.bits, facts.endian) == ("EM_X86_64", 64, "little")
    assert facts.kind == "dyn"
    assert "libc.so.6" in facts.needed
    assert facts.program
    assert not facts.static


@pytest.mark.parametrize("name", ["env", "gcc", "ld", "bash"])
def test_imports_are_readelfs(name: str) -> None:
    path = Path("/usr/bin", name).resolve()
    command = ["readelf", "--wide", "--dyn-syms", str(path)]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    words = [line.split() for line in lines]
    expected = {word[7].partition("@")[0] for word in words if len(word) > 7 and word[6] == "UND"}
    assert expected
    assert facts_of(path).imports == expected


def test_search_paths_soname_and_flags(bench: Workbench) -> None:
    bench.library("/old.so", "libb.so", "liba.so", soname="libold.so.1", options=rpath("/a:$LIB"))
    bench.library("/new.so", soname="", options=[*runpath("/b::c"), "-Wl,-z,nodefaultlib"])
    old, new = facts_of(bench.host("/old.so")), facts_of(bench.host("/new.so"))
    assert old.needed == ("libb.so", "liba.so")
    assert (old.rpath, old.runpath, old.soname) == (("/a", "$LIB"), (), "libold.so.1")
    assert (new.rpath, new.runpath, new.soname) == ((), ("/b", "", "c"), None)
    assert (old.flags, new.flags) == (frozenset(), frozenset({"NODEFLIB"}))
    assert not old.program


def test_names_that_are_no_utf8_survive(bench: Workbench) -> None:
    bench.library("/a.so", "libXYZ.so")
    path = bench.host("/a.so")
    path.write_bytes(path.read_bytes().replace(b"libXYZ.so", b"lib\xff\xfeZ.so"))
    assert facts_of(path).needed == ("lib\udcff\udcfeZ.so",)


def test_static_programs_and_object_files(bench: Workbench) -> None:
    bench.program("/static", options=["-static", "-no-pie"])
    bench.program("/static-pie", interpreter="")
    source = bench.scratch / "a.c"
    source.write_text("int a;")
    subprocess.run(["gcc", "-c", "-o", str(bench.host("/a.o")), str(source)], check=True)
    for name, kind in (("/static", "exec"), ("/static-pie", "dyn")):
        facts = facts_of(bench.host(name))
        assert (facts.static, facts.kind, facts.program) == (True, kind, True)
    assert facts_of(bench.host("/a.o")).kind == "rel"
    assert not facts_of(bench.host("/a.o")).loadable


def test_files_without_section_headers(bench: Workbench) -> None:
    bench.library("/a.so", "libb.so", options=runpath("/x"))
    path = bench.host("/a.so")
    whole = facts_of(path)
    data = bytearray(path.read_bytes())
    data[0x28:0x30] = struct.pack("<Q", 1 << 62)  # e_shoff, which loaders do not read
    data[0x3C:0x40] = b"\xff" * 4
    assert read(io.BytesIO(data)) == whole


def big_endian(*, needed: bytes = b"libc.so.6", tags: int = 1) -> bytes:
    """A 32-bit big-endian PowerPC library, made by hand: no compiler for it is at hand."""
    strings = b"\0" + needed + b"\0"
    base = 52 + 2 * 32
    dynamic = struct.pack(">II", 1, 1) * tags
    table = base + len(dynamic) + 3 * 8
    dynamic += struct.pack(">6I", 5, table, 10, len(strings), 0, 0)
    size = table + len(strings)
    header = struct.pack(">16sHHIIIIIHHHHHH", b"\x7fELF\x01\x02\x01", 3, 20, 1, 0, 52, 0, 0, 52, 32,
                         2, 0, 0, 0)  # fmt: skip
    load = struct.pack(">8I", 1, 0, 0, 0, size, size, 5, 4096)
    segment = struct.pack(">8I", 2, base, base, base, len(dynamic), len(dynamic), 4, 4)
    return header + load + segment + dynamic + strings


def test_big_endian_and_32_bit() -> None:
    facts = read(io.BytesIO(big_endian()))
    assert facts is not None
    assert facts.abi == ("EM_PPC", 32, "big")
    assert facts.needed == ("libc.so.6",)


def test_dlopen_notes(bench: Workbench) -> None:
    text = b'[{"soname":["libx.so.1"],"feature":"x","priority":"suggested"},{"soname":"no"},7]\0'
    note = struct.pack("<III", 4, len(text), 0x407C0C0A) + b"FDO\0" + text
    data = bench.scratch / "note"
    data.write_bytes(note + bytes(-len(note) % 4))
    source = bench.scratch / "note.s"
    source.write_text(
        f'.section .note.dlopen,"a",@note\n.balign 4\n.incbin "{data}"\n'
        '.section .note.GNU-stack,"",@progbits\n'
    )
    bench.library("/a.so", options=[str(source)])
    assert facts_of(bench.host("/a.so")).dlopen == (DlopenHint(("libx.so.1",), "x", "suggested"),)


@pytest.mark.parametrize("data", [b"", b"\x7fEL", b"#!/bin/sh\n", bytes(100)])
def test_other_files_are_none(data: bytes) -> None:
    assert read(io.BytesIO(data)) is None


@pytest.mark.parametrize(
    "data",
    [
        b"\x7fELF",
        b"\x7fELF" + b"\xff" * 100,
        big_endian()[:150],
        big_endian(needed=b"x" * 5000),
    ],
)
def test_damage_has_one_exception(data: bytes) -> None:
    with pytest.raises(DamagedElfError):
        read(io.BytesIO(data))


def test_mutations_raise_nothing_else(bench: Workbench) -> None:
    bench.program("/a", "liba.so", "libb.so", options=rpath("/x"), imports=["pthread_exit"])
    whole = bench.host("/a").read_bytes()
    dice = random.Random(20)
    outcomes = {"damaged": 0, "read": 0, "none": 0}
    for number in range(600):
        data = bytearray(whole)
        if number % 3 == 0:
            del data[dice.randrange(len(data)) :]
        else:
            area = 0x240 if number % 3 == 1 else len(data)
            for _ in range(dice.randrange(1, 20)):
                data[dice.randrange(area)] = dice.choice((0, 0x7F, 0x80, 0xFF, dice.randrange(256)))
        try:
            facts = read(io.BytesIO(data))
            outcomes["read" if facts else "none"] += 1
        except DamagedElfError:
            outcomes["damaged"] += 1
    assert outcomes["damaged"] > 100
    assert outcomes["read"] > 50


class CountingFile(io.BytesIO):
    """Counts reads: the work that a file causes."""

    reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads += 1
        return super().read(size)


@pytest.mark.parametrize("tags", [5000, 1 << 20])
def test_the_number_of_dynamic_tags_is_bounded(tags: int) -> None:
    file = CountingFile(big_endian(tags=tags))
    with pytest.raises(DamagedElfError, match="more than 4096 dynamic tags"):
        read(file)
    assert file.reads < 10_000


def test_the_number_of_program_headers_is_bounded() -> None:
    data = bytearray(big_endian() + bytes(1 << 22))
    data[44:46] = struct.pack(">H", 0xFFFE)  # e_phnum
    file = CountingFile(data)
    with pytest.raises(DamagedElfError, match="65534 program headers"):
        read(file)
    assert file.reads < 100


def test_the_number_of_notes_is_bounded() -> None:
    data = bytearray(big_endian() + bytes(1 << 17))
    data[52:84] = struct.pack(">8I", 4, 400, 400, 400, 1 << 16, 1 << 16, 4, 4)  # PT_NOTE
    data[84:88] = bytes(4)  # PT_NULL in place of PT_DYNAMIC
    file = CountingFile(data)
    facts = read(file)
    assert facts is not None
    assert facts.dlopen == ()
    assert 1024 < file.reads < 5000


def test_imports_with_very_long_names_are_left_out(bench: Workbench) -> None:
    bench.program("/a", imports=["a" * 255, "b" * 256])
    assert facts_of(bench.host("/a")).imports == {"a" * 255}
