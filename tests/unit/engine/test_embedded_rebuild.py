"""Layers of the store as the archives that they came as, byte by byte, for every kind of user."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from slimpy.engine.embedded import rebuild
from slimpy.engine.embedded.namespaces import Kind, Mapping
from slimpy.engine.embedded.store import LayerStore
from slimpy.errors import SourceError
from slimpy.image.oci import LAYER_TYPE, ImageSource
from slimpy.model import Image
from tests.sources import digest
from tests.unit.engine.test_embedded_extract import (
    Member,
    directory,
    hard_link,
    layer,
    link,
    member,
)
from tests.unit.engine.test_embedded_store import image_of

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to other users")

ONE = ((0, 0, 1),)
RANGES = ((0, 0, 1), (1, 100000, 65536))
USERS = {
    "root": Mapping(Kind.ROOT),
    "ranges": Mapping(Kind.OWN, RANGES, RANGES),
    "single": Mapping(Kind.SINGLE, ONE, ONE),
}
ATTRIBUTES = {
    "SCHILY.xattr.security.capability": "\x01\0\0\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
    "SCHILY.xattr.user.overlay.opaque": "y",
}
ALL = layer(
    directory("./"),
    directory("usr/lib", mode=0o2750, uid=5, gid=70_000),
    link("lib", "usr/lib"),
    member("lib/x", b"through a link", mode=0, uid=33, gid=4_000_000),
    member("made/up/above", b"b" * 70_000, mtime=1.5),
    hard_link("again", "made/up/above"),
    member("empty"),
    member("n" * 90 + "/" + "o" * 200, b"long"),
    member("caf\udce9 \n", b"not UTF-8", pax_headers=ATTRIBUTES),
    link("out", "/../../../../etc"),
    member("device", type=tarfile.CHRTYPE, devmajor=1, devminor=3),
    member("pipe", type=tarfile.FIFOTYPE),
    directory("cleared"),
    member("cleared/.wh..wh..opq"),
    member("cleared/.wh.gone"),
    member("cleared/new", b"n"),
    directory("usr/lib", mode=0o700),
)


def sparse(place: Path) -> bytes:
    """What GNU tar writes of a file with holes."""
    with (place / "holes").open("wb") as file:
        for offset in (5 << 16, 9 << 16):
            file.seek(offset)
            file.write(b"data" * 1024)
        file.truncate(20 << 16)
    command = ["tar", "--sparse", "--format=posix", "-C", str(place), "-cf", "-", "holes"]
    found = subprocess.run(command, capture_output=True, check=True).stdout
    assert len(found) < 1 << 16
    return found


def contents(source: ImageSource) -> list[bytes]:
    found = []
    for blob in source.manifest.layers:
        with source.open(blob) as file:
            found.append(file.read())
    return found


def stored(place: Path, plain: bytes, users: Mapping = USERS["root"]) -> tuple[LayerStore, Image]:
    store = LayerStore(place / "store", users)
    return store, store.add(image_of(plain), ("app:1",))


@pytest.mark.parametrize("users", USERS)
def test_every_byte_comes_back(users: str, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    for number, plain in enumerate((ALL, ALL[:-5000], ALL + b"more" * 9000, sparse(tmp_path))):
        store, image = stored(tmp_path / str(number), plain, USERS[users])
        with store.source(image) as source:
            (blob,) = source.manifest.layers
            assert (blob.media_type, blob.digest, blob.size) == (
                LAYER_TYPE,
                digest(plain),
                len(plain),
            )
            assert contents(source) == [plain]


def test_an_image_says_what_it_is(tmp_path: Path) -> None:
    store, image = stored(tmp_path, ALL)
    with store.source(image) as source:
        assert (source.digest, digest(source.config)) == (image.id, image.id)
        assert (source.manifest.config.digest, source.tags) == (image.id, ("app:1",))
        other = LayerStore(tmp_path / "other", USERS["root"]).add(source)
    assert (other.id, other.layers, other.size) == (image.id, image.layers, image.size)


TWICE: dict[str, tuple[Member, ...]] = {
    "a file": (member("a", b"old"), member("b"), member("a", b"newer")),
    "a directory": (directory("a"), member("a/x", b"old"), member("a", b"file")),
    "a link on the way": (
        link("way", "one"),
        directory("one"),
        member("way/x", b"old"),
        link("way", "two"),
        directory("two"),
        member("last", b"file"),
    ),
    "a whiteout with contents": (member(".wh.a", b"why"), member("last", b"file")),
}


@pytest.mark.parametrize("what", TWICE)
@pytest.mark.parametrize("users", USERS)
def test_what_a_layer_has_twice_is_told_by_another_digest(
    what: str, users: str, tmp_path: Path
) -> None:
    tmp_path.chmod(0o755)
    plain = layer(*TWICE[what])
    store, image = stored(tmp_path, plain, USERS[users])
    with store.source(image) as source:
        (blob,) = source.manifest.layers
        (found,) = contents(source)
    assert len(found) == len(plain) and blob.digest == digest(found) != digest(plain)
    with tarfile.open(fileobj=io.BytesIO(found)) as archive:
        assert archive.getnames() == [name for name, _, _ in TWICE[what]]
        name, _, data = TWICE[what][-1]
        last = archive.extractfile(archive.getmembers()[-1])
        assert last is not None and last.read() == data, name


def test_a_whiteout_beside_its_file_loses_nothing(tmp_path: Path) -> None:
    plain = layer(member(".wh.a"), member("a", b"new"), member(".wh.a"))
    store, image = stored(tmp_path, plain)
    with store.source(image) as source:
        assert contents(source) == [plain]


@pytest.mark.parametrize("users", USERS)
@pytest.mark.parametrize("damage", ["shorter", "other", "gone", "a link", "headers"])
def test_a_damaged_store_is_an_error(users: str, damage: str, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "canary").write_bytes(b"b" * 70_000)
    store, image = stored(tmp_path, ALL, USERS[users])
    (top,) = store.layers(image)
    file = top / "made/up/above"
    match damage:
        case "shorter":
            os.truncate(file, 5)
        case "other":
            file.write_bytes(b"c" * 70_000)
        case "gone" | "a link":
            file.unlink()
            if damage == "a link":
                file.symlink_to(tmp_path / "canary")
        case "headers":
            os.truncate(top.parent / rebuild.HEADERS, 300)
    with store.source(image) as source, pytest.raises(SourceError):
        contents(source)


def test_a_layer_of_an_older_version_says_what_to_do(tmp_path: Path) -> None:
    store, image = stored(tmp_path, ALL)
    (store.layers(image)[0].parent / rebuild.ARCHIVE).unlink()
    with pytest.raises(SourceError) as caught, store.source(image):
        pass
    assert "slim cache clear" in caught.value.hint


@pytest.mark.parametrize("users", USERS)
def test_who_reads_the_start_only_leaves_nothing_behind(users: str, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    before = set(Path("/proc/self/fd").iterdir())
    plain = layer(member("large", os.urandom(4 << 20)))
    store, image = stored(tmp_path, plain, USERS[users])
    with store.source(image) as source, source.open(source.manifest.layers[0]) as file:
        assert file.read(10) == plain[:10]
    assert not Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    assert len(set(Path("/proc/self/fd").iterdir())) <= len(before)


def test_headers_without_end_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rebuild, "MOST_BYTES", 100_000)
    with pytest.raises(SourceError, match="no contents"):
        stored(tmp_path, layer(member("a", b"a" * 200_000)) + bytes(100_000))
    _, image = stored(tmp_path, layer(member("a", b"a" * 200_000)))
    assert image.size == 200_000
