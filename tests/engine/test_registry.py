"""The registry client against the real thing: Debian's docker-registry, open and with passwords,
and skopeo as a second opinion in both directions.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import socket
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import pytest
import requests

from slimpy.errors import ImageNotFoundError, PlatformError, RegistryDeniedError
from slimpy.image.oci import (
    CONFIG_TYPE,
    DOCKER_MANIFEST_TYPE,
    LAYER_TYPE,
    MANIFEST_TYPE,
    Descriptor,
    Manifest,
    Platform,
)
from slimpy.image.registry import Access, entries, open_registry, push, push_index, tags
from slimpy.image.verified import verified
from tests.polling import eventually

pytestmark = pytest.mark.engine

USER, PASSWORD = "ada", "countess"
ROOT = Path(__file__).parents[2]
MEMORY = 100 << 20
"""Bytes that the client may take, however large a blob is."""


@dataclass
class Registry:
    """A running registry, and where it stores."""

    host: str
    folder: Path

    def files(self) -> int:
        """How many blobs are stored."""
        return len(list(self.folder.glob("docker/registry/v2/blobs/sha256/*/*/data")))


@contextlib.contextmanager
def running(folder: Path, **auth: object) -> Iterator[Registry]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        host = f"127.0.0.1:{listener.getsockname()[1]}"
    settings = {
        "version": 0.1,
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
        "http": {"addr": host},
        **({"auth": auth} if auth else {}),
    }
    file = folder / "settings.yml"
    file.write_text(json.dumps(settings))  # JSON is YAML
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(["docker-registry", "serve", file], stdout=log, stderr=log)
    try:

        def answers() -> bool:
            assert process.poll() is None, (folder / "log").read_text()
            with contextlib.suppress(requests.ConnectionError):
                return requests.get(f"http://{host}/v2/", timeout=5).status_code in (200, 401)
            return False

        eventually(answers, timeout=30)
        yield Registry(host, folder / "data")
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="module")
def registry(tmp_path_factory) -> Iterator[Registry]:
    with running(tmp_path_factory.mktemp("open")) as found:
        yield found


@pytest.fixture(scope="module")
def locked(tmp_path_factory) -> Iterator[Registry]:
    folder = tmp_path_factory.mktemp("locked")
    passwords = folder / "htpasswd"
    made = subprocess.run(["htpasswd", "-Bbn", USER, PASSWORD], check=True, capture_output=True)
    passwords.write_bytes(made.stdout)
    with running(folder, htpasswd={"realm": "test", "path": str(passwords)}) as found:
        yield found


def skopeo(*arguments: str) -> str:
    done = subprocess.run(["skopeo", *arguments], capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def tar(**files: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


@dataclass
class Source:
    """An image in memory with uncompressed layers, as a tool that packs one has it."""

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


def source(*layers: bytes, architecture: str = "amd64") -> Source:
    diff_ids = [sha256(layer) for layer in layers]
    config = json.dumps({
        "os": "linux",
        "architecture": architecture,
        "config": {"Env": ["A=1"]},
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
    }).encode()  # fmt: skip
    found = tuple(Descriptor(LAYER_TYPE, sha256(item), len(item)) for item in layers)
    manifest = Manifest(Descriptor(CONFIG_TYPE, sha256(config), len(config)), found)
    return Source(manifest, config, dict(zip(diff_ids, layers, strict=True)))


NOISE = bytes(os.urandom(1 << 20)) * 6  # does not shrink much within zlib's window
LAYERS = (tar(base=b"base" * 1000), tar(big=NOISE, small=b"x"))


def test_what_we_push_skopeo_reads(registry, tmp_path):
    pushed = push(source(*LAYERS), f"{registry.host}/team/app:1", access=Access())
    name = f"docker://{registry.host}/team/app:1"
    seen = json.loads(skopeo("inspect", "--tls-verify=false", name))
    assert (seen["Digest"], seen["Architecture"]) == (pushed.digest, "amd64")
    layout = tmp_path / "layout"
    skopeo("copy", "--src-tls-verify=false", name, f"oci:{layout}:1")
    archive = tmp_path / "archive.tar"
    skopeo("copy", f"oci:{layout}:1", f"docker-archive:{archive}:team/app:1")
    with tarfile.open(archive) as opened:
        names = json.load(opened.extractfile("manifest.json"))[0]["Layers"]
        assert tuple(opened.extractfile(item).read() for item in names) == LAYERS


def test_what_skopeo_pushes_we_read(registry, tmp_path):
    push(source(*LAYERS), f"{registry.host}/team/first:1", access=Access())
    for form, kind in (("v2s2", DOCKER_MANIFEST_TYPE), ("oci", MANIFEST_TYPE)):
        skopeo(
            *("copy", "--src-tls-verify=false", "--dest-tls-verify=false", "--format", form),
            f"docker://{registry.host}/team/first:1",
            f"docker://{registry.host}/skopeo/{form}:1",
        )
        told = json.loads(
            skopeo("inspect", "--tls-verify=false", f"docker://{registry.host}/skopeo/{form}:1")
        )
        with open_registry(f"{registry.host}/skopeo/{form}:1", access=Access()) as image:
            assert image.document.media_type == kind
            assert image.digest == told["Digest"]
            assert [item.digest for item in image.manifest.layers] == told["Layers"]
            for layer in image.manifest.layers:
                with image.open(layer) as file:
                    assert sha256(file.read()) == layer.digest


def test_a_copy_within_the_registry_moves_no_bytes(registry):
    push(source(*LAYERS), f"{registry.host}/team/original:1", access=Access())
    stored, said = registry.files(), []
    with open_registry(f"{registry.host}/team/original:1", access=Access()) as image:
        copied = push(image, f"{registry.host}/team/copy:2", access=Access(), tell=said.append)
        assert copied.digest == image.digest
    assert all(line.endswith("taken from another repository") for line in said)
    assert registry.files() == stored


def test_pushing_again_sends_nothing(registry):
    image, said = source(*LAYERS), []
    first = push(image, f"{registry.host}/team/twice:1", access=Access())
    assert push(image, f"{registry.host}/team/twice:2", access=Access(), tell=said.append) == first
    assert all(line.endswith("there already") for line in said)
    assert set(tags(f"{registry.host}/team/twice", access=Access())) == {"1", "2"}


def test_large_blobs_in_chunks(registry):
    access = Access(chunk=1 << 20)
    layer = tar(noise=os.urandom(7 << 20))
    push(source(layer), f"{registry.host}/team/chunks:1", access=access)
    with open_registry(f"{registry.host}/team/chunks:1", access=access) as image:
        layer = image.manifest.layers[0]
        with image.open(layer) as file:
            assert len(file.read()) == layer.size > 7 << 20


class Flaky(io.BytesIO):
    """Fails once in the middle, as a connection would."""

    def read(self, size: int | None = -1) -> bytes:
        if self.tell() >= 5 << 20 and not FAILED:
            FAILED.append(True)
            message = "the cable was pulled"
            raise ConnectionResetError(message)
        return super().read(size)


FAILED: list[bool] = []


def test_a_broken_upload_goes_on(registry):
    """The registry keeps what came, and says how much."""
    data = b"\x1f\x8b" + os.urandom(9 << 20)
    image = source(data)

    @contextlib.contextmanager
    def opened(blob: Descriptor) -> Iterator[BinaryIO]:
        image.opened.append(blob.digest)
        yield Flaky(image.blobs[blob.digest])

    image.open = opened  # type: ignore[method-assign]
    push(image, f"{registry.host}/team/broken:1", access=Access())
    assert FAILED
    with open_registry(f"{registry.host}/team/broken:1", access=Access()) as found:
        layer = found.manifest.layers[0]
        with found.open(layer) as file:
            assert file.read() == data


def test_an_index_of_two_platforms(registry):
    name = f"{registry.host}/team/multi"
    pushed = [
        push(source(tar(a=text.encode()), architecture=text), name, access=Access(), tagged=False)
        for text in ("amd64", "arm64")
    ]
    index = push_index(pushed, f"{name}:1", access=Access())
    raw = skopeo("inspect", "--raw", "--tls-verify=false", f"docker://{name}:1")
    assert sha256(raw.encode()) == index.digest
    assert [str(item.platform) for item in entries(f"{name}:1", access=Access())] == [
        "linux/amd64",
        "linux/arm64",
    ]
    with open_registry(f"{name}:1", Platform("linux", "arm64", "v8"), access=Access()) as image:
        assert image.digest == pushed[1].digest
    absent = open_registry(f"{name}:1", Platform("linux", "s390x"), access=Access())
    with pytest.raises(PlatformError, match="linux/amd64, linux/arm64"), absent:
        pass
    told = skopeo(
        *("--override-arch", "arm64", "inspect", "--tls-verify=false", f"docker://{name}:1")
    )
    assert json.loads(told)["Architecture"] == "arm64"


def test_what_is_not_there(registry):
    push(source(LAYERS[0]), f"{registry.host}/team/there:1", access=Access())
    for name in ("team/there:2", "team/never:1", f"team/there@sha256:{'0' * 64}"):
        absent = open_registry(f"{registry.host}/{name}", access=Access())
        with pytest.raises(ImageNotFoundError, match="404"), absent:
            pass


def user(folder: Path, **environment: str) -> Access:
    return Access.of_user({"HOME": str(folder), "PATH": os.environ["PATH"], **environment}, 0)


def test_a_locked_registry(locked, tmp_path):
    name = f"{locked.host}/team/app:1"
    with pytest.raises(RegistryDeniedError, match="asks for a login"):
        push(source(*LAYERS), name, access=user(tmp_path))
    login = ["login", "--tls-verify=false", "-u", USER, "-p", PASSWORD]
    saved = tmp_path / "auth.json"
    skopeo(*login, "--authfile", str(saved), locked.host)
    access = user(tmp_path, REGISTRY_AUTH_FILE=str(saved))
    pushed = push(source(*LAYERS), name, access=access)
    with open_registry(name, access=access) as image:
        assert image.digest == pushed.digest
    assert tags(name, access=access) == ("1",)
    with pytest.raises(RegistryDeniedError):
        tags(name, access=user(tmp_path))


def test_a_login_by_docker(locked, tmp_path):
    """As `docker login` saves it."""
    config = tmp_path / "docker"
    done = subprocess.run(
        ["docker", "--config", config, "login", "-u", USER, "--password-stdin", locked.host],
        input=PASSWORD.encode(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    access = user(tmp_path, DOCKER_CONFIG=str(config))
    push(source(LAYERS[0]), f"{locked.host}/docker/app:1", access=access)
    assert tags(f"{locked.host}/docker/app", access=access) == ("1",)


CHILD = """
import contextlib, hashlib, json, sys
from slimpy.image.oci import *
from slimpy.image.registry import *
from slimpy.image.verified import verified

