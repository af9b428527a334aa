"""The demo without Docker: an image made of packages, slimmed by the embedded engine."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.oddities import ROOT, environment

pytestmark = pytest.mark.e2e


def test_the_demo_needs_no_daemon(tmp_path: Path) -> None:
    """A second run takes the image that the first one made."""
    samples = tmp_path / "sample_apps"
    samples.mkdir()
    shutil.copytree(ROOT / "sample_apps" / "nginx", samples / "nginx")
    for name in ("demo.sh", "archive.sh", "archive.py"):
        shutil.copy2(ROOT / "sample_apps" / name, samples)
    # archive.py looks for the program beside itself, as in a checkout.
    for name in ("slimpy", "probes"):
        (tmp_path / name).symlink_to(ROOT / name)
    slim = tmp_path / "slim"
    slim.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m slimpy "$@"\n')
    slim.chmod(0o755)
    more = {"DOCKER_HOST": "unix:///nowhere/docker.sock", "XDG_CACHE_HOME": str(tmp_path / "c")}
    variables = environment(SLIM="./slim", PYTHON=sys.executable, **more)
    first, second = (demo(tmp_path, variables) for _ in range(2))
    assert "is made of Debian's packages" in first and "of an earlier demo" in second
    assert first.count("/usr/bin/perl removed") == 1
    report = json.loads((tmp_path / "slim-report/nginx/report.json").read_text())
    assert report["status"] == "slimmed" and report["factor"] > 10
    assert {item["verdict"] for item in report["exchanges"]} == {"same"}
    assert (tmp_path / "build/nginx-slim.tar").stat().st_size > 10**6
    assert (tmp_path / "slim-report/nginx/report.html").exists()


def demo(place: Path, variables: dict[str, str]) -> str:
    """What it printed."""
    done = subprocess.run(
        ["sample_apps/demo.sh"], cwd=place, env=variables, capture_output=True, text=True,
        timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def test_it_says_what_it_lacks(tmp_path: Path) -> None:
    """Without root and sudo nothing is installed."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("sh", "dirname", "find", "head", "env"):
        (programs / name).symlink_to(str(shutil.which(name)))
    (programs / "id").write_text("#!/bin/sh\necho 1234\n")
    (programs / "id").chmod(0o755)
    done = subprocess.run(
        [str(ROOT / "sample_apps/demo.sh")], cwd=tmp_path, env={"PATH": str(programs)},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith("demo: this is needed first, as root: apt-get install strace")
    assert "uidmap" in done.stderr and "mmdebstrap" in done.stderr
