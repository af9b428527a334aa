"""Manifests and indexes as a registry keeps them: bytes with a media type, which both say the same.

Source: OCI distribution specification 1.1, "Pulling manifests"; OCI image specification 1.1; a
document that can be read as a manifest and as an index is refused (CVE-2021-41190).
"""

from __future__ import annotations

from dataclasses import dataclass

from slimpy.errors import SourceError
from slimpy.image.manifests import INDEX_TYPES, MANIFEST_TYPES, digest_of, document
from slimpy.image.oci import (
    CONFIG_TYPE,
    DOCKER_CONFIG_TYPE,
    DOCKER_LAYER_TYPE,
    LAYER_TYPE,
    Descriptor,
    Manifest,
    Platform,
)
from slimpy.model import display

ACCEPTED = ", ".join(sorted((*INDEX_TYPES, *MANIFEST_TYPES)))
"""The ``Accept`` header of what we can read."""

COMPRESSIONS = {
    LAYER_TYPE: "",
    f"{LAYER_TYPE}+gzip": "gzip",
    f"{LAYER_TYPE}+zstd": "zstd",
    DOCKER_LAYER_TYPE: "gzip",
    DOCKER_LAYER_TYPE.removesuffix(".gzip"): "",
    f"{DOCKER_LAYER_TYPE.removesuffix('.gzip')}.zstd": "zstd",
}
"""Media type of a layer -> how it is compressed."""

_CONFIGS = frozenset((CONFIG_TYPE, DOCKER_CONFIG_TYPE))
_SCHEMA_1 = "application/vnd.docker.distribution.manifest.v1+"
_SAYS_NOTHING = frozenset(
    ("", "application/json", "application/octet-stream", "text/plain", "binary/octet-stream")
)


@dataclass(frozen=True, slots=True)
class Document:
    """A manifest or an index, byte by byte as it is in the registry."""

    media_type: str
    content: bytes

    @property
    def is_index(self) -> bool:
        """Whether it lists other documents."""
        return self.media_type in INDEX_TYPES

    def descriptor(self, platform: Platform | None = None) -> Descriptor:
        """What stands for it in an index."""
        return Descriptor(
            self.media_type, digest_of(self.content), len(self.content), platform=platform
        )


def recognised(content: bytes, content_type: str, what: str) -> Document:
    """The document that a registry's answer is.

    Args:
        content_type: the answer's header.
        what: the document's name, for errors.

    Raises:
        SourceError: it is of the old schema 1, of an unknown kind, or could be read in two ways.
    """
    found = document(content, what)
    said = content_type.partition(";")[0].strip().lower()
    if said.startswith(_SCHEMA_1) or found.get("schemaVersion") == 1 or "fsLayers" in found:
        message = f"{what} is of the old schema 1, which slimpy does not read."
        raise SourceError(message, hint="Push the image again with a tool of this decade.")
    inner = found.get("mediaType")
    inner = inner if isinstance(inner, str) else ""
    kind = inner or (said if said not in _SAYS_NOTHING else "")
    if inner and said not in _SAYS_NOTHING and said != inner.lower():
        message = f"{what} says that it is {display(inner[:100])}, the registry {display(said)}."
        raise SourceError(message)
    listing, single = "manifests" in found, "config" in found or "layers" in found
    if kind not in (*INDEX_TYPES, *MANIFEST_TYPES):
        shown = display(kind[:100]) or "something that does not say what it is"
        message = f"{what} is {shown}, which slimpy does not read."
        raise SourceError(message)
    if (listing and single) or listing != (kind in INDEX_TYPES):
        message = f"{what} is {kind}, but has the parts of something else."
        raise SourceError(message)
    return Document(kind, content)


def check_parts(manifest: Manifest, what: str) -> None:
    """Refuse what is no container image, or has layers that we cannot fetch.

    Raises:
        SourceError: it names the media type.
    """
    kind = manifest.config.media_type
    if kind not in _CONFIGS:
        message = f"{what} is no container image: its configuration is {display(kind[:100])!r}."
        raise SourceError(message, hint="Is it an artifact, such as a chart or a signature?")
    for layer in manifest.layers:
        if layer.media_type in COMPRESSIONS:
            continue
        kind = display(layer.media_type[:100])
        message = f"{what} has a layer of the type {kind!r}, which slimpy does not read."
        if "foreign" in kind or "nondistributable" in kind:
            message = f"{what} has a layer that no registry may give away ({kind})."
        raise SourceError(message)
