"""The whole job by the Podman of an ordinary user: the same as by Docker."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from slimpy.engine.podman import VARIABLE, PodmanEngine
from tests import embedded, podman
from tests.e2e.oddities import environment, slim
from tests.e2e.test_samples import SAMPLES, fat_image

pytestmark = pytest.mark.e2e

NAMES = ("static-c", "nginx")


@pytest.fixture(scope="module")
def service() -> Iterator[tuple[PodmanEngine, str]]:
    """A service of an ordinary user, with the images; and its address."""
    images = [fat_image(name) for name in NAMES]
    with (
        tempfile.TemporaryDirectory(dir="/var/tmp", ignore_cleanup_errors=True) as place,
        podman.service(Path(place), embedded.USER) as engine,
    ):
        podman.give(engine, *images)
        yield engine, f"unix://{place}/podman.sock"


@pytest.mark.parametrize("name", NAMES)
def test_it_gives_what_docker_gives(
    name: str, service: tuple[PodmanEngine, str], tmp_path: Path
) -> None:
    found = {}
    probes = ("--probe-file", str(SAMPLES / name / "probe.yaml"), "--json")
    for engine, variables in (("docker", {}), ("podman", {VARIABLE: service[1]})):
        directory = tmp_path / engine
        arguments = ("--report-dir", str(directory), "--engine", engine)
        tag = f"slimpy-test/{engine}-{name}:1"
        given = environment(**variables)
        image = f"slimpy-sample/{name}"
        done = slim("build", image, *probes, *arguments, "--tag", tag, cwd=tmp_path, env=given)
        assert done.code == 0, done.talk
        report = json.loads(done.result)
        answers = [(item["name"], item["verdict"]) for item in report["exchanges"]]
        lines = (directory / "kept-files.tsv").read_text().splitlines()
        kept = [line.split("\t")[:3] for line in lines]  # reasons name the probe under way
        found[engine] = (kept, report["slim"]["id"].removeprefix("sha256:"), answers)
    assert found["podman"][0] == found["docker"][0]
    assert found["podman"][2] == found["docker"][2]
    assert {verdict for _, verdict in found["podman"][2]} == {"same"}
    # Podman writes into /run before it can be looked at, so its time there is not the image's own.
    assert (found["podman"][1] == found["docker"][1]) == (name == "static-c")
