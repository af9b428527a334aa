"""Files linked in every way that the search rules tell apart, for the real loaders to judge."""

from __future__ import annotations

from tests.unit.elf.workbench import MUSL_LOADER, Workbench, rpath, runpath


def build(bench: Workbench) -> None:
    """Put all cases below ``/cases``, and two libraries into ``/usr/local/lib`` for ldconfig."""
    _inheritance(bench)
    _tokens(bench)
    _names(bench)
    _defaults(bench)
    _environment(bench)
    _musl(bench)


def _inheritance(bench: Workbench) -> None:
    for name, tag in (("rpath", rpath), ("runpath", runpath)):
        base = f"/cases/{name}"
        bench.program(f"{base}/main", "liba.so", options=tag(f"{base}/deep"))
        bench.library(f"{base}/deep/liba.so", "libb.so")
        bench.library(f"{base}/deep/libb.so", "libcases-gone.so")
    base = "/cases/mixed"
    bench.program(f"{base}/main", "liba.so", "libd.so", options=rpath(f"{base}/deep"))
    bench.library(f"{base}/deep/liba.so", "libb.so", "libc1.so", options=runpath(f"{base}/other"))
    bench.library(f"{base}/deep/libb.so")
    bench.library(f"{base}/other/libc1.so", "libb.so")
    bench.library(f"{base}/deep/libd.so", "libe.so", options=rpath(f"{base}/mine"))
    bench.library(f"{base}/mine/libe.so", "libf.so")
    for place in ("deep", "mine"):
        bench.library(f"{base}/{place}/libf.so")
    # Who loads a library first decides whose DT_RPATH finds what it needs.
    base = "/cases/order"
    bench.program(f"{base}/main", "libx.so", "liby.so", options=runpath(f"{base}/top"))
    bench.library(f"{base}/top/libx.so", "libz.so", options=rpath(f"{base}/x"))
    bench.library(f"{base}/top/liby.so", "libz.so", options=rpath(f"{base}/y"))
    for place in ("x", "y"):
        bench.library(f"{base}/{place}/libz.so", "libdeep.so")
        bench.library(f"{base}/{place}/libdeep.so")


def _tokens(bench: Workbench) -> None:
    base = "/cases/origin"
    bench.program(f"{base}/bin/main", "liba.so", "libn.so", options=runpath("${ORIGIN}/../links"))
    bench.library(f"{base}/real/liba.so", "libb.so", options=runpath("$ORIGIN/near:$ORIGINx"))
    bench.link(f"{base}/links/liba.so", "../real/liba.so")
    bench.library(f"{base}/links/near/libb.so")
    bench.library(f"{base}/real/near/libb.so")
    bench.library(f"{base}/links/libn.so", "libm1.so", options=runpath("$ORIGINx/:${ORIGIN"))
    bench.library(f"{base}/linksx/libm1.so")
    base = "/cases/lib"
    bench.program(f"{base}/main", "liba.so", "libb.so", options=runpath(f"{base}/x/$LIB"))
    bench.library(f"{base}/x/lib/x86_64-linux-gnu/liba.so")
    bench.library(f"{base}/x/lib/libb.so")
    base = "/cases/empty"
    bench.program(f"{base}/main", "libcases-root.so", options=runpath(f":{base}"))
    bench.library("/libcases-root.so")


