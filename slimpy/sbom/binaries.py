"""Modules that compilers write into programs: Go's build information, cargo-auditable's list.

The formats: debug/buildinfo of Go's standard library (inline strings, since Go 1.18), and the
section ``.dep-v0`` of cargo-auditable (JSON, compressed with zlib).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import BinaryIO

import msgspec

from slimpy.model import Entry, FileType, ImagePath
from slimpy.sbom.package import Ecosystem, Package
from slimpy.sbom.reading import Reading, plain

GO = b".go.buildinfo"
RUST = b".dep-v0"
SMALLEST = 4096
MOST_SECTIONS = 4096
LARGEST_SECTION = 16 << 20
LARGEST_LIST = 32 << 20

_MAGIC = b"\xff Go buildinf:"
_INLINE = 2
_SENTINEL = 16


def programs(entries: Iterable[Entry]) -> Iterator[Entry]:
    """Files that can be programs, by their mode and size."""
    for entry in entries:
        if entry.type is FileType.FILE and entry.mode & 0o111 and entry.size >= SMALLEST:
            yield entry


def packages(reading: Reading, entries: Iterable[Entry]) -> Iterator[Package]:
    """The modules that these programs say they were built from."""
    for entry in entries:
        with reading.contents.open(entry.path) as file:
            for section, data in _sections(file, entry.size):
                if section == GO:
                    yield from _go(reading, entry.path, data)
                else:
                    yield from _rust(reading, entry.path, data)


def _sections(file: BinaryIO, size: int) -> list[tuple[bytes, bytes]]:
    """The sections that are of use; none of what is no whole ELF file."""
    head = file.read(64)
    if len(head) < 64 or head[:4] != b"\x7fELF" or head[4] not in (1, 2) or head[5] not in (1, 2):
        return []
    wide, order = head[4] == 2, "<" if head[5] == 1 else ">"
    table = struct.unpack_from(order + ("Q" if wide else "I"), head, 40 if wide else 32)[0]
    width, count, names = struct.unpack_from(order + "HHH", head, 58 if wide else 46)
    shape = struct.Struct(order + ("IIQQQQ" if wide else "IIIIII"))
    if not table or width < shape.size or count > MOST_SECTIONS or names >= count:
        return []
    rows = [shape.unpack_from(row) for row in _rows(file, table, width, count, shape.size)]
    if names >= len(rows):
        return []
    text = _part(file, rows[names][4], rows[names][5], size)
    found = []
    for row in rows:
        title = text[row[0] : row[0] + 32].partition(b"\0")[0]
        if title in (GO, RUST):
            # Strings can lie behind the section's own end only in the older form, not read here.
            found.append((title, _part(file, row[4], row[5], size)))
    return found


def _rows(file: BinaryIO, table: int, width: int, count: int, least: int) -> Iterator[bytes]:
    file.seek(min(table, 1 << 62))
    data = file.read(width * count)
    for start in range(0, len(data) - least + 1, width):
        yield data[start : start + width]


def _part(file: BinaryIO, offset: int, length: int, size: int) -> bytes:
    if length > LARGEST_SECTION or offset + length > size:
        return b""
    file.seek(offset)
    return file.read(length)


def _go(reading: Reading, path: ImagePath, data: bytes) -> Iterator[Package]:
    if not data.startswith(_MAGIC) or len(data) < 32 or not data[15] & _INLINE:
        reading.trouble("a Go program's build information is older than Go 1.18, or damaged")
        return
    release, after = _string(data, 32)
    modules, _ = _string(data, after)
    own = frozenset((path,))
    version = release.decode("utf-8", "replace").partition(" ")[0].removeprefix("go")
    if plain(version):
        yield Package(Ecosystem.GO, "stdlib", plain(version), path, files=own)
    seen: list[tuple[str, str]] = []
    for line in modules[_SENTINEL:-_SENTINEL].decode("utf-8", "replace").split("\n"):
        kind, *rest = line.split("\t")
        title, stated = (plain(part) for part in (*rest, "", "")[:2])
        if kind in ("mod", "dep") and title:
            seen.append((title, stated))
        elif kind == "=>" and title and seen:
            seen[-1] = (title, stated)
    for title, stated in dict.fromkeys(seen):
        yield Package(Ecosystem.GO, title, "" if stated == "(devel)" else stated, path, files=own)


def _string(data: bytes, start: int) -> tuple[bytes, int]:
    """A string after its length in base 128, and where it ends."""
    length = shift = 0
    for at in range(start, min(start + 10, len(data))):
        length |= (data[at] & 0x7F) << shift
        shift += 7
        if data[at] < 0x80:
            return data[at + 1 : at + 1 + length], at + 1 + length
    return b"", len(data)


def _rust(reading: Reading, path: ImagePath, data: bytes) -> Iterator[Package]:
    try:
        said = msgspec.json.decode(zlib.decompressobj().decompress(data, LARGEST_LIST))
    except (zlib.error, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        reading.trouble("a Rust program's list of crates is damaged")
        return
    listed = said.get("packages") if isinstance(said, dict) else None
    for item in listed if isinstance(listed, list) else ():
        title = plain(item.get("name")) if isinstance(item, dict) else ""
        version = plain(item.get("version")) if isinstance(item, dict) else ""
        if title and version and item.get("kind") != "build":
            yield Package(Ecosystem.RUST, title, version, path, files=frozenset((path,)))
