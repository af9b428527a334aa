"""The loader cache: as the real ldconfig writes it, made by hand, and damaged."""

from __future__ import annotations

import re
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slimpy.elf.ldcache import CacheEntry, DamagedCacheError, LdCache, parse
from slimpy.model import ImagePath, Reason, Rule
from tests.unit.elf.workbench import GLIBC_LOADER, Workbench, libraries, lost, runpath

X86_64 = ("EM_X86_64", 64, "little")
I386 = ("EM_386", 32, "little")
EXTENDED = (1 << 62) | 1
Item = tuple[str, str, int, int]


def cache_of(*items: Item, order: str = "<", hint: int = 2) -> bytes:
    """A cache of (name, path, flags, capabilities) in the new format."""
    strings = b""
    entries = b""
    start = 48 + 24 * len(items)
    for name, path, flags, capabilities in items:
        key = start + len(strings)
        strings += name.encode() + b"\0"
        value = start + len(strings)
        strings += path.encode() + b"\0"
        entries += struct.pack(order + "iIIIQ", flags, key, value, 0, capabilities)
    counts = struct.pack(order + "II", len(items), len(strings))
    head = b"glibc-ld.so.cache1.1" + counts + bytes((hint, 0, 0, 0)) + bytes(16)
    return head + entries + strings


def cached(path: str, flags: int = 0x303, capabilities: int = 0) -> Item:
    """An entry under the path's last component."""
    return (path.rpartition("/")[2], path, flags, capabilities)


@pytest.mark.parametrize("form", ["new", "compat"])
def test_what_ldconfig_writes(bench: Workbench, form: str) -> None:
    directory = bench.host("/lib/x").parent
    for name in ("libone.so.1", "libtwo.so.2", "glibc-hwcaps/x86-64-v3/libone.so.1"):
        bench.library(f"/lib/{name}")
    bench.library("/lib/libsmall.so.1", "libc.so.6", bits=32)
    config, cache = bench.scratch / "ld.so.conf", bench.scratch / "cache"
    config.write_text(f"{directory}\n")
    ldconfig = ["/sbin/ldconfig", "-X", "-c", form, "-f", str(config), "-C", str(cache)]
    subprocess.run(ldconfig, check=True, stderr=subprocess.DEVNULL)
    listing = subprocess.run(
        ["/sbin/ldconfig", "-p", "-C", str(cache)], check=True, capture_output=True, text=True
    ).stdout
    expected = re.findall(r"^\t(\S+) \(.*\) => (.*)$", listing, re.MULTILINE)
    parsed = parse(cache.read_bytes())
    pairs = [(name, entry.path) for name, group in parsed.entries.items() for entry in group]
    assert sorted(pairs) == sorted(expected)
    assert parsed.lookup("libone.so.1", X86_64) == (
        CacheEntry(f"{directory}/glibc-hwcaps/x86-64-v3/libone.so.1", 0x303, variant=True),
        CacheEntry(f"{directory}/libone.so.1", 0x303, variant=False),
    )
    assert parsed.lookup("libsmall.so.1", X86_64) == ()
    assert parsed.lookup("libsmall.so.1", I386)[0].path == f"{directory}/libsmall.so.1"


def test_this_machines_cache_is_read_in_full() -> None:
    command = ["/sbin/ldconfig", "-p"]
    listing = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    count = int(listing.split(maxsplit=1)[0])
    parsed = parse(Path("/etc/ld.so.cache").read_bytes())
    assert sum(len(group) for group in parsed.entries.values()) == count > 0


def test_the_old_format_alone() -> None:
    texts = b"liba.so\0/lib/liba.so\0"
    data = b"ld.so-1.7.0\0" + struct.pack("<IiII", 1, 3, 0, 8) + texts
    assert parse(data).lookup("liba.so", I386) == (CacheEntry("/lib/liba.so", 3, variant=False),)


def test_big_endian_caches() -> None:
    for hint in (0, 3):
        data = cache_of(cached("/lib/liba.so", 0x503), order=">", hint=hint)
        assert parse(data).lookup("liba.so", ("EM_PPC64", 64, "big"))[0].path == "/lib/liba.so"