file, digest, name = sys.argv[1:]
size = 200 << 20
config = json.dumps({"os": "linux", "architecture": "amd64",
                     "rootfs": {"type": "layers", "diff_ids": [digest]}}).encode()
class Source:
    reference, tags = "file", ()
    config = config
    digest = "sha256:" + hashlib.sha256(config).hexdigest()
    manifest = Manifest(Descriptor(CONFIG_TYPE, digest, len(config)),
                        (Descriptor(LAYER_TYPE + "+gzip", sys.argv[2], size),))
    @contextlib.contextmanager
    def open(self, blob):
        with open(file, "rb") as stream:
            yield verified(stream, blob, "file")
push(Source(), name, access=Access())
with open_registry(name, access=Access()) as image, image.open(image.manifest.layers[0]) as stream:
    count = 0
    while data := stream.read(1 << 20):
        count += len(data)
assert count == size
print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
"""


def test_memory_does_not_grow_with_blobs(registry, tmp_path):
    """200 MB there and back."""
    file, digest, piece = tmp_path / "blob", hashlib.sha256(), os.urandom(1 << 20)
    with file.open("wb") as out:
        for _ in range(200):
            out.write(piece)
            digest.update(piece)
    done = subprocess.run(
        [
            *(sys.executable, "-c", CHILD, file, f"sha256:{digest.hexdigest()}"),
            f"{registry.host}/team/large:1",
        ],
        cwd=ROOT,
        capture_output=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert int(done.stdout) << 10 < MEMORY
