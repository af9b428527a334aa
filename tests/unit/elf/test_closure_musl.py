"""musl's search rules, on real ELF files and with the real loader."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

from slimpy.model import ImagePath, Reason, Rule
from tests.unit.elf.workbench import (
    MUSL_LOADER,
    Workbench,
    libraries,
    lost,
    rpath,
    runpath,
)


def test_a_program_made_by_musl_gcc(bench: Workbench) -> None:
    source = bench.scratch / "main.c"
    source.write_text('#include <stdio.h>\nint main(void) { return puts("x") < 0; }\n')
    program = bench.host("/app/main")
    subprocess.run(["musl-gcc", "-o", str(program), str(source)], check=True)
    outcome = bench.closure("/app/main")
    assert set(outcome.needed) == {MUSL_LOADER}
    assert Reason(Rule.LOADER, "/app/main", MUSL_LOADER) in outcome.needed[ImagePath(MUSL_LOADER)]
    assert lost(outcome) == set()


@pytest.mark.parametrize("name", ["libc.musl-x86_64.so.1", "libpthread.so.0", "libm.so.6"])
def test_reserved_names_mean_the_loader(bench: Workbench, name: str) -> None:
    bench.program("/app/main", name, interpreter=MUSL_LOADER)
    bench.library(f"/usr/lib/{name}")
    assert libraries(bench.closure("/app/main")) == {MUSL_LOADER}


def test_default_directories_in_their_order(bench: Workbench) -> None:
    bench.program("/app/main", "liba.so", "libb.so", interpreter=MUSL_LOADER)
    bench.library("/usr/local/lib/liba.so")
    bench.library("/usr/lib/liba.so")
    bench.library("/usr/lib/libb.so")
    bench.library("/usr/lib/glibc-hwcaps/x86-64-v3/libb.so")
    bench.library("/usr/lib/x86_64-linux-gnu/libb.so")
    outcome = bench.closure("/app/main")
    assert libraries(outcome) == {"/usr/local/lib/liba.so", "/usr/lib/libb.so"}


def test_the_path_file_replaces_the_default_directories(bench: Workbench) -> None:
    bench.program("/app/main", "liba.so", "libb.so", interpreter=MUSL_LOADER)
    bench.library("/opt/lib/liba.so")
    bench.library("/usr/lib/libb.so")
    bench.write("/etc/ld-musl-x86_64.path", b"/nowhere\n/opt/lib\n")
    outcome = bench.closure("/app/main")
    assert libraries(outcome) == {"/opt/lib/liba.so"}
    assert lost(outcome) == {("libb.so", "/app/main")}
    assert outcome.needed[ImagePath("/etc/ld-musl-x86_64.path")] == (
        Reason(Rule.LOADER, MUSL_LOADER, "read by the loader"),
    )


def test_the_path_file_lies_in_the_prefix_of_the_loader(bench: Workbench) -> None:
    bench.host("/opt/musl/lib/x").parent.joinpath("ld-musl-x86_64.so.1").write_bytes(
        bench.host(MUSL_LOADER).read_bytes()
    )
    bench.program("/app/main", "liba.so", interpreter="/opt/musl/lib/ld-musl-x86_64.so.1")
    bench.library("/opt/musl/usr/lib/liba.so")
    bench.write("/opt/musl/etc/ld-musl-x86_64.path", b"/opt/musl/usr/lib")
    assert libraries(bench.closure("/app/main")) == {"/opt/musl/usr/lib/liba.so"}


@pytest.mark.parametrize("tag", [rpath, runpath])
def test_rpath_and_runpath_are_both_inherited_after_the_environment(
    bench: Workbench, tag: Callable[[str], list[str]]
) -> None:
    options = tag("$ORIGIN/deep")
    bench.program("/app/main", "liba.so", options=options, interpreter=MUSL_LOADER)
    bench.library("/app/deep/liba.so", "libb.so")
    bench.library("/app/deep/libb.so")
    bench.library("/env/libb.so")
    bench.library("/usr/lib/liba.so")
    assert libraries(bench.closure("/app/main")) == {"/app/deep/liba.so", "/app/deep/libb.so"}
    outcome = bench.closure("/app/main", environment={"LD_LIBRARY_PATH": "/env"})
    assert libraries(outcome) == {"/app/deep/liba.so", "/env/libb.so"}


def test_other_tokens_void_the_search_path(bench: Workbench) -> None:
    bench.program("/app/main", "liba.so", options=runpath("/deep:$LIB"), interpreter=MUSL_LOADER)
    bench.library("/deep/liba.so")
    bench.library("/usr/lib/liba.so")
    assert libraries(bench.closure("/app/main")) == {"/usr/lib/liba.so"}


def test_sonames_of_loaded_files_do_not_count(bench: Workbench) -> None:
    bench.program("/app/main", "liba.so", "libb.so", interpreter=MUSL_LOADER)
    bench.library("/usr/lib/liba.so", soname="libreal.so")
    bench.library("/usr/lib/libb.so", "libreal.so")
    assert lost(bench.closure("/app/main")) == {("libreal.so", "/usr/lib/libb.so")}


def test_gcompat_brings_musl_and_its_own_library(bench: Workbench) -> None:
    stand_in = bench.scratch / "paths.c"
    stand_in.write_text(
        f'const char *const paths[] = {{"{MUSL_LOADER}", "/lib/libgcompat.so.0"}};\n'
    )
    bench.host("/lib64/ld-linux-x86-64.so.2").unlink()
    bench.library("/lib64/ld-linux-x86-64.so.2", options=[str(stand_in)])
    bench.library("/lib/libgcompat.so.0")
    bench.library("/usr/local/lib/liba.so")
    bench.program("/app/main", "liba.so", "libc.so.6")
    outcome = bench.closure("/app/main")
    assert {MUSL_LOADER, "/lib/libgcompat.so.0", "/usr/local/lib/liba.so"} < set(outcome.needed)
    assert lost(outcome) == set()
