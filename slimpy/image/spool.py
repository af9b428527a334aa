"""Contents of the image's files, fetched in batches into one unnamed file on the host."""

from __future__ import annotations

import errno
import io
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, Self

from slimpy.errors import DiskFullError, EngineLostError
from slimpy.image import tarstream
from slimpy.image.contents import Contents, Member
from slimpy.image.tarstream import TarStream
from slimpy.image.tree import Tree
from slimpy.model import Entry, FileType, ImagePath, decoded, display

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

Fetcher = Callable[[Sequence[ImagePath]], Iterator[bytes]]
"""Gives a tar stream of exactly these paths: see ``Workspace.archive`` of the engine."""

_NO_SPACE = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))


@dataclass(frozen=True, slots=True)
class _Record:
    """A fetched path; ``offset`` is where its contents lie, None if it is no regular file."""

    member: Member
    offset: int | None


class Spool(Contents):
    """`Contents` on a host file. Use it as a context manager; for one thread at a time."""

    def __init__(self, fetcher: Fetcher, directory: Path, tree: Tree) -> None:
        """Nothing is fetched yet.

        Args:
            fetcher: gives the tar stream of a batch; each path is asked for once.
            directory: where the spool lies; it has no name there, so it ends with this process.
            tree: the image's paths; one name of each hard-linked file is fetched.
        """
        self._fetcher = fetcher
        self._tree = tree
        # Open for as long as the spool lives, closed by `close`.
        self._file = tempfile.TemporaryFile(dir=directory, buffering=0)  # noqa: SIM115
        self._end = 0
        self._records: dict[ImagePath, _Record | None] = {}  # None: asked for, and not there

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the spool's space back; readers that are still open fail from now on."""
        self._file.close()

    def fetch(self, paths: Iterable[ImagePath]) -> None:
        """Make these available in one go; only what is in the tree and not yet here is asked for.

        Raises:
            EngineLostError: the stream is damaged, or holds what was not asked for.
            DiskFullError: the spool's directory has no space left.
        """
        wanted = self._wanted(paths)
        if not wanted:
            return
        stream = TarStream(self._fetcher(wanted))
        missing = set(wanted)
        for header in stream:
            path = _path(header.name)
            if path not in missing:
                name = display(path)
                message = f"The archive of the image's files holds {name}, which was not asked for."
                raise EngineLostError(message)
            missing.remove(path)
            self._records[path] = self._kept(header, stream)
        self._records.update(dict.fromkeys(missing))

    def _wanted(self, paths: Iterable[ImagePath]) -> tuple[ImagePath, ...]:
        wanted: dict[ImagePath, None] = {}
        for path in paths:
            entry = self._tree.get(path)
            # A socket has nothing to read, and tar leaves it out.
            if entry is None or entry.type is FileType.SOCKET:
                continue
            first = self._first_name(entry)
            if first not in self._records:
                wanted[first] = None
        return tuple(wanted)

    def _first_name(self, entry: Entry) -> ImagePath:
        return self._tree.hardlinks(entry)[0].path

    def _kept(self, header: tarstream.Header, stream: TarStream) -> _Record | None:
        member = Member(header.size, header.xattrs, header.major, header.minor)
        if header.type == tarstream.HARD_LINK:
            # Possible only where names of one file were listed as different files.
            return self._records.get(_path(header.link))
        if header.type != tarstream.REGULAR:
            return _Record(member, None)
        start = self._end
        try:
            self._copy(header, stream, start)
        except OSError as error:
            if error.errno not in _NO_SPACE:
                raise
            name = display(_path(header.name))
            message = f"No space is left for the contents of the image's files, at {name}."
            hint = "Free some space for temporary files, or set TMPDIR to another disk."
            raise DiskFullError(message, hint=hint) from error
        self._end = start + header.size
        return _Record(member, start)

    def _copy(self, header: tarstream.Header, stream: TarStream, start: int) -> None:
        pieces = stream.pieces()
        piece = memoryview(b"")
        for offset, length in header.data:
            place, left = start + offset, length
            while left:
                piece = piece or next(pieces)
                written = os.pwrite(self._file.fileno(), piece[:left], place)
                piece, place, left = piece[written:], place + written, left - written
        # A hole at the end has no bytes of its own, so the length has to be set.
        os.truncate(self._file.fileno(), start + header.size)

    def open(self, path: ImagePath) -> BinaryIO:
        """A seekable reader of a regular file, fetched if need be.

        Raises:
            FileNotFoundError: the image has no such regular file.
        """
        record = self._record(path)
        if record is None or record.offset is None:
            raise FileNotFoundError(errno.ENOENT, "no regular file of the image", path)
        return io.BufferedReader(_Window(self._file, record.offset, record.member.size))

    def read(self, path: ImagePath, limit: int | None = None) -> bytes:
        """The first ``limit`` bytes of a regular file, or all of it.

        Raises:
            FileNotFoundError: the image has no such regular file.
        """
        with self.open(path) as file:
            return file.read(-1 if limit is None else limit)

    def member(self, path: ImagePath) -> Member:
        """Extended attributes and device numbers of a path of any type, fetched if need be.

        Raises:
            FileNotFoundError: the image has no such path, or it is a socket.
        """
        record = self._record(path)
        if record is None:
            raise FileNotFoundError(errno.ENOENT, "no path of the image", path)
        return record.member

    def _record(self, path: ImagePath) -> _Record | None:
        entry = self._tree.get(path)
        if entry is None:
            return None
        first = self._first_name(entry)
        if first not in self._records:
            self.fetch((path,))
        return self._records.get(first)


def _path(name: bytes) -> ImagePath:
    """The image's path of a tar name; ``..`` stays in it, so that it is one never asked for."""
    parts = [part for part in name.split(b"/") if part not in (b"", b".")]
    return ImagePath(decoded(b"/" + b"/".join(parts)))


class _Window(io.RawIOBase):
    """A part of the spool as a file of its own."""

    def __init__(self, file: io.FileIO, start: int, size: int) -> None:
        super().__init__()
        self._file = file
        self._start = start
        self._size = size
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        self._position = base + offset
        return self._position

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer).cast("B")
        left = max(0, self._size - self._position)
        count = os.preadv(self._file.fileno(), [view[:left]], self._start + self._position)
        self._position += count
        return count
