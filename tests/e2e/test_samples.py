"""Every sample app, from the fat image to a proven slim one, through the command line."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from slimpy.engine.docker import DockerEngine
from slimpy.engine.session import LABEL, TEMPORARY_REPOSITORY, is_over

pytestmark = pytest.mark.e2e

SAMPLES = Path(__file__).parents[2] / "sample_apps"
NAMES = sorted(path.parent.name for path in SAMPLES.glob("*/Dockerfile"))
BUILD_SECONDS = 900
SLIM_SECONDS = 300


@dataclass(frozen=True)
class Slimmed:
    """What `slim build` came to."""

    code: int
    report: dict[str, Any]
    directory: Path
    talk: str


def fat_image(name: str) -> str:
    """The sample's fat image, built unless the engine has it."""
    subprocess.run(
        [str(SAMPLES / "build.sh"), name],
        check=True,
        timeout=BUILD_SECONDS,
        stdout=subprocess.DEVNULL,
    )
    return f"slimpy-sample/{name}"


def slim(*arguments: str, timeout: float = SLIM_SECONDS) -> subprocess.CompletedProcess[str]:
    """Run the program in a process of its own."""
    return subprocess.run(
        [sys.executable, "-W", "error::ResourceWarning", "-m", "slimpy", *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        env={**os.environ, "PYTHONPATH": str(SAMPLES.parent)},
    )


def slimmed(name: str, directory: Path, *more: str) -> Slimmed:
    """The sample, slimmed with its own probe file."""
    options: list[str] = [
        "--probe-file",
        str(SAMPLES / name / "probe.yaml"),
        "--report-dir",
        str(directory),
    ]
    for key, value in expected(name).get("run", {}).get("environment", {}).items():
        options += ["--env", f"{key}={value}"]
    done = slim("build", fat_image(name), *options, "--json", *more)
    report = json.loads(done.stdout) if done.stdout else {}
    return Slimmed(done.returncode, report, directory, done.stderr)


def expected(name: str) -> dict[str, Any]:
    """The sample's expect.toml."""
    return tomllib.loads((SAMPLES / name / "expect.toml").read_text())


def rows(path: Path) -> list[list[str]]:
    """A table of the report without its heading."""
    with path.open(newline="") as file:
        return list(csv.reader(file, delimiter="\t"))[1:]


def leftovers(engine: DockerEngine) -> list[str]:
    """What ended processes of slimpy should have removed."""
    api = engine._client.api
    named = {"label": LABEL}
    found = {item["Id"]: item for item in api.containers(all=True, filters=named)}
    found |= {item["Name"]: item for item in api.volumes(filters=named).get("Volumes") or []}
    dead = [name for name, item in found.items() if is_over((item["Labels"] or {}).get(LABEL, ""))]
    tags = [tag for item in api.images(name=TEMPORARY_REPOSITORY) for tag in item["RepoTags"]]
    return dead + [tag for tag in tags if is_over(tag.rpartition(":")[2])]


def test_there_is_a_sample_for_every_kind() -> None:
    assert len(NAMES) == 13


@pytest.mark.parametrize("name", NAMES)
def test_sample_is_slimmed_and_proven(name: str, engine: DockerEngine, tmp_path: Path) -> None:
    done = slimmed(name, tmp_path / "report")
    assert done.code == 0, done.talk + json.dumps(done.report.get("causes", []), indent=1)
    wanted, report = expected(name), done.report

    assert report["status"] == "slimmed"
    verdicts = {item["name"]: item["verdict"] for item in report["exchanges"]}
    assert verdicts and set(verdicts.values()) == {"same"}
    assert report["slim"]["size"] <= wanted["max_slim_mb"] * 1e6
    assert report["factor"] >= wanted["min_factor"]

    image = engine.inspect(f"slimpy-sample/{name}.slim:latest", pull=False)
    uid = image.user.partition(":")[0]
    assert image.id == report["slim"]["id"]
    assert uid not in ("", "0", "root")
    if wanted["user"] != "non-root":
        assert str(report["account"]["uid"]) == wanted["user"]

    profile = json.loads((done.directory / "seccomp.json").read_text())
    assert profile["defaultAction"] == "SCMP_ACT_ERRNO"
    assert not {"mount", "ptrace", "bpf", "unshare"} & set(report["seccomp"]["allowed"])

    kept, removed = (
        rows(done.directory / "kept-files.tsv"),
        rows(done.directory / "removed-files.tsv"),
    )
    assert len(kept) + len(removed) > 0
    assert not {row[0] for row in kept} & {row[0] for row in removed}
    assert all(row[-1] for row in kept), "every kept path has its reasons"
    assert not leftovers(engine)


def test_two_builds_give_the_same_image(tmp_path: Path) -> None:
    first = slimmed("nginx", tmp_path / "one", "--tag", "slimpy-test/twice:1")
    second = slimmed("nginx", tmp_path / "two", "--tag", "slimpy-test/twice:2")
    assert first.code == second.code == 0, first.talk + second.talk
    assert first.report["slim"]["id"] == second.report["slim"]["id"]
    subprocess.run(
        ["docker", "rmi", "slimpy-test/twice:1", "slimpy-test/twice:2"],
        check=True,
        stdout=subprocess.DEVNULL,
    )


def test_why_tells_the_reasons_of_a_build(tmp_path: Path) -> None:
    done = slimmed("static-c", tmp_path / "report")
    assert done.code == 0, done.talk
    kept = rows(done.directory / "kept-files.tsv")[-1][0]
    told = slim("why", kept, "--report", str(done.directory))
    assert told.returncode == 0 and kept in told.stdout
    unknown = slim("why", "/no/such/path", "--report", str(done.directory))
    assert unknown.returncode == 16 and "/no/such/path" in unknown.stderr
