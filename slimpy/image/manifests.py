"""Reads the documents of an image (manifest, index, configuration), every one of them hostile.

Source: OCI image specification 1.1 ("Image Manifest", "Image Index", "Content Descriptors") and the
Docker Image Manifest V2, Schema 2.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from slimpy.errors import SourceError
from slimpy.image.oci import (
    DOCKER_INDEX_TYPE,
    DOCKER_MANIFEST_TYPE,
    DOCUMENT_LIMIT,
    INDEX_TYPE,
    MANIFEST_TYPE,
    Descriptor,
    Manifest,
    Platform,
)
from slimpy.model import display

INDEX_TYPES = frozenset((INDEX_TYPE, DOCKER_INDEX_TYPE))
MANIFEST_TYPES = frozenset((MANIFEST_TYPE, DOCKER_MANIFEST_TYPE))
MOST_LAYERS = 1000
"""Layers of one image; engines stop at some 127, so this is only against nonsense."""
MOST_ENTRIES = 10_000
"""Entries of one index."""
LARGEST_BLOB = 1 << 40
"""Bytes that a descriptor may claim."""

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_EMPTY: Mapping[str, str] = MappingProxyType({})


def digest_of(data: bytes) -> str:
    """``sha256:`` and the hexadecimal digest."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def is_digest(value: object) -> bool:
    """Whether a value is a digest that we can check, and no part of a path."""
    return isinstance(value, str) and _DIGEST.fullmatch(value) is not None


def document(data: bytes, what: str) -> dict[str, Any]:
    """A JSON object.

    Args:
        data: at most `DOCUMENT_LIMIT` bytes.
        what: the document's name, for the error.

    Raises:
        SourceError: it is too large, or no JSON object.
    """
    found = parsed(data, what)
    if not isinstance(found, dict):
        message = f"{what} is not a JSON object."
        raise SourceError(message)
    return found


def parsed(data: bytes, what: str) -> Any:
    """Any JSON value; see `document`."""
    if len(data) > DOCUMENT_LIMIT:
        message = f"{what} has more than {DOCUMENT_LIMIT >> 20} MiB."
        raise SourceError(message)
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        message = f"{what} is not JSON."
        raise SourceError(message, hint="Is the file damaged?") from error


def manifest_of(data: bytes, what: str) -> Manifest:
    """The manifest that a document is.

    Raises:
        SourceError: it is none of one image.
    """
    found = document(data, what)
    kind = found.get("mediaType", MANIFEST_TYPE)
    if found.get("schemaVersion") == 1 or "fsLayers" in found:
        message = f"{what} is of the old schema 1, which slimpy does not read."
        raise SourceError(message, hint="Convert it first, for example with skopeo copy.")
    if kind not in MANIFEST_TYPES or "config" not in found:
        message = f"{what} is no image manifest but {display(str(kind)[:100])}."
        raise SourceError(message)
    layers = _list(found, "layers", what, MOST_LAYERS)
    return Manifest(
        config=descriptor_of(found["config"], what),
        layers=tuple(descriptor_of(layer, what) for layer in layers),
        annotations=_annotations(found),
    )


def index_of(data: bytes, what: str) -> tuple[Descriptor, ...]:
    """The entries of an index.

    Raises:
        SourceError: it is no index.
    """
    found = document(data, what)
    entries = _list(found, "manifests", what, MOST_ENTRIES)
    return tuple(descriptor_of(entry, what) for entry in entries)


def descriptor_of(value: object, what: str) -> Descriptor:
    """The descriptor that a part of a document is.

    Raises:
        SourceError: it has no digest of a kind that can be checked, or no size.
    """
    if not isinstance(value, Mapping):
        message = f"{what} has something else where a descriptor belongs."
        raise SourceError(message)
    digest, size = value.get("digest"), value.get("size")
    if not is_digest(digest):
        message = f"{what} has a digest that is not sha256: {display(str(digest)[:100])!r}."
        raise SourceError(message)
    if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size <= LARGEST_BLOB:
        message = f"{what} has no believable size for {digest}."
        raise SourceError(message)
    return Descriptor(
        media_type=str(value.get("mediaType") or ""),
        digest=str(digest),
        size=size,
        platform=_platform(value.get("platform")),
        annotations=_annotations(value),
    )


def diff_ids(config: bytes, what: str) -> tuple[str, ...]:
    """The diffIDs of an image's configuration, the base first.

    Raises:
        SourceError: it does not say.
    """
    rootfs = document(config, what).get("rootfs")
    found = rootfs.get("diff_ids") if isinstance(rootfs, Mapping) else None
    if found is None:
        found = []
    if not isinstance(found, list) or not all(map(is_digest, found)) or len(found) > MOST_LAYERS:
        message = f"{what} does not say which layers it has."
        raise SourceError(message)
    return tuple(found)


def platform_of(config: bytes, what: str) -> Platform:
    """For which machine an image's configuration says it is; ``linux/amd64`` where it does not.

    Raises:
        SourceError: it is no JSON object.
    """
    found = document(config, what)
    platform = _platform({"os": "linux", "architecture": "amd64", **_present(found)})
    assert platform is not None
    return platform


def _present(found: Mapping[str, Any]) -> dict[str, Any]:
    return {key: found[key] for key in ("os", "architecture", "variant") if found.get(key)}


def _platform(value: object) -> Platform | None:
    if not isinstance(value, Mapping):
        return None
    parts = [value.get(key) for key in ("os", "architecture", "variant")]
    system, architecture, variant = (part if isinstance(part, str) else "" for part in parts)
    if not system and not architecture:
        return None
    return Platform(system[:100], architecture[:100], variant[:100])


def _annotations(value: Mapping[str, Any]) -> Mapping[str, str]:
    found = value.get("annotations")
    if not isinstance(found, Mapping):
        return _EMPTY
    return MappingProxyType({key: item for key, item in found.items() if isinstance(item, str)})


def _list(found: Mapping[str, Any], key: str, what: str, most: int) -> list[Any]:
    value = found.get(key)
    if value is None:
        value = []
    if not isinstance(value, list) or len(value) > most:
        message = f"{what} has no believable list of {key}."
        raise SourceError(message)
    return value
