"""Which engine is used: the first that answers, or the one that the user names."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from enum import StrEnum

from slimpy.engine.protocol import Engine
from slimpy.errors import EngineUnavailableError


class EngineName(StrEnum):
    """The engines, in the order in which they are tried."""

    DOCKER = "docker"
    PODMAN = "podman"
    EMBEDDED = "embedded"


@contextlib.contextmanager
def connected(name: EngineName | None = None) -> Iterator[Engine]:
    """An engine, closed at the end.

    Args:
        name: the engine wanted; without one, the first that answers: Docker's socket, Podman's
            socket, and else the embedded engine, which needs no daemon.

    Raises:
        EngineUnavailableError: the engine named, or every engine, cannot be used here.
    """
    engine = _connect(name) if name else _first()
    try:
        yield engine
    finally:
        engine.close()


def _first() -> Engine:
    reasons = []
    for name in EngineName:
        try:
            return _connect(name)
        except EngineUnavailableError as error:
            reasons.append(error)
    message = "No container engine can be used here: " + " ".join(
        error.message for error in reasons
    )
    raise EngineUnavailableError(message, hint="See: slim doctor")


def _connect(name: EngineName) -> Engine:
    return _CONNECT[name]()


def _docker() -> Engine:
    from slimpy.engine.docker import DockerEngine

    return DockerEngine.connect()


def _podman() -> Engine:
    from slimpy.engine.podman import connect

    return connect()


def _embedded() -> Engine:
    from slimpy.engine.embedded.engine import EmbeddedEngine

    return EmbeddedEngine.connect()


_CONNECT: dict[EngineName, Callable[[], Engine]] = {
    EngineName.DOCKER: _docker,
    EngineName.PODMAN: _podman,
    EngineName.EMBEDDED: _embedded,
}
