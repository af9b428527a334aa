"""Writes the kept paths as one reproducible layer: sorted, numeric owners, original times."""

from __future__ import annotations

import errno
import hashlib
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO, assert_never

from slimpy.errors import DiskFullError, OutputError, PackError
from slimpy.image.contents import Contents, Member
from slimpy.image.links import resolve
from slimpy.image.tree import Tree, order
from slimpy.model import (
    ROOT,
    Account,
    Entry,
    FileType,
    ImagePath,
    KeepSet,
    Layer,
    display,
    encoded,
)
from slimpy.pack import tarball
from slimpy.pack.tarball import Header, Writer

WHITEOUT = ".wh."
"""Names with this prefix delete when a layer is applied: OCI image specification, layer.md."""

UNKEPT_XATTRS = frozenset({"security.selinux"})
"""Attributes of the host's mount of a container, which differ from one container to the next."""

_NOTHING: Mapping[ImagePath, bytes] = MappingProxyType({})
_NO_SPACE = frozenset((errno.ENOSPC, errno.EDQUOT))


@dataclass(frozen=True, slots=True)
class Packed:
    """A written layer, and what could not go in: path -> reason, for it or an attribute of it."""

    layer: Layer
    skipped: Mapping[ImagePath, str]


def write_layer(
    tree: Tree,
    keep: KeepSet,
    account: Account | None,
    contents: Contents,
    destination: Path,
    *,
    replaced: Mapping[ImagePath, bytes] = _NOTHING,
) -> Packed:
    """Write a layer of the kept paths and all directories above them.

    Args:
        tree: every path of the image.
        keep: what ships; real paths of the tree only.
        account: whose ``chown`` paths get its owner; None changes no owner.
        contents: reads the image's files; all that is needed is fetched in one go.
        destination: the file to write.
        replaced: generated contents of regular files, in place of the image's or new ones (mode
            0644, owner 0:0, time 0); they ship even if ``keep`` does not name them.

    Raises:
        PackError: ``keep`` or ``replaced`` names what cannot be packed, or it cannot be read.
        DiskFullError: no space is left for the layer.
        OutputError: ``destination`` cannot be written.
    """
    entries, skipped = _sorted_out(_chosen(tree, keep, replaced))
    empty = keep.placeholders - replaced.keys()
    wanted = (entry.path for entry in entries if not _is_empty(entry, empty))
    contents.fetch(path for path in wanted if path in tree)
    digest = hashlib.sha256()
    try:
        with destination.open("wb") as file:

            def write(data: bytes) -> None:
                digest.update(data)
                file.write(data)

            writer = Writer(write)
            packing = _Packing(tree, contents, writer, replaced, empty, _owners(tree, account))
            for entry in entries:
                packing.add(entry)
            writer.finish()
    except OSError as error:
        raise _unwritable(destination, error) from error
    layer = Layer(
        path=str(destination),
        diff_id=f"sha256:{digest.hexdigest()}",
        size=writer.size,
        files=packing.files,
        content_size=packing.content_size,
    )
    return Packed(layer, MappingProxyType({**skipped, **packing.partial}))


def _chosen(tree: Tree, keep: KeepSet, replaced: Mapping[ImagePath, bytes]) -> Iterable[Entry]:
    """The entries of all kept and generated paths and of the directories above, in tree order."""
    chosen: dict[ImagePath, Entry] = {}
    for path in (*keep.reasons, *keep.placeholders):
        if path not in chosen:
            chosen[path] = _known(tree, path)
    for path, data in replaced.items():
        chosen[path] = _generated(tree, path, data)
    for path in list(chosen):
        for above in tree.parents(path):
            if above not in chosen:
                chosen[above] = tree.get(above) or Entry(above, FileType.DIRECTORY)
            if chosen[above].type is not FileType.DIRECTORY:
                message = f"{display(path)} cannot be packed: {display(above)} is no directory."
                raise PackError(message)
    return sorted(chosen.values(), key=lambda entry: order(entry.path))


def _known(tree: Tree, path: ImagePath) -> Entry:
    entry = tree.get(path)
    if entry is not None:
        return entry
    real = resolve(tree, path).real
    led = f"; it leads to {display(real)}" if real else ""
    message = f"{display(path)} is to be kept, but it is no real path of the image{led}."
    raise PackError(
        message, hint="This is a bug in slimpy: please report it with the report's JSON."
    )


def _generated(tree: Tree, path: ImagePath, data: bytes) -> Entry:
    entry = tree.get(path)
    if entry is None:
        return Entry(path, FileType.FILE, mode=0o644, size=len(data))
    if entry.type is not FileType.FILE:
        message = f"{display(path)} is no regular file of the image, so it cannot be replaced."
        raise PackError(message)
    # Other names of the file keep its original contents, so this one leaves their group.
    return replace(entry, size=len(data), inode=0)


def _sorted_out(entries: Iterable[Entry]) -> tuple[list[Entry], dict[ImagePath, str]]:
    """What a layer can hold, and the rest with the reason."""
    fit: list[Entry] = []
    skipped: dict[ImagePath, str] = {}
    for entry in entries:
        if f"/{WHITEOUT}" in entry.path:
            skipped[entry.path] = f"a name with {WHITEOUT} means a deletion in a layer"
        elif entry.type is FileType.SOCKET:
            skipped[entry.path] = "a socket is made by the program that listens on it"
        else:
            fit.append(entry)
    return fit, skipped


