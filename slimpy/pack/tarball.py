"""Writes tar bytes: ustar headers, with a PAX header in front only where ustar cannot say it.

Our own writer: the same entries always give the same bytes, no entry carries what it does not need,
and names and extended attributes are raw bytes. Source: POSIX pax, "ustar Interchange Format" and
"pax Header Block"; ``SCHILY.xattr.`` is what GNU tar, bsdtar and the container engines read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from slimpy.errors import PackError
from slimpy.model import decoded, display

BLOCK = 512
RECORD = 20 * BLOCK
"""An archive's length is a multiple of this, as tar writes it to a file."""

PIECE = 1 << 20
"""Bytes of contents copied at a time."""

REGULAR = b"0"
HARD_LINK = b"1"
SYMBOLIC_LINK = b"2"
CHARACTER = b"3"
BLOCK_DEVICE = b"4"
DIRECTORY = b"5"
FIFO = b"6"

_MAXIMUM_ID = 0o7777777  # seven octal digits and a NUL
_MAXIMUM_SIZE = 0o77777777777
_NAME, _PREFIX, _LINK = 100, 155, 100


@dataclass(frozen=True, slots=True)
class Header:
    """One entry of an archive.

    ``name`` is raw bytes, relative to the root, and a directory's ends with a slash; ``link`` is a
    hard link's earlier name or a symbolic link's target as it is; ``mode`` is the 12 permission
    bits; ``size`` in bytes; ``mtime`` in whole seconds since the epoch, also negative.
    """

    name: bytes
    type: bytes
    mode: int
    uid: int = 0
    gid: int = 0
    size: int = 0
    mtime: int = 0
    link: bytes = b""
    major: int = 0
    minor: int = 0
    xattrs: Mapping[str, bytes] = field(default_factory=dict)

    def encoded(self) -> bytes:
        """The blocks of the header: one, or a PAX header and one.

        Raises:
            PackError: a device number is beyond what the format holds.
        """
        if max(self.major, self.minor) > _MAXIMUM_ID:
            message = f"the device {display(decoded(self.name))} has a number that tar cannot hold"
            raise PackError(message)
        records: dict[bytes, bytes] = {}
        prefix, name = self._placed(records)
        link = self.link
        if len(link) > _LINK or not link.isascii():
            records[b"linkpath"] = link
            link = _plain(link)[:_LINK]
        block = _block(
            name,
            self.type,
            prefix=prefix,
            link=link,
            mode=self.mode,
            uid=_fitting(records, b"uid", self.uid, _MAXIMUM_ID),
            gid=_fitting(records, b"gid", self.gid, _MAXIMUM_ID),
            size=_fitting(records, b"size", self.size, _MAXIMUM_SIZE),
            mtime=_fitting(records, b"mtime", self.mtime, _MAXIMUM_SIZE),
            major=self.major,
            minor=self.minor,
        )
        for key, value in self.xattrs.items():
            records[b"SCHILY.xattr." + key.encode("utf-8", "surrogateescape")] = value
        return _extended(records) + block

    def _placed(self, records: dict[bytes, bytes]) -> tuple[bytes, bytes]:
        """The prefix and name fields; the whole name becomes a record if it fits in neither."""
        if self.name.isascii():
            if len(self.name) <= _NAME:
                return b"", self.name
            # The slash between the two is not stored; the last one of a directory belongs to it.
            cut = self.name.rfind(b"/", 0, min(_PREFIX + 1, len(self.name) - 1))
            if cut > 0 and len(self.name) - cut - 1 <= _NAME:
                return self.name[:cut], self.name[cut + 1 :]
        records[b"path"] = self.name
        return b"", _plain(self.name)[:_NAME]


def _plain(name: bytes) -> bytes:
    """What a reader that knows no PAX sees; it is overridden for all others."""
    return bytes(byte if byte < 0x80 else ord("_") for byte in name)


def _fitting(records: dict[bytes, bytes], key: bytes, value: int, maximum: int) -> int:
    """The number for the header's field: 0 where it does not fit and becomes a record."""
    if 0 <= value <= maximum:
        return value
    records[key] = b"%d" % value
    return 0


def _extended(records: Mapping[bytes, bytes]) -> bytes:
    if not records:
        return b""
    data = b"".join(_record(key, value) for key, value in sorted(records.items()))
    return _block(b"PaxHeader", b"x", mode=0o644, size=len(data)) + padded(data)


def _record(key: bytes, value: bytes) -> bytes:
    """``length key=value`` and a newline, where the length counts its own digits too."""
    rest = len(key) + len(value) + 3
    length = rest
    while length != rest + len(str(length)):
        length = rest + len(str(length))
    return b"%d %s=%s\n" % (length, key, value)


def _block(
    name: bytes,
    kind: bytes,
    *,
    mode: int,
    uid: int = 0,
    gid: int = 0,
    size: int = 0,
    mtime: int = 0,
    link: bytes = b"",
    prefix: bytes = b"",
    major: int = 0,
    minor: int = 0,
) -> bytes:
    before = b"%s%07o\0%07o\0%07o\0%011o\0%011o\0" % (
        name.ljust(_NAME, b"\0"), mode, uid, gid, size, mtime,
    )  # fmt: skip
    # The empty fields are the names of user and group: no reader is to map our numbers.
    after = b"%s%s%s%s%07o\0%07o\0%s" % (
        kind, link.ljust(_LINK, b"\0"), b"ustar\0" b"00", bytes(64), major, minor,
        prefix.ljust(_PREFIX, b"\0") + bytes(12),
    )  # fmt: skip
    total = sum(before) + sum(after) + 8 * ord(" ")
    return before + b"%06o\0 " % total + after


def padded(data: bytes) -> bytes:
    """The data with zeros up to a whole block."""
    return data + bytes(-len(data) % BLOCK)


class Source(Protocol):
    """What contents are read from."""

    def read(self, size: int, /) -> bytes:
        """At most ``size`` bytes; none only at the end."""


class Writer:
    """An archive that is being written; counts its bytes and passes them on in order."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        self.size = 0

    def _put(self, data: bytes) -> None:
        self._write(data)
        self.size += len(data)

    def add(self, header: Header, contents: Source | None = None) -> None:
        """Write one entry; ``contents`` has to hold exactly the size that the header says.

        Raises:
            PackError: the contents are shorter or longer.
        """
        self._put(header.encoded())
        left = header.size
        while left:
            piece = contents.read(min(left, PIECE)) if contents else b""
            if not piece:
                break
            self._put(piece)
            left -= len(piece)
        if left or (contents is not None and contents.read(1)):
            name = display(decoded(header.name))
            message = f"{name} does not have the {header.size} bytes that it was said to have"
            raise PackError(message)
        self._put(bytes(-header.size % BLOCK))

    def finish(self) -> None:
        """Write the end-of-archive mark and fill the last record."""
        self._put(bytes(2 * BLOCK))
        self._put(bytes(-self.size % RECORD))
