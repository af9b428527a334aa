"""glibc's search rules, on real ELF files. The engine test compares the same rules with ld.so."""

from __future__ import annotations

import pytest

from slimpy.elf.process import BY_GLIBC
from slimpy.model import ImagePath, Reason, Rule
from tests.unit.elf.workbench import GLIBC_LOADER, Workbench, libraries, lost, rpath, runpath

MULTIARCH = "/usr/lib/x86_64-linux-gnu"


def test_program_keeps_interpreter_library_and_links(bench: Workbench) -> None:
    bench.program("/app/main", "liba.so.1")
    bench.library("/usr/lib/liba.so.1.2", soname="liba.so.1")
    bench.link("/usr/lib/liba.so.1", "liba.so.1.2")
    outcome = bench.closure("/app/main")
    main = "/app/main"
    assert outcome.needed == {
        GLIBC_LOADER: (Reason(Rule.LOADER, main, GLIBC_LOADER),),
        "/usr/lib/liba.so.1": (Reason(Rule.LINK, main, "liba.so.1"),),
        "/usr/lib/liba.so.1.2": (Reason(Rule.LIBRARY, main, "liba.so.1"),),
    }
    assert outcome.missing == ()
    assert outcome.warnings == ()


def test_links_of_the_interpreter_are_kept(bench: Workbench) -> None:
    bench.host("/lib64").rename(bench.host("/usr/lib64"))
    bench.link("/lib64", "usr/lib64")
    bench.program("/app/main", "liba.so")
    bench.library("/lib/liba.so")
    needed = bench.closure("/app/main").needed
    assert needed[ImagePath("/lib64")][0].rule is Rule.LINK
    assert needed[ImagePath("/usr/lib64/ld-linux-x86-64.so.2")][0].rule is Rule.LOADER


def test_system_directories_come_from_the_loader_itself(bench: Workbench) -> None:
    bench.program("/app/main", "liba.so", "libb.so", "libc.so", "libd.so")
    bench.library(f"{MULTIARCH}/liba.so")
    bench.library("/lib/libb.so")
    bench.library("/lib64/libc.so")
    bench.library("/opt/nix/lib/libd.so")
    outcome = bench.closure("/app/main")
    assert libraries(outcome) == {f"{MULTIARCH}/liba.so", "/lib/libb.so"}
    loader = bench.host(GLIBC_LOADER)
    directories = b"/lib/x86_64-linux-gnu/\0/usr/lib/x86_64-linux-gnu/\0/lib/\0/usr/lib/\0"
    assert directories in loader.read_bytes()
    other = b"/lib64/\0/opt/nix/lib/\0".ljust(len(directories), b"\0")
    loader.write_bytes(loader.read_bytes().replace(directories, other))
    outcome = bench.closure("/app/main")
    assert libraries(outcome) == {"/lib64/libc.so", "/opt/nix/lib/libd.so"}


def test_rpath_is_inherited_and_runpath_is_not(bench: Workbench) -> None:
    bench.program("/app/old", "liba.so", options=rpath("/deep"))
    bench.program("/app/new", "liba.so", options=runpath("/deep"))
    bench.library("/deep/liba.so", "libb.so")
    bench.library("/deep/libb.so")
    assert libraries(bench.closure("/app/old")) == {"/deep/liba.so", "/deep/libb.so"}
    outcome = bench.closure("/app/new")
    assert libraries(outcome) == {"/deep/liba.so"}
    assert lost(outcome) == {("libb.so", "/deep/liba.so")}


def test_runpath_of_the_needing_file_switches_all_rpaths_off(bench: Workbench) -> None:
    bench.program("/app/main", "liba.so", options=rpath("/deep"))
    bench.library("/deep/liba.so", "libb.so", "libc1.so", options=runpath("/other"))
    bench.library("/deep/libb.so")
    bench.library("/other/libc1.so")
    outcome = bench.closure("/app/main")
    assert libraries(outcome) == {"/deep/liba.so", "/other/libc1.so"}
    assert lost(outcome) == {("libb.so", "/deep/liba.so")}


def test_rpath_goes_before_the_environment_and_runpath_after(bench: Workbench) -> None:
    for directory in ("/path", "/env"):
        bench.library(f"{directory}/liba.so")
    bench.program("/app/old", "liba.so", options=rpath("/path"))
    bench.program("/app/new", "liba.so", options=runpath("/path"))
    environment = {"LD_LIBRARY_PATH": "/nowhere;/env"}
    assert libraries(bench.closure("/app/old", environment=environment)) == {"/path/liba.so"}
    assert libraries(bench.closure("/app/new", environment=environment)) == {"/env/liba.so"}


@pytest.mark.parametrize("token", ["$ORIGIN", "${ORIGIN}"])
def test_origin_of_a_library_is_the_directory_it_was_found_in(bench: Workbench, token: str) -> None:
    bench.program("/app/main", "liba.so", options=runpath("/links"))
    bench.library("/real/liba.so", "libb.so", options=runpath(f"{token}/near"))
    bench.link("/links/liba.so", "../real/liba.so")
    bench.library("/links/near/libb.so")
    bench.library("/real/near/libb.so")
    outcome = bench.closure("/app/main")
    assert libraries(outcome) == {"/real/liba.so", "/links/near/libb.so"}


