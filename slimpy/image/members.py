"""The files of a tar archive by name, read in place: nothing is unpacked.

One pass over the 512-byte headers finds them; contents are skipped. Sources: POSIX pax, "ustar
Interchange Format" and "pax Header Block"; GNU tar's manual, "Basic Tar Format".
"""

from __future__ import annotations

import contextlib
import os
import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO, NoReturn, Protocol

from slimpy.errors import SourceError
from slimpy.image.oci import DOCUMENT_LIMIT
from slimpy.model import decoded, display

BLOCK = 512
MOST_MEMBERS = 100_000
"""Members of an archive of images; one has about four for each layer."""

_LONGEST_HEADER = 1 << 20  # bytes of an extended header
_MOST_LINKS = 8
_REGULAR = frozenset((b"0", b"7"))
_HARD_LINK, _LINK = b"1", b"2"
_EXTENDED = frozenset((b"x", b"g", b"L", b"K"))


class Opened(Protocol):
    """A file that is being read from its start; ``size`` in bytes."""

    size: int

    def read(self, size: int, /) -> bytes:
        """At most ``size`` bytes; none only at the end."""


class Files(Protocol):
    """Named files that belong together: the members of an archive, or those of a directory."""

    where: str  # for people

    def has(self, name: str) -> bool:
        """Whether there is a file of that name."""

    def open(self, name: str) -> contextlib.AbstractContextManager[Opened]:
        """A file, read from its start.

        Raises:
            SourceError: it is not there, or no regular file.
        """


def read_document(files: Files, name: str) -> bytes:
    """A whole small file.

    Raises:
        SourceError: it is not there, or has more than `DOCUMENT_LIMIT` bytes.
    """
    with files.open(name) as file:
        if file.size > DOCUMENT_LIMIT:
            message = f"{name} of {display(files.where)} has {file.size} bytes; that is too many."
            raise SourceError(message)
        data = b"".join(iter(lambda: file.read(DOCUMENT_LIMIT), b""))
    if len(data) != file.size:
        message = f"{name} of {display(files.where)} was changed while it was read."
        raise SourceError(message)
    return data


@dataclass(frozen=True, slots=True)
class _Member:
    """Where a member's contents lie, in bytes of the archive, or the name that it leads to."""

    offset: int
    size: int
    target: str = ""


class Slice:
    """A part of a file, read without moving the file's own position."""

    def __init__(self, descriptor: int, offset: int, size: int) -> None:
        self._descriptor = descriptor
        self._offset = offset
        self._left = size
        self.size = size

    def read(self, size: int, /) -> bytes:
        """At most ``size`` bytes; none only at the end."""
        data = os.pread(self._descriptor, min(size, self._left), self._offset)
        self._offset += len(data)
        self._left -= len(data)
        return data


class TarFiles:
    """The regular files of an uncompressed archive, by their normalised names.

    Args:
        file: opened for reading; not closed here.
        where: the archive's name, for errors.

    Raises:
        SourceError: it is no tar archive, is damaged, or ends early.
    """

    def __init__(self, file: BinaryIO, where: str) -> None:
        self.where = where
        self._file = file
        self._members: dict[str, _Member] = {}
        self._twice: set[str] = set()
        for name, member in _scan(file, where):
            if name in self._members:
                self._twice.add(name)
            self._members[name] = member

    def has(self, name: str) -> bool:
        """See Files.has."""
        return self._find(name) is not None

    @contextlib.contextmanager
    def open(self, name: str) -> Iterator[Opened]:
        """See Files.open."""
        member = self._find(name)
        if member is None:
            message = f"{display(self.where)} has no file {display(name)}."
            raise SourceError(message, hint="Is it the archive of an image, and whole?")
        yield Slice(self._file.fileno(), member.offset, member.size)

    def _find(self, name: str) -> _Member | None:
        """The member behind a name, through links that stay inside the archive."""
        for _ in range(_MOST_LINKS):
            if name in self._twice:
                message = f"{display(self.where)} has the file {display(name)} twice."
                raise SourceError(message, hint="Save the image again.")
            member = self._members.get(name)
            if member is None or not member.target:
                return member
            name = member.target
        return None


