"""Small images outside an engine, made in memory, and archives of all kinds to put them in."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from slimpy.image.oci import CONFIG_TYPE, LAYER_TYPE, Descriptor, Manifest
from slimpy.image.verified import verified


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def layer(files: Mapping[str, bytes]) -> bytes:
    """The tar of a layer."""
    return tar(dict(files))


def tar(members: Mapping[str, bytes | tarfile.TarInfo]) -> bytes:
    """A tar archive; a TarInfo is written as it is, without contents."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in members.items():
            if isinstance(data, tarfile.TarInfo):
                archive.addfile(data)
                continue
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


def configuration(layers: tuple[bytes, ...], **more: Any) -> bytes:
    """The configuration of an image with these uncompressed layers."""
    document = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Cmd": ["/app"]},
        "rootfs": {"type": "layers", "diff_ids": [digest(item) for item in layers]},
        **more,
    }
    return json.dumps(document).encode()


@dataclass(frozen=True)
class MemorySource:
    """An ImageSource whose blobs are in memory."""

    config: bytes
    blobs: Mapping[str, bytes]
    manifest: Manifest
    reference: str = "memory"
    tags: tuple[str, ...] = ()
    opened: list[str] = field(default_factory=list)

    @property
    def digest(self) -> str:
        return digest(self.config)

    @contextlib.contextmanager
    def open(self, blob: Descriptor) -> Iterator[BinaryIO]:
        self.opened.append(blob.digest)
        yield verified(io.BytesIO(self.blobs[blob.digest]), blob, "memory")


def memory(*contents: bytes, compress: bool = False, **more: Any) -> MemorySource:
    """An image with a layer for each text."""
    plain = tuple(layer({f"file{number}": data}) for number, data in enumerate(contents))
    stored = [gzip.compress(item, mtime=0) if compress else item for item in plain]
    config = configuration(plain, **more)
    kind = LAYER_TYPE + ("+gzip" if compress else "")
    layers = tuple(Descriptor(kind, digest(item), len(item)) for item in stored)
    manifest = Manifest(Descriptor(CONFIG_TYPE, digest(config), len(config)), layers)
    blobs = {digest(item): item for item in (*stored, config)}
    return MemorySource(config, blobs, manifest)


def docker_save(source: MemorySource, *names: str) -> dict[str, bytes | tarfile.TarInfo]:
    """The members that Docker 20.10 writes of an image."""
    config = f"{digest(source.config).removeprefix('sha256:')}.json"
    members: dict[str, bytes | tarfile.TarInfo] = {config: source.config}
    paths = []
    for number, item in enumerate(source.manifest.layers):
        paths.append(f"{number:064x}/layer.tar")
        members[paths[-1]] = source.blobs[item.digest]
    manifest = [{"Config": config, "RepoTags": list(names) or None, "Layers": paths}]
    members["manifest.json"] = json.dumps(manifest).encode()
    return members


def written(path: Path, members: Mapping[str, bytes | tarfile.TarInfo]) -> Path:
    path.write_bytes(tar(members))
    return path
