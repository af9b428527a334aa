"""A layer's archive out of the blob that it is stored as."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import BinaryIO

from slimpy.errors import SourceError
from slimpy.image import zstd

_PIECE = 1 << 20
_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"


def decompressed(file: BinaryIO, name: str) -> Iterator[bytes]:
    """A layer's archive out of a blob: gzip, zstd, or neither, by its first bytes.

    Raises:
        SourceError: it is damaged.
    """
    first = b""
    while len(first) < len(_ZSTD) and (more := file.read(_PIECE)):
        first += more
    if first.startswith(_ZSTD):
        yield from zstd.decompressed(_Again(first, file), name)  # type: ignore[arg-type]
    elif first.startswith(_GZIP):
        yield from _gunzipped(first, file, name)
    else:
        while first:
            yield first
            first = file.read(_PIECE)


def _gunzipped(data: bytes, file: BinaryIO, name: str) -> Iterator[bytes]:
    """Members of a gzip stream, one after the other."""
    reader = zlib.decompressobj(wbits=31)
    try:
        while data:
            yield reader.decompress(data, _PIECE)
            while reader.unconsumed_tail:
                yield reader.decompress(reader.unconsumed_tail, _PIECE)
            if reader.eof:
                data = reader.unused_data or file.read(_PIECE)
                reader = zlib.decompressobj(wbits=31)
                if not data.strip(b"\0"):
                    data = b""
            else:
                data = file.read(_PIECE)
                if not data:
                    message = f"The layer {name} ends in the middle of its gzip stream."
                    raise SourceError(message, hint="Fetch or save the image again.")
    except zlib.error as error:
        message = f"The layer {name} is no whole gzip stream: {error}."
        raise SourceError(message, hint="Fetch or save the image again.") from error
    for _ in iter(lambda: file.read(_PIECE), b""):  # to its end, where the digest is checked
        pass


class _Again:
    """A file of which the first bytes were read already."""

    def __init__(self, first: bytes, file: BinaryIO) -> None:
        self._first = first
        self._file = file

    def read(self, size: int = -1) -> bytes:
        if not self._first:
            return self._file.read(size)
        count = len(self._first) if size < 0 else size
        data, self._first = self._first[:count], self._first[count:]
        return data
