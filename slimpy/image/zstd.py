"""Decompresses zstd layers (RFC 8878); the library for it is an extra, as most images have none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from slimpy.errors import SourceError

LARGEST_WINDOW = 1 << 27
"""Bytes that a frame may want to look back, and that decompressing may take of memory."""
_PIECE = 1 << 18


def decompressed(source: BinaryIO, name: str) -> Iterator[bytes]:
    """The contents, in pieces; several frames one after the other are one stream.

    Args:
        name: of the layer, for errors.

    Raises:
        SourceError: it is damaged, or the library is not installed.
    """
    try:
        import zstandard
    except ImportError as error:
        message = f"The layer {name} is compressed with zstd, which needs a library."
        raise SourceError(message, hint="Install it: pip install 'slimpy[zstd]'") from error
    reader = zstandard.ZstdDecompressor(max_window_size=LARGEST_WINDOW).stream_reader(
        source, read_across_frames=True, closefd=False
    )
    try:
        while data := reader.read(_PIECE):
            yield data
    except zstandard.ZstdError as error:
        message = f"The layer {name} is no whole zstd stream: {error}."
        raise SourceError(message, hint="Fetch or save the image again.") from error
