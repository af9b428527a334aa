"""`slim xray` on an image that was built with planted waste, secrets and rights."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from slimpy.errors import ThresholdError
from slimpy.image import outputs
from slimpy.image.references import parse
from slimpy.image.sources import open_source
from tests.e2e.test_samples import slim

pytestmark = pytest.mark.e2e

NAME = "slimpy-test/xray:1"
SECRET = "hunter2hunter2"
DOCKERFILE = f"""\
FROM debian:bookworm
ENV DB_PASSWORD={SECRET}
RUN mkdir -p /gone/deep && head -c 300000 /dev/zero > /waste && \\
    head -c 200000 /dev/zero > /gone/deep/x
RUN echo machine h login u password {SECRET} > /root/.netrc
RUN rm -rf /waste /gone && mkdir /gone && echo new > /gone/y
RUN rm /root/.netrc && echo x > /usr/bin/sneaky && chmod 4755 /usr/bin/sneaky
USER nobody
"""


@pytest.fixture(scope="module")
def planted() -> Iterator[str]:
    built = subprocess.run(
        ["docker", "build", "-q", "-t", NAME, "-"],
        input=DOCKERFILE.encode(),
        capture_output=True,
        timeout=300,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    yield NAME
    subprocess.run(["docker", "rmi", "-f", NAME], capture_output=True, timeout=60, check=True)


def told(*arguments: str, code: int = 0) -> Any:
    done = slim("xray", *arguments, "--json")
    assert done.returncode == code, done.stderr
    assert SECRET not in done.stdout + done.stderr
    return json.loads(done.stdout)


def test_what_was_planted_is_found(planted: str) -> None:
    image = told(planted, "--engine", "docker")["image"]
    assert image["wasted_bytes"] >= 500_000
    assert {"/waste": 300_000, "/gone/deep/x": 200_000}.items() <= {
        item["path"]: item["bytes"] for item in image["wasted"]
    }.items()
    assert "/usr/bin/sneaky" in [item["path"] for item in image["setuid"]]
    found = {(item["kind"], item["path"]) for item in image["secrets"]}
    assert ("login in .netrc", "/root/.netrc") in found
    assert ("value of DB_PASSWORD", "ENV DB_PASSWORD") in found
    assert (image["user"], image["root"]) == ("nobody", False)
    assert "Debian GNU/Linux 12" in image["system"]
    assert {"kind": "deb", "name": "bash"}.items() <= next(
        item for item in image["packages"] if item["name"] == "bash"
    ).items()
    last = image["layers"][-1]
    assert "chmod 4755 /usr/bin/sneaky" in last["instruction"]
    assert last["removed"] == 1


def test_the_same_image_as_files_gives_the_same(planted: str, tmp_path: Path) -> None:
    archive = tmp_path / "image.tar"
    subprocess.run(["docker", "save", "-o", str(archive), planted], timeout=120, check=True)
    reference = f"docker-archive:{archive}"
    place = tmp_path / "layout"
    with (
        open_source(parse(reference)) as source,
        outputs.layout((source,), "latest", planted, place) as commit,
    ):
        commit()
    stored = told(planted, "--engine", "docker")["image"]
    for other in (reference, f"oci:{place}"):
        image = told(other)["image"]
        alike = ("layers", "wasted", "secrets", "efficiency", "packages", "visible_bytes")
        same = [
            [
                {key: value for key, value in item.items() if key not in ("blob", "stored_bytes")}
                if name == "layers"
                else item
                for item in (whole[name] if isinstance(whole[name], list) else [whole[name]])
            ]
            for whole in (stored, image)
            for name in alike
        ]
        assert same[: len(alike)] == same[len(alike) :]


def test_text_layer_and_dockerfile(planted: str) -> None:
    done = slim("xray", planted, "--engine", "docker")
    assert done.returncode == 0, done.stderr
    assert "  300.0 kB  /waste (removed, 1 copies)" in done.stdout
    assert SECRET not in done.stdout
    layer = slim("xray", planted, "--engine", "docker", "--layer", "4").stdout
    assert "- " in layer and "/waste" in layer and "/gone/deep/x" in layer
    recipe = slim("xray", planted, "--engine", "docker", "--dockerfile").stdout
    assert "ENV DB_PASSWORD=***" in recipe and "USER nobody" in recipe


def test_broken_thresholds_have_an_exit_code_and_are_named(planted: str, tmp_path: Path) -> None:
    done = slim("xray", planted, "--engine", "docker", "--max-size", "1MB", "--no-setuid")
    assert done.returncode == ThresholdError.exit_code
    assert "breaks 2 thresholds: max-size, no-setuid." in done.stderr
    assert slim("xray", planted, "--engine", "docker", "--no-root").returncode == 0
    project = tmp_path / "slimpy.toml"
    project.write_text("[xray]\nmax-layers = 2\n")
    done = slim("xray", planted, "--engine", "docker", "--ci", "--config", str(project))
    assert done.returncode == ThresholdError.exit_code
    assert "breaks the threshold max-layers." in done.stderr
    assert slim("xray", planted, "--engine", "docker", "--ci").returncode == 21


def test_what_cannot_be_asked_is_said(planted: str, tmp_path: Path) -> None:
    done = slim("xray", planted, "--engine", "docker", "--layer", "99")
    assert done.returncode == 2 and "There is no layer 99" in done.stderr
    done = slim("xray", planted, "--max-size", "big")
    assert done.returncode == 2 and "is no size" in done.stderr
    (tmp_path / "no.tar").write_bytes(b"no archive")
    done = slim("xray", f"docker-archive:{tmp_path / 'no.tar'}")
    assert done.returncode == 18