def _names(bench: Workbench) -> None:
    base = "/cases/slash"
    bench.program(f"{base}/bin/main", "$ORIGIN/../own/liba.so", f"{base}/libgone.so")
    bench.library(f"{base}/own/liba.so", soname="libanother.so")
    bench.program(f"{base}/relative", "cases/slash/own/liba.so", "libanother.so")
    base = "/cases/class"
    bench.program(f"{base}/main", "liba.so", options=runpath(f"{base}/small:{base}/big"))
    bench.library(f"{base}/small/liba.so", bits=32)
    bench.library(f"{base}/big/liba.so")
    base = "/cases/soname"
    bench.program(f"{base}/main", "liba.so", "libb.so", options=rpath(base))
    bench.library(f"{base}/liba.so", soname="libcases-real.so")
    bench.library(f"{base}/libb.so", "libcases-real.so", "ld-linux-x86-64.so.2")
    bench.library(f"{base}/libcases-real.so")
    base = "/cases/hardlink"
    bench.program(f"{base}/main", "liba.so", "libb.so", options=rpath(f"{base}/one:{base}/two"))
    bench.library(f"{base}/one/liba.so", "libn.so", soname="", options=rpath("$ORIGIN/near"))
    bench.host(f"{base}/two/libb.so").hardlink_to(bench.host(f"{base}/one/liba.so"))
    for place in ("one", "two"):
        bench.library(f"{base}/{place}/near/libn.so")
    base = "/cases/cycle"
    bench.program(f"{base}/main", "liba.so", options=rpath(base))
    bench.library(f"{base}/liba.so", "libb.so")
    bench.library(f"{base}/libb.so", "liba.so", "libc.so.6")


def _defaults(bench: Workbench) -> None:
    base = "/cases/defaults"
    bench.library("/usr/local/lib/libcases-cached.so")
    bench.library("/usr/local/lib/libcases-other.so.1.0", soname="libcases-other.so.1")
    needs = ("libcases-cached.so", "libcases-other.so.1", "libz.so.1", "libc.so.6")
    bench.program(f"{base}/main", *needs)
    bench.program(f"{base}/nodeflib", *needs, options=["-Wl,-z,nodefaultlib"])
    bench.library(f"{base}/libplain.so", "libcases-cached.so")
    base = "/cases/hwcaps"
    bench.program(f"{base}/main", "liba.so", options=runpath(base))
    for place in ("", "/glibc-hwcaps/x86-64-v2", "/glibc-hwcaps/x86-64-v3"):
        bench.library(f"{base}{place}/liba.so", "libcases-b.so")
    bench.library("/usr/local/lib/libcases-b.so")
    base = "/cases/auxiliary"
    bench.program(f"{base}/main", "liba.so", options=rpath(base))
    bench.library(f"{base}/liba.so", options=["-Wl,-f,libfast.so"])
    bench.library(f"{base}/libfast.so")


def _environment(bench: Workbench) -> None:
    """What LD_LIBRARY_PATH comes after and before; see ENVIRONMENT in the test."""
    base = "/cases/environment"
    for place in ("env", "path"):
        bench.library(f"{base}/{place}/liba.so", "libb.so")
        bench.library(f"{base}/{place}/libb.so")
    bench.program(f"{base}/old", "liba.so", "libcases-cached.so", options=rpath(f"{base}/path"))
    bench.program(f"{base}/new", "liba.so", "libcases-cached.so", options=runpath(f"{base}/path"))
    bench.library(f"{base}/env/libcases-cached.so")


def _musl(bench: Workbench) -> None:
    for name, tag in (("rpath", rpath), ("runpath", runpath)):
        base = f"/cases/musl-{name}"
        options = tag("${ORIGIN}/deep")
        bench.program(f"{base}/main", "liba.so", options=options, interpreter=MUSL_LOADER)
        bench.library(f"{base}/deep/liba.so", "libb.so", "libc.so", "libcases-gone.so")
        bench.library(f"{base}/deep/libb.so", "libpthread.so.0")
    base = "/cases/musl-paths"
    needs = ("liba.so", "libcases-m.so", "libcases-cached.so", "libm.so.6")
    bench.program(f"{base}/main", *needs, options=runpath(base), interpreter=MUSL_LOADER)
    bench.program(f"{base}/void", *needs, options=runpath(f"{base}:$LIB"), interpreter=MUSL_LOADER)
    bench.library(f"{base}/liba.so", soname="libcases-real.so")
    bench.library("/usr/lib/x86_64-linux-musl/libcases-m.so", "libcases-real.so")
    bench.program("/cases/environment/musl", "liba.so", interpreter=MUSL_LOADER,
                  options=rpath("/cases/environment/path"))  # fmt: skip