@pytest.mark.parametrize("text", ["$ORIGINx", "${ORIGIN", "$ORIGIN_", "$HOME", "$"])
def test_what_only_looks_like_a_token_is_taken_as_it_is(bench: Workbench, text: str) -> None:
    bench.program("/app/main", "liba.so", options=runpath(f"/{text}"))
    bench.library(f"/{text}/liba.so")
    assert libraries(bench.closure("/app/main")) == {f"/{text}/liba.so"}


def test_lib_and_platform(bench: Workbench) -> None:
    bench.program("/app/main", "liba.so", "libb.so", options=runpath("/x/$LIB:/y/${PLATFORM}"))
    bench.library("/x/lib/x86_64-linux-gnu/liba.so")
    bench.library("/y/x86_64/libb.so")
    bench.library("/y/haswell/libb.so")
    assert libraries(bench.closure("/app/main")) == {
        "/x/lib/x86_64-linux-gnu/liba.so",
        "/y/x86_64/libb.so",
        "/y/haswell/libb.so",
    }


def test_all_hwcaps_variants_are_kept_with_what_they_need(bench: Workbench) -> None:
    bench.program("/app/main", "liba.so")
    bench.library("/usr/lib/liba.so")
    bench.library("/usr/lib/glibc-hwcaps/x86-64-v3/liba.so", "libfast.so")
    bench.library("/usr/lib/glibc-hwcaps/x86-64-v4/liba.so")
    bench.library("/usr/lib/haswell/avx512_1/liba.so")
    bench.library("/usr/lib/libfast.so")
    assert libraries(bench.closure("/app/main")) == {
        "/usr/lib/liba.so",
        "/usr/lib/glibc-hwcaps/x86-64-v3/liba.so",
        "/usr/lib/glibc-hwcaps/x86-64-v4/liba.so",
        "/usr/lib/haswell/avx512_1/liba.so",
        "/usr/lib/libfast.so",
    }


def test_a_variant_alone_does_not_end_the_search(bench: Workbench) -> None:
    bench.program("/app/main", "liba.so", options=runpath("/opt/fast"))
    bench.library("/opt/fast/glibc-hwcaps/x86-64-v3/liba.so")
    bench.library("/usr/lib/liba.so")
    assert libraries(bench.closure("/app/main")) == {
        "/opt/fast/glibc-hwcaps/x86-64-v3/liba.so",
        "/usr/lib/liba.so",
    }


def test_nodeflib_skips_the_default_directories(bench: Workbench) -> None:
    bench.program("/app/main", "liba.so", options=["-Wl,-z,nodefaultlib"])
    bench.library("/usr/lib/liba.so")
    outcome = bench.closure("/app/main")
    assert libraries(outcome) == set()
    assert lost(outcome) == {("liba.so", "/app/main")}


def test_names_with_a_slash_are_paths(bench: Workbench) -> None:
    bench.program("/app/bin/main", "$ORIGIN/../own/liba.so", "./libb.so", "/abs/libgone.so")
    bench.library("/app/own/liba.so")
    bench.library("/srv/libb.so")
    outcome = bench.closure("/app/bin/main", workdir="/srv")
    assert libraries(outcome) == {"/app/own/liba.so", "/srv/libb.so"}
    assert lost(outcome) == {("/abs/libgone.so", "/app/bin/main")}


def test_libraries_of_another_class_are_passed_over(bench: Workbench) -> None:
    bench.program("/app/main", "liba.so", options=runpath("/small:/big"))
    bench.library("/small/liba.so", bits=32)
    bench.library("/big/liba.so")
    assert libraries(bench.closure("/app/main")) == {"/big/liba.so"}


def test_what_is_no_library_is_passed_over_with_a_warning(bench: Workbench) -> None:
    bench.program("/app/main", "liba.so", options=runpath("/text:/big"))
    bench.write("/text/liba.so", b"/* GNU ld script */\nINPUT(liba.so.1 and many more words)\n" * 3)
    bench.library("/big/liba.so")
    outcome = bench.closure("/app/main")
    assert libraries(outcome) == {"/big/liba.so"}
    assert [warning.code for warning in outcome.warnings] == ["library-not-elf"]


def test_a_loaded_soname_answers_for_every_later_need(bench: Workbench) -> None:
    bench.program("/app/main", "liba.so", "libb.so", options=runpath("/one"))
    bench.library("/one/liba.so", soname="libreal.so")
    bench.library("/one/libb.so", "libreal.so")
    bench.library("/usr/lib/libreal.so")
    outcome = bench.closure("/app/main")
    assert libraries(outcome) == {"/one/liba.so", "/one/libb.so"}
    assert (
        Reason(Rule.LIBRARY, "/one/libb.so", "libreal.so")
        in outcome.needed[ImagePath("/one/liba.so")]
    )


