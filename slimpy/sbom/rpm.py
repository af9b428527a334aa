"""Packages of rpm: its databases in SQLite and in rpm's own form (ndb).

What a package says of itself is one blob: lib/header.c and docs/manual/format_v4.md of rpm; for
ndb: lib/backend/ndb/rpmpkg.c. Older databases are of Berkeley DB, and named as unread.
"""

from __future__ import annotations

import posixpath
import sqlite3
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from slimpy.image.tree import join
from slimpy.model import Entry, ImagePath, decoded
from slimpy.sbom.package import Distribution, Ecosystem, Package
from slimpy.sbom.reading import Reading, plain, real_files

DIRECTORIES = ("/var/lib/rpm", "/usr/lib/sysimage/rpm", "/usr/share/rpm")
MOST_PACKAGES = 50_000
LARGEST_BLOB = 32 << 20
MOST_ENTRIES = 65_536

_SQLITE, _NDB, _BERKELEY = "rpmdb.sqlite", "Packages.db", "Packages"
_STEPS, _MOST_STEPS = 10_000, 20_000
_NAME, _VERSION, _RELEASE, _EPOCH = 1000, 1001, 1002, 1003
_LICENCE, _ARCH, _SOURCE = 1014, 1022, 1044
_INDEXES, _BASENAMES, _DIRECTORIES = 1116, 1117, 1118
_INT32, _STRING, _STRINGS, _TRANSLATED = 4, 6, 8, 9


def databases(reading: Reading) -> tuple[Entry, ...]:
    """The databases that can be read."""
    return _named(reading, _SQLITE, _NDB)


def _named(reading: Reading, *names: str) -> tuple[Entry, ...]:
    paths = (f"{directory}/{name}" for directory in DIRECTORIES for name in names)
    found = (reading.file(path) for path in paths)
    return tuple({entry.path: entry for entry in found if entry is not None}.values())


def packages(reading: Reading, distro: Distribution) -> Iterator[Package]:
    """Every package of these databases, with its files."""
    for _ in _named(reading, _BERKELEY):
        reading.trouble("the image has an rpm database of Berkeley DB, which is not read")
    for entry in databases(reading):
        data = reading.data(entry, "an rpm database")
        blobs = _sqlite(reading, data) if entry.path.endswith(_SQLITE) else _ndb(reading, data)
        for blob in blobs:
            found = _package(reading, entry, blob, distro)
            if found is not None:
                yield found


def _sqlite(reading: Reading, data: bytes) -> list[bytes]:
    """The blobs of the table; a file with anything but plain rows in it ends in a warning."""
    if not data:
        return []
    # A file in WAL mode needs a second file, which an unnamed copy in memory cannot have.
    if data[18:20] == b"\x02\x02":
        data = data[:18] + b"\x01\x01" + data[20:]
    left = [_MOST_STEPS]

    def enough() -> bool:
        left[0] -= 1
        return left[0] < 0

    try:
        connection = sqlite3.connect(":memory:")
        try:
            connection.deserialize(data)
            connection.execute("PRAGMA trusted_schema = OFF")
            connection.set_progress_handler(enough, _STEPS)
            rows = connection.execute(
                "SELECT blob FROM Packages WHERE length(blob) <= ? LIMIT ?",
                (LARGEST_BLOB, MOST_PACKAGES),
            )
            return [blob for (blob,) in rows if isinstance(blob, bytes)]
        finally:
            connection.close()
    except (sqlite3.Error, MemoryError, OverflowError, UnicodeDecodeError):
        reading.trouble("an rpm database is damaged")
        return []