def _scan(file: BinaryIO, where: str) -> Iterator[tuple[str, _Member]]:
    """Regular files and links that lead to a place inside; all else is of no use here."""
    end = os.fstat(file.fileno()).st_size
    position, records = 0, dict[bytes, bytes]()
    for _ in range(MOST_MEMBERS):
        block = os.pread(file.fileno(), BLOCK, position)
        if len(block) < BLOCK:
            _fail(where, "it ends early" if position else "it is no tar archive")
        if not any(block):
            return
        kind = _checked_kind(block, where, position)
        size = _size(block, records, where) if kind not in (_HARD_LINK, _LINK) else 0
        start, position = position + BLOCK, position + BLOCK + size + -size % BLOCK
        if start + size > end:
            _fail(where, "it ends early")
        if kind in _EXTENDED:
            if size > _LONGEST_HEADER:
                _fail(where, "it has an extended header of unbelievable size")
            found = _extended(kind, os.pread(file.fileno(), size, start), where)
            # A global header says nothing that is needed here.
            records = records | found if kind != b"g" else records
            continue
        name = _inside(decoded(records.get(b"path", _name(block))))
        if any(key.startswith(b"GNU.sparse.") for key in records) or kind == b"S":
            _fail(where, "it holds a sparse file")
        if name and kind in _REGULAR:
            yield name, _Member(start, size)
        elif name and kind in (_HARD_LINK, _LINK):
            link = decoded(records.get(b"linkpath", block[157:257].partition(b"\0")[0]))
            base = posixpath.dirname(name) if kind == _LINK else ""
            if target := _inside(f"{base}/{link}" if base else link):
                yield name, _Member(0, 0, target)
        records = {}
    _fail(where, f"it has more than {MOST_MEMBERS} members")


def _checked_kind(block: bytes, where: str, position: int) -> bytes:
    """The type of a header whose checksum is right (taken with its own field as spaces)."""
    total = sum(block[:148]) + sum(block[156:]) + 8 * ord(" ")
    if total != _number(block[148:156], where):
        _fail(where, "it is no tar archive" if position == 0 else "a header is damaged")
    return block[156:157].replace(b"\0", b"0")


def _size(block: bytes, records: Mapping[bytes, bytes], where: str) -> int:
    stated = records.get(b"size")
    if stated is None:
        return _number(block[124:136], where)
    if not stated.isdigit() or len(stated) > 15:
        _fail(where, "a size in it is no number")
    return int(stated)


def _number(raw: bytes, where: str) -> int:
    """Octal digits, or GNU's base 256 where the first bit is set."""
    if raw[0] & 0x80:
        number = int.from_bytes(bytes([raw[0] & 0x7F]) + raw[1:], "big")
        if number >= 1 << 50:
            _fail(where, "a size in it is unbelievable")
        return number
    digits = raw.strip(b" \0")
    if digits.strip(b"01234567"):
        _fail(where, "it is no tar archive, or damaged")
    return int(digits or b"0", 8)


def _name(block: bytes) -> bytes:
    name = block[:100].partition(b"\0")[0]
    is_ustar = block[257:263] == b"ustar\0"
    prefix = block[345:500].partition(b"\0")[0] if is_ustar else b""
    return prefix + b"/" + name if prefix else name


def _extended(kind: bytes, data: bytes, where: str) -> dict[bytes, bytes]:
    if kind in (b"L", b"K"):
        return {b"path" if kind == b"L" else b"linkpath": data.rstrip(b"\0")}
    records: dict[bytes, bytes] = {}
    start = 0
    while start < len(data):
        space = data.find(b" ", start, start + 20)
        length = data[start:space] if space > 0 else b""
        end = start + int(length) if length.isdigit() else 0
        key, equals, value = data[space + 1 : end - 1].partition(b"=")
        if not space < end <= len(data) or not equals:
            _fail(where, "a record of an extended header is damaged")
        records[key] = value
        start = end
    return records


def _inside(name: str) -> str:
    """The name without ``.`` and ``..``; empty if it leads out of the archive or to its root."""
    parts: list[str] = []
    if name.startswith("/"):
        return ""
    for part in name.split("/"):
        if part == ".." and not parts:
            return ""
        if part == "..":
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def _fail(where: str, why: str) -> NoReturn:
    message = f"{display(where)} cannot be read: {why}."
    raise SourceError(message, hint="Is it the archive of an image, and whole?")
