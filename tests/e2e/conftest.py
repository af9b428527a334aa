"""Fixtures of the end-to-end tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from slimpy.engine.docker import DockerEngine
from tests.e2e.oddities import Images


@pytest.fixture(scope="module")
def images(engine: DockerEngine) -> Iterator[Images]:
    """A maker of images whose apps misbehave; what it made is removed at the end."""
    made = Images(engine)
    yield made
    made.remove()
