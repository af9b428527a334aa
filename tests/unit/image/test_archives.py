"""Archives and layouts as sources of images: every form that is read, and every lie refused."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard

from slimpy.errors import PlatformError, SlimError, SourceError
from slimpy.image import hybrid, members
from slimpy.image.archives import open_archive
from slimpy.image.oci import DOCUMENT_LIMIT, INDEX_TYPE, MANIFEST_TYPE, ImageSource, Platform
from slimpy.image.references import parse
from slimpy.image.sources import open_source, platforms_of
from tests.sources import MemorySource, digest, docker_save, link, memory, tar, written

Members = dict[str, bytes | tarfile.TarInfo]


def read(source: ImageSource) -> list[bytes]:
    """The layers, as they are stored."""
    found = []
    for layer in source.manifest.layers:
        with source.open(layer) as file:
            found.append(file.read())
    return found


def opened(reference: str, platform: str = "") -> tuple[ImageSource, list[bytes]]:
    wanted = Platform(*platform.split("/")) if platform else None
    with open_source(parse(reference), wanted) as source:
        return source, read(source)


def layers(source: MemorySource) -> list[bytes]:
    return [source.blobs[layer.digest] for layer in source.manifest.layers]


def layout(directory: Path, *images: MemorySource, label: str = "v1") -> Path:
    """A layout in a directory, as our own archive has it."""
    data = b"".join(hybrid.stream(images, label, ("team/app:v1",)))
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        archive.extractall(directory, filter="data")
    return directory


# -- docker-archive


def test_what_docker_saves_is_read_in_place(tmp_path: Path) -> None:
    made = memory(b"one", b"two")
    file = written(tmp_path / "a.tar", docker_save(made, "app:1", "docker.io/team/app:2"))
    source, found = opened(f"docker-archive:{file}")
    assert found == layers(made)
    assert source.config == made.config
    assert source.digest == digest(made.config)
    assert source.tags == ("app:1", "team/app:2")
    assert [layer.digest for layer in source.manifest.layers] == [
        digest(item) for item in layers(made)
    ]


def test_compressed_layers_have_their_own_digest(tmp_path: Path) -> None:
    made = memory(b"one", compress=True)
    file = written(tmp_path / "a.tar", docker_save(made, "app:1"))
    source, found = opened(f"docker-archive:{file}")
    assert found == layers(made)
    assert source.manifest.layers == made.manifest.layers


def test_a_layer_that_is_there_twice_may_be_a_link(tmp_path: Path) -> None:
    made = memory(b"same", b"same")
    # Both have the same file name, so these two layers are one.
    assert made.manifest.layers[0].digest != made.manifest.layers[1].digest
    twice = memory(b"x")
    config = json.loads(twice.config)
    config["rootfs"]["diff_ids"] *= 3
    names = ["a/layer.tar", "b/layer.tar", "c/layer.tar"]
    items: Members = {
        "a/layer.tar": layers(twice)[0],
        "b/layer.tar": link("b/layer.tar", "../a/layer.tar"),
        "c/layer.tar": link("c/layer.tar", "b/layer.tar", tarfile.LNKTYPE),
        "c.json": json.dumps(config).encode(),
        "manifest.json": json.dumps([{"Config": "c.json", "Layers": names}]).encode(),
    }
    _, found = opened(f"docker-archive:{written(tmp_path / 'a.tar', items)}")
    assert found == layers(twice) * 3


@pytest.mark.parametrize("compressed", [gzip.compress, bz2.compress, lzma.compress])
def test_an_archive_that_is_compressed_as_a_whole(
    tmp_path: Path, compressed: Callable[[bytes], bytes]
) -> None:
    made = memory(b"one")
    file = tmp_path / "a.tar.x"
    file.write_bytes(compressed(tar(docker_save(made))))
    assert opened(f"docker-archive:{file}")[1] == layers(made)
    file.write_bytes(compressed(tar(docker_save(made)))[:-40])
    with pytest.raises(SourceError):
        opened(f"docker-archive:{file}")


def test_zstd_around_the_whole_is_named(tmp_path: Path) -> None:
    file = tmp_path / "a.tar.zst"
    file.write_bytes(zstandard.compress(tar(docker_save(memory(b"one")))))
    with pytest.raises(SourceError, match="zstd"):
        opened(f"docker-archive:{file}")


def test_one_of_several_images_is_chosen_by_name_or_place(tmp_path: Path) -> None:
    first, second = memory(b"one"), memory(b"two")
    items = docker_save(first, "a:1") | {
        f"other/{name}": data for name, data in docker_save(second).items()
    }
    entries = json.loads(docker_save(first, "a:1")["manifest.json"])  # type: ignore[arg-type]
    other = json.loads(docker_save(second, "h.example/b:2")["manifest.json"])[0]  # type: ignore[arg-type]
    other["Config"] = f"other/{other['Config']}"
    other["Layers"] = [f"other/{name}" for name in other["Layers"]]
    items["manifest.json"] = json.dumps([*entries, other]).encode()
    file = written(tmp_path / "a.tar", items)
    for label, made in (("a:1", first), ("h.example/b:2", second), ("@1", second), ("@0", first)):
        assert opened(f"docker-archive:{file}:{label}")[1] == layers(made)
    for label in ("", ":b:2", ":@2"):
        with pytest.raises(SourceError):
            opened(f"docker-archive:{file}{label}")
    with open_archive(file) as sources:
        assert [source.config for source in sources] == [first.config, second.config]


def test_another_platform_than_the_archives(tmp_path: Path) -> None:
    file = written(tmp_path / "a.tar", docker_save(memory(b"one", architecture="arm64")))
    assert opened(f"docker-archive:{file}", "linux/arm64")[1]
    assert platforms_of(parse(f"docker-archive:{file}")) == (Platform("linux", "arm64"),)
    with pytest.raises(PlatformError, match="linux/arm64"):
        opened(f"docker-archive:{file}", "linux/amd64")


# -- layouts


@pytest.mark.parametrize("form", ["oci", "oci-archive"])
def test_a_layout_is_read_by_its_labels(tmp_path: Path, form: str) -> None:
    made = memory(b"one", b"two", compress=True)
    place = tmp_path / "place"
    if form == "oci":
        layout(place, made)
    else:
        place.write_bytes(b"".join(hybrid.stream((made,), "v1", ("team/app:v1",))))
    for label in ("", ":v1", ":team/app:v1", ":@0"):
        source, found = opened(f"{form}:{place}{label}")
        assert found == layers(made)
        assert source.tags == ("team/app:v1",)
    for label in (":v2", ":team/app:v2", ":@1"):
        with pytest.raises(SourceError):
            opened(f"{form}:{place}{label}")


def test_the_platform_is_chosen_from_an_index(tmp_path: Path) -> None:
    amd, arm = memory(b"amd"), memory(b"arm", architecture="arm64", variant="v8")
    place = layout(tmp_path / "x", arm, amd)
    assert platforms_of(parse(f"oci:{place}")) == (
        Platform("linux", "arm64"),
        Platform("linux", "amd64"),
    )
    assert opened(f"oci:{place}:v1", "linux/arm64")[1] == layers(arm)
    assert opened(f"oci:{place}:v1", "linux/amd64")[1] == layers(amd)
    with pytest.raises(PlatformError, match="linux/amd64, linux/arm64/v8"):
        opened(f"oci:{place}", "linux/s390x")


def test_an_index_may_lie_flat_or_deep_but_not_endlessly(tmp_path: Path) -> None:
    amd, arm = memory(b"amd"), memory(b"arm", architecture="arm64")
    place = layout(tmp_path / "x", arm, amd)
    index = json.loads((place / "index.json").read_text())
    inner = place / "blobs/sha256" / index["manifests"][0]["digest"].removeprefix("sha256:")
    (place / "index.json").write_bytes(inner.read_bytes())
    assert opened(f"oci:{place}", "linux/arm64")[1] == layers(arm)
    data = inner.read_bytes()
    for depth in range(8):
        (place / "blobs/sha256" / digest(data).removeprefix("sha256:")).write_bytes(data)
        entry = {"mediaType": INDEX_TYPE, "digest": digest(data), "size": len(data)}
        data = json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode()
        (place / "index.json").write_bytes(data)
        if depth < 3:
            assert opened(f"oci:{place}", "linux/arm64")[1] == layers(arm)
    with pytest.raises(SourceError, match="nested"):
        opened(f"oci:{place}")


def test_an_archive_gives_all_its_images(tmp_path: Path) -> None:
    amd, arm = memory(b"amd"), memory(b"arm", architecture="arm64")
    file = tmp_path / "a.tar"
    file.write_bytes(b"".join(hybrid.stream((amd, arm), "v1", ())))
    with open_archive(file) as sources:
        assert [read(source) for source in sources] == [layers(amd), layers(arm)]


# -- lies


def damaged(tmp_path: Path, change: Callable[[Path, MemorySource], None]) -> SlimError:
    """What is said of a layout after a change."""
    made = memory(b"one")
    place = layout(tmp_path / "x", made)
    change(place, made)
    with pytest.raises(SourceError) as caught:
        opened(f"oci:{place}")
    assert caught.value.message.endswith(".") and "\n" not in caught.value.message
    return caught.value


def blob(place: Path, made: MemorySource) -> Path:
    return place / "blobs/sha256" / made.manifest.layers[0].digest.removeprefix("sha256:")


def _document(place: Path, change: Callable[[Any], Any]) -> None:
    """Change the manifest, and the index so that it agrees."""
    index = json.loads((place / "index.json").read_text())
    entry = index["manifests"][0]
    old = place / "blobs/sha256" / entry["digest"].removeprefix("sha256:")
    data = json.dumps(change(json.loads(old.read_text()))).encode()
    entry |= {"digest": digest(data), "size": len(data)}
    (place / "blobs/sha256" / digest(data).removeprefix("sha256:")).write_bytes(data)
    (place / "index.json").write_text(json.dumps(index))


def _index(place: Path, **change: object) -> None:
    index = json.loads((place / "index.json").read_text())
    index["manifests"][0] |= change
    (place / "index.json").write_text(json.dumps(index))


def _same_size(place: Path, made: MemorySource) -> None:
    file = blob(place, made)
    file.write_bytes(file.read_bytes()[:-1] + b"!")


def _link(place: Path, made: MemorySource) -> None:
    file = blob(place, made)
    outside = place.parent / "outside"
    outside.write_bytes(file.read_bytes())
    file.unlink()
    file.symlink_to(outside)


def _linked_directory(place: Path, made: MemorySource) -> None:
    (place / "blobs").rename(place.parent / "elsewhere")
    (place / "blobs").symlink_to(place.parent / "elsewhere")


def _linked_index(place: Path, made: MemorySource) -> None:
    (place / "index.json").rename(place.parent / "index.json")
    (place / "index.json").symlink_to(place.parent / "index.json")


def _pipe(place: Path, made: MemorySource) -> None:
    blob(place, made).unlink()
    os.mkfifo(blob(place, made))


def _layers(**change: object) -> Callable[[Path, MemorySource], None]:
    def changed(place: Path, made: MemorySource) -> None:
        def change_layers(document: Any) -> Any:
            document["layers"][0] |= change
            return document

        _document(place, change_layers)

    return changed


LIES: dict[str, Callable[[Path, MemorySource], None]] = {
    "another blob of the same size": _same_size,
    "a shorter blob": lambda place, made: os.truncate(blob(place, made), 100),
    "a longer blob": lambda place, made: blob(place, made).write_bytes(bytes(100_000)),
    "a missing blob": lambda place, made: blob(place, made).unlink(),
    "a blob that is a link": _link,
    "a directory that is a link": _linked_directory,
    "an index that is a link": _linked_index,
    "a blob that is a pipe": _pipe,
    "a digest that is a path": lambda place, _: _index(place, digest="sha256:../../../etc/passwd"),
    "a digest of another kind": lambda place, _: _index(place, digest="md5:" + "a" * 32),
    "a digest with an end": lambda place, _: _index(place, digest="sha256:" + "a" * 64 + "\n"),
    "a digest that is a number": lambda place, _: _index(place, digest=7),
    "a negative size": lambda place, _: _index(place, size=-1),
    "a size that is true": lambda place, _: _index(place, size=True),
    "an unbelievable size": lambda place, _: _index(place, size=1 << 62),
    "a document of an unbelievable size": lambda place, _: _index(place, size=1 << 30),
    "a wrong size": lambda place, _: _index(place, size=10),
    "no index": lambda place, _: (place / "index.json").unlink(),
    "no mark": lambda place, _: (place / "oci-layout").unlink(),
    "another version": lambda place, _: (
        (place / "oci-layout").write_text('{"imageLayoutVersion": "2.0.0"}') and None
    ),
    "an index that is a list": lambda place, _: (place / "index.json").write_text("[]") and None,
    "an index that is no JSON": lambda place, _: (place / "index.json").write_text("{") and None,
    "an index nested in itself": lambda place, _: (
        (place / "index.json").write_text("[" * 100_000) and None
    ),
    "a huge index": lambda place, _: os.truncate(place / "index.json", DOCUMENT_LIMIT + 1),
    "an empty index": lambda place, _: (
        (place / "index.json").write_text('{"manifests": []}') and None
    ),
    "entries that are no list": lambda place, _: (
        (place / "index.json").write_text('{"manifests": {"a": 1}}') and None
    ),
    "a manifest without a configuration": lambda place, _: _document(
        place, lambda found: found | {"config": None}
    ),
    "a manifest of schema 1": lambda place, _: _document(
        place, lambda _: {"schemaVersion": 1, "fsLayers": []}
    ),
    "a layer with the digest of a path": _layers(digest="sha256:/etc/shadow"),
    "a layer of another size": _layers(size=5),
    "one layer more": lambda place, _: _document(
        place, lambda found: found | {"layers": found["layers"] * 2}
    ),
    "endless layers": lambda place, _: _document(
        place, lambda found: found | {"layers": found["layers"] * 2000}
    ),
}


@pytest.mark.parametrize("lie", LIES)
def test_each_lie_of_a_layout_is_one_clear_error(tmp_path: Path, lie: str) -> None:
    damaged(tmp_path, LIES[lie])


def spoiled(made: MemorySource, **changes: Any) -> Members:
    """What Docker saves, with a changed ``manifest.json``."""
    items = docker_save(made, "app:1")
    manifest = json.loads(items["manifest.json"])  # type: ignore[arg-type]
    manifest[0] |= changes
    return items | {"manifest.json": json.dumps(manifest).encode()}


def _spoil(lie: str) -> bytes:
    made = memory(b"one")
    items = docker_save(made, "app:1")
    config = next(name for name in items if name.endswith(".json") and name != "manifest.json")
    whole = tar(items)
    sparse = tarfile.TarInfo("sparse")
    sparse.type = tarfile.GNUTYPE_SPARSE
    match lie:
        case "empty":
            return b""
        case "no archive":
            return b"x" * 5000
        case "cut off":
            return whole[: len(whole) // 2]
        case "cut off at a header":
            return whole[:512]
        case "a damaged header":
            return whole.replace(b"manifest.json", b"manifest.jsom", 1)
        case "a size beyond the end":
            huge = tarfile.TarInfo("x")
            huge.size = 1 << 40
            return huge.tobuf(tarfile.GNU_FORMAT) + bytes(1024)
        case "a name that leads out":
            return tar(spoiled(made, Layers=["../../etc/passwd"]))
        case "an absolute name":
            return tar(spoiled(made, Layers=["/etc/passwd"]))
        case "a link that leads out":
            name = "0" * 64 + "/layer.tar"
            return tar(items | {name: link(name, "../../../../etc/passwd")})
        case "a link to itself":
            name = "0" * 64 + "/layer.tar"
            return tar(items | {name: link(name, "layer.tar")})
        case "the same file twice":
            return tar(items | {"./manifest.json": items["manifest.json"]})
        case "another layer":
            return tar(items | {"0" * 64 + "/layer.tar": bytes(1024)})
        case "another configuration":
            return tar(items | {config: made.config.replace(b"/app", b"/ppa")})
        case "a layer too few":
            return tar(spoiled(made, Layers=[]))
        case "layers that are numbers":
            return tar(spoiled(made, Layers=[1]))
        case "no configuration":
            return tar(spoiled(made, Config=None))
        case "a manifest that is an object":
            return tar(items | {"manifest.json": b"{}"})
        case "no manifest":
            return tar({name: data for name, data in items.items() if name != "manifest.json"})
        case "no images":
            return tar(items | {"manifest.json": b"[]"})
        case "a huge manifest":
            return tar(items | {"manifest.json": b" " * (DOCUMENT_LIMIT + 1)})
        case "a sparse file":
            return tar(items | {"sparse": sparse})
        case "a layer compressed with xz":
            name = "0" * 64 + "/layer.tar"
            return tar(items | {name: lzma.compress(b"x")})
        case "diffIDs that are paths":
            bad = json.dumps({"rootfs": {"diff_ids": ["../x"]}}).encode()
            return tar(spoiled(made, Config="bad.json") | {"bad.json": bad})
    raise AssertionError(lie)


@pytest.mark.parametrize(
    "lie",
    [
        "empty",
        "no archive",
        "cut off",
        "cut off at a header",
        "a damaged header",
        "a size beyond the end",
        "a name that leads out",
        "an absolute name",
        "a link that leads out",
        "a link to itself",
        "the same file twice",
        "another layer",
        "another configuration",
        "a layer too few",
        "layers that are numbers",
        "no configuration",
        "a manifest that is an object",
        "no manifest",
        "no images",
        "a huge manifest",
        "a sparse file",
        "a layer compressed with xz",
        "diffIDs that are paths",
    ],
)
def test_each_lie_of_an_archive_is_one_clear_error(tmp_path: Path, lie: str) -> None:
    file = tmp_path / "a.tar"
    file.write_bytes(_spoil(lie))
    with pytest.raises(SourceError) as caught:
        opened(f"docker-archive:{file}")
    assert caught.value.message.endswith(".") and "\n" not in caught.value.message


def test_the_members_of_an_archive_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(members, "MOST_MEMBERS", 3)
    file = written(tmp_path / "a.tar", {f"{number}": b"" for number in range(4)})
    with pytest.raises(SourceError, match="more than 3 members"):
        opened(f"docker-archive:{file}")


def test_long_names_of_both_kinds_are_found(tmp_path: Path) -> None:
    made = memory(b"one")
    name = "d" * 120 + "/" + "é" * 60 + "/layer.tar"
    items = spoiled(made, Layers=[name]) | {name: layers(made)[0]}
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=form) as archive:
            for path, data in items.items():
                assert isinstance(data, bytes)
                member = tarfile.TarInfo(f"./{path}")
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
        file = tmp_path / f"{form}.tar"
        file.write_bytes(out.getvalue())
        assert opened(f"docker-archive:{file}")[1] == layers(made)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    for reference in ("docker-archive:no.tar", "oci-archive:no.tar", "oci:no"):
        with pytest.raises(SourceError) as caught:
            opened(reference)
        assert "no" in caught.value.message and caught.value.hint


def test_the_right_form_is_named(tmp_path: Path) -> None:
    made = memory(b"one")
    file = written(tmp_path / "a.tar", docker_save(made))
    with pytest.raises(SourceError) as caught:
        opened(f"oci-archive:{file}")
    assert "docker-archive:" in caught.value.hint
    place = layout(tmp_path / "x", made)
    items: Members = {
        str(path.relative_to(place)): path.read_bytes()
        for path in place.rglob("*")
        if path.is_file() and path.name != "manifest.json"
    }
    with pytest.raises(SourceError) as caught:
        opened(f"docker-archive:{written(tmp_path / 'b.tar', items)}")
    assert "oci-archive:" in caught.value.hint


def test_a_manifest_is_the_same_wherever_it_is_written(tmp_path: Path) -> None:
    made = memory(b"one")
    place = layout(tmp_path / "x", made)
    first, _ = opened(f"oci:{place}")
    with open_source(parse(f"oci:{place}")) as source:
        again = hybrid.contents((source,)).top
    assert first.digest == again.digest and again.media_type == MANIFEST_TYPE