def test_the_loaders_own_soname_needs_no_search(bench: Workbench) -> None:
    bench.program("/app/main", "ld-linux-x86-64.so.2")
    outcome = bench.closure("/app/main")
    assert lost(outcome) == set()
    assert libraries(outcome) == {GLIBC_LOADER}


def test_hard_links_are_one_object(bench: Workbench) -> None:
    bench.program("/app/main", "liba.so", "libb.so", options=rpath("/one:/two"))
    bench.library("/one/liba.so", "libn.so", soname="", options=rpath("$ORIGIN/near"))
    bench.host("/two/libb.so").hardlink_to(bench.host("/one/liba.so"))
    bench.library("/one/near/libn.so")
    bench.library("/two/near/libn.so")
    assert libraries(bench.closure("/app/main")) == {
        "/one/liba.so",
        "/two/libb.so",
        "/one/near/libn.so",
    }


def test_missing_interpreter_and_cycles(bench: Workbench) -> None:
    bench.program("/app/main", "liba.so", interpreter="/lib/ld-none.so.1")
    bench.library("/usr/lib/liba.so", "libb.so")
    bench.library("/usr/lib/libb.so", "liba.so")
    outcome = bench.closure("/app/main")
    assert lost(outcome) == {("/lib/ld-none.so.1", "/app/main")}
    assert libraries(outcome) == {"/usr/lib/liba.so", "/usr/lib/libb.so"}


def test_set_user_id_programs_are_loaded_with_and_without_the_environment(bench: Workbench) -> None:
    bench.program("/app/main", "liba.so")
    for directory in ("/env", "/usr/lib"):
        bench.library(f"{directory}/liba.so")
    environment = {"LD_LIBRARY_PATH": "/env"}
    assert libraries(bench.closure("/app/main", environment=environment)) == {"/env/liba.so"}
    bench.host("/app/main").chmod(0o4755)
    outcome = bench.closure("/app/main", environment=environment)
    assert libraries(outcome) == {"/env/liba.so", "/usr/lib/liba.so"}


def test_preloaded_libraries(bench: Workbench) -> None:
    bench.program("/app/main")
    bench.library("/usr/lib/libenv.so", "libbelow.so")
    bench.library("/usr/lib/libbelow.so")
    bench.library("/opt/libfile.so")
    bench.write("/etc/ld.so.preload", b"# ours\n/opt/libfile.so:/opt/libgone.so\n")
    outcome = bench.closure("/app/main", environment={"LD_PRELOAD": "libenv.so libnone.so"})
    assert libraries(outcome) == {"/usr/lib/libenv.so", "/usr/lib/libbelow.so", "/opt/libfile.so"}
    assert lost(outcome) == set()
    loader_reason = Reason(Rule.LOADER, GLIBC_LOADER, "read by the loader")
    assert outcome.needed[ImagePath("/etc/ld.so.preload")] == (loader_reason,)


def test_auxiliary_filters_are_loaded_if_they_are_there(bench: Workbench) -> None:
    bench.program("/app/main", "liba.so")
    bench.library("/usr/lib/liba.so", options=["-Wl,-f,libfast.so", "-Wl,-f,libnone.so"])
    bench.library("/usr/lib/libfast.so")
    outcome = bench.closure("/app/main")
    assert libraries(outcome) == {"/usr/lib/liba.so", "/usr/lib/libfast.so"}
    assert lost(outcome) == set()


def test_without_a_cache_the_configured_directories_count(bench: Workbench) -> None:
    bench.program("/app/main", "liba.so", "libb.so")
    bench.library("/opt/a/liba.so")
    bench.library("/opt/b/libb.so")
    bench.write("/etc/ld.so.conf", b"include ld.so.conf.d/*.conf # more\n/opt/a\n")
    bench.write("/etc/ld.so.conf.d/b.conf", b"/opt/b/\ninclude /etc/ld.so.conf\n")
    bench.write("/etc/ld.so.conf.d/not.read", b"/nowhere\n")
    outcome = bench.closure("/app/main")
    assert libraries(outcome) == {"/opt/a/liba.so", "/opt/b/libb.so"}


def test_threads_and_backtraces_bring_libgcc(bench: Workbench) -> None:
    bench.program("/app/plain", imports=["malloc"])
    bench.program("/app/threads", imports=["malloc", "pthread_exit"])
    bench.library("/usr/lib/libgcc_s.so.1")
    bench.library("/usr/lib/libc.so.6")
    libgcc = ImagePath("/usr/lib/libgcc_s.so.1")
    assert libgcc not in bench.closure("/app/plain").needed
    outcome = bench.closure("/app/threads")
    assert outcome.needed[libgcc] == (Reason(Rule.LIBRARY, "/app/threads", BY_GLIBC),)
    bench.host(libgcc).unlink()
    assert lost(bench.closure("/app/threads")) == set()
