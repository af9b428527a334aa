"""The listing of an image: how GNU find is asked for it, and what its answer means."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from slimpy.errors import EngineLostError
from slimpy.model import Entry, FileType, ImagePath, decoded, display

FIELDS = ("%y", "%m", "%U", "%G", "%s", "%T@", "%n", "%D:%i", "%l", "%p")
"""Type, octal mode, uid, gid, size, mtime, link count, device:inode, link target, path: find(1)."""

FORMAT = "".join(rf"{field}\0" for field in FIELDS)
"""NUL ends each field: the one byte that no name and no link target can hold."""

MAXIMUM_RECORD = 1 << 20
"""Bytes of one path's record; the kernel's own bounds on names and targets stay far below."""

ENGINE_FILES = frozenset({ImagePath("/.dockerenv")})
"""What an engine puts into every container and no image holds."""

_TYPES = {kind.value.encode(): kind for kind in FileType}
_NUMBER = re.compile(rb"[0-9]{1,19}")
# find rounds the whole seconds of a time before 1970 down, with the fraction to be added: a second
# and a half before the epoch is printed as -2.5. Before the dot is what stat(2) has in tv_sec.
_TIME = re.compile(rb"(-?[0-9]{1,19})(?:\.[0-9]*)?")
_IDENTITY = re.compile(rb"[0-9]{1,20}:[0-9]{1,20}")


def find_arguments(prune: Sequence[str]) -> tuple[str, ...]:
    """The arguments of GNU find that list all but the ``prune`` paths and what is below them.

    A relative or non-normalised path in ``prune`` matches nothing.
    """
    if not prune:
        return ("/", "-printf", FORMAT)
    tests: list[str] = []
    for path in prune:
        tests += ["-o", "-path", _literal(path)]
    return ("/", "(", *tests[1:], ")", "-prune", "-o", "-printf", FORMAT)


def _literal(path: str) -> str:
    """A pattern of fnmatch(3) that matches this path only."""
    return re.sub(r"([\\*?\[])", r"\\\1", path)


def parse(chunks: Iterable[bytes]) -> Iterator[Entry]:
    """The entries of find's output, as they come; memory is bounded by a chunk and a record.

    Sizes are those of regular files (0 for others). Inodes are numbered 1, 2, 3... in order of
    appearance, and only where a file has more than one name.

    Raises:
        EngineLostError: the output is malformed, empty, or ends in the middle of a record.
    """
    width = len(FIELDS)
    interned = _Interned()
    rest = b""
    seen = False
    for chunk in chunks:
        fields = (rest + chunk).split(b"\0")
        whole = (len(fields) - 1) // width * width
        for start in range(0, whole, width):
            yield interned.entry(fields[start : start + width])
            seen = True
        rest = b"\0".join(fields[whole:])
        if len(rest) > MAXIMUM_RECORD:
            raise _malformed(rest)
    if rest:
        message = "The listing of the image ended in the middle of an entry."
        raise EngineLostError(message, hint="Does the engine still run? Try again.")
    if not seen:
        message = "The listing of the image is empty."
        raise EngineLostError(message, hint="Does the engine still run? Try again.")


class _Interned:
    """Makes entries; equal numbers are one object, as most of an image's entries share theirs."""

    def __init__(self) -> None:
        self._inodes: dict[bytes, int] = {}
        self._numbers: dict[int, int] = {}

    def entry(self, fields: list[bytes]) -> Entry:
        kind, mode, uid, gid, size, mtime, names, identity, target, path = fields
        file_type = _TYPES.get(kind)
        time = _TIME.fullmatch(mtime)
        plain = all(_NUMBER.fullmatch(number) for number in (mode, uid, gid, size, names))
        octal = not mode.strip(b"01234567")
        known = file_type is not None and time is not None
        if not (known and plain and octal and _IDENTITY.fullmatch(identity) and _is_normal(path)):
            raise _malformed(b"\0".join(fields))
        assert file_type is not None
        assert time is not None
        return Entry(
            path=ImagePath(decoded(path)),
            type=file_type,
            mode=self._one(int(mode, 8) & 0o7777),
            uid=self._one(int(uid)),
            gid=self._one(int(gid)),
            size=int(size) if file_type is FileType.FILE else 0,
            mtime=self._one(int(time[1])),
            target=decoded(target) if file_type is FileType.LINK else "",
            inode=self._inode(file_type, int(names), identity),
        )

    def _one(self, number: int) -> int:
        return self._numbers.setdefault(number, number)

    def _inode(self, file_type: FileType, names: int, identity: bytes) -> int:
        if names < 2 or file_type is FileType.DIRECTORY:
            return 0
        return self._inodes.setdefault(identity, len(self._inodes) + 1)


def _is_normal(path: bytes) -> bool:
    if path == b"/":
        return True
    if not path.startswith(b"/"):
        return False
    return all(part not in (b"", b".", b"..") for part in path[1:].split(b"/"))


def _malformed(record: bytes) -> EngineLostError:
    shown = display(decoded(record[:200]))
    message = f"The listing of the image holds something that is no entry: {shown}"
    return EngineLostError(message, hint="slimpy needs GNU find's answer, unchanged.")


def normalised(entries: Iterable[Entry], *, container_time: int, created: int) -> Iterator[Entry]:
    """The entries without the traces of the container that they were listed in.

    An engine makes mount points in ``/``, ``/etc`` and ``/dev`` when it makes a container, so these
    directories (and the link ``/etc/mtab``) carry that moment. Every directory and link that is not
    older than the container gets the time ``created`` instead: the same image then gives the same
    bytes each time. ``/.dockerenv`` is dropped. Files that the engine makes (``/etc/hosts`` and its
    like) have to be pruned by the caller.

    Args:
        entries: as `parse` gives them.
        container_time: when the container was made, in whole seconds since the epoch.
        created: a time that belongs to the image, in whole seconds since the epoch.
    """
    for entry in entries:
        if entry.path in ENGINE_FILES:
            continue
        made_here = entry.mtime >= container_time
        if made_here and entry.type in (FileType.DIRECTORY, FileType.LINK):
            yield replace(entry, mtime=created)
        else:
            yield entry
