"""Images outside an engine's store, as the OCI image specification describes them: descriptors,
manifests, platforms, and where their blobs come from.

An archive, a layout directory and a registry are all an `ImageSource`; a store, a file and a
registry can take one.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import BinaryIO, Protocol

CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
DOCKER_CONFIG_TYPE = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER_TYPE = "application/vnd.docker.image.rootfs.diff.tar.gzip"
DOCKER_MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_INDEX_TYPE = "application/vnd.docker.distribution.manifest.list.v2+json"

DOCUMENT_LIMIT = 4 << 20
"""Bytes of a manifest, an index or a configuration; a larger one is refused (the distribution
specification's own bound)."""


@dataclass(frozen=True, slots=True)
class Platform:
    """For which machines an image is; ``variant`` is empty where there is none."""

    os: str
    architecture: str
    variant: str = ""

    def __str__(self) -> str:
        return "/".join(filter(None, (self.os, self.architecture, self.variant)))


@dataclass(frozen=True, slots=True)
class Descriptor:
    """What a blob is, before it is read; ``size`` in bytes of the blob as it is stored."""

    media_type: str
    digest: str  # "sha256:" and 64 hexadecimal digits
    size: int
    platform: Platform | None = None
    annotations: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Manifest:
    """One image of one platform: its configuration and its layers, the base first."""

    config: Descriptor
    layers: tuple[Descriptor, ...]
    annotations: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


class ImageSource(Protocol):
    """One image of one platform, whose blobs can be read. What it gives is hostile input."""

    @property
    def reference(self) -> str:
        """As the user wrote it."""

    @property
    def digest(self) -> str:
        """Of the manifest where there is one, else of the configuration."""

    @property
    def manifest(self) -> Manifest:
        """What it consists of."""

    @property
    def config(self) -> bytes:
        """The OCI image configuration, its digest checked."""

    @property
    def tags(self) -> tuple[str, ...]:
        """Names that it carries, such as RepoTags of an archive."""

    def open(self, blob: Descriptor) -> AbstractContextManager[BinaryIO]:
        """A blob's bytes as they are stored (a layer may be compressed).

        The digest and the size are checked while it is read: the read that would give the last
        bytes of a wrong blob raises.

        Raises:
            SourceError: the blob is missing, truncated, or not what its digest says.
        """
