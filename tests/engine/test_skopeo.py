"""What we write skopeo reads, and what skopeo writes we read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from slimpy import proc
from slimpy.image import outputs
from slimpy.image.references import parse
from slimpy.image.sources import open_source
from tests.sources import memory

pytestmark = pytest.mark.engine

MADE = memory(b"one", b"two")


@pytest.mark.parametrize(
    "source", ["docker-archive:x.tar:team/app:1", "oci-archive:x.tar:v1", "oci:x:v1"]
)
@pytest.mark.parametrize("target", ["docker-archive:y.tar:b:2", "oci-archive:y.tar:v2", "oci:y:v2"])
def test_both_ways(tmp_path: Path, source: str, target: str) -> None:
    with (
        outputs.layout((MADE,), "v1", "", tmp_path / "x") as enter,
        outputs.archive((MADE,), "v1", ("team/app:1",), tmp_path / "x.tar") as put,
    ):
        enter()
        put()
    placed = [text.replace(":", f":{tmp_path}/", 1) for text in (source, target)]
    proc.run(["skopeo", "--insecure-policy", "copy", "-q", *placed])
    with open_source(parse(placed[1])) as found:
        for layer in found.manifest.layers:
            with found.open(layer) as file:
                file.read()
        assert json.loads(found.config)["rootfs"] == json.loads(MADE.config)["rootfs"]
