"""The embedded engine's images: layers unpacked once, shared, and bounded in size.

DIRECTORY/KIND/layers/HEX/fs    one unpacked layer, by its diffID; KIND is how users are mapped
DIRECTORY/KIND/partial/ID/      a layer on its way; it gets its name in one step when it is whole
DIRECTORY/KIND/images.json      what images there are, and when each was last used
DIRECTORY/KIND/locks/           who is at work on a layer, or uses an image
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import re
import time
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import msgspec

from slimpy.engine.embedded import namespaces, unpack
from slimpy.engine.embedded.namespaces import Mapping
from slimpy.engine.embedded.runs import remove
from slimpy.engine.embedded.unpack import Unpacked
from slimpy.engine.interrupts import INTERRUPTS
from slimpy.engine.session import is_over, session_id
from slimpy.errors import DiskFullError, OutputError, SlimError, SourceError
from slimpy.image import manifests, zstd
from slimpy.image.oci import Descriptor, ImageSource
from slimpy.model import Image, display

LIMIT = 20 << 30
"""Bytes that layers of images without a tag may take; the least recently used go first."""

_PIECE = 1 << 20
_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_ID = re.compile(r"(?:sha256:)?([0-9a-f]{6,64})")
_FULL = (errno.ENOSPC, errno.EDQUOT)


class Record(msgspec.Struct, frozen=True):
    """One image of the store. ``used`` is in seconds since the epoch, ``size`` in bytes."""

    id: str
    config: str  # the image's configuration, as it is
    layers: tuple[str, ...]  # diffIDs, the base first
    size: int
    tags: tuple[str, ...] = ()
    used: float = 0.0
    reference: str = ""
    skipped: tuple[str, ...] = ()  # what could not be unpacked, in sentences

    def image(self, reference: str = "") -> Image:
        """The image as the rest of slimpy knows it."""
        what = f"The configuration of {self.id}"
        data = self.config.encode()
        document = manifests.document(data, what)
        platform = manifests.platform_of(data, what)
        config, created = document.get("config"), document.get("created")
        return Image(
            reference=reference or self.reference or self.id,
            id=self.id,
            architecture=platform.architecture,
            variant=platform.variant,
            os=platform.os,
            size=self.size,
            created=created if isinstance(created, str) else "",
            config=config if isinstance(config, dict) else {},
            tags=self.tags,
            layers=self.layers,
        )


@dataclass(frozen=True, slots=True)
class LayerFacts:
    """One layer of the store: its diffID, and the bytes of its files."""

    diff_id: str
    size: int


class LayerStore:
    """See the module. Many processes may use one store at once."""

    def __init__(self, directory: Path, users: Mapping, limit: int = LIMIT) -> None:
        """The store in a directory, made if need be.

        Raises:
            OutputError: the directory cannot be used.
        """
        self.users = users
        self.limit = limit
        self.directory = directory / users.kind
        try:
            for name in ("layers", "partial", "locks"):
                (self.directory / name).mkdir(mode=0o755, parents=True, exist_ok=True)
            for old in (self.directory / "partial").iterdir():
                if is_over(old.name.partition("-")[2]):
                    remove(old, users)
        except OSError as error:
            raise _unusable(self.directory, error) from error

    @classmethod
    def open(cls, directory: Path | None = None, limit: int = LIMIT) -> LayerStore:
        """This user's store: in ``directory``, else in the cache directory of the environment."""
        return cls(directory or default_directory(), namespaces.mapping(), limit)

    def add(self, source: ImageSource, tags: Sequence[str] = ()) -> Image:
        """Have an image, with its layers unpacked; only what is missing is read.

        Raises:
            SourceError: the source is damaged, or not what it says.
            DiskFullError: there is no space left.
        """
        what = f"The configuration of {display(source.reference)}"
        identity = manifests.digest_of(source.config)
        names = manifests.diff_ids(source.config, what)
        if len(names) != len(source.manifest.layers):
            message = f"{what} names {len(names)} layers, but there are others."
            raise SourceError(message, hint="Fetch or save the image again.")
        skipped: dict[str, None] = {}
        with self._using(identity):
            for blob, diff_id in zip(source.manifest.layers, names, strict=True):
                skipped.update(dict.fromkeys(self._have_layer(source, blob, diff_id)))
            record = Record(
                id=identity,
                config=source.config.decode("utf-8", "replace"),
                layers=names,
                size=sum(self._layer_size(name) for name in names),
                used=time.time(),
                reference=source.reference,
                skipped=tuple(skipped),
            )
            with self._records() as records:
                old = records.get(identity)
                record = replace_tags(record, (*(old.tags if old else ()), *tags))
                _take_names(records, tags)
                records[identity] = record
        self.evict()
        return replace(record.image(), reference=source.reference or identity)

    def find(self, reference: str) -> Image | None:
        """The image behind a name, a name with its tag, or an ID (six digits of it are enough)."""
        records = self._read()
        match = _ID.fullmatch(reference)
        tagged = _with_tag(reference)
        for record in records.values():
            named = tagged in record.tags
            if named or (match and record.id.removeprefix("sha256:").startswith(match[1])):
                return record.image(reference)
        return None

    def records(self) -> tuple[Record, ...]:
        """All images, the last used first."""
        return tuple(sorted(self._read().values(), key=lambda record: -record.used))

    def layer_facts(self) -> tuple[LayerFacts, ...]:
        """All layers, by their diffIDs."""
        found = sorted((self.directory / "layers").iterdir())
        return tuple(
            LayerFacts(f"sha256:{path.name}", self._layer_size(path.name)) for path in found
        )

    def layers(self, image: Image) -> tuple[Path, ...]:
        """The directories of an image's layers, the base first."""
        return tuple(self._layer(name) / "fs" for name in image.layers)

    @contextlib.contextmanager
    def using(self, image: Image) -> Iterator[None]:
        """Keep an image's layers from being removed meanwhile."""
        with self._using(image.id):
            yield

    def tag(self, image: Image, tag: str) -> None:
        """Give an image one more name; another image loses it."""
        with self._records() as records:
            _take_names(records, (tag,))
            record = records[image.id]
            records[image.id] = replace_tags(record, (*record.tags, tag))

    def remove_tag(self, tag: str) -> None:
        """Take a name away; an image goes with its last one. No error if it is not there."""
        with self._records() as records:
            for identity, record in list(records.items()):
                if tag not in record.tags:
                    continue
                left = tuple(name for name in record.tags if name != tag)
                records[identity] = msgspec.structs.replace(record, tags=left)
                if not left:
                    del records[identity]
        self._remove_unused_layers()

    def remove(self, identity: str) -> bool:
        """Remove an image with all of its names; False if it is in use, so that it stays."""
        if self._is_used(identity):
            return False
        with self._records() as records:
            records.pop(identity, None)
        self._remove_unused_layers()
        return True

    def clear(self) -> None:
        """Remove every image that is not in use; a damaged list of them goes, too."""
        try:
            identities = [record.id for record in self.records()]
        except OutputError:
            (self.directory / "images.json").unlink(missing_ok=True)
            identities = []
        for identity in identities:
            self.remove(identity)
        self._remove_unused_layers()

    def evict(self) -> None:
        """Remove images without a name, the least recently used first, until the bound holds."""
        for record in reversed(self.records()):
            if sum(item.size for item in self.layer_facts()) <= self.limit:
                return
            if not record.tags:
                self.remove(record.id)

    def _have_layer(self, source: ImageSource, blob: Descriptor, diff_id: str) -> Iterable[str]:
        """Unpack one layer unless it is there; what could not be unpacked, in sentences."""
        final = self._layer(diff_id)
        with self._lock(f"layer-{_hex(diff_id)}", fcntl.LOCK_EX):
            if final.is_dir():
                return ()
            partial = self.directory / "partial" / f"{_hex(diff_id)[:12]}-{session_id()}"
            try:
                (partial / "fs").mkdir(parents=True, mode=0o755)
                result = self._unpacked(source, blob, diff_id, partial / "fs")
                (partial / "size").write_text(str(result.size), encoding="ascii")
                with INTERRUPTS.deferred():
                    partial.rename(final)
            except OSError as error:
                raise _unusable(self.directory, error) from error
            finally:
                if partial.exists():
                    remove(partial, self.users)
            return tuple(f"{text} ({count})" for text, count in sorted(result.skipped.items()))

    def _unpacked(
        self, source: ImageSource, blob: Descriptor, diff_id: str, directory: Path
    ) -> Unpacked:
        digest = hashlib.sha256()

        def counted() -> Iterator[bytes]:
            for data in decompressed(file, diff_id):
                INTERRUPTS.check()
                digest.update(data)
                yield data

        with source.open(blob) as file:
            chunks = counted()
            result = unpack.unpack(chunks, directory, self.users)
            for _ in chunks:  # what follows the end of the archive belongs to the digest
                pass
        if f"sha256:{digest.hexdigest()}" != diff_id:
            message = (
                f"A layer of {display(source.reference)} is not the one that its configuration"
                f" names ({diff_id[:19]}...)."
            )
            raise SourceError(message, hint="Fetch or save the image again.")
        return result

    def _layer(self, diff_id: str) -> Path:
        return self.directory / "layers" / _hex(diff_id)

    def _layer_size(self, diff_id: str) -> int:
        try:
            return int((self._layer(diff_id) / "size").read_text(encoding="ascii"))
        except (OSError, ValueError):
            return 0

    def _remove_unused_layers(self) -> None:
        needed = {_hex(name) for record in self._read().values() for name in record.layers}
        for path in (self.directory / "layers").iterdir():
            if path.name in needed:
                continue
            with (
                contextlib.suppress(OSError),
                self._lock(f"layer-{path.name}", fcntl.LOCK_EX | fcntl.LOCK_NB),
            ):
                gone = self.directory / "partial" / f"gone-{session_id()}"
                path.rename(gone)
                remove(gone, self.users)

    def _is_used(self, identity: str) -> bool:
        try:
            with self._lock(f"image-{_hex(identity)}", fcntl.LOCK_EX | fcntl.LOCK_NB):
                return False
        except BlockingIOError:
            return True

    @contextlib.contextmanager
    def _using(self, identity: str) -> Iterator[None]:
        with self._lock(f"image-{_hex(identity)}", fcntl.LOCK_SH):
            with self._records() as records:
                if identity in records:
                    records[identity] = msgspec.structs.replace(records[identity], used=time.time())
            yield

    @contextlib.contextmanager
    def _lock(self, name: str, kind: int) -> Iterator[None]:
        with (self.directory / "locks" / name).open("wb") as file:
            fcntl.flock(file, kind)
            yield

    def _read(self) -> dict[str, Record]:
        try:
            data = (self.directory / "images.json").read_bytes()
            return msgspec.json.decode(data, type=dict[str, Record])
        except FileNotFoundError:
            return {}
        except (OSError, msgspec.DecodeError) as error:
            message = f"The list of images in {self.directory} cannot be read: {error}."
            raise OutputError(message, hint="Clear it: slim cache clear") from error

    @contextlib.contextmanager
    def _records(self) -> Iterator[dict[str, Record]]:
        """The images, to be changed; written back whole."""
        with self._lock("images", fcntl.LOCK_EX), INTERRUPTS.deferred():
            before = self._read()
            records = dict(before)
            yield records
            if records == before:
                return
            new = self.directory / f"images.json.{os.getpid()}"
            try:
                new.write_bytes(msgspec.json.encode(records))
                new.replace(self.directory / "images.json")
            except OSError as error:
                new.unlink(missing_ok=True)
                raise _unusable(self.directory, error) from error


