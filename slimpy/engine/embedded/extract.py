"""Unpacks one layer into a directory, in the form that overlayfs reads; the layer is hostile.

No path of a layer is resolved by the host's rules: parents are opened with openat2(2) below the
directory's own root, so that links and ``..`` lead nowhere else, and the last component is never
followed. Whiteouts become what overlayfs has for them (kernel documentation, "overlayfs",
"whiteouts and opaque directories"; OCI image specification, "Layer changesets").

As a program it reads a layer from standard input: `DIRECTORY KIND RECORD`, and prints what it
skipped.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import stat
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NoReturn

from slimpy.engine.embedded import beneath
from slimpy.engine.embedded.rebuild import Recorder, stored
from slimpy.errors import SlimError, SourceError
from slimpy.image import tarstream
from slimpy.image.tarstream import Header, TarStream

MOST_ENTRIES = 2_000_000
"""Members of one layer; more would be an attack on the disk's directory, and on memory."""
LARGEST = 1 << 40
"""Bytes of one layer's files, and of one file with its holes."""
MOST_ATTRIBUTES = 64 << 20
"""Bytes of extended attributes of directories, which have to be remembered until the end."""

SKIPPED = "device nodes are left out: only root can make them"

UNSET = "extended attributes that this file system or user cannot set are left out"
OBEYED = "extended attributes that overlayfs would obey are left out"
OWNERS = "files of users that there are not here count as root's"

_WHITEOUT = b".wh."
_OPAQUE = b".wh..wh..opq"
_META = b".wh..wh."
_DIRECTORY = b"5"
_LINK = b"2"
_DEVICES = {tarstream.CHARACTER: stat.S_IFCHR, tarstream.BLOCK_DEVICE: stat.S_IFBLK}
_OWN_XATTRS = ("trusted.overlay.", "user.overlay.")
"""Names that overlayfs would obey."""
_LAST_ID = (1 << 32) - 2
"""The largest id; the one above means "leave it" to chown(2)."""
_LAST_TIME = (1 << 34) - 1
"""Seconds since the epoch that file systems hold (ext4: the year 2446)."""
_NO_ATTRIBUTE = (errno.EPERM, errno.EOPNOTSUPP, errno.EINVAL, errno.E2BIG, errno.ERANGE)
_ONE_BLOCK = 1024
"""Bytes of a value that may be too much for a file system with one block for all of a file's
attributes; it then says that no space is left."""
_LAYERS_FAULT = frozenset(
    (
        errno.EINVAL,
        errno.ENAMETOOLONG,
        errno.ELOOP,
        errno.EMLINK,
        errno.EEXIST,
        errno.ENOENT,
        errno.ENOTDIR,
        errno.EISDIR,
        errno.ENOTEMPTY,
        errno.EFBIG,
        errno.EOVERFLOW,
        errno.EXDEV,
    )
)
"""What the kernel says of names and numbers that cannot be; all else is about this machine."""


