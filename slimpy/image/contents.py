"""Contents of an image's files, fetched in batches on demand and kept in a host spool file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO, Protocol

from slimpy.model import ImagePath


@dataclass(frozen=True, slots=True)
class Member:
    """What only the image's archive tells of a path: xattrs (raw bytes) and device numbers."""

    size: int
    xattrs: Mapping[str, bytes] = field(default_factory=dict)
    major: int = 0
    minor: int = 0


class Contents(Protocol):
    """Reads files of the pristine image. Paths must be real ones (no link on the way)."""

    def fetch(self, paths: Iterable[ImagePath]) -> None:
        """Make these available in one go; what is already here is not read again."""

    def open(self, path: ImagePath) -> BinaryIO:
        """A seekable reader of a regular file (fetched if need be).

        Raises:
            FileNotFoundError: the image has no such regular file.
        """

    def read(self, path: ImagePath, limit: int | None = None) -> bytes:
        """The first ``limit`` bytes of a regular file, or all of it."""

    def member(self, path: ImagePath) -> Member:
        """Attributes of any fetched path."""
