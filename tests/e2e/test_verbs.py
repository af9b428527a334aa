"""The verbs beside build, through the command line: trace, profile, harden check."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from slimpy.engine.docker import DockerEngine
from tests.e2e.test_samples import SAMPLES, fat_image, leftovers, slim

pytestmark = pytest.mark.e2e

NAME = "static-c"
PROBES = ("--probe-file", str(SAMPLES / NAME / "probe.yaml"))


@pytest.fixture(scope="module")
def image() -> str:
    return fat_image(NAME)


@pytest.fixture(scope="module")
def bundle(image: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("bundle")
    done = slim("profile", image, *PROBES, "--report-dir", str(directory))
    assert done.returncode == 0, done.stderr
    return directory / "hardening"


def test_a_users_own_tests_can_be_the_probes(
    image: str, tmp_path: Path, engine: DockerEngine
) -> None:
    trace = tmp_path / "t.trace"
    script = "curl -sf $SLIM_URL/hello?name=Traced && curl -sf http://$SLIM_HOST:$SLIM_PORT_8080/"
    done = slim("trace", image, "-o", str(trace), "--", "sh", "-c", script)
    assert done.returncode == 0, done.stderr
    assert "Hello Traced" in done.stdout
    tag = "slimpy-test/merged:1"
    options = ("--trace", str(trace), "--no-crawl", "--http", "/", "--tag", tag)
    built = slim("build", image, *options, "--report-dir", str(tmp_path / "report"), "--json")
    assert built.returncode == 0, built.stderr
    engine.remove_tag(tag)
    assert not leftovers(engine)


def test_a_failing_test_saves_no_trace(image: str, tmp_path: Path) -> None:
    trace = tmp_path / "t.trace"
    done = slim("trace", image, "-o", str(trace), "--", "false")
    assert done.returncode == 8
    assert "exit code 1" in done.stderr and not trace.exists()


def test_the_bundle_has_every_form(bundle: Path) -> None:
    assert {path.name for path in bundle.iterdir()} >= {
        "seccomp.json",
        "apparmor.profile",
        "docker-run.sh",
        "compose.yaml",
        "kubernetes.yaml",
        "seccomp-profile.yaml",
        "hardening.json",
    }
    machine = json.loads((bundle / "hardening.json").read_text())
    assert machine["capabilities"] == []
    assert machine["no_new_privileges"] and machine["read_only"]


def test_an_image_passes_under_its_own_bundle(image: str, bundle: Path) -> None:
    done = slim("harden", "check", image, "--profile", str(bundle), *PROBES)
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_a_bundle_refuses_is_named(image: str, bundle: Path, tmp_path: Path) -> None:
    profile = json.loads((bundle / "seccomp.json").read_text())
    for rule in profile["syscalls"]:
        rule["names"] = [name for name in rule["names"] if not name.startswith("accept")]
    (tmp_path / "seccomp.json").write_text(json.dumps(profile))
    (tmp_path / "hardening.json").write_text((bundle / "hardening.json").read_text())
    done = slim(
        "harden", "check", image, "--profile", str(tmp_path), *PROBES, "--ready-timeout", "8"
    )
    assert done.returncode == 13
    assert "system call accept" in done.stdout


def test_a_bundle_that_is_not_there_is_an_error(image: str, tmp_path: Path) -> None:
    done = slim("harden", "check", image, "--profile", str(tmp_path))
    assert done.returncode == 16
    assert "no hardening bundle" in done.stderr


def test_a_shell_completes_the_names_of_images(image: str) -> None:
    said = subprocess.run(
        [sys.executable, "-m", "slimpy"],
        env={
            **os.environ,
            "_SLIM_COMPLETE": "bash_complete",
            "COMP_WORDS": f"slim build {image[:-2]}",
            "COMP_CWORD": "2",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert f"plain,{image}" in said.stdout.splitlines()