class Unpacker:
    """One layer on its way into one directory.

    ``owners``: whether files can be given to other users; ``root``: whether this is the machine's
    root, who makes devices and trusted attributes. ``lost`` says that contents of the archive are
    in no file of the directory, such as those of a path that it names twice.
    """

    def __init__(self, directory: str, *, root: bool, owners: bool) -> None:
        self._root = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._is_root = root
        self._owners = owners
        self._prefix = "trusted" if root else "user"
        self._parent: tuple[bytes, int] | None = None
        self._directories: dict[bytes, Header] = {}
        self._attributes = 0
        self.skipped: dict[str, int] = {}
        self.size = 0  # bytes of all files
        self.lost = False

    def __enter__(self) -> Unpacker:
        return self

    def __exit__(self, *_: object) -> None:
        self._forget_parent()
        os.close(self._root)

    def unpack(self, chunks: Iterable[bytes], record: Path | None = None) -> None:
        """Unpack all members.

        Args:
            record: a file to be made, of all that is no contents: see `Recorder`.

        Raises:
            SourceError: the layer is damaged, or wants what no layer may.
            OSError: the disk is full, or refuses.
        """
        if record is None:
            self._unpack(TarStream(chunks))
            return
        with record.open("xb") as file:
            stream = Recorder(chunks, file)
            self._unpack(stream)
            stream.finish()

    def _unpack(self, stream: TarStream) -> None:
        try:
            for count, header in enumerate(stream):
                if count >= MOST_ENTRIES:
                    _fail("it has too many members")
                before = self.size
                with _blamed(header.name):
                    self._member(header, stream)
                self.lost |= self.size - before != stored(header)
        except SlimError as error:
            if isinstance(error, SourceError):
                raise
            _fail(error.message.rpartition("cannot be read: ")[2].rstrip("."), error)
        self._forget_parent()
        for path in sorted(self._directories, reverse=True):
            with _blamed(path):
                self._finish_directory(path, self._directories[path])

    def _member(self, header: Header, stream: TarStream) -> None:
        parts = [part for part in header.name.split(b"/") if part not in (b"", b".")]
        if b".." in parts:
            _fail("a member leaves its root with ..")
        if not parts:
            self._remember(b"", header)
            return
        *above, name = parts
        parent = self._open_parent(b"/".join(above))
        if name.startswith(_WHITEOUT):
            self._whiteout(parent, name)
            return
        found = beneath.kind(parent, name)
        if header.type == _DIRECTORY or _is_old_directory(header):
            if found is not None and not stat.S_ISDIR(found):
                self._lose(found)
                os.unlink(name, dir_fd=parent)
                found = None
            if found is None:
                os.mkdir(name, 0o700, dir_fd=parent)
            self._remember(b"/".join(parts), header)
            return
        if found is not None:  # the last member of a name wins
            self._lose(found)
            if stat.S_ISDIR(found):
                beneath.removed(parent, name)
            else:
                os.unlink(name, dir_fd=parent)
        self._make(header, stream, parent, name)

    def _lose(self, kind: int) -> None:
        """Something is replaced; a link that is may have led to where files were put."""
        self.lost |= not stat.S_ISCHR(kind)

    def _remember(self, path: bytes, header: Header) -> None:
        """A directory gets its mode and time when all is in it."""
        self._attributes += sum(map(len, header.xattrs.values()))
        if self._attributes > MOST_ATTRIBUTES:
            _fail("its directories have too many extended attributes")
        self._directories[path] = header

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
                self._skip(SKIPPED)
                return
        self._dress(header, parent, name)

    def _file(self, header: Header, stream: TarStream, parent: int, name: bytes) -> None:
        self.size += sum(length for _, length in header.data)
        if max(self.size, header.size) > LARGEST:
            _fail(f"it has more than {LARGEST >> 40} TiB")
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
        finally:
            os.close(file)

    def _hard_link(self, header: Header, parent: int, name: bytes) -> None:
        above, _, last = header.link.strip(b"/").rpartition(b"/")
        if last in (b"", b".", b".."):
            _fail("a hard link has no target")
        source = beneath.opened(self._root, above)
        try:
            kind = beneath.kind(source, last)
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
        if beneath.kind(parent, hidden) is None:  # a whiteout speaks of the layers below only
            os.mknod(hidden, 0o600 | stat.S_IFCHR, os.makedev(0, 0), dir_fd=parent)

    def _dress(self, header: Header, parent: int, name: bytes) -> None:
        """Owner, attributes, mode and time, in the order in which the kernel keeps them."""
        link = header.type == _LINK
        if self._owners:
            self._give(header, parent, name)
        if not link:
            os.chmod(name, header.mode, dir_fd=parent)
        for key, value in header.xattrs.items():
            self._attribute(parent, name, key, value)
        time = min(header.mtime, _LAST_TIME)
        os.utime(name, (time, time), dir_fd=parent, follow_symlinks=False)

    def _give(self, header: Header, parent: int, name: bytes) -> None:
        if max(header.uid, header.gid) > _LAST_ID:
            _fail("a file's owner has an impossible number")
        try:
            os.chown(name, header.uid, header.gid, dir_fd=parent, follow_symlinks=False)
        except OSError as error:
            if error.errno != errno.EINVAL or self._is_root:
                raise
            self._skip(OWNERS)

    def _attribute(self, parent: int, name: bytes, key: str, value: bytes) -> None:
        if key.startswith(_OWN_XATTRS):
            self._skip(OBEYED)
            return
        path = os.fsencode(_own_name(parent)) + b"/" + name
        try:
            os.setxattr(path, key.encode("utf-8", "surrogateescape"), value, follow_symlinks=False)
        except OSError as error:
            too_large = error.errno == errno.ENOSPC and len(value) > _ONE_BLOCK
            if error.errno not in _NO_ATTRIBUTE and not too_large:
                raise
            self._skip(UNSET)

    def _skip(self, why: str) -> None:
        self.skipped[why] = self.skipped.get(why, 0) + 1

    def _finish_directory(self, path: bytes, header: Header) -> None:
        try:
            directory = beneath.opened(self._root, path, follow=not path)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
                return  # a later member took its place
            raise
        try:
            self._dress(header, directory, b".")
        finally:
            os.close(directory)

    def _open_parent(self, path: bytes) -> int:
        """A descriptor of a directory, made with all above it; the last one is remembered."""
        if self._parent is None or self._parent[0] != path:
            self._forget_parent()
            try:
                opened = beneath.opened(self._root, path)
            except FileNotFoundError:
                opened = beneath.made(self._root, path)
            self._parent = (path, opened)
        return self._parent[1]

    def _forget_parent(self) -> None:
        if self._parent is not None:
            os.close(self._parent[1])
            self._parent = None


@contextlib.contextmanager
def _blamed(name: bytes) -> Iterator[None]:
    """Failures that a layer's own names and numbers bring about are the layer's."""
    try:
        yield
    except NotADirectoryError as error:
        _fail("a member lies below something that is no directory", error)
    except (ValueError, OverflowError) as error:
        _fail(f"a member has an impossible name or number: {_shown(name)}", error)
    except OSError as error:
        if error.errno not in _LAYERS_FAULT:
            raise
        _fail(f"a member is refused: {_shown(name)}: {error.strerror}", error)


def _shown(name: bytes) -> str:
    return ascii(os.fsdecode(name[:100]))


def _is_old_directory(header: Header) -> bool:
    """Archives older than POSIX mark a directory by its name alone."""
    return header.type == tarstream.REGULAR and header.name.endswith(b"/")


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
    directory, kind, record = sys.argv[1:]
    answer: dict[str, object] = {}
    try:
        with Unpacker(directory, root=False, owners=kind != "single") as unpacker:
            unpacker.unpack(_standard_input(), Path(record))
            answer = {
                "skipped": unpacker.skipped,
                "size": unpacker.size,
                "lost": unpacker.lost,
            }
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