def default_directory() -> Path:
    """``slimpy`` below XDG_CACHE_HOME, or below ``~/.cache``."""
    top = os.environ.get("XDG_CACHE_HOME")
    return (Path(top) if top and top.startswith("/") else Path.home() / ".cache") / "slimpy"


def decompressed(file: BinaryIO, name: str) -> Iterator[bytes]:
    """A layer's archive out of a blob: gzip, zstd, or neither, by its first bytes.

    Raises:
        SourceError: it is damaged.
    """
    first = file.read(_PIECE)
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


def replace_tags(record: Record, tags: Iterable[str]) -> Record:
    """The record with these names, each once."""
    return msgspec.structs.replace(record, tags=tuple(dict.fromkeys(map(_with_tag, tags))))


def _take_names(records: dict[str, Record], tags: Iterable[str]) -> None:
    """A name belongs to one image only."""
    taken = set(map(_with_tag, tags))
    for identity, record in list(records.items()):
        if taken & set(record.tags):
            left = tuple(name for name in record.tags if name not in taken)
            records[identity] = msgspec.structs.replace(record, tags=left)


def _with_tag(name: str) -> str:
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"


def _hex(digest: str) -> str:
    return digest.removeprefix("sha256:")


def _unusable(directory: Path, error: OSError) -> SlimError:
    if error.errno in _FULL:
        message = f"No space is left for the image's layers in {directory}."
        hint = "Free some: slim cache clear, or set XDG_CACHE_HOME to another disk."
        return DiskFullError(message, hint=hint)
    message = f"The store of images in {directory} cannot be used: {error.strerror or error}."
    return OutputError(message, hint="Set XDG_CACHE_HOME to a directory that can be written.")
