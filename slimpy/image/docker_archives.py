"""A docker-archive (what ``docker save`` writes) as sources of images, read in place.

``manifest.json`` names a configuration and layers for each image. The layers are files of any name:
``ID/layer.tar``, ``DIGEST.tar``, ``blobs/sha256/DIGEST``, or a link to one of those.
"""

from __future__ import annotations

import contextlib
import hashlib
import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from slimpy.errors import PlatformError, SourceError
from slimpy.image import manifests, platforms
from slimpy.image.members import Files, Opened, read_document
from slimpy.image.oci import CONFIG_TYPE, LAYER_TYPE, Descriptor, Manifest, Platform
from slimpy.image.tags import familiar, is_named, normal
from slimpy.image.verified import verified
from slimpy.model import display

MANIFEST = "manifest.json"
_MOST_TAGS = 1000
_SHOWN = 20
_PIECE = 1 << 20
_HEX = re.compile(r"[0-9a-f]{64}")
_COMPRESSIONS = {
    b"\x1f\x8b": "+gzip",
    b"\x28\xb5\x2f\xfd": "+zstd",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
}


@dataclass(frozen=True, slots=True)
class DockerSource:
    """See ImageSource; ``names`` is digest of a blob -> file in the archive."""

    reference: str
    digest: str
    manifest: Manifest
    config: bytes
    tags: tuple[str, ...]
    files: Files
    names: Mapping[str, str]

    @contextlib.contextmanager
    def open(self, blob: Descriptor) -> Iterator[BinaryIO]:
        """See ImageSource.open."""
        name = self.names.get(blob.digest)
        if name is None:
            message = f"{display(self.files.where)} has no blob {display(blob.digest[:100])}."
            raise SourceError(message)
        with self.files.open(name) as file:
            yield verified(file, blob, self.files.where)


@dataclass(frozen=True, slots=True)
class Entry:
    """One image of the archive, as ``manifest.json`` names it."""

    config: str
    tags: tuple[str, ...]
    layers: tuple[str, ...]


def entries(files: Files) -> tuple[Entry, ...]:
    """The images of an archive.

    Raises:
        SourceError: it has no ``manifest.json``, or that is damaged.
    """
    where = display(files.where)
    if not files.has(MANIFEST):
        message = f"{where} is no docker-archive: it has no {MANIFEST}."
        raise SourceError(message, hint="Is it an OCI archive? Then write oci-archive:FILE.")
    what = f"{MANIFEST} of {where}"
    found = manifests.parsed(read_document(files, MANIFEST), what)
    if not isinstance(found, list) or len(found) > manifests.MOST_ENTRIES:
        message = f"{what} is no list of images."
        raise SourceError(message)
    return tuple(_entry(item, what) for item in found)


def open_docker(
    files: Files, label: str, platform: Platform | None, reference: str
) -> DockerSource:
    """One image of an archive.

    Args:
        label: a name that it carries, ``@N`` for the Nth, empty for the only one.
        platform: that it has to be for, if given.
        reference: as the user wrote it, for errors.

    Raises:
        SourceError: it is not there, or damaged.
        PlatformError: it is for another platform.
    """
    source = source_of(files, _selected(entries(files), label, reference), reference)
    if platform is not None:
        found = manifests.platform_of(source.config, f"The configuration of {display(reference)}")
        if platforms.normalised(found) != platforms.normalised(platform):
            message = (
                f"The image {display(reference)} is for {display(str(found))}, not {platform}."
            )
            raise PlatformError(message, hint="A docker-archive holds one platform of an image.")
    return source


