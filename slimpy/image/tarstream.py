"""Reads the tar stream of an image's files, once, from front to back (GNU tar's PAX format).

Our own reader, as the values of extended attributes are raw bytes and a stream that was cut off
must be an error: an archive that merely ends would look like an image without these files.
Sources: POSIX pax, "ustar Interchange Format" and "pax Header Block"; GNU tar's manual, "Storing
Sparse Files" (PAX 1.0).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NoReturn

from slimpy.errors import EngineLostError

BLOCK = 512
MAXIMUM_HEADER = 8 << 20
"""Bytes of one extended header; 64 KiB is the kernel's bound for a single attribute."""

MAXIMUM_SIZE = 1 << 60
"""Bytes that a sparse file may claim to have."""

PIECE = 1 << 20
"""Bytes of contents handed out at a time, at most."""

REGULAR = b"0"
HARD_LINK = b"1"
CHARACTER = b"3"
BLOCK_DEVICE = b"4"

_KNOWN_TYPES = frozenset((b"0", b"1", b"2", b"3", b"4", b"5", b"6"))
_XATTR = b"SCHILY.xattr."


@dataclass(frozen=True, slots=True)
class Header:
    """One header of the stream. ``size`` is that of the contents, holes of a sparse file included.

    ``data`` are (offset in the file, length) of what the stream holds of the contents; ``mtime`` is
    in whole seconds.
    """

    name: bytes
    type: bytes
    size: int
    link: bytes
    major: int
    minor: int
    xattrs: Mapping[str, bytes]
    data: tuple[tuple[int, int], ...]
    mode: int = 0
    uid: int = 0
    gid: int = 0
    mtime: int = 0


class TarStream:
    """Members of a tar stream in order; `pieces` gives the contents of the one that came last."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._chunk = memoryview(b"")
        self._unread = 0  # bytes of the current member, padding not included
        self._padding = 0

    def __iter__(self) -> Iterator[Header]:
        """Members up to the end-of-archive mark.

        Raises:
            EngineLostError: the stream is damaged, or ends before its end-of-archive mark.
        """
        records: dict[bytes, bytes] = {}
        while True:
            self._skip()
            block = self._exactly(BLOCK)
            if not any(block):
                self._drain()
                return
            _check(block)
            kind = block[156:157].replace(b"\0", b"0")
            size = _number(block[124:136])
            if kind in (b"x", b"g"):
                # A global header is for all members; GNU tar writes none with xattrs or names.
                found = _records(self._header(size))
                records = found if kind == b"x" else {}
            elif kind in (b"L", b"K"):
                key = b"path" if kind == b"L" else b"linkpath"
                records[key] = self._header(size).rstrip(b"\0")
            else:
                yield self._member(block, kind, records)
                records = {}

    def _member(self, block: bytes, kind: bytes, records: Mapping[bytes, bytes]) -> Header:
        if kind not in _KNOWN_TYPES:
            _fail(f"it has a member of the unknown type {kind!r}")
        has_data = kind == REGULAR
        stored = _decimal(records[b"size"]) if b"size" in records else _number(block[124:136])
        self._unread = stored if has_data else 0
        self._padding = -self._unread % BLOCK
        size = self._unread
        data: tuple[tuple[int, int], ...] = ((0, size),)
        if b"GNU.sparse.major" in records:
            data = self._sparse_map()
            size = _decimal(records.get(b"GNU.sparse.realsize", b""))
            _check_map(data, size, self._unread)
        elif b"GNU.sparse.numblocks" in records or b"GNU.sparse.size" in records:
            _fail("it holds a sparse file in an old format")
        prefix = block[345:500].partition(b"\0")[0]
        name = block[:100].partition(b"\0")[0]
        whole = prefix + b"/" + name if prefix else name
        return Header(
            name=records.get(b"GNU.sparse.name", records.get(b"path", whole)),
            type=kind,
            size=size,
            link=records.get(b"linkpath", block[157:257].partition(b"\0")[0]),
            major=_number(block[329:337]),
            minor=_number(block[337:345]),
            xattrs=_xattrs(records),
            data=data,
            mode=_number(block[100:108]) & 0o7777,
            uid=_whole(records.get(b"uid"), block[108:116]),
            gid=_whole(records.get(b"gid"), block[116:124]),
            mtime=_whole(records.get(b"mtime"), block[136:148]),
        )

    def _sparse_map(self) -> tuple[tuple[int, int], ...]:
        """The map before the contents: lines with a count, then offset and length of each."""
        numbers: list[int] = []
        rest = b""
        while not numbers or len(numbers) <= 2 * numbers[0]:
            self._unread -= BLOCK
            if self._unread < 0 or len(numbers) > MAXIMUM_HEADER // 16:
                _fail("the map of a sparse file is damaged")
            *lines, rest = (rest + self._exactly(BLOCK)).split(b"\n")
            numbers.extend(_decimal(line) for line in lines)
        numbers = numbers[1 : 2 * numbers[0] + 1]
        return tuple(zip(numbers[::2], numbers[1::2], strict=True))

    def pieces(self) -> Iterator[memoryview]:
        """What the stream holds of the current member's contents, at most `PIECE` bytes a time."""
        while self._unread:
            yield self._some()

    def _some(self) -> memoryview:
        self._refill()
        count = min(self._unread, len(self._chunk), PIECE)
        piece, self._chunk = self._chunk[:count], self._chunk[count:]
        self._unread -= count
        return piece

    def _skip(self) -> None:
        while self._unread:
            self._some()
        self._exactly(self._padding)
        self._padding = 0

    def _header(self, size: int) -> bytes:
        if size > MAXIMUM_HEADER:
            _fail("it has an extended header of unbelievable size")
        return self._exactly(size + -size % BLOCK)[:size]

    def _exactly(self, size: int) -> bytes:
        parts: list[memoryview] = []
        while size:
            self._refill()
            part, self._chunk = self._chunk[:size], self._chunk[size:]
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def _refill(self) -> None:
        while not self._chunk:
            chunk = next(self._chunks, None)
            if chunk is None:
                _fail("it ended early")
            self._chunk = memoryview(chunk)

    def _drain(self) -> None:
        """Read to the end, so that the other side can finish: tar pads the archive with zeros."""
        self._chunk = memoryview(b"")
        for _ in self._chunks:
            pass


