"""The archive: both manifests lead to the same, whole blobs."""

from __future__ import annotations

import hashlib
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from slimpy.errors import DiskFullError, OutputError, PackError
from slimpy.model import Layer
from slimpy.pack.archive import write_archive

CONFIG: dict[str, Any] = {"os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}


def make_layer(place: Path, data: bytes = b"x" * 10240) -> Layer:
    (place / "layer.tar").write_bytes(data)
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    return Layer(str(place / "layer.tar"), digest, len(data), 1, 1)


def contents(archive: Path) -> dict[str, bytes]:
    with tarfile.open(archive) as tar:
        files = {member.name: tar.extractfile(member) for member in tar if member.isreg()}
        return {name: file.read() for name, file in files.items() if file is not None}


def blob(files: dict[str, bytes], descriptor: dict[str, Any]) -> bytes:
    data = files["blobs/sha256/" + descriptor["digest"].removeprefix("sha256:")]
    assert descriptor["digest"] == f"sha256:{hashlib.sha256(data).hexdigest()}"
    assert descriptor["size"] == len(data)
    return data


def test_both_manifests_lead_to_the_same_blobs(tmp_path: Path) -> None:
    layer = make_layer(tmp_path)
    image_id = write_archive(layer, CONFIG, "app:slim", tmp_path / "out.tar")
    files = contents(tmp_path / "out.tar")
    assert json.loads(files["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
    (described,) = json.loads(files["index.json"])["manifests"]
    assert described["annotations"] == {
        "org.opencontainers.image.ref.name": "slim",
        "io.containerd.image.name": "docker.io/library/app:slim",
    }
    manifest = json.loads(blob(files, described))
    assert json.loads(blob(files, manifest["config"])) == CONFIG
    assert blob(files, manifest["layers"][0]) == Path(layer.path).read_bytes()
    assert image_id == manifest["config"]["digest"]
    (docker,) = json.loads(files["manifest.json"])
    assert docker["RepoTags"] == ["app:slim"]
    assert docker["Config"] == "blobs/sha256/" + image_id.removeprefix("sha256:")
    assert docker["Layers"] == ["blobs/sha256/" + layer.diff_id.removeprefix("sha256:")]
    assert len(files) == 6


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    layer = make_layer(tmp_path)
    ids = [write_archive(layer, CONFIG, "app", tmp_path / name) for name in ("one", "two")]
    assert ids[0] == ids[1]
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_a_configuration_in_bytes_is_taken_as_it_is(tmp_path: Path) -> None:
    config = b'{"os": "linux"}'
    image_id = write_archive(make_layer(tmp_path), config, "app", tmp_path / "out.tar")
    assert image_id == f"sha256:{hashlib.sha256(config).hexdigest()}"


@pytest.mark.parametrize(
    ("tag", "familiar", "full"),
    [
        ("app", "app:latest", "docker.io/library/app:latest"),
        ("me/app:1.0-a", "me/app:1.0-a", "docker.io/me/app:1.0-a"),
        ("localhost/app", "localhost/app:latest", "localhost/app:latest"),
        ("host.example:5000/app", "host.example:5000/app:latest", "host.example:5000/app:latest"),
        ("host:5000/a/b:t", "host:5000/a/b:t", "host:5000/a/b:t"),
    ],
)
def test_names(tmp_path: Path, tag: str, familiar: str, full: str) -> None:
    write_archive(make_layer(tmp_path), CONFIG, tag, tmp_path / "out.tar")
    files = contents(tmp_path / "out.tar")
    (docker,) = json.loads(files["manifest.json"])
    (described,) = json.loads(files["index.json"])["manifests"]
    assert docker["RepoTags"] == [familiar]
    assert described["annotations"]["io.containerd.image.name"] == full


@pytest.mark.parametrize("tag", ["", ":", "app:", "app@sha256:12", "a b", "app:-x", "app\n"])
def test_what_is_no_name_is_refused(tmp_path: Path, tag: str) -> None:
    with pytest.raises(PackError, match="cannot be the name"):
        write_archive(make_layer(tmp_path), CONFIG, tag, tmp_path / "out.tar")


@pytest.mark.parametrize("change", [b"y" * 10240, b"x" * 10000, b"x" * 20000])
def test_a_layer_that_was_changed_is_refused(tmp_path: Path, change: bytes) -> None:
    layer = make_layer(tmp_path)
    Path(layer.path).write_bytes(change)
    with pytest.raises(PackError, match=r"was changed|bytes"):
        write_archive(layer, CONFIG, "app", tmp_path / "out.tar")


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="nothing/here"):
        write_archive(make_layer(tmp_path), CONFIG, "app", tmp_path / "nothing" / "here")


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    full = Path("/dev/full")
    if not full.is_char_device():
        pytest.skip("this system has no /dev/full")
    with pytest.raises(DiskFullError, match="No space"):
        write_archive(make_layer(tmp_path), CONFIG, "app", full)
