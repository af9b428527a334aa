"""Fixtures of the engine tests."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from slimpy.engine.embedded.engine import EmbeddedEngine
from slimpy.engine.podman import PodmanEngine
from tests import embedded, podman

IMAGES = ("debian:bookworm", "slimpy-sample/static-c")
"""The images that the contract is tested on."""


@pytest.fixture(scope="session")
def podman_engine() -> Iterator[PodmanEngine]:
    """A Podman of our own, with the images that the contract is tested on."""
    with (
        tempfile.TemporaryDirectory(dir="/var/tmp", ignore_cleanup_errors=True) as place,
        podman.service(Path(place)) as engine,
    ):
        podman.give(engine, *IMAGES)
        yield engine


@pytest.fixture(scope="session")
def rootless_podman_engine() -> Iterator[PodmanEngine]:
    """The same of an ordinary user."""
    with (
        tempfile.TemporaryDirectory(dir="/var/tmp", ignore_cleanup_errors=True) as place,
        podman.service(Path(place), embedded.USER) as engine,
    ):
        podman.give(engine, *IMAGES)
        yield engine


@pytest.fixture(scope="session")
def embedded_engine() -> Iterator[EmbeddedEngine]:
    """The engine without a daemon, with a store of its own and the same images."""
    with embedded.engine(*IMAGES) as engine:
        yield engine
