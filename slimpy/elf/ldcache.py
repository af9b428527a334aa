"""Reads ``/etc/ld.so.cache``: which library lies where, as ldconfig last saw it.

The format is in glibc's ``sysdeps/generic/dl-cache.h``; ldconfig wrote the old format with the new
one behind it before glibc 2.32, and the new one alone since.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from slimpy.elf.facts import Abi
from slimpy.model import decoded

MAXIMUM_SIZE = 16 << 20  # bytes; a cache of ten thousand libraries has about one million
MAXIMUM_ENTRIES = 1 << 16
MAXIMUM_NAME = 1024  # bytes of one name or path

_OLD_MAGIC = b"ld.so-1.7.0"
_NEW_MAGIC = b"glibc-ld.so.cache1.1"
_OLD_HEADER, _OLD_ENTRY = 16, 12
_NEW_HEADER = 48
_HINT = 28  # where the new header says its byte order: 2 little, 3 big, 0 not said

# FLAG_ELF_LIBC6 and the ABI's FLAG_* of glibc's sysdeps/generic/ldconfig.h.
_FLAGS: Mapping[tuple[str, int], frozenset[int]] = {
    ("EM_386", 32): frozenset({0x0003}),
    ("EM_X86_64", 64): frozenset({0x0303}),
    ("EM_X86_64", 32): frozenset({0x0803}),
    ("EM_S390", 64): frozenset({0x0403}),
    ("EM_PPC64", 64): frozenset({0x0503}),
    ("EM_ARM", 32): frozenset({0x0003, 0x0903, 0x0B03}),
    ("EM_AARCH64", 64): frozenset({0x0A03}),
    ("EM_RISCV", 64): frozenset({0x0F03, 0x1003}),
}
_ANY_ELF = 1  # an entry of this kind is taken by every loader


class DamagedCacheError(ValueError):
    """The file is not a loader cache, or contradicts itself."""


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """Where a library lies. A ``variant`` is for some CPUs only (hwcaps)."""

    path: str
    flags: int
    variant: bool


@dataclass(frozen=True, slots=True)
class LdCache:
    """The cache's entries by library name, in the order in which the loader tries them."""

    entries: Mapping[str, tuple[CacheEntry, ...]] = field(default_factory=dict)

    def lookup(self, name: str, abi: Abi) -> tuple[CacheEntry, ...]:
        """The entries that a loader of this ABI may take: all variants, and the one for every CPU.

        Entries of ABIs whose flags are not known here are all given: the file's header decides.
        """
        flags = _FLAGS.get(abi[:2])
        found = [
            entry
            for entry in self.entries.get(name, ())
            if flags is None or entry.flags == _ANY_ELF or entry.flags in flags
        ]
        variants = [entry for entry in found if entry.variant]
        plain = [entry for entry in found if not entry.variant]
        if flags is None:
            return (*variants, *plain)
        exact = [entry for entry in plain if entry.flags != _ANY_ELF]
        return (*variants, *(exact or plain)[:1])


def parse(data: bytes) -> LdCache:
    """The cache's entries.

    Raises:
        DamagedCacheError: the file is no cache of a known format, or offsets lead out of it.
    """
    try:
        entries = list(_entries(data))
    except struct.error as error:
        message = f"the loader cache is cut short: {error}"
        raise DamagedCacheError(message) from error
    table: dict[str, list[CacheEntry]] = {}
    for name, entry in entries:
        table.setdefault(name, []).append(entry)
    return LdCache({name: tuple(group) for name, group in table.items()})


def _entries(data: bytes) -> Iterator[tuple[str, CacheEntry]]:
    if data.startswith(_NEW_MAGIC):
        yield from _new_entries(data)
        return
    if not data.startswith(_OLD_MAGIC):
        message = "the loader cache has an unknown format"
        raise DamagedCacheError(message)
    order = _order(data, len(_OLD_MAGIC) + 1, _OLD_HEADER, _OLD_ENTRY)
    count = _count(data, len(_OLD_MAGIC) + 1, _OLD_HEADER, _OLD_ENTRY, order)
    end = _OLD_HEADER + count * _OLD_ENTRY
    behind = data[(end + 7) & ~7 :]
    if behind.startswith(_NEW_MAGIC):
        yield from _new_entries(behind)
        return
    for number in range(count):
        flags, key, value = struct.unpack_from(
            order + "iII", data, _OLD_HEADER + number * _OLD_ENTRY
        )
        yield _text(data, end + key), CacheEntry(_text(data, end + value), flags, variant=False)


def _new_entries(data: bytes) -> Iterator[tuple[str, CacheEntry]]:
    hint = data[_HINT] & 3 if len(data) > _HINT else 0
    order = {2: "<", 3: ">"}.get(hint) or _order(data, len(_NEW_MAGIC), _NEW_HEADER, 24)
    record = struct.Struct(order + "iIIIQ")
    count = _count(data, len(_NEW_MAGIC), _NEW_HEADER, record.size, order)
    for number in range(count):
        flags, key, value, _, capabilities = record.unpack_from(
            data, _NEW_HEADER + number * record.size
        )
        entry = CacheEntry(_text(data, value), flags, variant=capabilities != 0)
        yield _text(data, key), entry


def _order(data: bytes, position: int, header: int, entry: int) -> str:
    """The byte order in which the entries fit into the file; little endian if neither does."""
    count = struct.unpack_from(">I", data, position)[0]
    small = struct.unpack_from("<I", data, position)[0]
    return ">" if header + count * entry <= len(data) < header + small * entry else "<"


def _count(data: bytes, position: int, header: int, entry: int, order: str) -> int:
    count = int(struct.unpack_from(order + "I", data, position)[0])
    if header + count * entry > len(data) or count > MAXIMUM_ENTRIES:
        message = f"the loader cache claims {count} entries in {len(data)} bytes"
        raise DamagedCacheError(message)
    return count


def _text(data: bytes, start: int) -> str:
    end = data.find(b"\0", start, start + MAXIMUM_NAME)
    if end < 0:
        message = "a name in the loader cache lies outside of it"
        raise DamagedCacheError(message)
    return decoded(data[start:end])
