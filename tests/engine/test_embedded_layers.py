"""`slim xray` of images in the embedded engine's store tells what it tells of their archives."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import embedded

pytestmark = pytest.mark.engine

NAME = "slimpy-test/layers:1"
SECONDS = 300
DOCKERFILE = """\
FROM debian:bookworm
RUN mkdir -p /data/deep && head -c 300000 /dev/zero > /data/a && ln /data/a /data/b \\
    && mknod /data/null c 1 3 && chown 33:65534 /data/b && echo x > /data/deep/x \\
    && touch "/data/$(head -c 150 /dev/zero | tr '\\0' n)" && echo y > /opt/same && echo y > /opt/as
RUN rm /data/b && rm -rf /data/deep && mkdir /data/deep && echo new > /data/deep/y && rm /etc/motd
RUN chown -R 7:7 /opt && chmod 4755 /usr/bin/env && rm /data/a
"""
ADD = """
import sys
from pathlib import Path
from slimpy.engine.embedded.store import LayerStore
from slimpy.image.archives import open_archive

with open_archive(Path(sys.argv[1])) as sources:
    print(LayerStore.open().add(sources[0], sources[0].tags).id)
"""


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A home directory for everybody, with an archive of the image in it."""
    with tempfile.TemporaryDirectory(
        prefix="slimpy-test-home-", dir="/var/tmp", ignore_cleanup_errors=True
    ) as name:
        home = Path(name)
        home.chmod(0o777)
        subprocess.run(
            ["docker", "build", "-q", "-t", NAME, "-"],
            input=DOCKERFILE.encode(),
            check=True,
            capture_output=True,
            timeout=SECONDS,
        )
        save = ["docker", "save", "--output", str(home / "image.tar"), NAME]
        subprocess.run(save, check=True, timeout=SECONDS)
        subprocess.run(["docker", "rmi", "-f", NAME], check=True, capture_output=True)
        (home / "image.tar").chmod(0o644)
        yield home


def output(argv: list[str], cwd: Path) -> str:
    done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-3000:]
    return done.stdout


def check(python: list[str], cwd: Path, archive: Path) -> Any:
    """Compare all that is told, with every path that each layer changes."""
    output([*python, "-c", ADD, str(archive)], cwd)
    xray = [*python, "-m", "slimpy", "xray", "--json", "--paths"]
    whole = json.loads(output([*xray, f"docker-archive:{archive}"], cwd))
    found = json.loads(output([*xray, NAME, "--engine", "embedded"], cwd))
    assert found["image"].pop("reference") == NAME
    del whole["image"]["reference"]
    assert found == whole
    return found


def test_root(place: Path) -> None:
    cache = place / "root"
    env = ["env", f"XDG_CACHE_HOME={cache}", f"PYTHONPATH={embedded.ROOT}"]
    found = check([*env, sys.executable], place, place / "image.tar")
    assert [path.name for path in (cache / "slimpy").iterdir()] == ["root"]
    image = found["image"]
    assert len(image["layers"]) == 4 and not image["warnings"]
    assert image["wasted_bytes"] > 300_000
    assert image["duplicates"] and image["packages"]
    changes = {(item["path"], item["change"], item["type"]) for item in found["changes"][1]}
    assert ("/data/null", "added", "c") in changes
    assert [item["blob"] for item in image["layers"]] == [
        item["diff_id"] for item in image["layers"]
    ], "nothing of the archive is compressed"


def test_an_ordinary_user(place: Path) -> None:
    """Who can neither make devices nor read the files of others outside of a namespace."""
    assert embedded.python_versions_agree()
    with embedded.readable_copy() as copy:
        python = embedded.as_user(copy, place)
        check(python, copy, place / "image.tar")
        assert [path.name for path in (place / ".cache/slimpy").iterdir()] == ["ranges"]
    subprocess.run(["rm", "-rf", str(place / ".cache")], check=True)
