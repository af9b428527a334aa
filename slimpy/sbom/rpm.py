"""Packages of rpm: its databases in SQLite and in rpm's own form (ndb).

What a package says of itself is one blob: lib/header.c and docs/manual/format_v4.md of rpm; for
ndb: lib/backend/ndb/rpmpkg.c. Older databases are of Berkeley DB, and named as unread. A database
of SQLite can be reduced to what ships; ndb is only read, since its second file, the index, would
have to be written anew in a form that rpm alone knows.
"""

from __future__ import annotations

import posixpath
import struct
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass

from slimpy.image.tree import join
from slimpy.model import Entry, ImagePath, decoded
from slimpy.sbom import rpm_sqlite
from slimpy.sbom.package import Distribution, Ecosystem, Package
from slimpy.sbom.reading import Reading, plain, real_files

DIRECTORIES = ("/var/lib/rpm", "/usr/lib/sysimage/rpm", "/usr/share/rpm")
MOST_ENTRIES = 65_536
JOURNALS = ("-wal", "-journal")
"""Endings of the files beside a database of SQLite that hold changes to it."""

_SQLITE, _NDB, _BERKELEY = "rpmdb.sqlite", "Packages.db", "Packages"
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
        for blob in (_sqlite if entry.path.endswith(_SQLITE) else _ndb)(reading, entry):
            found = _package(reading, entry, blob, distro)
            if found is not None:
                yield found


def _sqlite(reading: Reading, entry: Entry) -> tuple[bytes, ...]:
    """The headers in it; a file with anything but plain rows in it ends in a warning."""
    data = reading.data(entry, "an rpm database")
    if has_journal(reading, entry):
        reading.trouble("an rpm database has a journal with later changes, which are not read")
    try:
        return rpm_sqlite.headers(data) if data else ()
    except ValueError:
        reading.trouble("an rpm database is damaged")
        return ()


def _ndb(reading: Reading, entry: Entry) -> list[bytes]:
    """The blobs that the slots of the first pages point to."""
    data = reading.data(entry, "an rpm database")
    if len(data) < 32 or data[:4] != b"RpmP":
        if data:
            reading.trouble("an rpm database is damaged")
        return []
    pages = struct.unpack_from("<I", data, 12)[0]
    end = min(pages * 4096, len(data) - 15)
    found: list[bytes] = []
    left = len(data)
    for at in range(32, end, 16):
        magic, number, block, _ = struct.unpack_from("<4sIII", data, at)
        start = block * 16
        if magic != b"Slot" or not number or start + 16 > len(data):
            continue
        head, own, _, length = struct.unpack_from("<4sIII", data, start)
        if head != b"BlbS" or own != number or start + 16 + length > len(data):
            reading.trouble("an rpm database is damaged")
            continue
        left -= 16 + length
        if left < 0:  # slots share their blobs, which rpm never writes
            reading.trouble("an rpm database is damaged")
            break
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


def _identity(header: _Header | None) -> tuple[str, str, str]:
    """Name, version with epoch and release, and architecture; empty where they are not told."""
    version = plain(header.text(_VERSION)) if header else ""
    if header is None or not version:
        return "", "", ""
    release = plain(header.text(_RELEASE))
    epoch = next(iter(header.numbers(_EPOCH)), 0)
    own = f"{version}-{release}" if release else version
    whole = f"{epoch}:{own}" if epoch else own
    return plain(header.text(_NAME)), whole, plain(header.text(_ARCH))


def _package(reading: Reading, entry: Entry, blob: bytes, distro: Distribution) -> Package | None:
    header = _header(blob)
    name, version, architecture = _identity(header)
    if header is None or not name or not version:
        reading.trouble("a package of an rpm database is damaged")
        return None
    if name == "gpg-pubkey":
        return None  # a key, and no software
    source = plain(header.text(_SOURCE)).removesuffix(".src.rpm").rsplit("-", 2)
    return Package(
        Ecosystem.RPM,
        name,
        version,
        entry.path,
        namespace=distro.id,
        source=source[0] if len(source) == 3 else name,
        source_version="-".join(source[1:]) if len(source) == 3 else version.rpartition(":")[2],
        licence=plain(header.text(_LICENCE)),
        architecture=architecture,
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


def reducible(reading: Reading) -> Iterator[tuple[str, Entry]]:
    """Databases of which `reduced` makes smaller ones: each path to one, and where it leads."""
    for directory in DIRECTORIES:
        path = f"{directory}/{_SQLITE}"
        entry = reading.file(path)
        if entry is not None:
            yield path, entry


def irreducible(reading: Reading) -> int:
    """How many databases there are of the older forms (Berkeley DB, ndb)."""
    return len(_named(reading, _NDB, _BERKELEY))


def has_journal(reading: Reading, entry: Entry) -> bool:
    """Whether changes lie beside a database of SQLite that are not in it yet."""
    beside = (reading.tree.get(ImagePath(entry.path + ending)) for ending in JOURNALS)
    return any(each is not None and each.size for each in beside)


def reduced(data: bytes, known: Container[tuple[str, str, str]]) -> bytes:
    """A database of SQLite with the headers of known packages, by name, version, architecture.

    Keys of signers that rpm was told to trust are stored like packages, but are none: they go.

    Raises:
        ValueError: it is damaged.
    """
    return rpm_sqlite.reduced(data, lambda blob: _identity(_header(blob)) in known)
