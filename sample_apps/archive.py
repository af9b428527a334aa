"""Writes a root file system and the nginx sample's settings as an image: `archive.py TAR FILE`."""

from __future__ import annotations

import hashlib
import platform
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from slimpy.model import Layer
from slimpy.pack.archive import write_archive

SETTINGS = {
    "Cmd": ["nginx", "-g", "daemon off;"],
    "Env": [
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "TZ=Europe/Lisbon",
    ],
    "ExposedPorts": {"8080/tcp": {}},
    "StopSignal": "SIGQUIT",
}


def main() -> None:
    tar, file = map(Path, sys.argv[1:])
    digest = hashlib.sha256()
    with tar.open("rb") as data:
        while piece := data.read(1 << 20):
            digest.update(piece)
    layer = Layer(str(tar), f"sha256:{digest.hexdigest()}", tar.stat().st_size, 0, 0)
    config = {
        "architecture": {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()],
        "os": "linux",
        "config": SETTINGS,
        "rootfs": {"type": "layers", "diff_ids": [layer.diff_id]},
    }
    write_archive(layer, config, "slimpy-sample/nginx:latest", file)


main()
