"""Layers as registries want them: compressed, and the same bytes each time."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import struct
import tempfile
import zlib
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import BinaryIO

from slimpy.errors import DiskFullError, OutputError
from slimpy.image.oci import LAYER_TYPE, Descriptor

_LEVEL = 6
_BLOCK = 1 << 19  # bytes that are compressed at a time
_WINDOW = 1 << 15  # bytes that deflate looks back
_MOST_WORKERS = 8
_HEADER = b"\x1f\x8b\x08" + bytes(6) + b"\xff"  # deflate; no name, no time, no system
_END = b"\x03\x00"  # deflate's last block, an empty one
_MAGIC = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}


@dataclass(frozen=True, slots=True)
class Packed:
    """A compressed layer in a file that nobody else sees; it stands at its beginning."""

    descriptor: Descriptor
    file: BinaryIO


def compression_of(head: bytes) -> str:
    """How a layer is compressed by its first bytes; empty for a tar stream."""
    return next((name for magic, name in _MAGIC.items() if head.startswith(magic)), "")


@contextlib.contextmanager
def gzipped(source: BinaryIO, head: bytes = b"") -> Iterator[Packed]:
    """A stream, compressed with gzip; the file is gone after the block.

    The same input gives the same bytes with the same zlib.

    Args:
        head: what was read of the stream before.

    Raises:
        DiskFullError: there is no space for it.
    """
    with _spool() as file:
        digest, size = hashlib.sha256(), 0
        for data in _compressed(source, head):
            digest.update(data)
            size += len(data)
            _write(file, data)
        file.seek(0)
        descriptor = Descriptor(f"{LAYER_TYPE}+gzip", f"sha256:{digest.hexdigest()}", size)
        yield Packed(descriptor, file)


def _compressed(source: BinaryIO, head: bytes) -> Iterator[bytes]:
    """One gzip member (RFC 1952). Its blocks are compressed on all processors, each with the end of
    the one before as its dictionary, so that the bytes do not depend on how many there are.
    """
    checksum = size = 0
    before = b""
    under_way: deque[Future[bytes]] = deque()
    workers = min(os.cpu_count() or 1, _MOST_WORKERS)
    yield _HEADER
    with ThreadPoolExecutor(workers) as pool:
        for block in _blocks(source, head):
            checksum, size = zlib.crc32(block, checksum), size + len(block)
            under_way.append(pool.submit(_packed, block, before[-_WINDOW:]))
            before = block
            if len(under_way) > workers:
                yield under_way.popleft().result()
        for job in under_way:
            yield job.result()
    yield _END + struct.pack("<II", checksum, size & 0xFFFFFFFF)


def _blocks(source: BinaryIO, head: bytes) -> Iterator[bytes]:
    """The stream in blocks of one size, however it comes."""
    block = bytearray(head)
    while data := source.read(_BLOCK - len(block)):
        block += data
        if len(block) == _BLOCK:
            yield bytes(block)
            block.clear()
    if block:
        yield bytes(block)


def _packed(block: bytes, before: bytes) -> bytes:
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS, zdict=before)
    return packer.compress(block) + packer.flush(zlib.Z_SYNC_FLUSH)


@contextlib.contextmanager
def _spool() -> Iterator[BinaryIO]:
    try:
        file = tempfile.TemporaryFile(prefix="slimpy-", buffering=0)  # noqa: SIM115  # below
    except OSError as error:
        message = f"No temporary file can be made: {error.strerror}."
        raise OutputError(message, hint="Set TMPDIR to a directory with space.") from error
    with file:
        yield file


def _write(file: BinaryIO, data: bytes) -> None:
    view = memoryview(data)
    try:
        while view:
            view = view[file.write(view) :]
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        message = f"No space is left in {tempfile.gettempdir()} to compress a layer."
        raise DiskFullError(message, hint="Free some, or set TMPDIR to another disk.") from error