def _check(block: bytes) -> None:
    """The header's checksum: the sum of its bytes with the checksum's own field taken as spaces."""
    if sum(block[:148]) + sum(block[156:]) + 8 * 32 != _number(block[148:156]):
        _fail("the checksum of a header is wrong")


def _number(raw: bytes) -> int:
    """Octal digits, or GNU's base 256 where the first bit is set."""
    if raw[0] & 0x80:
        return int.from_bytes(bytes([raw[0] & 0x7F]) + raw[1:], "big")
    digits = raw.strip(b" \0")
    if digits.strip(b"01234567"):
        _fail("a number in a header is no number")
    return int(digits or b"0", 8)


def _whole(record: bytes | None, field: bytes) -> int:
    """A number of an extended header without its fraction, or else the field's; 0 if negative."""
    if record is None:
        return 0 if field[0] == 0xFF else _number(field)
    return 0 if record.startswith(b"-") else _decimal(record.partition(b".")[0])


def _decimal(raw: bytes) -> int:
    if not raw.isdigit() or len(raw) > 19:
        _fail("a number in an extended header is no number")
    return int(raw)


def _records(data: bytes) -> dict[bytes, bytes]:
    """The records of a PAX header: length, space, key=value, newline; values are any bytes."""
    records: dict[bytes, bytes] = {}
    start = 0
    while start < len(data):
        space = data.find(b" ", start, start + 20)
        if space == -1:
            _fail("a record of an extended header is damaged")
        end = start + _decimal(data[start:space])
        key, equals, value = data[space + 1 : end - 1].partition(b"=")
        if not space < end <= len(data) or data[end - 1 : end] != b"\n" or not equals:
            _fail("a record of an extended header is damaged")
        records[key] = value
        start = end
    return records


def _xattrs(records: Mapping[bytes, bytes]) -> dict[str, bytes]:
    """Extended attributes by name; GNU tar writes ``%3D`` and ``%25`` for ``=`` and ``%`` in it."""
    found = {}
    for key, value in records.items():
        if key.startswith(_XATTR):
            name = key.removeprefix(_XATTR).replace(b"%3D", b"=").replace(b"%25", b"%")
            found[name.decode("utf-8", "surrogateescape")] = value
    return dict(sorted(found.items()))


def _check_map(data: tuple[tuple[int, int], ...], size: int, stored: int) -> None:
    end = 0
    for offset, length in data:
        if offset < end or offset + length > size or size > MAXIMUM_SIZE:
            _fail("the map of a sparse file is damaged")
        end = offset + length
    if sum(length for _, length in data) != stored:
        _fail("the map of a sparse file does not fit its contents")


def _fail(why: str) -> NoReturn:
    message = f"The archive of the image's files cannot be read: {why}."
    raise EngineLostError(message, hint="Does the engine still run? Try again.")
