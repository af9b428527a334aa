"""Images into a registry that breaks off, lies, and sends us elsewhere."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

import pytest

from slimpy.errors import DiskFullError, RegistryDeniedError, SourceError, UsageError
from slimpy.image.oci import (
    CONFIG_TYPE,
    DOCKER_LAYER_TYPE,
    INDEX_TYPE,
    LAYER_TYPE,
    MANIFEST_TYPE,
    Descriptor,
    Manifest,
)
from slimpy.image.registry import compress, open_registry, push, push_index
from slimpy.image.registry.credentials import Login
from slimpy.image.verified import verified
from tests.unit.image.registry.fake import PASSWORD, USER, access, digest

BIG = bytes(range(256)) * (5 << 12)  # 5 MiB: more than goes into one request
SMALL = b"small layer" * 100


@dataclass
class Source:
    """An image in memory, as an archive would be one."""

    manifest: Manifest
    config: bytes
    blobs: dict[str, bytes]
    reference: str = "memory"
    digest: str = ""
    tags: tuple[str, ...] = ()
    opened: list[str] = field(default_factory=list)

    @contextlib.contextmanager
    def open(self, blob: Descriptor) -> Iterator[BinaryIO]:
        self.opened.append(blob.digest)
        yield verified(io.BytesIO(self.blobs[blob.digest]), blob, "memory")


def source(*layers: bytes, kind: str = f"{LAYER_TYPE}+gzip", **config: str) -> Source:
    described = {"os": "linux", "architecture": "amd64"} | config
    data = json.dumps(
        described | {"rootfs": {"diff_ids": [digest(item) for item in layers]}}
    ).encode()
    blobs = {digest(layer): layer for layer in layers}
    found = tuple(Descriptor(kind, digest(layer), len(layer)) for layer in layers)
    return Source(Manifest(Descriptor(CONFIG_TYPE, digest(data), len(data)), found), data, blobs)


def methods(fake, part: str = "") -> list[str]:
    return [one.method for one in fake.seen if part in one.path]


def test_an_image(fake):
    image = source(SMALL, BIG)
    said: list[str] = []
    pushed = push(image, f"{fake.host}/app:1", access=access(), tell=said.append)
    kind, data = fake.manifests["1"]
    manifest = json.loads(data)
    assert (pushed.digest, pushed.size, pushed.media_type) == (digest(data), len(data), kind)
    assert str(pushed.platform) == "linux/amd64"
    assert kind == manifest["mediaType"] == MANIFEST_TYPE
    assert [item["digest"] for item in manifest["layers"]] == [digest(SMALL), digest(BIG)]
    assert fake.blobs == {digest(item): item for item in (SMALL, BIG, image.config)}
    assert said == ["layer 1 of 2: 0.0 MB sent", "layer 2 of 2: 5.2 MB sent"]
    assert image.opened == [digest(SMALL), digest(BIG)], "each is read once"


def test_small_blobs_are_sent_at_once(fake):
    push(source(SMALL), f"{fake.host}/app:1", access=access())
    assert methods(fake) == ["HEAD", "POST", "PUT", "HEAD", "POST", "PUT", "PUT"]


def test_large_blobs_are_streamed(fake):
    push(source(BIG), f"{fake.host}/app:1", access=access())
    (sent,) = fake.asked("PATCH")
    assert sent.headers["content-length"] == str(len(BIG))
    assert "content-range" not in sent.headers
    assert "transfer-encoding" not in sent.headers


def test_blobs_in_chunks(fake):
    push(source(BIG), f"{fake.host}/app:1", access=access(chunk=2 << 20))
    ranges = [one.headers["content-range"] for one in fake.asked("PATCH")]
    assert ranges == ["0-2097151", "2097152-4194303", "4194304-5242879"]
    assert fake.blobs[digest(BIG)] == BIG


def test_a_registry_may_want_larger_chunks(fake):
    def start(handler) -> None:
        fake.uploads["x"] = b""
        headers = {"OCI-Chunk-Min-Length": str(4 << 20), "Location": "/v2/app/blobs/uploads/x"}
        handler.reply(202, **headers)

    fake.on("POST", "uploads", start)
    push(source(BIG), f"{fake.host}/app:1", access=access(chunk=1 << 20))
    assert len(fake.asked("PATCH")) == 2


def test_a_request_that_is_too_large_is_made_smaller(fake):
    def refuse(handler) -> None:
        handler.read_body()
        handler.reply(413)

    fake.on("PATCH", "uploads", refuse)
    large = BIG * 4
    push(source(large), f"{fake.host}/app:1", access=access())
    assert [one.headers.get("content-range") for one in fake.asked("PATCH")] == [
        None,
        f"0-{(16 << 20) - 1}",
        f"{16 << 20}-{len(large) - 1}",
    ]
    assert fake.blobs[digest(large)] == large


def test_requests_that_are_always_too_large(fake):
    def refuse(handler) -> None:
        handler.read_body()
        handler.reply(413)

    fake.on("PATCH", "uploads", refuse, times=100)
    with pytest.raises(SourceError, match="too large"):
        push(source(BIG), f"{fake.host}/app:1", access=access())
    assert len(fake.asked("PATCH")) == 2


def break_after(count: int):
    def act(handler) -> None:
        name = handler.path.rpartition("/")[2].partition("?")[0]
        handler.registry.uploads[name] += handler.read_body(count)
        handler.drop()

    return act


def test_a_broken_upload_goes_on_where_it_broke(fake, clock):
    fake.on("PATCH", "uploads", break_after(3_000_000))
    push(source(BIG), f"{fake.host}/app:1", access=access(clock))
    assert fake.blobs[digest(BIG)] == BIG
    _, second = fake.asked("PATCH")
    assert second.headers["content-range"] == f"3000000-{len(BIG) - 1}"
    assert second.headers["content-length"] == str(len(BIG) - 3_000_000)
    assert clock.waits == [0.5]


def test_an_upload_that_the_registry_forgot_begins_anew(fake):
    def forget(handler) -> None:
        handler.registry.uploads.clear()
        handler.drop()

    fake.on("PATCH", "uploads", forget)
    push(source(BIG), f"{fake.host}/app:1", access=access())
    assert fake.blobs[digest(BIG)] == BIG
    assert len(fake.asked("POST", "uploads")) == 3  # the layer twice, and the configuration


def test_an_upload_whose_last_answer_was_lost(fake):
    def store_silently(handler) -> None:
        handler.read_body()
        data = handler.registry.uploads.popitem()[1] + handler.content
        handler.registry.blobs[digest(data)] = data
        handler.drop()

    fake.on("PUT", "uploads", store_silently)
    push(source(BIG), f"{fake.host}/app:1", access=access())
    assert len(fake.asked("PATCH")) == 1, "it is not sent twice"


def test_an_upload_that_breaks_each_time_ends(fake, clock):
    fake.on("PATCH", "uploads", lambda it: it.drop(), times=1000)
    with pytest.raises(SourceError):
        push(source(BIG), f"{fake.host}/app:1", access=access(clock))
    assert len(fake.asked("PATCH")) == 5
    assert clock.waits == [0.5, 1, 2, 4]
    assert not fake.manifests


@pytest.mark.parametrize("told", ["0-99999999999", "5-10", "x", "0-0", ""])
def test_odd_places_to_go_on_from(fake, told):
    fake.on("PATCH", "uploads", break_after(1000))
    fake.on("GET", "uploads", lambda it: it.reply(204, Range=told))
    push(source(BIG), f"{fake.host}/app:1", access=access())
    assert fake.blobs[digest(BIG)] == BIG


def test_blobs_that_are_there_are_not_read(fake):
    image = source(BIG, SMALL)
    fake.add_blob(BIG, "")
    push(image, f"{fake.host}/app:1", access=access())
    assert image.opened == [digest(SMALL)]


def test_a_layer_that_is_there_twice_is_seen_to_once(fake):
    image = source(SMALL, SMALL)
    push(image, f"{fake.host}/app:1", access=access())
    assert image.opened == [digest(SMALL)]
    assert len(json.loads(fake.manifests["1"][1])["layers"]) == 2


def test_blobs_of_another_repository_are_mounted(fake):
    fake.add_image(BIG)
    fake.on("HEAD", "/new/blobs", lambda it: it.reply(404), times=10)
    with open_registry(f"{fake.host}/app:1", access=access()) as image:
        pushed = push(image, f"{fake.host}/new:2", access=access())
    mounts = [one.path for one in fake.asked("POST")]
    assert len(mounts) == 2
    assert all("from=app" in path for path in mounts)
    assert not fake.asked("PATCH")
    assert pushed.digest == digest(fake.manifests["1"][1]) == image.digest
    assert not fake.asked("GET", digest(BIG))


def test_a_mount_that_the_registry_does_not_know_is_an_upload(fake):
    fake.add_image(BIG)
    fake.on("HEAD", "/new/blobs", lambda it: it.reply(404), times=10)

    def start(handler) -> None:
        fake.uploads["x"] = b""
        handler.reply(202, Location="/v2/new/blobs/uploads/x")

    fake.on("POST", "from=app", start)
    with open_registry(f"{fake.host}/app:1", access=access()) as image:
        push(image, f"{fake.host}/new:2", access=access())
    assert len(fake.asked("PATCH")) == 1


def test_between_registries_the_digest_stays(fake, registries):
    other = registries()
    fake.add_image(BIG, SMALL)
    with open_registry(f"{fake.host}/app:1", access=access()) as image:
        pushed = push(image, f"{other.host}/app:1", access=access())
    assert pushed.digest == image.digest
    assert other.manifests["1"] == fake.manifests["1"]
    assert len(fake.asked("GET", digest(BIG))) == 1


def test_plain_layers_are_compressed_the_same_each_time(fake, registries):
    other = registries()
    tar = b"\0" * 10240 + BIG
    kind = f"{LAYER_TYPE}"
    first = push(source(tar, kind=kind), f"{fake.host}/app:1", access=access())
    second = push(source(tar, kind=kind), f"{other.host}/app:1", access=access())
    assert first == second
    (layer,) = json.loads(fake.manifests["1"][1])["layers"]
    packed = fake.blobs[layer["digest"]]
    assert (layer["mediaType"], layer["size"]) == (f"{LAYER_TYPE}+gzip", len(packed))
    assert gzip.decompress(packed) == tar
    assert packed[4:8] == bytes(4), "no time in the header"


@pytest.mark.parametrize(("magic", "kind"), [(b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd")])
def test_layers_that_are_compressed_after_all(fake, magic, kind):
    packed = magic + b"whatever"
    push(source(packed, kind=LAYER_TYPE), f"{fake.host}/app:1", access=access())
    (layer,) = json.loads(fake.manifests["1"][1])["layers"]
    assert (layer["mediaType"], layer["digest"]) == (f"{LAYER_TYPE}+{kind}", digest(packed))


def test_layer_types_of_docker_become_those_of_oci(fake):
    push(source(SMALL, kind=DOCKER_LAYER_TYPE), f"{fake.host}/app:1", access=access())
    (layer,) = json.loads(fake.manifests["1"][1])["layers"]
    assert (layer["mediaType"], layer["digest"]) == (f"{LAYER_TYPE}+gzip", digest(SMALL))


def test_an_empty_layer(fake):
    push(source(b"", kind=LAYER_TYPE), f"{fake.host}/app:1", access=access())
    (layer,) = json.loads(fake.manifests["1"][1])["layers"]
    assert gzip.decompress(fake.blobs[layer["digest"]]) == b""


def test_a_damaged_layer_is_not_pushed(fake):
    image = source(SMALL, BIG)
    image.blobs[digest(BIG)] = BIG[:-1] + b"!"
    with pytest.raises(SourceError, match="damaged"):
        push(image, f"{fake.host}/app:1", access=access())
    assert not fake.manifests
    assert digest(BIG) not in fake.blobs


def test_a_full_disk(fake, monkeypatch):
    class Full(io.BytesIO):
        def write(self, data) -> int:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(compress.tempfile, "TemporaryFile", lambda **options: Full())
    with pytest.raises(DiskFullError):
        push(source(SMALL, kind=LAYER_TYPE), f"{fake.host}/app:1", access=access())


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1:1/v2/x",
        "http://evil.example/v2/x",
        "https://evil.example/v2/x",
        "//evil.example/v2/x",
        "file:///etc/passwd",
        "",
        "http://[::1",
    ],
)
def test_an_upload_stays_at_the_registry(fake, location):
    fake.on("POST", "uploads", lambda it: it.reply(202, Location=location))
    with pytest.raises(SourceError, match=r"another host|cannot be used"):
        push(source(BIG), f"{fake.host}/app:1", access=access())
    assert methods(fake) == ["HEAD", "POST"]


def test_an_upload_with_tokens_asks_for_the_right_to_write(fake):
    fake.auth = "bearer"
    push(source(BIG), f"{fake.host}/app:1", access=access(login=Login(USER, PASSWORD)))
    assert "pull%2Cpush" in fake.asked("GET", "/token")[0].path
    assert fake.blobs[digest(BIG)] == BIG


def test_a_token_that_runs_out_in_the_middle(fake, clock):
    fake.auth = "bearer"
    image = source(BIG)
    challenge = {"WWW-Authenticate": f'Bearer realm="http://{fake.host}/token"'}

    def denied(handler) -> None:
        handler.read_body()
        handler.reply(401, **challenge)

    fake.on("PATCH", "uploads", denied)
    push(image, f"{fake.host}/app:1", access=access(clock, login=Login(USER, PASSWORD)))
    assert len(fake.asked("GET", "/token")) == 2
    assert fake.blobs[digest(BIG)] == BIG


@pytest.mark.parametrize(("status", "kind"), [(403, RegistryDeniedError), (404, SourceError)])
def test_a_registry_that_takes_nothing(fake, status, kind):
    fake.on("POST", "uploads", lambda it: it.reply(status))
    with pytest.raises(kind) as caught:
        push(source(SMALL), f"{fake.host}/app:1", access=access())
    assert caught.value.exit_code == (19 if status == 403 else 18)


def test_a_manifest_that_is_refused(fake):
    body = b'{"errors":[{"code":"MANIFEST_INVALID","message":"manifest invalid"}]}'
    fake.on("PUT", "manifests", lambda it: it.reply(400, body))
    with pytest.raises(SourceError, match="MANIFEST_INVALID"):
        push(source(SMALL), f"{fake.host}/app:1", access=access())


def test_a_registry_that_stores_something_else(fake):
    told = {"Docker-Content-Digest": digest(b"other")}
    fake.on("PUT", "manifests", lambda it: (it.read_body(), it.reply(201, **told)))
    with pytest.raises(SourceError, match="stored something else"):
        push(source(SMALL), f"{fake.host}/app:1", access=access())


def test_a_busy_registry_is_asked_again(fake, clock):
    fake.on("PUT", "manifests", lambda it: (it.read_body(), it.reply(429, Retry_After="3")))
    fake.on("POST", "uploads", lambda it: it.reply(503))
    push(source(SMALL), f"{fake.host}/app:1", access=access(clock))
    assert "1" in fake.manifests
    assert clock.waits == [0.5, 3.0]


def test_a_digest_cannot_be_chosen(fake):
    with pytest.raises(UsageError):
        push(source(SMALL), f"{fake.host}/app@{digest(b'')}", access=access())
    assert not fake.seen


def test_an_index(fake):
    entries = [
        push(
            source(name.encode(), architecture=name),
            f"{fake.host}/app:1",
            access=access(),
            tagged=False,
        )
        for name in ("amd64", "arm64")
    ]
    assert "1" not in fake.manifests
    index = push_index(entries, f"{fake.host}/app:1", access=access())
    kind, data = fake.manifests["1"]
    assert (kind, digest(data)) == (INDEX_TYPE, index.digest)
    assert [item["platform"] for item in json.loads(data)["manifests"]] == [
        {"os": "linux", "architecture": "amd64"},
        {"os": "linux", "architecture": "arm64"},
    ]
    with open_registry(f"{fake.host}/app@{entries[1].digest}", access=access()) as image:
        assert json.loads(image.config)["architecture"] == "arm64"


def test_an_index_of_nothing(fake):
    with pytest.raises(UsageError):
        push_index([], f"{fake.host}/app:1", access=access())


class Dribbling(io.BytesIO):
    """Gives less than it is asked for."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(min(size or 1, 99_991))


@pytest.mark.parametrize("size", [0, 1, (1 << 19) - 1, 1 << 19, (1 << 19) + 1, 3_000_000])
def test_compression(size, monkeypatch):
    """Neither the way that the bytes come nor the number of processors changes the result."""
    data = (b"some text " * 5000 + bytes(range(256)) * 300)[:size] * 60
    data = data[:size]
    with compress.gzipped(io.BytesIO(data)) as packed:
        first = packed.file.read()
    assert gzip.decompress(first) == data
    done = subprocess.run(["gzip", "-dc"], input=first, capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (data, b"")
    assert packed.descriptor == Descriptor(f"{LAYER_TYPE}+gzip", digest(first), len(first))
    monkeypatch.setattr(compress.os, "cpu_count", lambda: 1)
    with compress.gzipped(Dribbling(data[4:]), data[:4]) as packed:
        assert packed.file.read() == first


def test_compression_looks_back_over_its_blocks():
    noise = os.urandom(10_000)
    with compress.gzipped(io.BytesIO(noise * 200)) as packed:
        assert packed.descriptor.size < 40_000
