"""Gives a layer of the store back as the archive that it came as, byte by byte.

While a layer is unpacked, all of its archive but the contents of files is written to one more file:
headers, padding, what follows the end (`Recorder`). Put together with the unpacked files it is the
archive again (`pieces`), with every owner, device and attribute that could not be made here, and
its digest is the layer's diffID. So nothing has to be guessed from what overlayfs keeps.

That file is compressed with gzip. It is a row of parts: the lengths of a text and of a name and the
number of segments, then these; the contents of the named file at these segments follow the text.

As a program it writes a layer's archive to standard output: `DIRECTORY BYTES lost|whole`.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import os
import stat
import struct
import sys
import zlib
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from slimpy import proc
from slimpy.engine.embedded import beneath
from slimpy.engine.embedded.namespaces import Mapping, command_in, python
from slimpy.errors import SourceError
from slimpy.image.oci import CONFIG_TYPE, LAYER_TYPE, Descriptor, Manifest
from slimpy.image.tarstream import Header, TarStream
from slimpy.image.verified import verified

HEADERS = "headers"
"""The name of the file beside the unpacked files."""
ARCHIVE = "archive"
"""The name of the file that says how large the archive is."""
MOST_BYTES = 8 << 30
"""Bytes of a layer that are no contents; two million members with long names have less."""

_MODULE = "slimpy.engine.embedded.rebuild"
_WHERE = "the embedded engine's store"
_LEVEL = 3
_PIECE = 1 << 20
_LENGTHS = struct.Struct(">III")
_SEGMENT = struct.Struct(">QQ")
_END_SECONDS = 30.0
_DAMAGES = (OSError, EOFError, ValueError, zlib.error, struct.error)


class Recorder(TarStream):
    """A tar stream that writes down what of it is no contents; `finish` it after the last member.

    Raises:
        SourceError: there is more of that than any image has.
    """

    def __init__(self, chunks: Iterable[bytes], file: BinaryIO) -> None:
        super().__init__(chunks)
        self._out = gzip.GzipFile("", "wb", _LEVEL, file, mtime=0)
        self._text = bytearray()
        self._total = 0

    def __iter__(self) -> Iterator[Header]:
        for header in super().__iter__():
            if stored(header):
                self._put(header.name, header.data)
            yield header

    def finish(self) -> None:
        """Write what is left."""
        self._put(b"", ())
        self._out.close()

    def _exactly(self, size: int) -> bytes:
        data = super()._exactly(size)
        self._note(data)
        return data

    def _drain(self) -> None:
        self._note(self._chunk)
        self._chunk = memoryview(b"")
        for chunk in self._chunks:
            self._note(chunk)

    def _note(self, data: bytes | memoryview) -> None:
        self._total += len(data)
        if self._total > MOST_BYTES:
            message = f"A layer has more than {MOST_BYTES >> 30} GiB that are no contents."
            raise SourceError(message, hint="No real image has.")
        self._text += data
        if len(self._text) >= _PIECE:
            self._put(b"", ())

    def _put(self, name: bytes, segments: Sequence[tuple[int, int]]) -> None:
        self._out.write(_LENGTHS.pack(len(self._text), len(name), len(segments)))
        self._out.write(self._text)
        self._out.write(name)
        for segment in segments:
            self._out.write(_SEGMENT.pack(*segment))
        self._text.clear()


def stored(header: Header) -> int:
    """Bytes of contents that the stream holds for a member."""
    return sum(length for _, length in header.data)


def note_archive(layer: Path, size: int, *, lost: bool) -> None:
    """Say of a layer how many bytes its archive has, and whether contents of it were lost."""
    (layer / ARCHIVE).write_text(json.dumps({"size": size, "lost": lost}), encoding="ascii")


def pieces(layer: Path, size: int, *, lost: bool) -> Generator[bytes, None, None]:
    """A layer's archive, in order, as whoever may read its files.

    Args:
        layer: the directory of the layer.
        size: of the archive, in bytes.
        lost: whether contents may be missing, which then are zeros.

    Raises:
        SourceError: a file of the store is missing or damaged.
    """
    left = size
    try:
        with gzip.open(layer / HEADERS) as parts, _Files(layer, lost=lost) as files:
            while left and (head := parts.read(_LENGTHS.size)):
                text, name, segments = _LENGTHS.unpack(head)
                for data in _part(parts, text, name, segments, files):
                    yield data[:left]
                    left -= min(left, len(data))
    except _DAMAGES as error:
        message = f"A layer in {_WHERE} is damaged: {error}."
        raise SourceError(message, hint="Clear it: slim cache clear") from error


def _part(
    parts: gzip.GzipFile, text: int, name: int, segments: int, files: _Files
) -> Iterator[bytes]:
    yield parts.read(text)
    path = parts.read(name)
    rows = parts.read(segments * _SEGMENT.size)
    if segments:
        yield from files.contents(path, _SEGMENT.iter_unpack(rows))


class _Files:
    """The unpacked files of a layer, whose links lead nowhere else."""

    def __init__(self, layer: Path, *, lost: bool) -> None:
        self._lost = lost
        self._parent: tuple[bytes, int] | None = None
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
        self._root = os.open(layer / "fs", flags)

    def __enter__(self) -> _Files:
        return self

    def __exit__(self, *_: object) -> None:
        self._forget_parent()
        os.close(self._root)

    def contents(self, name: bytes, segments: Iterable[tuple[int, ...]]) -> Iterator[bytes]:
        """The bytes of a member's file at these segments."""
        file = self._open(name)
        try:
            for offset, length in segments:
                while length:
                    count = min(length, _PIECE)
                    data = b"" if file is None else os.pread(file, count, offset)
                    if not data and not self._lost:
                        message = "a file of it is missing or too short"
                        raise ValueError(message)
                    data = data or bytes(count)
                    yield data
                    offset, length = offset + len(data), length - len(data)
        finally:
            if file is not None:
                os.close(file)

    def _open(self, name: bytes) -> int | None:
        """A regular file; None where something else or nothing is there."""
        parts = [part for part in name.split(b"/") if part not in (b"", b".")]
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            parent = self._open_parent(b"/".join(parts[:-1]))
            kind = beneath.kind(parent, parts[-1]) if parts else None
            if kind is None or not stat.S_ISREG(kind):
                return None
            return os.open(parts[-1], flags, dir_fd=parent)
        except OSError:
            if self._lost:
                return None
            raise

    def _open_parent(self, path: bytes) -> int:
        if self._parent is None or self._parent[0] != path:
            self._forget_parent()
            self._parent = (path, beneath.opened(self._root, path))
        return self._parent[1]

    def _forget_parent(self) -> None:
        if self._parent is not None:
            os.close(self._parent[1])
            self._parent = None


