"""Writes an image as one file that is a docker-archive and an OCI layout at once.

Docker and older tools read ``manifest.json``, newer ones ``index.json`` (OCI image layout
specification); both point at the same blobs, so nothing is in the file twice.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from slimpy.errors import DiskFullError, OutputError, PackError
from slimpy.image.oci import CONFIG_TYPE, INDEX_TYPE, LAYER_TYPE, MANIFEST_TYPE
from slimpy.model import Layer, display
from slimpy.pack import tarball
from slimpy.pack.config import serialised
from slimpy.pack.tarball import Header, Writer

_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_NAME = re.compile(r"[a-z0-9.:_/-]{1,255}", re.IGNORECASE)
_NO_SPACE = frozenset((errno.ENOSPC, errno.EDQUOT))


@dataclass(frozen=True, slots=True)
class _Blob:
    """A descriptor's facts; ``data`` is None for the layer, which stays in its file."""

    media_type: str
    digest: str
    size: int
    data: bytes | None

    @classmethod
    def of(cls, media_type: str, data: bytes) -> _Blob:
        return cls(media_type, f"sha256:{hashlib.sha256(data).hexdigest()}", len(data), data)

    @property
    def path(self) -> str:
        return f"blobs/sha256/{self.digest.removeprefix('sha256:')}"

    def descriptor(self, **more: object) -> dict[str, object]:
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.size, **more}


def write_archive(
    layer: Layer, config: bytes | Mapping[str, Any], tag: str, destination: Path
) -> str:
    """Write the image with its one layer, streamed from its file; same input, same bytes.

    Args:
        layer: as `slimpy.pack.layer.write_layer` gave it.
        config: the OCI image configuration, a document or its bytes.
        tag: the image's name, ``:latest`` if it has no tag.
        destination: the file to write.

    Returns:
        The image's ID, ``sha256:`` and the digest of the configuration: the same in every engine.

    Raises:
        PackError: ``tag`` cannot be a name, or the layer's file is not what ``layer`` says.
        DiskFullError: no space is left for the archive.
        OutputError: ``destination`` cannot be written.
    """
    name, version = _split(tag)
    image = _Blob.of(CONFIG_TYPE, config if isinstance(config, bytes) else serialised(config))
    packed = _Blob(LAYER_TYPE, layer.diff_id, layer.size, None)
    manifest = _Blob.of(MANIFEST_TYPE, serialised(_manifest(image, packed)))
    files: dict[str, bytes | None] = {
        "index.json": serialised(_index(manifest, name, version)),
        "manifest.json": _docker_manifest(image, packed, f"{name}:{version}"),
        "oci-layout": serialised({"imageLayoutVersion": "1.0.0"}),
        **{blob.path: blob.data for blob in (image, packed, manifest)},
    }
    try:
        with Path(layer.path).open("rb") as source, destination.open("wb") as file:
            writer = Writer(file.write)
            for directory in ("blobs/", "blobs/sha256/"):
                writer.add(Header(directory.encode(), tarball.DIRECTORY, 0o755))
            for path, data in sorted(files.items()):
                _add(writer, path, data, layer, source)
            writer.finish()
    except OSError as error:
        raise _unwritable(destination, error) from error
    return image.digest


def _add(writer: Writer, path: str, data: bytes | None, layer: Layer, source: BinaryIO) -> None:
    size = layer.size if data is None else len(data)
    header = Header(path.encode(), tarball.REGULAR, 0o644, size=size)
    if data is not None:
        writer.add(header, io.BytesIO(data))
        return
    checked = _Checked(source)
    writer.add(header, checked)
    if checked.digest != layer.diff_id:
        message = f"The layer {layer.path} was changed after it was written."
        raise PackError(message)


class _Checked:
    """A reader that knows the digest of what went through it."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._hash = hashlib.sha256()

    def read(self, size: int, /) -> bytes:
        data = self._source.read(size)
        self._hash.update(data)
        return data

    @property
    def digest(self) -> str:
        return f"sha256:{self._hash.hexdigest()}"


def _manifest(image: _Blob, layer: _Blob) -> dict[str, Any]:
    return {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": image.descriptor(),
        "layers": [layer.descriptor()],
    }


def _index(manifest: _Blob, name: str, version: str) -> dict[str, Any]:
    annotations = {
        "org.opencontainers.image.ref.name": version,
        "io.containerd.image.name": f"{_full_name(name)}:{version}",
    }
    return {
        "schemaVersion": 2,
        "mediaType": INDEX_TYPE,
        "manifests": [manifest.descriptor(annotations=annotations)],
    }


def _docker_manifest(image: _Blob, layer: _Blob, tag: str) -> bytes:
    entry = {"Config": image.path, "RepoTags": [tag], "Layers": [layer.path]}
    return json.dumps([entry], sort_keys=True, separators=(",", ":")).encode()


def _split(tag: str) -> tuple[str, str]:
    """The name and the tag; a colon before the last slash belongs to a registry's port."""
    name, colon, version = tag.rpartition(":")
    if not colon or "/" in version:
        name, version = tag, "latest"
    if not _NAME.fullmatch(name) or not _TAG.fullmatch(version):
        message = f"{display(tag)} cannot be the name of an image."
        raise PackError(message, hint="Give a name such as app:slim.")
    return name, version


def _full_name(name: str) -> str:
    """The name with its registry, as containerd spells it (docker.io/library/... by default)."""
    first, slash, _ = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return name
    return f"docker.io/{name}" if slash else f"docker.io/library/{name}"


def _unwritable(destination: Path, error: OSError) -> DiskFullError | OutputError:
    if error.errno in _NO_SPACE:
        message = f"No space is left to write the archive {destination}."
        return DiskFullError(message, hint="Free some space, or write it to another disk.")
    why = error.strerror or error
    return OutputError(f"The archive {destination} cannot be written: {why}.")
