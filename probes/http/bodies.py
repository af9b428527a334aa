"""Reading the body of an answer: decoded, counted and hashed, with a bound on everything."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

KEPT = 256 * 1024
"""Bytes of a body that are kept for comparison."""

COUNTED = 64 * 1024 * 1024
"""Bytes of a body that are counted and hashed; what comes after them is not read."""

_PIECE = 64 * 1024


@dataclass(frozen=True, slots=True)
class Body:
    """The first bytes of a body, and the size and digest of all that was read of it."""

    kept: bytes
    size: int
    sha256: str


class DamagedBodyError(Exception):
    """The body is not encoded as its header says."""


def read_body(chunks: Iterable[bytes], encoding: str) -> Body:
    """Read a body up to `COUNTED` bytes of decoded content.

    ``encoding`` is the Content-Encoding; anything but one gzip or deflate is taken as it comes.

    Raises:
        DamagedBodyError: it cannot be decoded.
    """
    digest, kept, size = hashlib.sha256(), bytearray(), 0
    for piece in _decoded(chunks, encoding.strip().lower()):
        part = piece[: COUNTED - size]
        digest.update(part)
        size += len(part)
        if len(kept) < KEPT:
            kept += part[: KEPT - len(kept)]
        if size >= COUNTED:
            break
    return Body(bytes(kept), size, digest.hexdigest())


def _decoded(chunks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    match encoding:
        case "gzip" | "x-gzip":
            return _inflated(chunks, 16 + zlib.MAX_WBITS)
        case "deflate":
            return _deflate(chunks)
        case _:
            return iter(chunks)


def _deflate(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """RFC 9110 section 8.4.1.2: zlib's form is meant, but some servers send the bare one."""
    rest = iter(chunks)
    first = next(rest, b"")
    with_header = len(first) > 1 and first[0] & 0x0F == 8 and int.from_bytes(first[:2]) % 31 == 0
    return _inflated(_chained(first, rest), zlib.MAX_WBITS if with_header else -zlib.MAX_WBITS)


def _chained(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _inflated(chunks: Iterable[bytes], window: int) -> Iterator[bytes]:
    """Decoded in small pieces, so that a few bytes cannot become gigabytes in memory."""
    inflater = zlib.decompressobj(window)
    started = False
    try:
        for chunk in chunks:
            started = started or bool(chunk)
            data = chunk
            while data:
                yield inflater.decompress(data, _PIECE)
                data = inflater.unconsumed_tail
        yield inflater.flush()
    except zlib.error as error:
        raise DamagedBodyError(str(error)) from error
    if started and not inflater.eof:
        message = "it ends too early"
        raise DamagedBodyError(message)
