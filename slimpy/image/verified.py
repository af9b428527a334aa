"""Reads a blob and finds out, before its last bytes are handed out, whether it is the right one."""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING, BinaryIO, Protocol

from slimpy.errors import SourceError
from slimpy.image.oci import DOCUMENT_LIMIT, Descriptor
from slimpy.model import display

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_BUFFER = 1 << 18


class Readable(Protocol):
    """What bytes come from."""

    def read(self, size: int, /) -> bytes:
        """At most ``size`` bytes; none only at the end."""


class _Verified(io.RawIOBase):
    """A blob's bytes, in order; the read that would give the last ones of a wrong blob raises."""

    def __init__(self, source: Readable, blob: Descriptor, where: str) -> None:
        super().__init__()
        self._source = source
        self._blob = blob
        self._where = where
        self._left = blob.size
        self._hash = hashlib.sha256()
        self._done = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer).cast("B")
        if self._done or not len(view):
            return 0
        data = self._source.read(min(len(view), self._left)) if self._left else b""
        if self._left and not data:
            why = f"it ends {self._left} bytes early"
            raise self._wrong(why)
        self._hash.update(data)
        self._left -= len(data)
        if not self._left:
            self._finish()
        view[: len(data)] = data
        return len(data)

    def _finish(self) -> None:
        if self._source.read(1):
            why = f"it is longer than {self._blob.size} bytes"
            raise self._wrong(why)
        found = f"sha256:{self._hash.hexdigest()}"
        if found != self._blob.digest:
            why = f"its digest is {found}"
            raise self._wrong(why)
        self._done = True

    def _wrong(self, why: str) -> SourceError:
        message = f"The blob {self._blob.digest} of {display(self._where)} is damaged: {why}."
        return SourceError(message, hint="Fetch or save the image again.")


def verified(source: Readable, blob: Descriptor, where: str) -> BinaryIO:
    """A blob's bytes, in order. The read that would give the last ones of a wrong blob raises
    SourceError: it is truncated, too long, or has another digest.

    Args:
        source: gives the bytes; not closed here.
        blob: what they have to be.
        where: the place that they come from, for the error.
    """
    return io.BufferedReader(_Verified(source, blob, where), _BUFFER)


def whole(source: Readable, blob: Descriptor, where: str, *, limit: int = DOCUMENT_LIMIT) -> bytes:
    """All bytes of a small blob.

    Raises:
        SourceError: it is larger than ``limit`` bytes, or not what its digest says.
    """
    if blob.size > limit:
        message = (
            f"The blob {blob.digest} of {display(where)} has {blob.size} bytes; "
            f"at most {limit} are read of a document."
        )
        raise SourceError(message)
    return _Verified(source, blob, where).readall() or b""
