"""Outputs to files and layouts: whole or not at all, nothing of the user's lost, read by others."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from slimpy.errors import OutputError, SlimError, SourceError
from slimpy.image import outputs
from slimpy.image.oci import Platform
from slimpy.image.references import parse
from slimpy.image.sources import open_source
from tests.sources import MemorySource, memory

AMD, ARM = memory(b"amd", b"more"), memory(b"arm", architecture="arm64")


def add(directory: Path, *images: MemorySource, label: str = "v1", name: str = "") -> None:
    with outputs.layout(images, label, name, directory) as commit:
        commit()


def pack(path: Path, *images: MemorySource, names: tuple[str, ...] = ("team/app:1",)) -> None:
    with outputs.archive(images, "v1", names, path) as commit:
        commit()


def config(reference: str, platform: str = "") -> bytes:
    wanted = Platform(*platform.split("/")) if platform else None
    with open_source(parse(reference), wanted) as source:
        for layer in source.manifest.layers:
            with source.open(layer) as file:
                file.read()
        return source.config


def everything(place: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(place)): path.read_bytes() if path.is_file() else b""
        for path in sorted(place.rglob("*"))
    }


def test_a_new_layout_and_one_that_is_added_to(tmp_path: Path) -> None:
    place = tmp_path / "new/deep"
    add(place, AMD)
    blobs = {path: path.stat().st_ino for path in (place / "blobs/sha256").iterdir()}
    add(place, AMD, label="v2")
    assert {path: path.stat().st_ino for path in (place / "blobs/sha256").iterdir()} == blobs
    add(place, ARM, label="v1")
    assert config(f"oci:{place}:v2") == AMD.config
    assert config(f"oci:{place}:v1") == ARM.config
    assert len(json.loads((place / "index.json").read_text())["manifests"]) == 2


def test_what_others_wrote_into_the_index_stays(tmp_path: Path) -> None:
    add(tmp_path, AMD, label="theirs")
    index = json.loads((tmp_path / "index.json").read_text())
    index["annotations"] = {"a": "b"}
    index["manifests"][0]["artifactType"] = "x/y"
    (tmp_path / "index.json").write_text(json.dumps(index))
    add(tmp_path, ARM, label="ours")
    found = json.loads((tmp_path / "index.json").read_text())
    assert found["annotations"] == {"a": "b"}
    assert found["manifests"][0] == index["manifests"][0]


def test_several_platforms_are_an_index(tmp_path: Path) -> None:
    add(tmp_path / "x", AMD, ARM)
    pack(tmp_path / "x.tar", AMD, ARM)
    for where in ("oci:x", "oci-archive:x.tar"):
        form, _, name = where.partition(":")
        reference = f"{form}:{tmp_path}/{name}:v1"
        assert config(reference, "linux/arm64") == ARM.config
        assert config(reference, "linux/amd64") == AMD.config


def test_an_archive_is_both_kinds_and_always_the_same(tmp_path: Path) -> None:
    pack(tmp_path / "a.tar", AMD)
    pack(tmp_path / "b.tar", AMD)
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()
    for form in ("docker-archive", "oci-archive"):
        assert config(f"{form}:{tmp_path}/a.tar") == AMD.config


def test_nothing_is_left_of_an_output_that_fails(tmp_path: Path) -> None:
    layer = AMD.manifest.layers[1].digest
    broken = replace(AMD, blobs={**AMD.blobs, layer: AMD.blobs[layer][:-1] + b"!"})
    add(tmp_path / "old", ARM)
    pack(tmp_path / "old.tar", ARM)
    before = everything(tmp_path)
    for name in ("old", "new"):
        with pytest.raises(SourceError):
            add(tmp_path / name, broken)
        with pytest.raises(SourceError):
            pack(tmp_path / f"{name}.tar", broken)
    assert everything(tmp_path) == before


def test_nothing_is_written_before_the_end(tmp_path: Path) -> None:
    add(tmp_path / "old", ARM)
    (tmp_path / "old.tar").write_bytes(b"the user's")
    before = everything(tmp_path)
    with (
        outputs.layout((AMD,), "v1", "", tmp_path / "old"),
        outputs.layout((AMD,), "v1", "", tmp_path / "new/deep"),
        outputs.archive((AMD,), "v1", (), tmp_path / "old.tar"),
    ):
        assert config(f"oci:{tmp_path}/old:v1") == ARM.config
        assert (tmp_path / "old.tar").read_bytes() == b"the user's"
    assert everything(tmp_path) == before


def test_a_damaged_blob_of_the_layout_is_mended(tmp_path: Path) -> None:
    add(tmp_path, AMD)
    path = tmp_path / "blobs/sha256" / AMD.manifest.layers[0].digest.removeprefix("sha256:")
    path.write_bytes(bytes(path.stat().st_size))
    add(tmp_path, AMD, label="v2")
    assert config(f"oci:{tmp_path}:v2") == AMD.config


def test_an_output_through_a_link_goes_to_its_file(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "a.tar").symlink_to("real/b.tar")
    pack(tmp_path / "a.tar", AMD)
    assert (tmp_path / "a.tar").is_symlink()
    assert config(f"docker-archive:{tmp_path}/real/b.tar") == AMD.config


@pytest.mark.parametrize("part", ["blobs", "blobs/sha256"])
def test_a_layout_with_links_is_not_written_to(tmp_path: Path, part: str) -> None:
    add(tmp_path / "x", ARM)
    outside = tmp_path / "outside"
    shutil.move(tmp_path / "x" / part, outside)
    (tmp_path / "x" / part).symlink_to(outside)
    before = everything(outside)
    with pytest.raises(SlimError):
        add(tmp_path / "x", AMD, label="v2")
    assert everything(outside) == before


def test_places_that_cannot_be_written_are_found_out_before(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("the user's")
    (tmp_path / "full").mkdir()
    (tmp_path / "full/thesis").write_text("the user's")
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged/index.json").write_text("{")
    os.mkfifo(tmp_path / "pipe")
    for check, name in (
        (outputs.check_archive, "full"),
        (outputs.check_archive, "pipe"),
        (outputs.check_archive, "no/such/place.tar"),
        (outputs.check_archive, "file/x.tar"),
        (outputs.check_layout, "file"),
        (outputs.check_layout, "full"),
        (outputs.check_layout, "file/x"),
        (outputs.check_layout, "damaged"),
    ):
        with pytest.raises((OutputError, SourceError)) as caught:
            check(tmp_path / name)
        assert caught.value.message.endswith(".")
    with pytest.raises(OutputError):
        add(tmp_path / "full", AMD)
    assert (tmp_path / "full/thesis").read_text() == "the user's"


def test_places_that_can_be_written_are_left_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "old.tar").write_bytes(b"the user's")
    add(tmp_path / "layout", AMD)
    before = everything(tmp_path)
    outputs.check_archive(tmp_path / "old.tar")
    outputs.check_archive(tmp_path / "new.tar")
    for name in ("empty", "layout", "new", "new/deep/er"):
        outputs.check_layout(tmp_path / name)
    assert everything(tmp_path) == before