def test_the_first_exact_entry_counts_and_unknown_abis_get_all() -> None:
    cache = LdCache(
        {
            "liba.so": (
                CacheEntry("/any", 1, variant=False),
                CacheEntry("/fast", 0x303, variant=True),
                CacheEntry("/first", 0x303, variant=False),
                CacheEntry("/second", 0x303, variant=False),
                CacheEntry("/small", 3, variant=False),
            )
        }
    )
    assert [entry.path for entry in cache.lookup("liba.so", X86_64)] == ["/fast", "/first"]
    assert [entry.path for entry in cache.lookup("liba.so", I386)] == ["/small"]
    assert len(cache.lookup("liba.so", ("EM_LOONGARCH", 64, "little"))) == 5
    assert cache.lookup("libb.so", X86_64) == ()


def test_the_cache_goes_after_runpath_and_before_the_default_directories(bench: Workbench) -> None:
    bench.program("/app/main", "liba.so", "libb.so", "libc1.so", options=runpath("/run"))
    for path in ("/run/liba.so", "/cached/liba.so", "/cached/libb.so", "/usr/lib/libb.so"):
        bench.library(path)
    bench.library("/cached/v3/libb.so")
    bench.library("/usr/lib/libc1.so")
    bench.write(
        "/etc/ld.so.cache",
        cache_of(
            cached("/cached/liba.so"),
            cached("/cached/v3/libb.so", capabilities=EXTENDED),
            cached("/cached/libb.so"),
            cached("/gone/libc1.so"),
        ),
    )
    outcome = bench.closure("/app/main")
    assert libraries(outcome) == {
        "/run/liba.so",
        "/cached/v3/libb.so",
        "/cached/libb.so",
        "/usr/lib/libc1.so",
    }
    assert outcome.needed[ImagePath("/etc/ld.so.cache")] == (
        Reason(Rule.LOADER, GLIBC_LOADER, "read by the loader"),
    )


def test_nodeflib_takes_from_the_cache_what_lies_elsewhere(bench: Workbench) -> None:
    bench.program("/app/main", "liba.so", "libb.so", options=["-Wl,-z,nodefaultlib"])
    bench.library("/opt/liba.so")
    bench.library("/usr/lib/libb.so")
    bench.write("/etc/ld.so.cache", cache_of(cached("/opt/liba.so"), cached("/usr/lib/libb.so")))
    outcome = bench.closure("/app/main")
    assert libraries(outcome) == {"/opt/liba.so"}
    assert lost(outcome) == {("libb.so", "/app/main")}


def test_a_damaged_cache_is_a_warning(bench: Workbench) -> None:
    bench.program("/app/main", "liba.so")
    bench.library("/opt/liba.so")
    bench.write("/etc/ld.so.conf", b"/opt\n")
    bench.write("/etc/ld.so.cache", cache_of(cached("/opt/liba.so"))[:60])
    outcome = bench.closure("/app/main")
    assert libraries(outcome) == {"/opt/liba.so"}
    assert [warning.code for warning in outcome.warnings] == ["loader-cache"]


@given(st.data())
def test_damage_has_one_exception(data: st.DataObject) -> None:
    cache = bytearray(cache_of(cached("/lib/liba.so"), cached("/lib/libb.so", 3)))
    for _ in range(data.draw(st.integers(1, 6))):
        cache[data.draw(st.integers(0, len(cache) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(cache[: data.draw(st.integers(0, len(cache)))])
    try:
        parsed = parse(cut)
    except DamagedCacheError:
        return
    assert sum(len(group) for group in parsed.entries.values()) <= 2


@given(st.binary(max_size=200), st.sampled_from([b"ld.so-1.7.0\0", b"glibc-ld.so.cache1.1"]))
def test_any_bytes_behind_a_magic_number(data: bytes, magic: bytes) -> None:
    try:
        parsed = parse(magic + data)
    except DamagedCacheError as error:
        assert "cache" in str(error)
    else:
        assert sum(len(group) for group in parsed.entries.values()) * 12 <= len(data)
