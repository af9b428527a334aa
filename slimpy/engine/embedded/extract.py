"""Unpacks one layer into a directory, in the form that overlayfs reads; the layer is hostile.

No path of a layer is resolved by the host's rules: parents are opened with openat2(2) below the
directory's own root, so that links and ``..`` lead nowhere else, and the last component is never
followed. Whiteouts become what overlayfs has for them (kernel documentation, "overlayfs",
"whiteouts and opaque directories"; OCI image specification, "Layer changesets").

As a program it reads a layer from standard input: `DIRECTORY KIND`, and prints what it skipped.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import shutil
import stat
import struct
import sys
from collections.abc import Iterable, Iterator
from typing import NoReturn

from slimpy.errors import SlimError, SourceError
from slimpy.image import tarstream
from slimpy.image.tarstream import Header, TarStream

MOST_ENTRIES = 5_000_000
"""Members of one layer; more would be an attack on the disk's directory."""

SKIPPED = "device nodes are left out: only root can make them"

_OPENAT2 = 437
_RESOLVE_IN_ROOT = 0x10
_RESOLVE_NO_MAGICLINKS = 0x02
_WHITEOUT = b".wh."
_OPAQUE = b".wh..wh..opq"
_META = b".wh..wh."
_DIRECTORY = b"5"
_LINK = b"2"
_FIFO = b"6"
_DEVICES = {tarstream.CHARACTER: stat.S_IFCHR, tarstream.BLOCK_DEVICE: stat.S_IFBLK}
_OWN_XATTRS = ("trusted.overlay.", "user.overlay.")
"""Names that overlayfs would obey."""
_LIBC = ctypes.CDLL(None, use_errno=True)


