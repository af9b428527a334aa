"""An image outside an engine's store as an ImageSource, wherever it is."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from slimpy.errors import UsageError
from slimpy.image import layouts, platforms
from slimpy.image.archives import archive_files, docker_archive, oci_archive
from slimpy.image.directories import DirectoryFiles
from slimpy.image.manifests import platform_of
from slimpy.image.oci import Descriptor, ImageSource, Platform
from slimpy.image.references import Reference, Transport

if TYPE_CHECKING:
    from slimpy.image.registry.access import Access

READABLE = frozenset(
    (Transport.DOCKER_ARCHIVE, Transport.OCI, Transport.OCI_ARCHIVE, Transport.REGISTRY)
)
"""Transports that this module reads; the others are engines' stores."""


@contextlib.contextmanager
def open_source(
    reference: Reference, platform: Platform | None = None, *, access: Access | None = None
) -> Iterator[ImageSource]:
    """One image of one platform.

    Args:
        reference: of a transport in `READABLE`.
        platform: without one, this machine's where there is a choice.
        access: how registries are reached; as nobody by default.

    Raises:
        SourceError: it cannot be read, is not there, or is damaged.
        PlatformError: it is not there for that platform.
    """
    name, text = reference.name, reference.text
    match reference.transport:
        case Transport.DOCKER_ARCHIVE:
            with docker_archive(reference.path, name, platform, text) as source:
                yield source
        case Transport.OCI_ARCHIVE:
            with oci_archive(reference.path, name, platform, text) as source:
                yield source
        case Transport.OCI:
            files = DirectoryFiles(reference.path)
            yield layouts.open_layout(files, name, platform, text)
        case Transport.REGISTRY:
            from slimpy.image.registry.access import Access
            from slimpy.image.registry.pull import open_registry

            with open_registry(text, platform, access=access or Access()) as source:
                yield source
        case _:
            raise _no_source(reference)


def platforms_of(reference: Reference, *, access: Access | None = None) -> tuple[Platform, ...]:
    """For which platforms an image is there, in the order of its index, each once.

    Raises:
        SourceError: see `open_source`.
    """
    match reference.transport:
        case Transport.DOCKER_ARCHIVE:
            with open_source(reference) as source:
                return (platform_of(source.config, f"The configuration of {reference.text}"),)
        case Transport.OCI_ARCHIVE:
            with archive_files(reference.path) as files:
                found = layouts.images(files, reference.name, reference.text)
        case Transport.OCI:
            directory = DirectoryFiles(reference.path)
            found = layouts.images(directory, reference.name, reference.text)
        case Transport.REGISTRY:
            from slimpy.image.registry.access import Access
            from slimpy.image.registry.pull import entries

            found = entries(reference.text, access=access or Access())
        case _:
            raise _no_source(reference)
    return _each(found)


def _each(found: tuple[Descriptor, ...]) -> tuple[Platform, ...]:
    known = (item.platform for item in found if platforms.is_image(item) and item.platform)
    return tuple(dict.fromkeys(map(platforms.normalised, known)))


def _no_source(reference: Reference) -> UsageError:
    message = f"{reference.text} is in an engine's store, which holds one platform of an image."
    return UsageError(message, hint="Name it as docker://NAME or oci:DIR for the others.")
