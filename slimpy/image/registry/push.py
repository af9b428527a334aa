"""Writes an image, or an index of images, into a repository."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, BinaryIO

from slimpy.errors import ImageNotFoundError, SourceError, UsageError
from slimpy.image.manifests import digest_of, platform_of
from slimpy.image.oci import (
    CONFIG_TYPE,
    INDEX_TYPE,
    LAYER_TYPE,
    MANIFEST_TYPE,
    Descriptor,
    ImageSource,
    Manifest,
)
from slimpy.image.registry.access import Access
from slimpy.image.registry.compress import compression_of, gzipped
from slimpy.image.registry.documents import COMPRESSIONS, Document, check_parts
from slimpy.image.registry.names import RepositoryName
from slimpy.image.registry.pull import RegistrySource
from slimpy.image.registry.repository import Repository, connect
from slimpy.image.registry.transport import Call
from slimpy.image.registry.uploads import Way, upload

Tell = Callable[[str], None]
"""Takes a line about what was just done."""


def _silent(_: str) -> None:
    pass


def push(
    source: ImageSource,
    reference: str,
    *,
    access: Access,
    tagged: bool = True,
    tell: Tell = _silent,
) -> Descriptor:
    """Write an image into a repository; what stands for it there, with its digest.

    Blobs that are there already are not sent, compressed layers go as they are, others are
    compressed with gzip. An image that comes from a registry keeps its manifest, and so its digest,
    unless a layer had to be compressed.

    Args:
        reference: ``[docker://]NAME[:TAG]``.
        tagged: False leaves the image without a tag, for an index that is going to list it.

    Raises:
        UsageError: the reference is none, or has a digest, which nobody can choose.
        RegistryDeniedError: this login may not write there.
        SourceError: the image cannot be read, or the registry does not take it.
    """
    name = _destination(reference)
    check_parts(source.manifest, f"The image {source.reference}")
    platform = platform_of(source.config, f"The configuration of {source.reference}")
    with connect(name, access=access, push=True, others=_others(source, name)) as repository:
        layers = _layers(repository, source, tell)
        config = _put_config(repository, source)
        document = _document(source, config, layers)
        _put(repository, document, tagged=tagged)
    return document.descriptor(platform)


def push_index(
    entries: Iterable[Descriptor],
    reference: str,
    *,
    access: Access,
    annotations: Mapping[str, str] | None = None,
) -> Descriptor:
    """Write an index of images that are in the repository already (see `push`).

    Args:
        entries: what `push` gave back, each with its platform.

    Raises:
        UsageError: the reference is none, or an entry has no platform.
        RegistryDeniedError: this login may not write there.
        SourceError: the registry does not take it; an image of it may be missing there.
    """
    listed = [_entry(entry) for entry in entries]
    if not listed or not all("platform" in entry for entry in listed):
        message = "An index needs images, each with its platform."
        raise UsageError(message)
    value = {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": listed}
    if annotations:
        value["annotations"] = dict(annotations)
    document = Document(INDEX_TYPE, _json(value))
    with connect(_destination(reference), access=access, push=True) as repository:
        _put(repository, document, tagged=True)
    return document.descriptor()


def _destination(reference: str) -> RepositoryName:
    name = RepositoryName.parse(reference)
    if name.digest:
        message = f"{reference!r}: the digest of what is written comes of it; it cannot be chosen."
        raise UsageError(message, hint="Give it a tag.")
    return name


def _others(source: ImageSource, name: RepositoryName) -> tuple[str, ...]:
    """The repository that the image comes from, if the same registry has it."""
    if not isinstance(source, RegistrySource):
        return ()
    origin = source.repository.name
    same = origin.registry == name.registry and origin.path != name.path
    return (origin.path,) if same else ()


def _layers(repository: Repository, source: ImageSource, tell: Tell) -> tuple[Descriptor, ...]:
    """The layers as they are in the repository now; each is seen to once."""
    done: dict[str, Descriptor] = {}
    total = len(source.manifest.layers)
    for number, layer in enumerate(source.manifest.layers, 1):
        if layer.digest in done:
            continue
        stored, way = _put_layer(repository, source, layer)
        done[layer.digest] = stored
        tell(f"layer {number} of {total}: {stored.size / 1e6:.1f} MB {way}")
    return tuple(
        replace(done[layer.digest], annotations=layer.annotations)
        for layer in source.manifest.layers
    )


def _put_layer(
    repository: Repository, source: ImageSource, layer: Descriptor
) -> tuple[Descriptor, Way]:
    compression = COMPRESSIONS[layer.media_type]
    if not compression:
        with source.open(layer) as file:
            head = file.read(4)
            compression = compression_of(head)  # some archives have it wrong
            if not compression:
                with gzipped(file, head) as packed:
                    way = upload(repository, packed.descriptor, lambda: _rewound(packed.file))
                return packed.descriptor, way
    kind = f"{LAYER_TYPE}+{compression}"
    stored = replace(layer, media_type=kind, platform=None)
    return stored, upload(repository, stored, lambda: source.open(layer))


def _put_config(repository: Repository, source: ImageSource) -> Descriptor:
    config = Descriptor(CONFIG_TYPE, digest_of(source.config), len(source.config))
    upload(repository, config, lambda: io.BytesIO(source.config))
    return config


def _rewound(file: BinaryIO) -> contextlib.AbstractContextManager[BinaryIO]:
    file.seek(0)
    return contextlib.nullcontext(file)


def _document(source: ImageSource, config: Descriptor, layers: tuple[Descriptor, ...]) -> Document:
    """The manifest: the one that the image has, where it still fits, else one of our own."""
    before = source.manifest
    kept = [layer.digest for layer in layers] == [layer.digest for layer in before.layers]
    right = all(COMPRESSIONS[layer.media_type] for layer in before.layers)
    if isinstance(source, RegistrySource) and kept and right:
        return source.document
    return _own(Manifest(config, layers, before.annotations))


def _own(manifest: Manifest) -> Document:
    value: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": _entry(manifest.config),
        "layers": [_entry(layer) for layer in manifest.layers],
    }
    if manifest.annotations:
        value["annotations"] = dict(manifest.annotations)
    return Document(MANIFEST_TYPE, _json(value))


def _entry(descriptor: Descriptor) -> dict[str, Any]:
    found: dict[str, Any] = {
        "mediaType": descriptor.media_type,
        "digest": descriptor.digest,
        "size": descriptor.size,
    }
    if descriptor.annotations:
        found["annotations"] = dict(descriptor.annotations)
    platform = descriptor.platform
    if platform is not None:
        parts = {"os": platform.os, "architecture": platform.architecture}
        found["platform"] = parts | ({"variant": platform.variant} if platform.variant else {})
    return found


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _put(repository: Repository, document: Document, *, tagged: bool) -> None:
    digest = document.descriptor().digest
    version = repository.name.version if tagged else digest
    what = f"The manifest of {repository.name}"
    call = Call(
        "PUT",
        repository.url(f"manifests/{version}"),
        what,
        repository.scopes,
        headers={"Content-Type": document.media_type},
        body=document.content,
        expected=frozenset((200, 201, 202)),
    )
    try:
        response = repository.transport.status(call)
    except ImageNotFoundError as error:
        raise SourceError(error.message, hint="Does the registry know that repository?") from error
    told = response.headers.get("Docker-Content-Digest", digest).strip()
    if told != digest:
        message = f"{what}: the registry stored something else: {told[:80]!r}, not {digest}."
        raise SourceError(message)
