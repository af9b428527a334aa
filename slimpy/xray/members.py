"""What one layer holds, read once from its tar stream. Everything in it is hostile input."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from slimpy.errors import SlimError, SourceError
from slimpy.image import tarstream
from slimpy.image.tarstream import Header, TarStream
from slimpy.model import FileType, decoded

MOST_MEMBERS = 3_000_000
"""Members of all layers together; more would fill the memory, and no real image has them."""
LONGEST_PATH = 4096
"""Bytes of a path (PATH_MAX of Linux); a longer one could never be opened."""

_WHITEOUT = ".wh."
_META = ".wh..wh."
_OPAQUE = ".wh..wh..opq"
_CAPABILITY = "security.capability"
_TYPES = {
    tarstream.REGULAR: FileType.FILE,
    tarstream.HARD_LINK: FileType.FILE,
    b"2": FileType.LINK,
    tarstream.CHARACTER: FileType.CHARACTER,
    tarstream.BLOCK_DEVICE: FileType.BLOCK,
    b"5": FileType.DIRECTORY,
    b"6": FileType.FIFO,
}


@dataclass(frozen=True, slots=True)
class Member:
    """One path of a layer. ``size`` in bytes is what this layer stores for it: 0 for all but
    regular files, and for further names of a file.

    ``content`` is equal for all names of one stored file, and for no other; ``length`` is the
    file's, whoever stores it. ``digest`` is the sha256 of its contents, empty for others.
    """

    path: str
    type: FileType
    mode: int = 0
    uid: int = 0
    gid: int = 0
    size: int = 0
    length: int = 0
    target: str = ""
    digest: bytes = b""
    content: int = 0
    capabilities: bool = False

    @property
    def is_file(self) -> bool:
        """Whether it is a regular file."""
        return self.type is FileType.FILE


@dataclass(frozen=True, slots=True)
class LayerMembers:
    """A layer's paths, each once (the last member of a name wins), and what it hides of the layers
    below: single paths, and the former contents of whole directories (OCI image specification,
    "Layer changesets").
    """

    members: Mapping[str, Member]
    whiteouts: tuple[str, ...] = ()
    opaque: tuple[str, ...] = ()
    skipped: Mapping[str, int] = field(default_factory=dict)  # why -> how many

    @property
    def size(self) -> int:
        """Bytes of all files that it stores."""
        return sum(member.size for member in self.members.values())


Wanted = Callable[[str, int], int]
"""How many bytes of a file to keep, by path and size; 0 for none."""
Look = Callable[[str, bytes], None]
"""Is given the path of a file and the bytes that were wanted of it."""


class LayerReader:
    """Reads layers one after the other; contents are numbered through all of them."""

    def __init__(self, wanted: Wanted, look: Look) -> None:
        self._wanted = wanted
        self._look = look
        self._contents = 0
        self._count = 0

    def read(self, chunks: Iterable[bytes], name: str) -> LayerMembers:
        """What an uncompressed layer holds; its files are shown to ``look``.

        Args:
            name: the layer's, for errors.

        Raises:
            SourceError: the stream is damaged, or of unbelievable size.
        """
        layer = _Layer()
        stream = TarStream(chunks)
        try:
            for header in stream:
                self._count += 1
                if self._count > MOST_MEMBERS:
                    message = f"The image has more than {MOST_MEMBERS:,} members."
                    raise SourceError(message, hint="No real image has.")
                self._member(header, stream, layer)
        except SourceError:
            raise
        except SlimError as error:
            why = error.message.rpartition("cannot be read: ")[2].rstrip(".")
            message = f"The layer {name} cannot be read: {why}."
            raise SourceError(message, hint="Fetch or save the image again.") from error
        return LayerMembers(
            layer.members, tuple(layer.whiteouts), tuple(layer.opaque), layer.skipped
        )

    def _member(self, header: Header, stream: TarStream, layer: _Layer) -> None:
        path = _path(header.name)
        if path is None:
            layer.skip("names that lead out of the image, or are too long")
            return
        if path == "/":
            return
        above, _, last = path.rpartition("/")
        if last == _OPAQUE:
            layer.opaque.append(above or "/")
        elif last.startswith(_META):
            return
        elif last.startswith(_WHITEOUT):
            hidden = last.removeprefix(_WHITEOUT)
            if hidden not in ("", ".", ".."):
                layer.whiteouts.append(f"{above}/{hidden}")
        else:
            linked = header.type == tarstream.HARD_LINK
            layer.put(
                self._linked(header, stream, path, layer)
                if linked
                else self._plain(header, stream, path)
            )

    def _linked(self, header: Header, stream: TarStream, path: str, layer: _Layer) -> Member:
        """Another name of a file that the layer has already."""
        of = layer.members.get(_path(header.link) or "")
        if of is None or not of.is_file:
            layer.skip("hard links to what their layer does not have")
            return self._plain(header, stream, path)
        return Member(
            path,
            FileType.FILE,
            of.mode,
            of.uid,
            of.gid,
            length=of.length,
            digest=of.digest,
            content=of.content,
            capabilities=of.capabilities,
        )

    def _plain(self, header: Header, stream: TarStream, path: str) -> Member:
        kind = _TYPES[header.type]
        digest, content = b"", 0
        if kind is FileType.FILE:
            self._contents += 1
            digest, content = self._digest(header, stream, path), self._contents
        return Member(
            path,
            kind,
            header.mode,
            header.uid,
            header.gid,
            size=header.size,
            length=header.size,
            target=decoded(header.link) if kind is FileType.LINK else "",
            digest=digest,
            content=content,
            capabilities=_CAPABILITY in header.xattrs,
        )

    def _digest(self, header: Header, stream: TarStream, path: str) -> bytes:
        """Of the contents; what is wanted of them is shown on the way."""
        found = hashlib.sha256()
        left = self._wanted(path, header.size)
        kept = bytearray()
        for piece in stream.pieces():
            found.update(piece)
            if left > 0:
                kept += piece[:left]
                left -= len(piece)
        if len(header.data) > 1 or header.data[:1] != ((0, header.size),):
            found.update(repr(header.data).encode())  # holes: the same bytes at other places
        if kept:
            self._look(path, bytes(kept))
        return found.digest()


class _Layer:
    """A layer while it is read."""

    def __init__(self) -> None:
        self.members: dict[str, Member] = {}
        self.whiteouts: list[str] = []
        self.opaque: list[str] = []
        self.skipped: dict[str, int] = {}

    def put(self, member: Member) -> None:
        """The last member of a name wins, in the place of the last."""
        self.members.pop(member.path, None)
        self.members[member.path] = member

    def skip(self, why: str) -> None:
        """Count what cannot be understood."""
        self.skipped[why] = self.skipped.get(why, 0) + 1


def _path(name: bytes) -> str | None:
    """The absolute path of a member; None where it leads out of the image or is too long."""
    if len(name) > LONGEST_PATH:
        return None
    parts = [part for part in name.split(b"/") if part not in (b"", b".")]
    return None if b".." in parts else "/" + decoded(b"/".join(parts))


def parents(path: str) -> Iterator[str]:
    """The directories above a path, from the top, without the root."""
    end = path.find("/", 1)
    while end != -1:
        yield path[:end]
        end = path.find("/", end + 1)
