"""What cannot or must not ship, whoever asks for it."""

from __future__ import annotations

from slimpy.keep.scene import is_within
from slimpy.model import Entry, FileType

ENGINE_DIRECTORIES = ("/proc", "/sys", "/dev")
"""File systems that the engine mounts over the image (OCI runtime spec, config-linux.md)."""

ENGINE_FILES = frozenset(
    {"/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/.dockerenv", "/run/.containerenv"}
)
"""Files that Docker and Podman make in every container."""

WHITEOUT = ".wh."
"""Names that begin so mean a deletion in a layer (OCI image spec, layer.md)."""


def is_supplied(path: str) -> bool:
    """Whether the engine puts this into every container, so that the image's own is never seen."""
    if path in ENGINE_FILES:
        return True
    return any(is_within(path, top) and path != top for top in ENGINE_DIRECTORIES)


def refusal(entry: Entry) -> str:
    """Why this entry cannot ship; empty if it can."""
    if is_supplied(entry.path):
        return "the engine supplies it in every container"
    if entry.type is FileType.SOCKET:
        return "a socket cannot be packed; the program that listens makes it"
    if f"/{WHITEOUT}" in entry.path:
        return "names that begin with .wh. mean a deletion in a layer and cannot be packed"
    return ""