class Unpacker:
    """One layer on its way into one directory.

    ``owners``: whether files can be given to other users; ``root``: whether this is the machine's
    root, who makes devices and trusted attributes.
    """

    def __init__(self, directory: str, *, root: bool, owners: bool) -> None:
        self._root = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._is_root = root
        self._owners = owners
        self._prefix = "trusted" if root else "user"
        self._parent: tuple[bytes, int] | None = None
        self._directories: dict[bytes, Header] = {}
        self.skipped: dict[str, int] = {}
        self.size = 0  # bytes of all files

    def __enter__(self) -> Unpacker:
        return self

    def __exit__(self, *_: object) -> None:
        self._forget_parent()
        os.close(self._root)

    def unpack(self, chunks: Iterable[bytes]) -> None:
        """Unpack all members.

        Raises:
            SourceError: the layer is damaged, or wants what no layer may.
            OSError: the disk is full, or refuses.
        """
        stream = TarStream(chunks)
        try:
            for count, header in enumerate(stream):
                if count >= MOST_ENTRIES:
                    _fail("it has too many members")
                self._member(header, stream)
        except SlimError as error:
            if isinstance(error, SourceError):
                raise
            _fail(error.message.rpartition("cannot be read: ")[2].rstrip("."), error)
        self._forget_parent()
        for path in sorted(self._directories, reverse=True):
            self._finish_directory(path, self._directories[path])

    def _member(self, header: Header, stream: TarStream) -> None:
        parts = [part for part in header.name.split(b"/") if part not in (b"", b".")]
        if b".." in parts:
            _fail("a member leaves its root with ..")
        if not parts:
            self._directories[b""] = header
            return
        *above, name = parts
        parent = self._open_parent(b"/".join(above))
        if name.startswith(_WHITEOUT):
            self._whiteout(parent, name)
            return
        path = b"/".join(parts)
        found = _kind(parent, name)
        if header.type == _DIRECTORY:
            if found is not None and not stat.S_ISDIR(found):
                os.unlink(name, dir_fd=parent)
                found = None
            if found is None:
                os.mkdir(name, 0o700, dir_fd=parent)
            self._directories[path] = header
            return
        if found is not None:
            self._remove(parent, name, found, path)
        self._make(header, stream, parent, name)

    def _make(self, header: Header, stream: TarStream, parent: int, name: bytes) -> None:
        match header.type:
            case tarstream.REGULAR:
                self._file(header, stream, parent, name)
            case tarstream.HARD_LINK:
                self._hard_link(header, parent, name)
                return
            case b"2":
                os.symlink(header.link, name, dir_fd=parent)
            case b"6":
                os.mkfifo(name, 0o600, dir_fd=parent)
            case kind if kind in _DEVICES and self._is_root:
                number = os.makedev(header.major, header.minor)
                os.mknod(name, 0o600 | _DEVICES[kind], number, dir_fd=parent)
            case _:
                self.skipped[SKIPPED] = self.skipped.get(SKIPPED, 0) + 1
                return
        self._dress(header, parent, name)

    def _file(self, header: Header, stream: TarStream, parent: int, name: bytes) -> None:
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
        file = os.open(name, flags, 0o600, dir_fd=parent)
        try:
            pieces = stream.pieces()
            piece = memoryview(b"")
            for offset, length in header.data:
                while length:
                    piece = piece or next(pieces)
                    written = os.pwrite(file, piece[:length], offset)
                    piece, offset, length = piece[written:], offset + written, length - written
            os.ftruncate(file, header.size)
            self.size += header.size
        finally:
            os.close(file)

    def _hard_link(self, header: Header, parent: int, name: bytes) -> None:
        above, _, last = header.link.strip(b"/").rpartition(b"/")
        if last in (b"", b".", b".."):
            _fail("a hard link has no target")
        source = self._open(above)
        try:
            kind = _kind(source, last)
            if kind is None or stat.S_ISDIR(kind):
                _fail("a hard link leads to nothing in its layer")
            os.link(last, name, src_dir_fd=source, dst_dir_fd=parent, follow_symlinks=False)
        finally:
            os.close(source)

    def _whiteout(self, parent: int, name: bytes) -> None:
        if name == _OPAQUE:
            os.setxattr(_own_name(parent), f"{self._prefix}.overlay.opaque", b"y")
            return
        hidden = name.removeprefix(_WHITEOUT)
        if name.startswith(_META) or hidden in (b"", b".", b".."):
            return
        if _kind(parent, hidden) is None:  # a whiteout speaks of the layers below only
            os.mknod(hidden, 0o600 | stat.S_IFCHR, os.makedev(0, 0), dir_fd=parent)

    def _remove(self, parent: int, name: bytes, kind: int, path: bytes) -> None:
        """The last member of a name wins."""
        if not stat.S_ISDIR(kind):
            os.unlink(name, dir_fd=parent)
            return
        self._forget_parent()
        fresh = self._open_parent(path.rpartition(b"/")[0])
        shutil.rmtree(name, dir_fd=fresh)
        for known in [item for item in self._directories if (item + b"/").startswith(path + b"/")]:
            del self._directories[known]

    def _dress(self, header: Header, parent: int, name: bytes) -> None:
        """Owner, attributes, mode and time, in the order in which the kernel keeps them."""
        link = header.type == _LINK
        if self._owners:
            os.chown(name, header.uid, header.gid, dir_fd=parent, follow_symlinks=False)
        if not link:
            os.chmod(name, header.mode, dir_fd=parent)
        for key, value in header.xattrs.items():
            self._attribute(parent, name, key, value)
        times = (header.mtime * 10**9, header.mtime * 10**9)
        os.utime(name, ns=times, dir_fd=parent, follow_symlinks=False)

    def _attribute(self, parent: int, name: bytes, key: str, value: bytes) -> None:
        if key.startswith(_OWN_XATTRS):
            return
        path = os.fsencode(_own_name(parent)) + b"/" + name
        try:
            os.setxattr(path, key.encode("utf-8", "surrogateescape"), value, follow_symlinks=False)
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.EINVAL):
                raise
            text = "extended attributes that this file system or user cannot set are left out"
            self.skipped[text] = self.skipped.get(text, 0) + 1

    def _finish_directory(self, path: bytes, header: Header) -> None:
        directory = self._open(path)
        try:
            self._dress(header, directory, b".")
        finally:
            os.close(directory)

    def _open_parent(self, path: bytes) -> int:
        """A descriptor of a directory, made with all above it; the last one is remembered."""
        if self._parent is None or self._parent[0] != path:
            self._forget_parent()
            try:
                opened = self._open(path)
            except (FileNotFoundError, NotADirectoryError):
                opened = self._make_directories(path)
            self._parent = (path, opened)
        return self._parent[1]

    def _make_directories(self, path: bytes) -> int:
        above, _, name = path.rpartition(b"/")
        try:
            parent = self._open(above) if above else os.dup(self._root)
        except (FileNotFoundError, NotADirectoryError):
            parent = self._make_directories(above)
        try:
            found = _kind(parent, name)
            if found is not None and not stat.S_ISDIR(found):
                _fail("a member lies below something that is no directory")
            if found is None:
                os.mkdir(name, 0o755, dir_fd=parent)
        finally:
            os.close(parent)
        return self._open(path)

    def _open(self, path: bytes) -> int:
        """A directory of the layer, through its own links and never out of it."""
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
        how = struct.pack("QQQ", flags, 0, _RESOLVE_IN_ROOT | _RESOLVE_NO_MAGICLINKS)
        number = ctypes.c_long(_OPENAT2)
        size = ctypes.c_size_t(len(how))
        result = int(_LIBC.syscall(number, ctypes.c_int(self._root), path or b".", how, size))
        if result < 0:
            code = ctypes.get_errno()
            if code in (errno.ELOOP, errno.ENAMETOOLONG):
                _fail("a name cannot be followed")
            raise OSError(code, os.strerror(code), os.fsdecode(path))
        return result

    def _forget_parent(self) -> None:
        if self._parent is not None:
            os.close(self._parent[1])
            self._parent = None


def _kind(parent: int, name: bytes) -> int | None:
    """The mode of what has a name, not followed; None where there is nothing."""
    try:
        return os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return None


def _own_name(directory: int) -> str:
    return f"/proc/self/fd/{directory}"


def _fail(why: str, cause: Exception | None = None) -> NoReturn:
    message = f"A layer of the image cannot be unpacked: {why}."
    raise SourceError(message, hint="Fetch or save the image again.") from cause


def _standard_input() -> Iterator[bytes]:
    while data := os.read(0, 1 << 20):
        yield data


def main() -> None:
    """Unpack standard input, as root of a user namespace."""
    directory, kind = sys.argv[1:]
    answer: dict[str, object] = {}
    try:
        with Unpacker(directory, root=False, owners=kind != "single") as unpacker:
            unpacker.unpack(_standard_input())
            answer = {"skipped": unpacker.skipped, "size": unpacker.size}
    except SlimError as error:
        answer = {"error": error.message}
    except OSError as error:
        answer = {"errno": error.errno, "error": error.strerror}
    with contextlib.suppress(OSError):
        for _ in _standard_input():  # so that the other side sees no broken pipe
            pass
    sys.stdout.write(json.dumps(answer))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
