"""An image's Tree and Contents out of a directory or a tar file of this machine."""

from __future__ import annotations

import os
import stat
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, ClassVar, cast

from slimpy.image.contents import Member
from slimpy.image.tree import Tree
from slimpy.model import Entry, FileType, ImagePath

_TYPES = {
    stat.S_IFREG: FileType.FILE,
    stat.S_IFDIR: FileType.DIRECTORY,
    stat.S_IFLNK: FileType.LINK,
    stat.S_IFCHR: FileType.CHARACTER,
    stat.S_IFBLK: FileType.BLOCK,
    stat.S_IFIFO: FileType.FIFO,
    stat.S_IFSOCK: FileType.SOCKET,
}


def tree_of(directory: Path) -> Tree:
    """The tree of an image whose root is ``directory``."""
    return Tree(_entry(directory, path) for path in (directory, *_below(directory)))


def _below(directory: Path) -> Iterator[Path]:
    for base, directories, files in os.walk(directory):
        yield from (Path(base, name) for name in (*directories, *files))


def _entry(root: Path, path: Path) -> Entry:
    status = path.lstat()
    kind = _TYPES[stat.S_IFMT(status.st_mode)]
    hard_linked = kind is FileType.FILE and status.st_nlink > 1
    return Entry(
        ImagePath("/" + "/".join(path.relative_to(root).parts)),
        kind,
        mode=stat.S_IMODE(status.st_mode),
        uid=status.st_uid,
        gid=status.st_gid,
        size=status.st_size,
        mtime=int(status.st_mtime),
        target=str(path.readlink()) if kind is FileType.LINK else "",
        inode=status.st_ino if hard_linked else 0,
    )


class HostContents:
    """Reads below a directory; ``batches`` records what was fetched together."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.batches: list[tuple[ImagePath, ...]] = []

    def fetch(self, paths: Iterable[ImagePath]) -> None:
        """Record a batch; everything is here already."""
        self.batches.append(tuple(paths))

    def open(self, path: ImagePath) -> BinaryIO:
        """Open the file at a real path; a link on the way is a mistake of the caller."""
        host = self.directory / path.lstrip("/")
        if host.is_symlink() or not host.is_file():
            raise FileNotFoundError(path)
        return host.open("rb")

    def read(self, path: ImagePath, limit: int | None = None) -> bytes:
        """The first ``limit`` bytes."""
        with self.open(path) as file:
            return file.read(-1 if limit is None else limit)

    def member(self, path: ImagePath) -> Member:
        """Only the size: no test of a host directory needs more."""
        return Member((self.directory / path.lstrip("/")).lstat().st_size)


class TarImage:
    """A whole root file system in a tar file, such as an exported container: tree and contents."""

    _KINDS: ClassVar = {
        tarfile.REGTYPE: FileType.FILE,
        tarfile.AREGTYPE: FileType.FILE,
        tarfile.LNKTYPE: FileType.FILE,
        tarfile.DIRTYPE: FileType.DIRECTORY,
        tarfile.SYMTYPE: FileType.LINK,
        tarfile.CHRTYPE: FileType.CHARACTER,
        tarfile.BLKTYPE: FileType.BLOCK,
        tarfile.FIFOTYPE: FileType.FIFO,
    }

    def __init__(self, archive: Path) -> None:
        self._tar = tarfile.open(archive)  # noqa: SIM115
        self._members = {_member_path(member.name): member for member in self._tar}
        inodes = {
            _member_path(member.linkname): number
            for number, member in enumerate(self._members.values(), 1)
            if member.islnk()
        }
        self.tree = Tree(
            self._entry(path, member, inodes) for path, member in self._members.items()
        )

    def close(self) -> None:
        """Close the tar file."""
        self._tar.close()

    def _entry(
        self, path: ImagePath, member: tarfile.TarInfo, inodes: Mapping[ImagePath, int]
    ) -> Entry:
        first = _member_path(member.linkname) if member.islnk() else path
        return Entry(
            path,
            self._KINDS[member.type],
            mode=member.mode,
            uid=member.uid,
            gid=member.gid,
            size=self._members[first].size,
            mtime=int(member.mtime),
            target=member.linkname if member.issym() else "",
            inode=inodes.get(first, 0),
        )

    def fetch(self, paths: Iterable[ImagePath]) -> None:
        """Everything is here already."""

    def open(self, path: ImagePath) -> BinaryIO:
        """A reader of a regular file."""
        member = self._members.get(path)
        file = self._tar.extractfile(member) if member is not None and not member.issym() else None
        if file is None:
            raise FileNotFoundError(path)
        return cast("BinaryIO", file)

    def read(self, path: ImagePath, limit: int | None = None) -> bytes:
        """The first ``limit`` bytes."""
        with self.open(path) as file:
            return file.read(-1 if limit is None else limit)

    def member(self, path: ImagePath) -> Member:
        """Only the size."""
        return Member(self._members[path].size)


def _member_path(name: str) -> ImagePath:
    return ImagePath("/" + name.strip("/").removeprefix("./"))