def _is_empty(entry: Entry, placeholders: frozenset[ImagePath]) -> bool:
    """Whether only a file's name ships; a directory's placeholder is the directory as it is."""
    return entry.type is FileType.FILE and entry.path in placeholders


def _owners(tree: Tree, account: Account | None) -> dict[ImagePath, tuple[int, int]]:
    """New owners by path; all names of a hard-linked file change together, as there is one file."""
    if account is None:
        return {}
    entries = [entry for path in account.chown if (entry := tree.get(path))]
    names = (other.path for entry in entries for other in tree.hardlinks(entry))
    return dict.fromkeys(names, (account.uid, account.gid))


def _unwritable(destination: Path, error: OSError) -> DiskFullError | OutputError:
    if error.errno in _NO_SPACE:
        message = f"No space is left to write the layer {destination}."
        hint = "Free some space for temporary files, or set TMPDIR to another disk."
        return DiskFullError(message, hint=hint)
    why = error.strerror or error
    return OutputError(f"The layer {destination} cannot be written: {why}.")


@dataclass(slots=True)
class _Packing:
    """A layer being written, entry by entry."""

    tree: Tree
    contents: Contents
    writer: Writer
    replaced: Mapping[ImagePath, bytes]
    empty: frozenset[ImagePath]
    owners: Mapping[ImagePath, tuple[int, int]]
    files: int = 0
    content_size: int = 0
    partial: dict[ImagePath, str] = field(default_factory=dict)
    first_names: dict[int, bytes] = field(default_factory=dict)

    def add(self, entry: Entry) -> None:
        member = self._member(entry)
        header = self._header(entry, member)
        if header is None:
            return
        self.files += entry.type is FileType.FILE
        if header.type != tarball.REGULAR:
            self.writer.add(header)
            return
        self.content_size += header.size
        with self._open(entry) as file:
            self.writer.add(header, file)

    def _member(self, entry: Entry) -> Member:
        data = self.replaced.get(entry.path)
        if _is_empty(entry, self.empty) or entry.path not in self.tree:
            return Member(len(data or b""))
        try:
            member = self.contents.member(entry.path)
        except FileNotFoundError as error:
            raise _unreadable(entry.path) from error
        return member if data is None else replace(member, size=len(data))

    def _open(self, entry: Entry) -> BinaryIO:
        if entry.path in self.replaced:
            return io.BytesIO(self.replaced[entry.path])
        if entry.path in self.empty:
            return io.BytesIO()
        try:
            return self.contents.open(entry.path)
        except FileNotFoundError as error:
            raise _unreadable(entry.path) from error

    def _header(self, entry: Entry, member: Member) -> Header | None:
        """The entry's header, None where a layer needs or can have none."""
        uid, gid = self.owners.get(entry.path, (entry.uid, entry.gid))
        xattrs = dict(self._xattrs(entry.path, member))
        plain_root = (entry.mode, uid, gid, xattrs) == (0o755, 0, 0, {})
        if entry.path == ROOT and plain_root:
            return None
        header = Header(
            name=_name(entry), type=_type(entry.type), mode=entry.mode, uid=uid, gid=gid,
            mtime=entry.mtime, xattrs=xattrs,
        )  # fmt: skip
        first = self._first_name(entry, header.name)
        if first is not None:
            # The attributes once more: an engine that sets the owner of a link makes the kernel
            # drop the file's capabilities, see chown(2).
            return replace(header, type=tarball.HARD_LINK, link=first)
        match entry.type:
            case FileType.FILE:
                return replace(header, size=member.size)
            case FileType.LINK:
                return replace(header, link=encoded(entry.target))
            case FileType.CHARACTER | FileType.BLOCK:
                if (member.major, member.minor) == (0, 0):
                    self.partial[entry.path] = "a device 0:0 means a deletion in a layer"
                    return None
                return replace(header, major=member.major, minor=member.minor)
        return header

    def _first_name(self, entry: Entry, name: bytes) -> bytes | None:
        """The name of an earlier entry for the same file; without one, this is it from now on."""
        if not entry.inode or _is_empty(entry, self.empty):
            return None
        first = self.first_names.setdefault(entry.inode, name)
        return None if first == name else first

    def _xattrs(self, path: ImagePath, member: Member) -> Iterator[tuple[str, bytes]]:
        for key, value in sorted(member.xattrs.items()):
            if key in UNKEPT_XATTRS:
                continue
            if "=" in key:
                self.partial[path] = f"its extended attribute {display(key)} has a name with ="
                continue
            yield key, value


def _unreadable(path: ImagePath) -> PackError:
    message = f"{display(path)} is in the image's listing, but it could not be read."
    return PackError(message, hint="Does the engine still have the image? Try again.")


def _name(entry: Entry) -> bytes:
    relative = encoded(entry.path)[1:] or b"."
    return relative + b"/" if entry.type is FileType.DIRECTORY else relative


def _type(kind: FileType) -> bytes:
    match kind:
        case FileType.FILE:
            return tarball.REGULAR
        case FileType.DIRECTORY:
            return tarball.DIRECTORY
        case FileType.LINK:
            return tarball.SYMBOLIC_LINK
        case FileType.CHARACTER:
            return tarball.CHARACTER
        case FileType.BLOCK:
            return tarball.BLOCK_DEVICE
        case FileType.FIFO:
            return tarball.FIFO
        case FileType.SOCKET:
            # Left out before: see `_sorted_out`.
            message = "a socket cannot be in a layer"
            raise PackError(message)
    assert_never(kind)
