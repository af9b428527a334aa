"""What each system call does with the paths among its arguments (section 2 of the manual)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from probes.model import Operation


class Use(NamedTuple):
    """One path that a call uses, by the positions of its arguments.

    ``path`` is the string; ``base`` the directory it starts at, or without a string the descriptor
    itself; without a base it is the working directory. ``flags`` are open flags that decide instead
    of ``operation``.
    """

    operation: Operation | None
    path: int | None = None
    base: int | None = None
    flags: int | None = None


_BY_PATH = {  # the path is the first argument
    Operation.STAT: "stat lstat stat64 lstat64 oldstat oldlstat access statfs statfs64 getxattr "
    "lgetxattr listxattr llistxattr umount umount2 oldumount",
    Operation.WRITE: "truncate truncate64 chmod chown lchown chown32 lchown32 utime utimes "
    "setxattr lsetxattr removexattr lremovexattr acct",
    Operation.OPEN: "uselib swapon swapoff",
    Operation.CREATE: "mkdir mknod",
    Operation.REMOVE: "unlink rmdir",
    Operation.READLINK: "readlink",
    Operation.EXEC: "execve execv",
    Operation.CHDIR: "chdir chroot",
}
_BY_BASE = {  # a directory's descriptor, then the path
    Operation.STAT: "newfstatat fstatat64 statx faccessat faccessat2 name_to_handle_at fspick "
    "mount_setattr getxattrat listxattrat",
    Operation.WRITE: "fchmodat fchmodat2 fchownat utimensat utimensat_time64 futimesat setxattrat "
    "removexattrat",
    Operation.OPEN: "open_tree",
    Operation.CREATE: "mkdirat mknodat",
    Operation.REMOVE: "unlinkat",
    Operation.READLINK: "readlinkat",
    Operation.EXEC: "execveat",
}
_BY_DESCRIPTOR = {  # a descriptor only
    Operation.STAT: "fstat fstat64 oldfstat fstatfs fstatfs64 fgetxattr flistxattr",
    Operation.WRITE: "ftruncate ftruncate64 fallocate fchmod fchown fchown32 fsetxattr "
    "fremovexattr",
    Operation.LIST: "getdents getdents64 readdir",
    Operation.CHDIR: "fchdir",
}
_OTHERS = {
    "open": (Use(None, 0, flags=1),),
    "openat": (Use(None, 1, 0, flags=2),),
    "openat2": (Use(None, 1, 0, flags=2),),
    "open_by_handle_at": (Use(None, flags=2),),
    "creat": (Use(Operation.CREATE, 0), Use(Operation.WRITE, 0)),
    # The new name gives access to the old one's contents: hence opened.
    "link": (Use(Operation.OPEN, 0), Use(Operation.CREATE, 1)),
    "linkat": (Use(Operation.OPEN, 1, 0), Use(Operation.CREATE, 3, 2)),
    "symlink": (Use(Operation.CREATE, 1),),
    "symlinkat": (Use(Operation.CREATE, 2, 1),),
    "rename": (Use(Operation.REMOVE, 0), Use(Operation.CREATE, 1)),
    "renameat": (Use(Operation.REMOVE, 1, 0), Use(Operation.CREATE, 3, 2)),
    "renameat2": (Use(Operation.REMOVE, 1, 0), Use(Operation.CREATE, 3, 2)),
    "inotify_add_watch": (Use(Operation.STAT, 1),),
    "fanotify_mark": (Use(Operation.STAT, 4, 3),),
    "quotactl": (Use(Operation.STAT, 1),),
    "mount": (Use(Operation.STAT, 1),),
    "pivot_root": (Use(Operation.STAT, 0), Use(Operation.STAT, 1)),
    "move_mount": (Use(Operation.STAT, 1, 0), Use(Operation.STAT, 3, 2)),
}


def _table() -> Iterator[tuple[bytes, tuple[Use, ...]]]:
    for operation, names in _BY_PATH.items():
        yield from ((name.encode(), (Use(operation, 0),)) for name in names.split())
    for operation, names in _BY_BASE.items():
        yield from ((name.encode(), (Use(operation, 1, 0),)) for name in names.split())
    for operation, names in _BY_DESCRIPTOR.items():
        yield from ((name.encode(), (Use(operation, base=0),)) for name in names.split())
    yield from ((name.encode(), uses) for name, uses in _OTHERS.items())


PATH_CALLS: dict[bytes, tuple[Use, ...]] = dict(_table())
"""Call -> the paths that it uses."""

SOCKET_CALLS: dict[bytes, tuple[Operation, int]] = {
    b"connect": (Operation.CONNECT, 1),
    b"bind": (Operation.CREATE, 1),
    b"sendto": (Operation.CONNECT, 4),
    b"sendmsg": (Operation.CONNECT, 1),
    b"sendmmsg": (Operation.CONNECT, 1),
}
"""Call -> what it does with the unix socket named by the address in that argument."""

ID_CALLS: dict[bytes, tuple[str, int]] = {
    name + width: (field, index)
    for width in (b"", b"32")
    for name, field, index in (
        (b"setuid", "uid", 0),
        (b"setreuid", "uid", 1),
        (b"setresuid", "uid", 1),
        (b"setgid", "gid", 0),
        (b"setregid", "gid", 1),
        (b"setresgid", "gid", 1),
    )
}
"""Call -> the identity that it sets, and the argument that holds the effective one."""

FORK_CALLS = frozenset((b"clone", b"clone2", b"clone3", b"fork", b"vfork"))
"""Calls that make a process or a thread."""

_OPEN_FLAG = re.compile(rb"O_[A-Z]+")


def open_operations(flags: bytes) -> tuple[Operation, ...]:
    """What an open with these flags, as printed, does with its path.

    Whether ``O_CREAT`` found a file or made one cannot be seen, so it is both: CREATE, and what the
    access mode says. ``O_PATH`` counts as OPEN: such a descriptor can be run or opened again.
    """
    names = set(_OPEN_FLAG.findall(flags))
    found = []
    if b"O_CREAT" in names:
        found.append(Operation.CREATE)
    if b"O_WRONLY" not in names:
        found.append(Operation.OPEN)
    if names & {b"O_WRONLY", b"O_RDWR", b"O_TRUNC"}:
        found.append(Operation.WRITE)
    return tuple(found)
