"""The whole job without a daemon, as root and as an ordinary user: the same image as by Docker."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import embedded
from tests.e2e.oddities import environment, program

pytestmark = pytest.mark.e2e

SAMPLES = Path(__file__).parents[2] / "sample_apps"
NAMES = ("flask-gunicorn", "nginx", "static-c")
"""Python, a server that drops root, and no libc; the others of the samples take too long here."""
SECONDS = 240


@dataclass(frozen=True)
class Slimmed:
    """What a build came to: the image's ID and the kept paths."""

    id: str
    kept: frozenset[str]


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """Where the ordinary user's store is, and archives of the samples."""
    with tempfile.TemporaryDirectory(prefix="slimpy-test-home-", dir="/var/tmp") as name:
        Path(name).chmod(0o777)
        yield Path(name)


@pytest.fixture(scope="module")
def copy() -> Iterator[Path]:
    with embedded.readable_copy() as place:
        yield place


def arguments(name: str, image: str, report: Path) -> tuple[str, ...]:
    probes = str(SAMPLES / name / "probe.yaml")
    expected = tomllib.loads((SAMPLES / name / "expect.toml").read_text())
    variables = expected.get("run", {}).get("environment", {})
    flags = [flag for key, value in variables.items() for flag in ("--env", f"{key}={value}")]
    more = ("--tag", f"slimpy-test/{name}:{os.getpid()}", "--report-dir", str(report))
    return ("build", image, "--probe-file", probes, "--quiet", *flags, *more)


def outcome(argv: list[str], report: Path, env: dict[str, str] | None = None) -> Slimmed:
    done = subprocess.run(argv, capture_output=True, text=True, timeout=SECONDS, env=env)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    document = json.loads((report / "report.json").read_text())
    assert document["status"] == "slimmed"
    assert {item["verdict"] for item in document["exchanges"]} == {"same"}
    rows = (report / "kept-files.tsv").read_text().splitlines()[1:]
    return Slimmed(document["slim"]["id"], frozenset(row.split("\t")[0] for row in rows))


@pytest.mark.parametrize("name", NAMES)
def test_the_same_image_comes_out_without_a_daemon(
    name: str, home: Path, copy: Path, tmp_path: Path
) -> None:
    archive = home / f"{name}.tar"
    command = ["docker", "save", "--output", str(archive), f"slimpy-sample/{name}"]
    subprocess.run(command, check=True, timeout=SECONDS)
    archive.chmod(0o644)
    docker = arguments(name, f"slimpy-sample/{name}", tmp_path / "docker")
    by_docker = outcome(program(*docker, "--engine", "docker"), tmp_path / "docker")
    plain = ("--engine", "embedded")
    file = f"docker-archive:{archive}"
    nowhere = environment(
        XDG_CACHE_HOME=str(home / "root"), DOCKER_HOST="unix:///nowhere/docker.sock"
    )
    mine = home / f"report-{name}"
    as_root = program(*arguments(name, file, tmp_path / "root"), *plain)
    as_user = embedded.as_user(copy, home, "-m", "slimpy", *arguments(name, file, mine), *plain)
    same_as(by_docker, lambda: outcome(as_root, tmp_path / "root", nowhere))
    same_as(by_docker, lambda: outcome(as_user, mine))
    archive.unlink()


def same_as(wanted: Slimmed, build: Callable[[], Slimmed]) -> None:
    """The same image comes out, at the second try if one run showed more than the other."""
    found = build()
    if found.kept != wanted.kept:
        found = build()
    assert found.kept == wanted.kept
    assert found.id == wanted.id
