"""System calls that Python 3.11 does not have, by way of the C library."""

from __future__ import annotations

import ctypes
import os
import platform
import struct
from collections.abc import Sequence

CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_REMOUNT = 32
MS_NOATIME = 1024
MS_BIND = 4096
MS_REC = 16384
MS_PRIVATE = 1 << 18
MS_RELATIME = 1 << 21
MNT_DETACH = 2

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_CAPBSET_DROP = 24
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_CLEAR_ALL = 4

_CAPABILITY_VERSION_3 = 0x20080522
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}

LIBC = ctypes.CDLL(None, use_errno=True)


def checked(result: int, what: str) -> int:
    """A call's result.

    Raises:
        OSError: it failed; ``what`` names the thing.
    """
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)
    return result


def unshare(flags: int) -> None:
    """unshare(2)."""
    checked(LIBC.unshare(ctypes.c_int(flags)), "unshare")


def mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "") -> None:
    """mount(2); empty texts are null pointers where that is usual."""
    result = LIBC.mount(
        os.fsencode(source) or None,
        os.fsencode(target),
        os.fsencode(kind) or None,
        ctypes.c_ulong(flags),
        os.fsencode(data) or None,
    )
    checked(result, target)


def unmount(target: str) -> None:
    """umount2(2), at once for those who look, for others when they are done."""
    checked(LIBC.umount2(os.fsencode(target), MNT_DETACH), target)


def pivot_root(new: str, old: str) -> None:
    """pivot_root(2)."""
    number = _PIVOT_ROOT[platform.machine()]
    checked(LIBC.syscall(ctypes.c_long(number), os.fsencode(new), os.fsencode(old)), "pivot_root")


def prctl(option: int, value: int = 0) -> None:
    """prctl(2) with one argument."""
    zero = ctypes.c_ulong(0)
    result = LIBC.prctl(ctypes.c_int(option), ctypes.c_ulong(value), zero, zero, zero)
    checked(result, f"prctl {option}")


def last_capability() -> int:
    """The highest capability that this kernel knows."""
    with open("/proc/sys/kernel/cap_last_cap", encoding="ascii") as file:
        return int(file.read())


def drop_bounding(kept: Sequence[int], last: int) -> None:
    """Take all other capabilities out of the bounding set: no exec gains them again."""
    for number in range(last + 1):
        if number not in kept:
            prctl(PR_CAPBSET_DROP, number)


def set_capabilities(kept: Sequence[int]) -> None:
    """Have exactly these: permitted and effective, none to inherit (capset(2))."""
    mask = sum(1 << number for number in kept)
    low, high = mask & 0xFFFFFFFF, mask >> 32
    header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
    data = struct.pack("=6I", low, low, 0, high, high, 0)
    checked(LIBC.capset(header, data), "capset")


def clear_ambient() -> None:
    """Empty the ambient set."""
    zero = ctypes.c_ulong(0)
    clear = ctypes.c_ulong(PR_CAP_AMBIENT_CLEAR_ALL)
    checked(LIBC.prctl(ctypes.c_int(PR_CAP_AMBIENT), clear, zero, zero, zero), "ambient set")


class Program:
    """A prepared execve(2): once made, starting it needs no further system call."""

    def __init__(
        self, path: str, arguments: Sequence[str], environment: Sequence[tuple[str, str]]
    ) -> None:
        self._path = os.fsencode(path)
        argv = [os.fsencode(item) for item in arguments]
        env = [os.fsencode(name) + b"=" + os.fsencode(value) for name, value in environment]
        self._argv = (ctypes.c_char_p * (len(argv) + 1))(*argv, None)
        self._env = (ctypes.c_char_p * (len(env) + 1))(*env, None)

    def start(self) -> int:
        """Become that program; the error number where that fails."""
        LIBC.execve(self._path, self._argv, self._env)
        return ctypes.get_errno()
