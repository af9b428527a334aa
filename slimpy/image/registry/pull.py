"""Images of a registry as sources: the manifest for a platform, its configuration, its layers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from slimpy.errors import PlatformError, SourceError
from slimpy.image import manifests, platforms
from slimpy.image.oci import DOCUMENT_LIMIT, Descriptor, Manifest, Platform
from slimpy.image.registry.access import Access
from slimpy.image.registry.documents import Document, check_parts
from slimpy.image.registry.repository import Repository, connect
from slimpy.model import display

_DEEPEST = 4  # indexes in an index
_MOST_INDEXES = 32
_MOST_UNNAMED = 32  # entries of an index whose platform has to be looked up


@dataclass(frozen=True, slots=True)
class RegistrySource:
    """See ImageSource. ``document`` is the manifest as the registry has it."""

    reference: str
    digest: str
    manifest: Manifest
    config: bytes
    tags: tuple[str, ...]
    document: Document
    repository: Repository

    def open(self, blob: Descriptor) -> contextlib.AbstractContextManager[BinaryIO]:
        """See ImageSource.open; a transfer that breaks goes on where it broke."""
        return self.repository.open(blob)


@contextlib.contextmanager
def open_registry(
    reference: str, platform: Platform | None = None, *, access: Access
) -> Iterator[RegistrySource]:
    """One image of a registry, for as long as the block lasts.

    Args:
        reference: ``[docker://]NAME[:TAG|@DIGEST]``.
        platform: without one, this machine's where there is a choice, else what there is.

    Raises:
        UsageError: the reference is none.
        ImageNotFoundError: the registry has no such image.
        RegistryDeniedError: it wants a login, or another one.
        PlatformError: the image is not there for the platform; the message lists what is.
        SourceError: it cannot be read, or is damaged.
    """
    with connect(reference, access=access) as repository:
        yield image(repository, reference, platform)


def entries(reference: str, *, access: Access) -> tuple[Descriptor, ...]:
    """The images behind a name, each with its platform; one where the name is no index.

    Raises:
        SlimError: see `open_registry`.
    """
    with connect(reference, access=access) as repository:
        document = repository.document(repository.name.version)
        return _images(repository, document, reference)


def tags(reference: str, *, access: Access) -> tuple[str, ...]:
    """All tags of the repository that a name is in.

    Raises:
        SlimError: see `open_registry`.
    """
    with connect(reference, access=access) as repository:
        return repository.tags()


def image(repository: Repository, reference: str, platform: Platform | None) -> RegistrySource:
    """See `open_registry`."""
    document = repository.document(repository.name.version)
    listed = document.is_index
    if listed:
        found = _images(repository, document, reference)
        if len(found) != 1 or platform is not None:
            found = platforms.choose(found, platform, reference)
        document = repository.entry(found[0])
    source = _source(repository, document, reference)
    if platform is not None:
        _check(source, platform, listed=listed)
    return source


def _source(repository: Repository, document: Document, reference: str) -> RegistrySource:
    what = f"The image {repository.name}"
    manifest = manifests.manifest_of(document.content, what)
    check_parts(manifest, what)
    if manifest.config.size > DOCUMENT_LIMIT:
        message = f"{what} has a configuration of {manifest.config.size} bytes."
        raise SourceError(message)
    with repository.open(manifest.config) as file:
        config = file.read()
    layers = manifests.diff_ids(config, f"The configuration of {repository.name}")
    if len(layers) != len(manifest.layers):
        message = f"{what} has {len(manifest.layers)} layers where {len(layers)} were said to be."
        raise SourceError(message)
    digest = document.descriptor().digest
    named = (str(repository.name),) if not repository.name.digest else ()
    return RegistrySource(reference, digest, manifest, config, named, document, repository)


def _images(repository: Repository, document: Document, reference: str) -> tuple[Descriptor, ...]:
    if not document.is_index:
        return (document.descriptor(_platform_in(repository, document, reference)),)
    budget = iter(range(_MOST_INDEXES))
    found = list(_leaves(repository, document, 0, budget))
    lookups = 0
    for place, entry in enumerate(found):
        if entry.platform is None and platforms.is_image(entry):
            lookups += 1
            if lookups > _MOST_UNNAMED:
                message = f"The index {repository.name} does not say for which platforms it is."
                raise SourceError(message)
            inner = repository.entry(entry)
            found[place] = inner.descriptor(_platform_in(repository, inner, reference))
    return tuple(filter(platforms.is_image, found))


def _leaves(
    repository: Repository, document: Document, depth: int, budget: Iterator[int]
) -> Iterator[Descriptor]:
    """The manifests of an index and of those in it."""
    if depth >= _DEEPEST or next(budget, None) is None:
        message = f"The index {repository.name} holds too many other indexes."
        raise SourceError(message)
    for entry in manifests.index_of(document.content, f"The index {repository.name}"):
        if entry.media_type in manifests.INDEX_TYPES:
            yield from _leaves(repository, repository.entry(entry), depth + 1, budget)
        elif entry.media_type in manifests.MANIFEST_TYPES:
            yield entry


def _platform_in(repository: Repository, document: Document, reference: str) -> Platform:
    config = _source(repository, document, reference).config
    return manifests.platform_of(config, f"The configuration of {repository.name}")


def _check(source: RegistrySource, wanted: Platform, *, listed: bool) -> None:
    """The configuration has the last word on what an image is for. An index knows the variant
    better; where there is none, the one of the configuration counts.
    """
    found = manifests.platform_of(source.config, f"The configuration of {source.reference}")
    said, asked = platforms.normalised(found), platforms.normalised(wanted)
    if (said.os, said.architecture) != (asked.os, asked.architecture):
        message = (
            f"The image {display(source.reference)} is for {display(str(found))}, not {wanted}."
        )
        raise PlatformError(message, hint="Choose it with --platform, or another image.")
    if found.variant and not listed:
        platforms.choose((source.document.descriptor(found),), wanted, source.reference)
