"""Directories of a tree that somebody hostile made: reached, made and removed without ever leaving
the tree, whatever its links say, and however deep it is.

Source: openat2(2).
"""

from __future__ import annotations

import ctypes
import errno
import os
import secrets
import stat
import struct

_OPENAT2 = 437
_RESOLVE_IN_ROOT = 0x10
_RESOLVE_NO_MAGICLINKS = 0x02
_TRIES = 1000
"""The kernel gives up with EAGAIN where something is renamed or mounted anywhere meanwhile."""
_LIBC = ctypes.CDLL(None, use_errno=True)


def opened(root: int, path: bytes, *, follow: bool = True) -> int:
    """A descriptor of a directory below ``root``, through the tree's own links.

    Args:
        path: relative to the root; the root itself if it is empty.
        follow: whether the last component may be a link.

    Raises:
        OSError: there is none.
        ValueError: no path can be that.
    """
    if b"\0" in path:
        message = "embedded null byte"
        raise ValueError(message)
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    how = struct.pack("QQQ", flags, 0, _RESOLVE_IN_ROOT | _RESOLVE_NO_MAGICLINKS)
    number = ctypes.c_long(_OPENAT2)
    size = ctypes.c_size_t(len(how))
    code = errno.EAGAIN
    for _ in range(_TRIES):
        result = int(_LIBC.syscall(number, ctypes.c_int(root), path or b".", how, size))
        if result >= 0:
            return result
        code = ctypes.get_errno()
        if code not in (errno.EAGAIN, errno.EINTR):
            break
    raise OSError(code, os.strerror(code), os.fsdecode(path))


def made(root: int, path: bytes) -> int:
    """Like `opened`, with what is missing made: for everybody to enter, whatever the umask.

    Raises:
        NotADirectoryError: something else is in the way, such as a link that leads nowhere.
        OSError: it cannot be made.
    """
    above = os.dup(root)
    at = 0
    while at < len(path):
        end = path.find(b"/", at)
        end = len(path) if end < 0 else end
        name = path[at:end]
        try:
            try:
                below = opened(root, path[:end])
            except FileNotFoundError:
                if kind(above, name) is not None:
                    raise NotADirectoryError from None
                os.mkdir(name, 0o755, dir_fd=above)
                os.chmod(name, 0o755, dir_fd=above)
                below = opened(root, path[:end])
        finally:
            os.close(above)
        above, at = below, end + 1
    return above


def kind(parent: int, name: bytes) -> int | None:
    """The mode of what has a name, not followed; None where there is nothing."""
    try:
        return os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return None


def removed(parent: int, name: bytes) -> None:
    """Remove a directory with all in it. What is further down is moved up first, so that neither
    stack nor descriptors grow with its depth.
    """
    top = opened(parent, name, follow=False)
    try:
        waiting = _emptied(top)
        while waiting:
            child = waiting.pop()
            inner = opened(top, child, follow=False)
            try:
                for grandchild in _emptied(inner):
                    new = secrets.token_hex(16).encode("ascii")
                    os.rename(grandchild, new, src_dir_fd=inner, dst_dir_fd=top)
                    waiting.append(new)
            finally:
                os.close(inner)
            os.rmdir(child, dir_fd=top)
    finally:
        os.close(top)
    os.rmdir(name, dir_fd=parent)


def _emptied(directory: int) -> list[bytes]:
    """Remove all but directories; their names."""
    left = []
    for text in os.listdir(directory):
        name = os.fsencode(text)
        found = kind(directory, name)
        if found is not None and stat.S_ISDIR(found):
            left.append(name)
        else:
            os.unlink(name, dir_fd=directory)
    return left
