"""The few host tools that work inside any image: strace, tar, find, cat, sleep and sh with their
own loader and libraries.

They are copied from this machine into a volume, and are run as ``LOADER --library-path DIR/lib
DIR/bin/TOOL``. So
the image needs no shell and no libc, and nothing of its own is used or changed. The loader is
there twice: one
copy carries the file capability ``cap_sys_ptrace``, so that strace can follow setuid programs of a
non-root USER;
the other copy runs where that capability is not granted (an exec would be refused).
"""

from __future__ import annotations

import io
import platform
import stat
import struct
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from slimpy import proc
from slimpy.engine.interrupts import INTERRUPTS
from slimpy.errors import TraceError

DIRECTORY = "/.slimpy"
TOOLS = ("strace", "tar", "find", "cat", "sleep", "sh")
LOADER = f"{DIRECTORY}/ld.so"
TRACING_LOADER = f"{DIRECTORY}/ld-trace.so"
CLEARED = ("LD_PRELOAD", "LD_AUDIT")
"""Variables that would make our own loader load the image's libraries into our tools."""

_CAP_SYS_PTRACE = 19
_VFS_CAP_REVISION_2_EFFECTIVE = 0x02000001
PACKAGES = {
    "strace": "strace",
    "tar": "tar",
    "find": "findutils",
    "cat": "coreutils",
    "sleep": "coreutils",
    "sh": "dash",
}
"""Tool -> Debian's package of it."""


@dataclass(frozen=True, slots=True)
class Toolbox:
    """The tools of this machine: host path of each file -> its path below ``DIRECTORY``."""

    loader: Path
    files: Mapping[Path, str]


def tool(name: str, *arguments: str, tracing: bool = False) -> tuple[str, ...]:
    """The command that runs a tool inside a container."""
    loader = TRACING_LOADER if tracing else LOADER
    return (
        loader,
        "--inhibit-cache",
        "--library-path",
        f"{DIRECTORY}/lib",
        f"{DIRECTORY}/bin/{name}",
        *arguments,
    )


TRACER = "ld-trace.so"
"""The name under which a tracer shows in the list of processes."""

# Strace blocks all signals that it can block while it writes to a file.
_END_TRACERS = f"""
for process in /proc/[0-9]*; do
    read -r name <"$process/comm" && [ "$name" = {TRACER} ] && kill -KILL "${{process#/proc/}}"
done 2>/dev/null
"""


def end_tracers() -> tuple[str, ...]:
    """The command that lets every tracer of a container go; what it traced runs on."""
    return tool("sh", "-c", _END_TRACERS)


def strace() -> tuple[str, ...]:
    """The command that runs the tracer inside a container that was given SYS_PTRACE."""
    return tool("strace", tracing=True)


@cache
def collect() -> Toolbox:
    """Find the tools and all that they are linked to.

    Raises:
        TraceError: a tool is not installed here, or this is not Linux.
    """
    if platform.system() != "Linux":
        message = f"slimpy copies its tracer from a Linux machine; this is {platform.system()}."
        hint = "Run slimpy on Linux, or in a Linux container with the engine's socket mounted."
        raise TraceError(message, hint=hint)
    files: dict[Path, str] = {}
    loaders: list[Path] = []
    for name in TOOLS:
        path = proc.find(name)
        if path is None:
            message = f"The tool {name}, which slimpy puts into the traced container, is not here."
            raise TraceError(message, hint=f"Install it: apt-get install {PACKAGES[name]}")
        files[Path(path).resolve()] = f"bin/{name}"
        loader, libraries = _linked(path)
        loaders.append(loader)
        files.update({library: f"lib/{library.name}" for library in libraries})
    return Toolbox(loaders[0], files)


def _linked(program: str) -> tuple[Path, tuple[Path, ...]]:
    """The loader and the libraries of a host program, as ldd(1) prints them."""
    loader, libraries = None, []
    with INTERRUPTS.deferred():  # it takes a moment only, and must not be left behind
        said = proc.run(["ldd", program])
    for line in said.splitlines():
        name, arrow, rest = line.strip().partition(" => ")
        path = rest.split(" (")[0]
        if arrow and path.startswith("/"):
            libraries.append(Path(path))
        elif name.startswith("/"):
            loader = Path(name.split(" (")[0])
    if loader is None:
        message = f"The tool {program} is not a dynamically linked program, so it cannot be copied."
        raise TraceError(message, hint="Install the distribution's own package of it.")
    return loader, tuple(libraries)


@cache
def archive() -> bytes:
    """The toolbox as a tar archive, to be put at the root of a container."""
    box = collect()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in ("", "/bin", "/lib", "/pipe"):
            info = _member(name.lstrip("/") or ".", tarfile.DIRTYPE, 0o755)
            tar.addfile(info)
        for path, name in sorted(box.files.items(), key=lambda item: item[1]):
            _add(tar, name, path.read_bytes())
        loader = box.loader.read_bytes()
        _add(tar, "ld.so", loader)
        capability = struct.pack(
            "<5I", _VFS_CAP_REVISION_2_EFFECTIVE, 1 << _CAP_SYS_PTRACE, 0, 0, 0
        )
        _add(
            tar,
            TRACER,
            loader,
            {"SCHILY.xattr.security.capability": capability.decode("ascii")},
        )
    return buffer.getvalue()


def install(directory: Path) -> None:
    """Put the toolbox into a new directory of this machine; the tracing loader has no capability
    yet.
    """
    for name in ("", "bin", "lib", "pipe"):
        (directory / name).mkdir(mode=0o755)
    box = collect()
    loaders = ((box.loader, "ld.so"), (box.loader, TRACER))
    for path, name in (*box.files.items(), *loaders):
        (directory / name).write_bytes(path.read_bytes())
        (directory / name).chmod(0o755)


def pipe(name: str) -> bytes:
    """One more FIFO for the same directory, as a tar archive."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        tar.addfile(_member(name, tarfile.FIFOTYPE, 0o666))
    return buffer.getvalue()


def _member(name: str, kind: bytes, mode: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    info.mode = stat.S_IMODE(mode)
    return info


def _add(
    tar: tarfile.TarFile, name: str, data: bytes, pax: Mapping[str, str] | None = None
) -> None:
    info = _member(name, tarfile.REGTYPE, 0o755)
    info.size = len(data)
    info.pax_headers = dict(pax or {})
    tar.addfile(info, io.BytesIO(data))
