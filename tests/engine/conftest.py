"""Fixtures of the engine tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from slimpy.engine.podman import PodmanEngine
from tests import podman


@pytest.fixture(scope="session")
def podman_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PodmanEngine]:
    """A Podman of our own, with the images that the contract is tested on."""
    with podman.service(tmp_path_factory.mktemp("podman")) as engine:
        podman.give(engine, "debian:bookworm", "slimpy-sample/static-c")
        yield engine
