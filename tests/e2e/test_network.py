"""An app that needs another one finds it in a network of the engine."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from slimpy.engine.docker import DockerEngine
from tests.e2e.oddities import leftovers, slim
from tests.e2e.test_samples import fat_image

pytestmark = pytest.mark.e2e

NAME = f"slimpy-test-{os.getpid()}"
ASKING = 'exec 3<>/dev/tcp/db/8080; printf "GET / HTTP/1.0\\r\\n\\r\\n" >&3; head -n 1 <&3'
PROBES = {
    "run": [{"args": ["-c", ASKING], "entrypoint": ["bash"], "expect": {"contains": "200"}}],
}


@pytest.fixture
def network() -> Iterator[str]:
    """A network with one app, known there as ``db``."""
    options = ("--detach", "--rm", "--name", NAME, "--network", NAME, "--network-alias", "db")
    commands = (("network", "create", NAME), ("run", *options, fat_image("static-c")))
    try:
        for command in commands:
            subprocess.run(["docker", *command], check=True, capture_output=True, timeout=60)
        yield NAME
    finally:
        for command in (("rm", "--force", NAME), ("network", "rm", NAME)):
            subprocess.run(["docker", *command], check=False, capture_output=True, timeout=60)


def test_it_is_proven_in_its_network(network: str, engine: DockerEngine, tmp_path: Path) -> None:
    tag = "slimpy-test/networked:1"
    (tmp_path / "probes.yaml").write_text(json.dumps(PROBES))
    image = ("build", "debian:bookworm", "--tag", tag, "--probe-file", "probes.yaml")
    alone = slim(*image, cwd=tmp_path)
    assert alone.code == 8, alone.talk
    try:
        done = slim(*image, "--network", network, "--json", cwd=tmp_path)
        assert done.code == 0, done.talk
        (exchange,) = json.loads(done.result)["exchanges"]
        assert exchange["verdict"] == "same"
        assert not leftovers(engine, done.pid)
    finally:
        engine.remove_tag(tag)
