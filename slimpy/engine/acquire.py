"""Gets the image that a reference names into an engine, from wherever it is."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from slimpy.engine.choice import EngineName, connected
from slimpy.engine.protocol import Engine
from slimpy.errors import PlatformError
from slimpy.image import platforms, references
from slimpy.image.oci import ImageSource, Platform
from slimpy.image.references import Reference, Transport
from slimpy.image.sources import open_source
from slimpy.model import Image

if TYPE_CHECKING:
    from slimpy.image.registry.access import Access

OWNER = {Transport.DOCKER_DAEMON: EngineName.DOCKER, Transport.PODMAN: EngineName.PODMAN}
"""The engines whose stores have a transport of their own."""


def engine_of(reference: Reference, wanted: EngineName | None) -> EngineName | None:
    """The engine to use: the one that is wanted, else the one in whose store the image is."""
    return wanted or OWNER.get(reference.transport)


@contextlib.contextmanager
def acquired(
    engine: Engine,
    text: str,
    *,
    pull: bool = True,
    platform: Platform | None = None,
    access: Access | None = None,
) -> Iterator[Image]:
    """An image, in the engine's store until the end.

    Args:
        text: the reference, see `slimpy.image.references`.
        pull: fetch it if the engine's store does not have it.
        platform: that it has to be for, if given.
        access: how registries are reached; as nobody by default.

    Raises:
        UsageError: it is no reference.
        ImageNotFoundError, PlatformError, SourceError: it is not there, or cannot be used.
    """
    reference = references.parse(text)
    owner = OWNER.get(reference.transport)
    if reference.transport is Transport.STORE or owner == engine.name:
        image = engine.inspect(reference.name, pull=pull)
        _check(image, platform)
        yield image
    elif owner is not None:
        with contextlib.ExitStack() as stack:
            other = stack.enter_context(connected(owner))
            found = other.inspect(reference.name, pull=pull)
            _check(found, platform)
            source = stack.enter_context(_exported(other, found))
            yield stack.enter_context(engine.import_image(source))
    else:
        with contextlib.ExitStack() as stack:
            source = stack.enter_context(open_source(reference, platform, access=access))
            yield stack.enter_context(engine.import_image(source))


def _exported(engine: Engine, image: Image) -> contextlib.AbstractContextManager[ImageSource]:
    from slimpy.engine.docker import DockerEngine

    assert isinstance(engine, DockerEngine)  # OWNER names no other kind
    return engine.export(image)


def _check(image: Image, wanted: Platform | None) -> None:
    found = platforms.normalised(Platform(image.os, image.architecture, image.variant))
    if wanted is None or found == platforms.normalised(wanted):
        return
    message = f"The image {image.reference} in the engine's store is for {found}, not {wanted}."
    raise PlatformError(message, hint=f"Fetch it for {wanted}: docker://{image.reference}")
