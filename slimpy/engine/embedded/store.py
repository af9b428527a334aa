"""The embedded engine's images: layers unpacked once, shared, and bounded in size.

DIRECTORY/KIND/layers/HEX/fs    one unpacked layer, by its diffID; KIND is how users are mapped
DIRECTORY/KIND/layers/HEX/headers    the rest of its archive: see `rebuild`
DIRECTORY/KIND/partial/ID/      a layer on its way; it gets its name in one step when it is whole
DIRECTORY/KIND/images.json      what images there are, and when each was last used
DIRECTORY/KIND/locks/           who is at work on a layer, uses an image, or adds one

Nobody else may enter DIRECTORY/KIND: an image's programs and devices lie there as they are, with
setuid bits, out of reach of what confines a container.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from slimpy.engine.embedded import namespaces, rebuild, unpack
from slimpy.engine.embedded.blobs import decompressed as decompressed
from slimpy.engine.embedded.namespaces import Mapping
from slimpy.engine.embedded.records import (
    Record,
    found,
    replace_tags,
    steps,
    take_names,
    with_tag,
)
from slimpy.engine.embedded.runs import remove
from slimpy.engine.embedded.unpack import Unpacked
from slimpy.engine.interrupts import INTERRUPTS
from slimpy.engine.protocol import HistoryEntry
from slimpy.engine.session import is_over, session_id
from slimpy.errors import (
    DiskFullError,
    ImageNotFoundError,
    OutputError,
    SlimError,
    SourceError,
)
from slimpy.image import manifests
from slimpy.image.oci import Descriptor, ImageSource
from slimpy.model import Image, display

LIMIT = 20 << 30
"""Bytes that layers of images without a tag may take; the least recently used go first."""

_END_MARK = 1024
_ADDING = "adding"
_FULL = (errno.ENOSPC, errno.EDQUOT)


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
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.directory.chmod(0o700)
            for name in ("layers", "partial", "locks"):
                (self.directory / name).mkdir(mode=0o700, exist_ok=True)
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
        with self._using(identity), self._lock(_ADDING, fcntl.LOCK_SH):
            for blob, diff_id in zip(source.manifest.layers, names, strict=True):
                self._have_layer(source, blob, diff_id)
            record = Record(
                id=identity,
                config=source.config.decode("utf-8", "replace"),
                layers=names,
                size=sum(self._layer_size(name) for name in names),
                used=time.time(),
                reference=source.reference,
                skipped=tuple(dict.fromkeys(text for name in names for text in self._left(name))),
            )
            with self._records() as records:
                old = records.get(identity)
                record = replace_tags(record, (*(old.tags if old else ()), *tags))
                take_names(records, tags)
                records[identity] = record
        with self._using(identity):  # larger than the bound it would be the next one to go
            self.evict()
        return replace(record.image(), reference=source.reference or identity)

    def find(self, reference: str) -> Image | None:
        """The image behind a name, a name with its tag, or an ID (six digits of it are enough).

        None, too, where several IDs begin so.
        """
        record = found(self._read(), reference)
        return record.image(reference) if record else None

    def records(self) -> tuple[Record, ...]:
        """All images, the last used first."""
        return tuple(sorted(self._read().values(), key=lambda record: -record.used))

    def layer_facts(self) -> tuple[LayerFacts, ...]:
        """All layers, by their diffIDs."""
        found = sorted((self.directory / "layers").iterdir())
        return tuple(
            LayerFacts(f"sha256:{path.name}", self._layer_size(path.name)) for path in found
        )

    def history(self, image: Image) -> tuple[HistoryEntry, ...]:
        """The steps that made an image, with the bytes of each one's layer; see `records.steps`."""
        record = self._read().get(image.id)
        if record is None:
            return ()
        return steps(record, [self._layer_size(name) for name in record.layers])

    def layers(self, image: Image) -> tuple[Path, ...]:
        """The directories of an image's layers, the base first."""
        return tuple(self._layer(name) / "fs" for name in image.layers)

    @contextlib.contextmanager
    def using(self, image: Image) -> Iterator[None]:
        """Keep an image's layers from being removed meanwhile.

        Raises:
            ImageNotFoundError: another process just removed it.
        """
        with self._using(image.id):
            there = all(path.is_dir() for path in self.layers(image))
            if not there or image.id not in self._read():
                message = f"The image {display(image.reference)} was removed from the store."
                raise ImageNotFoundError(message, hint="Try again: it will be added anew.")
            yield

    @contextlib.contextmanager
    def source(self, image: Image) -> Iterator[ImageSource]:
        """An image as it came, but not compressed: see `rebuild.StoredSource`.

        Raises:
            ImageNotFoundError: another process just removed it.
            SourceError: a layer was unpacked by an older version.
        """
        with self.using(image):
            record = self._read()[image.id]
            yield rebuild.source(
                image.reference,
                record.id,
                record.config.encode(),
                record.tags,
                [(name, self._layer(name)) for name in record.layers],
                self.users,
            )

    def tag(self, image: Image, tag: str) -> None:
        """Give an image one more name; another image loses it."""
        with self._records() as records:
            take_names(records, (tag,))
            record = records[image.id]
            records[image.id] = replace_tags(record, (*record.tags, tag))

    def remove_tag(self, tag: str) -> None:
        """Take a name away; no error if it is not there. An image goes with its last one, unless it
        is in use: then it stays as one without a name.
        """
        tag = with_tag(tag)
        with self._records() as records:
            for identity, record in list(records.items()):
                if tag not in record.tags:
                    continue
                left = tuple(name for name in record.tags if name != tag)
                records[identity] = msgspec.structs.replace(record, tags=left)
                if not left:
                    with contextlib.suppress(BlockingIOError), self._alone(identity):
                        del records[identity]
        self._remove_unused_layers()

    def remove(self, identity: str) -> bool:
        """Remove an image with all of its names; False if it is in use, so that it stays."""
        try:
            with self._alone(identity), self._records() as records:
                records.pop(identity, None)
        except BlockingIOError:
            return False
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

    def _have_layer(self, source: ImageSource, blob: Descriptor, diff_id: str) -> None:
        """Unpack one layer unless it is there."""
        final = self._layer(diff_id)
        with self._lock(f"layer-{_hex(diff_id)}", fcntl.LOCK_EX):
            if final.is_dir():
                return
            partial = self.directory / "partial" / f"{_hex(diff_id)[:12]}-{session_id()}"
            try:
                (partial / "fs").mkdir(parents=True)
                (partial / "fs").chmod(0o755)
                result = self._unpacked(source, blob, diff_id, partial)
                (partial / "size").write_text(str(result.size), encoding="ascii")
                (partial / "skipped").write_bytes(msgspec.json.encode(result.skipped))
                with INTERRUPTS.deferred():
                    partial.rename(final)
            except OSError as error:
                raise _unusable(self.directory, error) from error
            finally:
                if partial.exists():
                    remove(partial, self.users)

    def _unpacked(
        self, source: ImageSource, blob: Descriptor, diff_id: str, layer: Path
    ) -> Unpacked:
        digest = hashlib.sha256()
        size = 0

        def counted() -> Iterator[bytes]:
            nonlocal size
            for data in decompressed(file, diff_id):
                INTERRUPTS.check()
                digest.update(data)
                size += len(data)
                yield data
            # The mark of an archive's end, which some lack; the digest tells what was cut off.
            yield bytes(_END_MARK)

        with source.open(blob) as file:
            chunks = counted()
            result = unpack.unpack(chunks, layer / "fs", self.users, layer / rebuild.HEADERS)
            for _ in chunks:  # what follows the end of the archive belongs to the digest
                pass
        if f"sha256:{digest.hexdigest()}" != diff_id:
            message = (
                f"A layer of {display(source.reference)} is not the one that its configuration"
                f" names ({diff_id[:19]}...)."
            )
            raise SourceError(message, hint="Fetch or save the image again.")
        rebuild.note_archive(layer, size, lost=result.lost)
        return result

    def _layer(self, diff_id: str) -> Path:
        return self.directory / "layers" / _hex(diff_id)

    def _layer_size(self, diff_id: str) -> int:
        try:
            return int((self._layer(diff_id) / "size").read_text(encoding="ascii"))
        except (OSError, ValueError):
            return 0

    def _left(self, diff_id: str) -> tuple[str, ...]:
        """What of a layer could not be unpacked, in sentences."""
        try:
            data = (self._layer(diff_id) / "skipped").read_bytes()
            counts = msgspec.json.decode(data, type=dict[str, int])
        except (OSError, msgspec.DecodeError):
            return ()
        return tuple(f"{text} ({count})" for text, count in sorted(counts.items()))

    def _remove_unused_layers(self) -> None:
        """Not while an image is being added: its layers are there before it is on the list."""
        with (
            contextlib.suppress(BlockingIOError),
            self._lock(_ADDING, fcntl.LOCK_EX | fcntl.LOCK_NB),
        ):
            self._remove_unneeded()

    def _remove_unneeded(self) -> None:
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

    @contextlib.contextmanager
    def _alone(self, identity: str) -> Iterator[None]:
        """Have an image that nobody uses.

        Raises:
            BlockingIOError: it is in use.
        """
        with self._lock(f"image-{_hex(identity)}", fcntl.LOCK_EX | fcntl.LOCK_NB):
            yield

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
    """``slimpy`` below XDG_CACHE_HOME, or below ``~/.cache``.

    Raises:
        OutputError: there is neither that nor a home directory.
    """
    top = os.environ.get("XDG_CACHE_HOME")
    try:
        return (Path(top) if top and top.startswith("/") else Path.home() / ".cache") / "slimpy"
    except RuntimeError as error:
        message = "There is no place for the store of images: this user has no home directory."
        raise OutputError(message, hint="Set XDG_CACHE_HOME to a directory.") from error


def _hex(digest: str) -> str:
    return digest.removeprefix("sha256:")


def _unusable(directory: Path, error: OSError) -> SlimError:
    if error.errno in _FULL:
        message = f"No space is left for the image's layers in {directory}."
        hint = "Free some: slim cache clear, or set XDG_CACHE_HOME to another disk."
        return DiskFullError(message, hint=hint)
    message = f"The store of images in {directory} cannot be used: {error.strerror or error}."
    return OutputError(message, hint="Set XDG_CACHE_HOME to a directory that can be written.")