@dataclass(frozen=True, slots=True)
class _Layer:
    directory: Path
    size: int
    lost: bool
    users: Mapping

    @contextlib.contextmanager
    def opened(self) -> Iterator[BinaryIO | _Pieces]:
        """Its archive, by a child that may read its files where we may not."""
        if not self.users.in_user_namespace:
            found = pieces(self.directory, self.size, lost=self.lost)
            with contextlib.closing(found):
                yield _Pieces(found)
            return
        arguments = (str(self.directory), str(self.size), "lost" if self.lost else "whole")
        argv = command_in(self.users, python(_MODULE, *arguments))
        ours, theirs = os.pipe()
        null = os.open(os.devnull, os.O_RDWR)
        try:
            process = proc.start(argv, streams=(null, theirs, null))
        except BaseException:
            os.close(ours)
            raise
        finally:
            os.close(theirs)
            os.close(null)
        try:
            with os.fdopen(ours, "rb", buffering=0) as file:
                yield file
        finally:
            proc.end(process, _END_SECONDS)


class _Pieces:
    """Pieces as something to read from."""

    def __init__(self, found: Iterator[bytes]) -> None:
        self._found = found
        self._piece = memoryview(b"")

    def read(self, size: int, /) -> bytes:
        """See `slimpy.image.verified.Readable`."""
        while not self._piece:
            piece = next(self._found, None)
            if piece is None:
                return b""
            self._piece = memoryview(piece)
        data, self._piece = bytes(self._piece[:size]), self._piece[size:]
        return data


@dataclass(frozen=True, slots=True)
class StoredSource:
    """An image of the store; see ImageSource.

    Its layers are not compressed, whatever they came as: a blob's digest is the layer's diffID, its
    size that of the archive. Only where a layer named a path twice are the former contents gone:
    there they are zeros, and the digest is that of this archive instead. ``digest`` is the
    configuration's, as no manifest is kept.
    """

    reference: str
    digest: str
    manifest: Manifest
    config: bytes
    tags: tuple[str, ...]
    layers: dict[str, _Layer]

    @contextlib.contextmanager
    def open(self, blob: Descriptor) -> Iterator[BinaryIO]:
        """See ImageSource.open."""
        layer = self.layers.get(blob.digest)
        if layer is None:
            message = f"There is no blob {blob.digest} in {_WHERE}."
            raise SourceError(message)
        with layer.opened() as file:
            yield verified(file, blob, _WHERE)


def source(
    reference: str,
    identity: str,
    config: bytes,
    tags: Sequence[str],
    layers: Sequence[tuple[str, Path]],
    users: Mapping,
) -> StoredSource:
    """An image of the store as a source; nobody may remove its layers meanwhile.

    Args:
        identity: the digest of the configuration.
        layers: diffID and directory of each, the base first.

    Raises:
        SourceError: a layer was unpacked without its archive being noted.
    """
    found = [_described(diff_id, _noted(directory, users)) for diff_id, directory in layers]
    return StoredSource(
        reference=reference,
        digest=identity,
        manifest=Manifest(
            Descriptor(CONFIG_TYPE, identity, len(config)), tuple(blob for blob, _ in found)
        ),
        config=config,
        tags=tuple(tags),
        layers={blob.digest: layer for blob, layer in found},
    )


def _noted(directory: Path, users: Mapping) -> _Layer:
    try:
        said = json.loads((directory / ARCHIVE).read_bytes())
        return _Layer(directory, int(said["size"]), bool(said["lost"]), users)
    except (OSError, ValueError, TypeError, KeyError) as error:
        message = f"A layer in {_WHERE} was unpacked by an older slimpy, which kept no headers."
        hint = "Clear it, and use the image once more: slim cache clear"
        raise SourceError(message, hint=hint) from error


def _described(diff_id: str, layer: _Layer) -> tuple[Descriptor, _Layer]:
    digest = diff_id
    if layer.lost:
        reckoned = hashlib.sha256()
        with layer.opened() as file:
            while data := file.read(_PIECE):
                reckoned.update(data)
        digest = f"sha256:{reckoned.hexdigest()}"
    return Descriptor(LAYER_TYPE, digest, layer.size), layer


def main() -> None:
    """Write a layer's archive to standard output, as root of a user namespace."""
    layer, size, how = sys.argv[1:]
    try:
        for piece in pieces(Path(layer), int(size), lost=how == "lost"):
            view = memoryview(piece)
            while view:
                view = view[os.write(1, view) :]
    except (SourceError, BrokenPipeError):  # the reader sees that it ended early
        sys.exit(1)


if __name__ == "__main__":
    main()