def source_of(files: Files, entry: Entry, reference: str) -> DockerSource:
    """The image that an entry stands for.

    Raises:
        SourceError: a file of it is missing or damaged.
    """
    where = display(files.where)
    config = read_document(files, entry.config)
    digest = manifests.digest_of(config)
    stated = _stated(entry.config)
    if stated and stated != digest:
        message = f"The configuration of {where} is damaged: its digest is {digest}, not {stated}."
        raise SourceError(message, hint="Save the image again.")
    found = manifests.diff_ids(config, f"The configuration in {where}")
    if len(found) != len(entry.layers):
        message = f"{where} has {len(entry.layers)} layers where {len(found)} were said to be."
        raise SourceError(message)
    names = {digest: entry.config}
    layers: list[Descriptor] = []
    for name, diff_id in zip(entry.layers, found, strict=True):
        blob = _layer(files, name, diff_id)
        names[blob.digest] = name
        layers.append(blob)
    manifest = Manifest(Descriptor(CONFIG_TYPE, digest, len(config)), tuple(layers))
    tags = tuple(familiar(tag) for tag in entry.tags if is_named(tag))
    return DockerSource(reference, digest, manifest, config, tags, files, names)


def _entry(value: Any, what: str) -> Entry:
    if isinstance(value, Mapping):
        config, tags, layers = (value.get(key) for key in ("Config", "RepoTags", "Layers"))
        tags, layers = tags or [], layers or []
        if (
            isinstance(config, str)
            and _are_texts(tags, _MOST_TAGS)
            and _are_texts(layers, manifests.MOST_LAYERS)
        ):
            return Entry(_file(config), tuple(tags), tuple(map(_file, layers)))
    message = f"{what} has an entry that names no configuration and layers."
    raise SourceError(message)


def _are_texts(value: object, most: int) -> bool:
    return (
        isinstance(value, list)
        and len(value) <= most
        and all(isinstance(item, str) for item in value)
    )


def _file(name: str) -> str:
    """A file's name as the archive has it; what leads out of it is not found there."""
    return name if name.startswith("/") else posixpath.normpath(name)


def _selected(found: tuple[Entry, ...], label: str, reference: str) -> Entry:
    if label.startswith("@"):
        number = int(label[1:]) if label[1:].isdigit() and len(label) < 9 else len(found)
        if number < len(found):
            return found[number]
        message = f"{display(reference)}: there are {len(found)} images, counted from @0."
        raise SourceError(message)
    fitting = [
        entry
        for entry in found
        if not label or any(is_named(tag) and normal(tag) == normal(label) for tag in entry.tags)
    ]
    if len(fitting) == 1:
        return fitting[0]
    names = [tag for entry in found for tag in entry.tags[:1] or ("one without a name",)]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    hint = "There are: " + ", ".join(display(name[:100]) for name in names[:_SHOWN]) + more + "."
    if not found:
        message, hint = f"{display(reference)} holds no image.", ""
    elif label and not fitting:
        message = f"{display(reference)}: no image there is called {label}."
    else:
        message = f"{display(reference)} holds {len(fitting)} images; say which."
    raise SourceError(message, hint=hint)


def _layer(files: Files, name: str, diff_id: str) -> Descriptor:
    """What a layer's file holds. An uncompressed one is its diffID; the digest of a compressed one
    is its name's, or else has to be reckoned.
    """
    with files.open(name) as file:
        head = file.read(6)
        kind = next((kind for magic, kind in _COMPRESSIONS.items() if head.startswith(magic)), "")
        if not kind:
            return Descriptor(LAYER_TYPE, diff_id, file.size)
        if not kind.startswith("+"):
            message = f"A layer of {display(files.where)} is compressed with {kind}."
            raise SourceError(message, hint="Only gzip and zstd are read; convert it with skopeo.")
        digest = _stated(name) if name.startswith("blobs/sha256/") else ""
        return Descriptor(LAYER_TYPE + kind, digest or _reckoned(file, head), file.size)


def _reckoned(file: Opened, head: bytes) -> str:
    found = hashlib.sha256(head)
    while data := file.read(_PIECE):
        found.update(data)
    return f"sha256:{found.hexdigest()}"


def _stated(name: str) -> str:
    """The digest that a file's name says, empty if it says none."""
    stem = posixpath.basename(name).partition(".")[0]
    return f"sha256:{stem}" if _HEX.fullmatch(stem) else ""
