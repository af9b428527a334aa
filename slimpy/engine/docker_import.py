"""An image from outside into a Docker Engine's store: streamed as one archive, under a temporary
tag.
"""

from __future__ import annotations

import contextlib
import errno
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, BinaryIO

from docker.errors import APIError

from slimpy.engine.docker_errors import disk_full, explained, is_disk_full, translated
from slimpy.engine.interrupts import INTERRUPTS
from slimpy.engine.session import temporary_tag
from slimpy.errors import DiskFullError, EngineLostError, ImageNotFoundError, SlimError, SourceError
from slimpy.image import manifests
from slimpy.image.hybrid import stream
from slimpy.image.oci import LAYER_TYPE, Descriptor, ImageSource, Manifest
from slimpy.image.verified import verified
from slimpy.image.zstd import decompressed
from slimpy.model import Image, display

if TYPE_CHECKING:
    from slimpy.engine.docker import DockerEngine

_DOING = "loading the image"
_UNREADABLE = "payload does not match any of the supported image formats"
"""What Podman says of an archive whose image is not what it says."""
_PIECE = 1 << 20


@contextlib.contextmanager
def imported(engine: DockerEngine, client: Any, source: ImageSource) -> Iterator[Image]:
    """See Engine.import_image.

    Args:
        client: the SDK's.
    """
    wanted = image_of(source)
    engine.check_platform(wanted)
    with contextlib.suppress(ImageNotFoundError):
        found = engine.inspect(wanted.id, pull=False)
        yield replace(found, reference=source.reference, tags=source.tags)
        return
    tag = temporary_tag()
    try:
        with _plain(source) as plain:
            _load(client, stream([plain], tag.rpartition(":")[2], [tag]))
        found = engine.inspect(tag, pull=False)
        yield replace(found, reference=source.reference, tags=source.tags)
    finally:
        # An engine that is gone must not hide why: the next start takes the tag away.
        with contextlib.suppress(EngineLostError):
            engine.remove_tag(tag)


def image_of(source: ImageSource) -> Image:
    """What a source's configuration says of the image; its size is that of the stored layers."""
    what = f"The configuration of {display(source.reference)}"
    document = manifests.document(source.config, what)
    platform = manifests.platform_of(source.config, what)
    config, created = document.get("config"), document.get("created")
    return Image(
        reference=source.reference,
        id=manifests.digest_of(source.config),
        architecture=platform.architecture,
        variant=platform.variant,
        os=platform.os,
        size=sum(layer.size for layer in source.manifest.layers),
        created=created if isinstance(created, str) else "",
        config=config if isinstance(config, Mapping) else {},
        tags=source.tags,
        layers=manifests.diff_ids(source.config, what),
    )


def _load(client: Any, archive: Iterable[bytes]) -> None:
    # Once it has the whole archive, an engine gives it its name even if nobody waits for it.
    with translated(_DOING), INTERRUPTS.deferred():
        try:
            for message in client.api.load_image(_interruptible(archive), quiet=True):
                if "error" in message:
                    raise _refused(str(message["error"]))
        except APIError as error:
            if _UNREADABLE not in str(error):
                raise
            raise _refused(explained(error)) from error


def _interruptible(archive: Iterable[bytes]) -> Iterator[bytes]:
    for data in archive:
        INTERRUPTS.check()
        yield data


def _refused(text: str) -> SlimError:
    if is_disk_full(Exception(text)):
        return disk_full(_DOING)
    message = f"The engine refused the image: {display(text[:300])}."
    return SourceError(message, hint="Is the image whole? Save or fetch it again.")


@dataclass(frozen=True, slots=True)
class _Decompressed:
    """A source whose layers in ``files`` (by digest) lie decompressed in temporary files."""

    source: ImageSource
    manifest: Manifest
    files: Mapping[str, BinaryIO]

    @property
    def reference(self) -> str:
        return self.source.reference

    @property
    def digest(self) -> str:
        return self.source.digest

    @property
    def config(self) -> bytes:
        return self.source.config

    @property
    def tags(self) -> tuple[str, ...]:
        return self.source.tags

    @contextlib.contextmanager
    def open(self, blob: Descriptor) -> Iterator[BinaryIO]:
        file = self.files.get(blob.digest)
        if file is None:
            with self.source.open(blob) as opened:
                yield opened
            return
        file.seek(0)
        yield verified(file, blob, self.reference)


@contextlib.contextmanager
def _plain(source: ImageSource) -> Iterator[ImageSource]:
    """The source without zstd, which Docker reads since version 23 only. A tar header needs the
    size, so such a layer goes to a nameless temporary file first.
    """
    layers = source.manifest.layers
    if not any(layer.media_type.endswith("+zstd") for layer in layers):
        yield source
        return
    found = manifests.diff_ids(source.config, f"The configuration of {display(source.reference)}")
    files: dict[str, BinaryIO] = {}
    plain: list[Descriptor] = []
    with contextlib.ExitStack() as stack:
        for layer, diff_id in zip(layers, found, strict=True):
            if not layer.media_type.endswith("+zstd"):
                plain.append(layer)
                continue
            file = stack.enter_context(tempfile.TemporaryFile())
            with source.open(layer) as stored:
                _write_out(decompressed(stored, layer.digest), file)
            files[diff_id] = file
            plain.append(Descriptor(LAYER_TYPE, diff_id, file.tell()))
        manifest = replace(source.manifest, layers=tuple(plain))
        yield _Decompressed(source, manifest, files)


def _write_out(data: Iterable[bytes], file: BinaryIO) -> None:
    try:
        for piece in data:
            file.write(piece)
        file.flush()
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        message = "There is no space to decompress a layer."
        raise DiskFullError(message, hint="Set TMPDIR to a directory with space.") from error
