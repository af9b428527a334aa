"""Any image as the stream of one archive that is a docker-archive and an OCI layout at once.

Nothing is collected: layers go from where they lie into the stream. The same image gives the same
bytes, and a manifest here is the manifest that `slimpy.pack.archive` writes.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from slimpy.errors import PlatformError, SourceError
from slimpy.image import manifests, tags
from slimpy.image.docker_archives import MANIFEST
from slimpy.image.layouts import FULL_NAME, INDEX, LAYOUT, REF_NAME, VERSION, blob_path
from slimpy.image.oci import INDEX_TYPE, MANIFEST_TYPE, Descriptor, ImageSource

PIECE = 1 << 20
"""Bytes of a layer that are held at a time."""
MARKER = json.dumps({"imageLayoutVersion": VERSION}, separators=(",", ":")).encode()
"""The contents of ``oci-layout``."""


@dataclass(frozen=True, slots=True)
class Contents:
    """All that a layout has to hold of an image, or of the same image for several platforms.

    ``top`` is the manifest or the index, ``documents`` its blobs by digest, ``layers`` the others,
    each once, with the source that it is read from.
    """

    top: Descriptor
    documents: Mapping[str, bytes]
    layers: tuple[tuple[Descriptor, ImageSource], ...]
    images: tuple[ImageSource, ...]


def contents(images: Sequence[ImageSource]) -> Contents:
    """What has to be stored; more than one image makes an index of them."""
    documents: dict[str, bytes] = {}
    layers: dict[str, tuple[Descriptor, ImageSource]] = {}
    entries: list[Descriptor] = []
    for image in images:
        document = manifest_document(image)
        blob = Descriptor(MANIFEST_TYPE, manifests.digest_of(document), len(document))
        what = f"The configuration of {image.reference}"
        entries.append(replace(blob, platform=manifests.platform_of(image.config, what)))
        documents[blob.digest] = document
        documents[manifests.digest_of(image.config)] = image.config
        layers |= {layer.digest: (layer, image) for layer in image.manifest.layers}
    top = replace(entries[0], platform=None)
    if len(images) > 1:
        index = index_document(entries)
        top = Descriptor(INDEX_TYPE, manifests.digest_of(index), len(index))
        documents[top.digest] = index
    return Contents(top, documents, tuple(layers.values()), tuple(images))


def manifest_document(image: ImageSource) -> bytes:
    """The OCI manifest of an image, the same bytes wherever it comes from."""
    manifest = image.manifest
    return serialised(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": described(manifest.config),
            "layers": [described(layer) for layer in manifest.layers],
        }
    )


def index_document(entries: Sequence[Descriptor]) -> bytes:
    """An OCI index of these."""
    parts = [described(entry) for entry in entries]
    return serialised({"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": parts})


def named(top: Descriptor, label: str, name: str) -> Descriptor:
    """The entry of a layout's index: ``label`` in the layout, and the image's whole name."""
    annotations = {REF_NAME: label}
    if name:
        annotations[FULL_NAME] = tags.normal(name)
    return replace(top, annotations=annotations)


def stream(images: Sequence[ImageSource], label: str, names: Sequence[str]) -> Iterator[bytes]:
    """The archive, in pieces.

    Args:
        images: one; or one for each platform, which Docker cannot load.
        label: its name within the layout.
        names: its whole names (RepoTags).

    Raises:
        SourceError: a blob is not what it should be.
    """
    held = contents(images)
    entry = named(held.top, label, names[0] if names else "")
    files = {
        INDEX: index_document([entry]),
        LAYOUT: MARKER,
        **{blob_path(replace(held.top, digest=key)): data for key, data in held.documents.items()},
    }
    if len(images) == 1:
        files[MANIFEST] = _docker_manifest(images[0], names)
    sources = {blob_path(layer): (layer, image) for layer, image in held.layers}
    for directory in ("blobs", "blobs/sha256"):
        yield _header(directory, 0, tarfile.DIRTYPE, 0o755)
    for path in sorted({*files, *sources}):
        if path in files:
            yield _header(path, len(files[path])) + _padded(files[path])
            continue
        layer, image = sources[path]
        yield _header(path, layer.size)
        yield from _layer(layer, image)
    yield bytes(2 * tarfile.BLOCKSIZE)


def only(images: Sequence[ImageSource], reference: str) -> ImageSource:
    """The image, where a place can hold just one platform.

    Raises:
        PlatformError: there are more.
    """
    if len(images) == 1:
        return images[0]
    raise one_platform_only(reference, len(images))


def one_platform_only(reference: str, count: int) -> PlatformError:
    """That a place cannot hold so many platforms."""
    message = f"{reference} can hold an image of one platform, not of {count}."
    return PlatformError(message, hint="Write several platforms to oci:, oci-archive:, docker://.")


def _layer(layer: Descriptor, image: ImageSource) -> Iterator[bytes]:
    left = layer.size
    with image.open(layer) as file:
        while data := file.read(PIECE):
            left -= len(data)
            yield data
    if left:
        message = f"The layer {layer.digest} of {image.reference} ended {left} bytes early."
        raise SourceError(message)
    yield bytes(-layer.size % tarfile.BLOCKSIZE)


def _docker_manifest(image: ImageSource, names: Sequence[str]) -> bytes:
    config = Descriptor("", manifests.digest_of(image.config), len(image.config))
    entry = {
        "Config": blob_path(config),
        "RepoTags": list(names),
        "Layers": [blob_path(layer) for layer in image.manifest.layers],
    }
    return serialised([entry])


def described(blob: Descriptor) -> dict[str, Any]:
    """A descriptor as a part of a document."""
    found: dict[str, Any] = {
        "mediaType": blob.media_type,
        "digest": blob.digest,
        "size": blob.size,
    }
    if blob.platform:
        parts = ("os", "architecture", "variant")
        values = {part: getattr(blob.platform, part) for part in parts}
        found["platform"] = {part: value for part, value in values.items() if value}
    if blob.annotations:
        found["annotations"] = dict(blob.annotations)
    return found


def serialised(document: object) -> bytes:
    """A document as JSON that depends on its values only."""
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def _header(name: str, size: int, kind: bytes = tarfile.REGTYPE, mode: int = 0o644) -> bytes:
    """A header without owner and time; GNU's form, as it holds sizes of any length."""
    member = tarfile.TarInfo(name)
    member.size, member.type, member.mode = size, kind, mode
    return member.tobuf(tarfile.GNU_FORMAT)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % tarfile.BLOCKSIZE)
