"""The file system of a container: an overlay as root, and what a runtime mounts into it.

Paths inside are used only after pivot_root(2), so that no link of an image leads to the host: until
the end its tree is at a name that cannot be guessed. Lists of paths: OCI runtime specification and
the defaults of runc.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Mapping
from typing import Any

from slimpy.engine.embedded.inside import kernel
from slimpy.engine.embedded.inside.kernel import (
    MS_BIND,
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
    MS_PRIVATE,
    MS_RDONLY,
    MS_REC,
    MS_RELATIME,
    MS_REMOUNT,
    mount,
)

MASKED = (
    "/proc/asound",
    "/proc/acpi",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
)
READ_ONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
DEVICE_LINKS = {
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
    "core": "/proc/kcore",
    "ptmx": "pts/ptmx",
}
TOOLBOX = "/.slimpy"
_QUIET = MS_NOSUID | MS_NODEV | MS_NOEXEC
_FLAGS = {
    "ro": MS_RDONLY,
    "rw": 0,
    "nosuid": MS_NOSUID,
    "nodev": MS_NODEV,
    "noexec": MS_NOEXEC,
    "exec": 0,
    "suid": 0,
    "dev": 0,
}


def assemble(spec: Mapping[str, Any]) -> None:
    """Make the container's tree the root of this mount namespace.

    Raises:
        OSError: a mount is refused; its file name says which.
    """
    mount("", "/", flags=MS_REC | MS_PRIVATE)
    _overlay(spec)
    old = f".host-{secrets.token_hex(16)}"
    os.chdir(os.path.join(spec["scratch"], "root"))
    os.mkdir(old, 0o700)
    kernel.pivot_root(".", old)
    os.chdir("/")
    host = f"/{old}"
    try:
        _system(host)
        _first_layer()
        _devices(host, groups=not spec["single"])
        if spec["toolbox"]:
            _directory(TOOLBOX)
            # Its tools also read the pristine image, and its file system may be a disk's.
            mount(host + spec["toolbox"], TOOLBOX, flags=MS_BIND)
            _restrict(TOOLBOX, MS_RDONLY | MS_NODEV)
        for target, source in spec["files"].items():
            _bind_file(host + source, target)
    finally:
        kernel.unmount(host)
        os.rmdir(host)
    if not spec["host_network"]:
        _settings()
    _mask()
    for path in spec["volumes"]:
        _volume(path)
    for path, options in spec["tmpfs"].items():
        os.makedirs(path, exist_ok=True)
        _tmpfs(path, options)
    if spec["read_only"]:
        _restrict("/", MS_RDONLY)


def _overlay(spec: Mapping[str, Any]) -> None:
    """Mount the layers, the base first in ``lowers``; names are short, as the option is bounded.

    Device nodes of the image, or made by the container, are none: nothing else keeps root in a
    container from the machine's disks.
    """
    os.chdir(spec["scratch"])
    lowers = ":".join(reversed(spec["lowers"]))
    more = ",userxattr" if spec["userxattr"] else ""
    kind, data = "overlay", f"lowerdir={lowers},upperdir=upper,workdir=work{more}"
    try:
        mount("overlay", "root", kind, MS_NODEV, data)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EPERM, errno.EOPNOTSUPP):
            raise
        # The file system below cannot hold an upper directory, such as another overlay.
        mount("tmpfs", "memory", "tmpfs", data="mode=0755")
        os.mkdir("memory/upper", 0o755)
        os.mkdir("memory/work", 0o755)
        data = f"lowerdir={lowers},upperdir=memory/upper,workdir=memory/work{more}"
        mount("overlay", "root", kind, MS_NODEV, data)


def _directory(path: str) -> None:
    """A directory of that name, which must not be a link: what is mounted there is known by it."""
    with contextlib.suppress(FileExistsError):
        os.mkdir(path, 0o755)
    if not stat.S_ISDIR(os.lstat(path).st_mode):
        raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)


def _system(host: str) -> None:
    for path in ("/proc", "/sys", "/dev"):
        _directory(path)
    try:
        mount("proc", "/proc", "proc", _QUIET)
    except PermissionError:
        # In a container whose own /proc is masked, the kernel lets nobody see a whole one.
        mount(f"{host}/proc", "/proc", flags=MS_BIND | MS_REC)
    try:
        mount("sysfs", "/sys", "sysfs", _QUIET | MS_RDONLY)
    except PermissionError:
        mount(f"{host}/sys", "/sys", flags=MS_BIND | MS_REC)
        _restrict("/sys", MS_RDONLY)


def _first_layer() -> None:
    """What Docker puts below every container: the same places have to look the same."""
    os.makedirs("/etc", exist_ok=True)
    for name in ("hosts", "hostname", "resolv.conf"):
        if not os.path.lexists(f"/etc/{name}"):
            os.close(os.open(f"/etc/{name}", os.O_CREAT | os.O_WRONLY | os.O_NOFOLLOW, 0o644))
    if not os.path.lexists("/etc/mtab"):
        os.symlink("/proc/mounts", "/etc/mtab")


def _devices(host: str, *, groups: bool) -> None:
    mount("tmpfs", "/dev", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755,size=65536k")
    for name in DEVICES:
        os.close(os.open(f"/dev/{name}", os.O_CREAT | os.O_WRONLY, 0o666))
        mount(f"{host}/dev/{name}", f"/dev/{name}", flags=MS_BIND)
    for name, target in DEVICE_LINKS.items():
        os.symlink(target, f"/dev/{name}")
    for name in ("pts", "shm", "mqueue"):
        os.mkdir(f"/dev/{name}", 0o755)
    terminals = "newinstance,ptmxmode=0666,mode=0620" + (",gid=5" if groups else "")
    mount("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, terminals)
    mount("shm", "/dev/shm", "tmpfs", _QUIET, "mode=1777,size=65536k")
    with contextlib.suppress(OSError):
        mount("mqueue", "/dev/mqueue", "mqueue", _QUIET)


def _bind_file(source: str, target: str) -> None:
    """Show a file of the host at a path, through whatever links the image has there."""
    real = os.path.realpath(target)
    os.makedirs(os.path.dirname(real), exist_ok=True)
    with contextlib.suppress(FileExistsError):
        os.close(os.open(real, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
    mount(source, real, flags=MS_BIND)


def _settings() -> None:
    """Ports below 1024 for everybody, as engines set it in a network of its own."""
    with contextlib.suppress(OSError):
        path = "/proc/sys/net/ipv4/ip_unprivileged_port_start"
        file = os.open(path, os.O_WRONLY)
        try:
            os.write(file, b"0")
        finally:
            os.close(file)


def _volume(path: str) -> None:
    """A mount of its own, which stays writable where the root is not.

    Raises:
        OSError: it would show what lies below a mount of the runtime, such as an uncovered /proc.
    """
    os.makedirs(path, exist_ok=True)
    if os.stat(path).st_dev != os.stat("/").st_dev:
        raise OSError(errno.EINVAL, "a volume cannot be inside a mount of the runtime", path)
    mount(path, path, flags=MS_BIND)


def _mask() -> None:
    """Cover what tells about the machine or changes it; what this kernel does not have is fine."""
    for path in MASKED:
        with contextlib.suppress(FileNotFoundError):
            if stat.S_ISDIR(os.stat(path).st_mode):
                mount("tmpfs", path, "tmpfs", MS_RDONLY, "size=0k")
            else:
                mount("/dev/null", path, flags=MS_BIND)
    for path in READ_ONLY:
        with contextlib.suppress(FileNotFoundError):
            mount(path, path, flags=MS_BIND | MS_REC)
            _restrict(path, MS_RDONLY)


def _restrict(path: str, flags: int) -> None:
    """Give a mount these flags besides those that it has."""
    mount("", path, flags=MS_REMOUNT | MS_BIND | flags | _locked(path))


def _locked(path: str) -> int:
    """The flags that a mount has: a user namespace may not take them away."""
    found = os.statvfs(path).f_flag
    pairs = (
        (os.ST_NOSUID, MS_NOSUID),
        (os.ST_NODEV, MS_NODEV),
        (os.ST_NOEXEC, MS_NOEXEC),
        (os.ST_RELATIME, MS_RELATIME),
        (os.ST_NOATIME, kernel.MS_NOATIME),
    )
    return sum(flag for seen, flag in pairs if found & seen)


def _tmpfs(path: str, options: str) -> None:
    """A tmpfs with Docker's options: flags of mount(8), and settings such as size and mode."""
    flags, data = MS_NOSUID | MS_NODEV, []
    for word in filter(None, options.split(",")):
        if word in _FLAGS:
            flags |= _FLAGS[word]
        else:
            data.append(word)
    mount("tmpfs", path, "tmpfs", flags, ",".join(data))
