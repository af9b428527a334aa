"""Images of given layers, made in memory."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable
from typing import Any

from slimpy.image.oci import CONFIG_TYPE, LAYER_TYPE, Descriptor, Manifest
from tests.sources import MemorySource, configuration, digest


def file(name: str, data: bytes = b"", **more: Any) -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    for key, value in more.items():
        setattr(member, key, value)
    return member, data


def directory(name: str, mode: int = 0o755) -> tuple[tarfile.TarInfo, bytes]:
    return file(name, type=tarfile.DIRTYPE, mode=mode)


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tuple[tarfile.TarInfo, bytes]:
    return file(name, type=kind, linkname=target)


def layer(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for member, data in members:
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


def image(layers: Iterable[bytes], **more: Any) -> MemorySource:
    plain = tuple(layers)
    config = configuration(plain, **more)
    found = tuple(Descriptor(LAYER_TYPE, digest(item), len(item)) for item in plain)
    manifest = Manifest(Descriptor(CONFIG_TYPE, digest(config), len(config)), found)
    return MemorySource(config, {digest(item): item for item in (*plain, config)}, manifest)
