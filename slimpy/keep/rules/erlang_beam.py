"""Reads which modules a compiled Erlang module calls.

Format: the BEAM file is an IFF file of chunks ("beam_lib" in the documentation of stdlib, and
lib/compiler/src/beam_asm.erl); chunk ``AtU8`` (or ``Atom``) holds the atoms, ``ImpT`` the imports.
"""

from __future__ import annotations

import struct

LARGEST_MODULE = 16 << 20
"""A larger module (bytes) is read up to there."""

_MOST_ATOMS = 100_000


def imported_modules(data: bytes) -> frozenset[str]:
    """The modules named in the imports; empty if the file is damaged or packed."""
    try:
        chunks = _chunks(data)
        atoms = _atoms(chunks.get(b"AtU8") or chunks.get(b"Atom") or b"")
        table = chunks.get(b"ImpT", b"")
        (count,) = struct.unpack_from(">I", table) if table else (0,)
        count = min(count, (len(table) - 4) // 12)
        indexes = {struct.unpack_from(">I", table, 4 + 12 * number)[0] for number in range(count)}
    except (struct.error, IndexError):
        return frozenset()
    return frozenset(atoms[index - 1] for index in indexes if 0 < index <= len(atoms))


def _chunks(data: bytes) -> dict[bytes, bytes]:
    if data[:4] != b"FOR1" or data[8:12] != b"BEAM":
        return {}
    found = {}
    at = 12
    while at + 8 <= len(data):
        (size,) = struct.unpack_from(">I", data, at + 4)
        found[data[at : at + 4]] = data[at + 8 : at + 8 + size]
        at += 8 + (size + 3) // 4 * 4
    return found


def _atoms(chunk: bytes) -> list[str]:
    """The atoms in order. From OTP 28 on the count is negative and lengths are compact terms."""
    if len(chunk) < 4:
        return []
    (count,) = struct.unpack_from(">i", chunk)
    compact = count < 0
    atoms: list[str] = []
    at = 4
    for _ in range(min(abs(count), _MOST_ATOMS)):
        if at >= len(chunk):
            break
        length = chunk[at]
        at += 1
        if compact:
            if length & 0b1000:  # one more byte holds the low bits of the length
                length = (length >> 5 << 8) | chunk[at]
                at += 1
            else:
                length >>= 4
        atoms.append(chunk[at : at + length].decode("utf-8", "replace"))
        at += length
    return atoms
