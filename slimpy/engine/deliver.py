"""Brings a proven image to where the user wants it: files, layouts, registries, engines' stores."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, assert_never

from slimpy.engine.acquire import OWNER
from slimpy.engine.choice import connected
from slimpy.engine.protocol import Engine
from slimpy.errors import UsageError
from slimpy.image import hybrid, outputs, tags
from slimpy.image.oci import ImageSource
from slimpy.image.references import FILES, Reference, Transport

if TYPE_CHECKING:
    from slimpy.image.registry.access import Access

_FIRST = (*FILES, *OWNER, Transport.REGISTRY)


@dataclass(frozen=True, slots=True)
class Delivered:
    """One output: where it went, and the digest of its manifest (or index) there."""

    destination: str
    digest: str


def check(destinations: Sequence[Reference]) -> None:
    """Find out before the work starts what can be found out: whether files can be written there.

    Raises:
        UsageError: two outputs are the same place.
        OutputError, DiskFullError: a place cannot be written.
        SourceError: a layout there is damaged.
    """
    taken: set[object] = set()
    for where in destinations:
        place = _place(where)
        if place in taken:
            message = f"Two outputs are the same place: {where.text}."
            raise UsageError(message, hint="One archive is a docker-archive and an OCI archive.")
        taken.add(place)
        match where.transport:
            case Transport.DOCKER_ARCHIVE | Transport.OCI_ARCHIVE:
                outputs.check_archive(where.path)
            case Transport.OCI:
                outputs.check_layout(where.path)


def _place(where: Reference) -> tuple[object, ...]:
    match where.transport:
        case Transport.DOCKER_ARCHIVE | Transport.OCI_ARCHIVE:
            return (where.path.resolve(),)
        case Transport.OCI:
            return (where.path.resolve(), where.name)
    return (where.transport, where.name)


@contextlib.contextmanager
def prepared(
    engine: Engine,
    images: Sequence[ImageSource],
    destinations: Sequence[Reference],
    name: str,
    *,
    access: Access | None = None,
) -> Iterator[tuple[tuple[Delivered, ...], Callable[[], None]]]:
    """Prepare all outputs; what is given besides puts them in their places.

    Registries come last of what is prepared, as what is pushed cannot be taken back.

    Args:
        engine: where the image was proven.
        images: one, or one for each platform.
        name: the image's, for outputs that do not say one.
        access: how registries are reached; as nobody by default.

    Raises:
        OutputError, DiskFullError, SourceError, EngineUnavailableError, PlatformError
    """
    commits: list[Callable[[], None]] = []
    done: dict[str, str] = {}
    with contextlib.ExitStack() as stack:
        for where in sorted(destinations, key=lambda item: _FIRST.index(item.transport)):
            digest = hybrid.contents(images).top.digest
            match where.transport:
                case Transport.DOCKER_ARCHIVE:
                    only = (hybrid.only(images, where.text),)
                    whole = tags.familiar(where.name or name)
                    written = outputs.archive(only, tags.split(whole)[1], (whole,), where.path)
                    commits.append(stack.enter_context(written))
                case Transport.OCI_ARCHIVE:
                    label, whole = _labelled(where, name)
                    written = outputs.archive(images, label, (whole,), where.path)
                    commits.append(stack.enter_context(written))
                case Transport.OCI:
                    label, whole = _labelled(where, name)
                    written = outputs.layout(images, label, whole, where.path)
                    commits.append(stack.enter_context(written))
                case Transport.DOCKER_DAEMON | Transport.PODMAN:
                    image = hybrid.only(images, where.text)
                    commits.append(stack.enter_context(_stored(engine, image, where)))
                    digest = image.digest
                case Transport.REGISTRY:
                    digest = _pushed(images, where, access)
                case Transport.STORE:
                    raise AssertionError(where)
                case _:
                    assert_never(where.transport)
            done[where.text] = digest
        delivered = tuple(Delivered(where.text, done[where.text]) for where in destinations)

        def commit() -> None:
            for each in commits:
                each()

        yield delivered, commit


def _labelled(where: Reference, name: str) -> tuple[str, str]:
    """The label in the layout, and the whole name beside it."""
    if not where.name:
        return tags.split(name)[1], name
    is_whole = ("/" in where.name or ":" in where.name) and tags.is_named(where.name)
    return where.name, where.name if is_whole else f"{tags.split(name)[0]}:{_version(where.name)}"


def _version(label: str) -> str:
    return label if tags.is_named(f"x:{label}") else "latest"


@contextlib.contextmanager
def _stored(engine: Engine, image: ImageSource, where: Reference) -> Iterator[Callable[[], None]]:
    """In the store of an engine, perhaps another one than that which proved it."""
    owner = OWNER[where.transport]
    with contextlib.ExitStack() as stack:
        other = engine if engine.name == owner else stack.enter_context(connected(owner))
        loaded = stack.enter_context(other.import_image(image))
        yield lambda: other.tag(loaded, where.name)


def _pushed(images: Sequence[ImageSource], where: Reference, access: Access | None) -> str:
    from slimpy.image.registry.access import Access
    from slimpy.image.registry.push import push, push_index

    reached = access or Access()
    if len(images) == 1:
        return push(images[0], where.text, access=reached).digest
    entries = [push(image, where.text, access=reached, tagged=False) for image in images]
    return push_index(entries, where.text, access=reached).digest


@contextlib.contextmanager
def packed(paths: Sequence[Path]) -> Iterator[tuple[ImageSource, ...]]:
    """The images of archives that were packed here, one in each."""
    from slimpy.image.archives import docker_archive

    with contextlib.ExitStack() as stack:
        yield tuple(
            stack.enter_context(docker_archive(path, "", None, str(path))) for path in paths
        )