def _ndb(reading: Reading, data: bytes) -> list[bytes]:
    """The blobs that the slots of the first pages point to."""
    if len(data) < 32 or data[:4] != b"RpmP":
        if data:
            reading.trouble("an rpm database is damaged")
        return []
    pages = struct.unpack_from("<I", data, 12)[0]
    end = min(pages * 4096, len(data) - 15)
    found = []
    for at in range(32, end, 16):
        magic, number, block, _ = struct.unpack_from("<4sIII", data, at)
        start = block * 16
        if magic != b"Slot" or not number or start + 16 > len(data):
            continue
        head, own, _, length = struct.unpack_from("<4sIII", data, start)
        if head != b"BlbS" or own != number or start + 16 + length > len(data):
            reading.trouble("an rpm database is damaged")
            continue
        found.append(data[start + 16 : start + 16 + length])
    return found


@dataclass(frozen=True, slots=True)
class _Header:
    """The index and the store of a blob."""

    index: Mapping[int, tuple[int, int, int]]
    store: bytes

    def texts(self, tag: int) -> list[str]:
        """The strings of a tag; none where it has another type."""
        kind, offset, count = self.index.get(tag, (0, 0, 0))
        if kind not in (_STRING, _STRINGS, _TRANSLATED) or offset > len(self.store):
            return []
        parts = self.store[offset:].split(b"\0", count)
        return [decoded(part) for part in parts[:count]]

    def text(self, tag: int) -> str:
        """The first string of a tag."""
        return next(iter(self.texts(tag)), "")

    def numbers(self, tag: int) -> tuple[int, ...]:
        """The 32-bit numbers of a tag."""
        kind, offset, count = self.index.get(tag, (0, 0, 0))
        if kind != _INT32 or offset + 4 * count > len(self.store):
            return ()
        return struct.unpack_from(f">{count}I", self.store, offset)


def _header(blob: bytes) -> _Header | None:
    if len(blob) < 8:
        return None
    entries, size = struct.unpack_from(">II", blob)
    start = 8 + 16 * entries
    if entries > MOST_ENTRIES or start + size > len(blob):
        return None
    rows = (struct.unpack_from(">IIII", blob, 8 + 16 * number) for number in range(entries))
    index = {tag: (kind, offset, count) for tag, kind, offset, count in rows}
    return _Header(index, blob[start : start + size])


def _package(reading: Reading, entry: Entry, blob: bytes, distro: Distribution) -> Package | None:
    header = _header(blob)
    name = plain(header.text(_NAME)) if header else ""
    version = plain(header.text(_VERSION)) if header else ""
    if header is None or not name or not version:
        reading.trouble("a package of an rpm database is damaged")
        return None
    if name == "gpg-pubkey":
        return None  # a key, and no software
    release = plain(header.text(_RELEASE))
    epoch = next(iter(header.numbers(_EPOCH)), 0)
    source = plain(header.text(_SOURCE)).removesuffix(".src.rpm").rsplit("-", 2)
    own_version = f"{version}-{release}" if release else version
    return Package(
        Ecosystem.RPM,
        name,
        f"{epoch}:{own_version}" if epoch else own_version,
        entry.path,
        namespace=distro.id,
        source=source[0] if len(source) == 3 else name,
        source_version="-".join(source[1:]) if len(source) == 3 else own_version,
        licence=plain(header.text(_LICENCE)),
        architecture=plain(header.text(_ARCH)),
        distro="-".join(filter(None, (distro.id, distro.version))),
        files=_files(reading, header),
    )


def _files(reading: Reading, header: _Header) -> frozenset[ImagePath]:
    names, places = header.texts(_BASENAMES), header.texts(_DIRECTORIES)
    paths = []
    for base, number in zip(names, header.numbers(_INDEXES), strict=False):
        if number < len(places) and base:
            directory = reading.real(posixpath.normpath("/" + places[number].lstrip("/")))
            if directory is not None:
                paths.append(join(directory, base))
    return real_files(reading.tree, paths)


def is_there(reading: Reading) -> bool:
    """Whether the image has any rpm database at all, of whatever form."""
    return bool(_named(reading, _SQLITE, _NDB, _BERKELEY))
