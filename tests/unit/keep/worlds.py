"""Small images for the tests of the rules: a dictionary of paths becomes a tree with contents."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from probes.model import Activity, FileEvent, Operation, Process, Trace
from slimpy.image.contents import Member
from slimpy.image.tree import Tree
from slimpy.keep.decide import decide
from slimpy.keep.scene import Scene
from slimpy.model import Entry, FileType, Image, ImagePath, KeepSet, Level, Reason, Rule
from slimpy.settings import Wishes


@dataclass(frozen=True)
class Thing:
    """One path of a test image; ``size`` may be larger than the contents, to make a file heavy."""

    type: FileType = FileType.FILE
    data: bytes = b""
    mode: int = 0o644
    target: str = ""
    size: int | None = None
    inode: int = 0


def file(data: bytes | str = b"data", *, size: int | None = None, inode: int = 0) -> Thing:
    return Thing(data=data.encode() if isinstance(data, str) else data, size=size, inode=inode)


def program(data: bytes | str = b"\x00program") -> Thing:
    return Thing(data=data.encode() if isinstance(data, str) else data, mode=0o755)


def link(target: str) -> Thing:
    return Thing(FileType.LINK, mode=0o777, target=target)


def directory(mode: int = 0o755) -> Thing:
    return Thing(FileType.DIRECTORY, mode=mode)


SOCKET = Thing(FileType.SOCKET)
FIFO = Thing(FileType.FIFO)


class Store:
    """Contents held in memory. Reading what the image has not is an error, as in the real one."""

    def __init__(self, things: Mapping[str, Thing]) -> None:
        self.files = {p: t.data for p, t in things.items() if t.type is FileType.FILE}
        self.batches: list[tuple[ImagePath, ...]] = []

    def fetch(self, paths: Iterable[ImagePath]) -> None:
        self.batches.append(tuple(paths))

    def open(self, path: ImagePath) -> BinaryIO:
        if path not in self.files:
            raise FileNotFoundError(path)
        return io.BytesIO(self.files[path])

    def read(self, path: ImagePath, limit: int | None = None) -> bytes:
        return self.open(path).read(-1 if limit is None else limit)

    def member(self, path: ImagePath) -> Member:
        return Member(len(self.files.get(path, b"")))

    @property
    def fetched(self) -> set[ImagePath]:
        return {path for batch in self.batches for path in batch}


def tree_from(things: Mapping[str, Thing]) -> Tree:
    """The tree of a test image; parents that are not named are made up."""
    return Tree(
        Entry(
            ImagePath(path),
            thing.type,
            thing.mode,
            size=len(thing.data) if thing.size is None else thing.size,
            target=thing.target,
            inode=thing.inode,
        )
        for path, thing in things.items()
    )


def event(
    path: str,
    operation: Operation = Operation.OPEN,
    error: str | None = None,
    *,
    by: str = "/usr/bin/app",
    during: str = "GET /",
    final: str | None = None,
) -> FileEvent:
    return FileEvent(path, operation, error, by, during, final)


def trace_of(
    events: Iterable[FileEvent] = (),
    *,
    changed: tuple[str, ...] = (),
    processes: tuple[str, ...] = (),
) -> Trace:
    ran = tuple(Process(n, 0, path, None, None) for n, path in enumerate(processes, 1))
    return Trace("sha256:0", Activity(events=tuple(events), processes=ran), changed=changed)


def image_of(**config: Any) -> Image:
    return Image("app", "sha256:0", "amd64", "linux", 0, "", config)


@dataclass
class World:
    """An image, what its run did, and the decision on it."""

    things: Mapping[str, Thing]
    config: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.tree = tree_from(self.things)
        self.store = Store(self.things)
        self.image = image_of(**self.config)

    def scene(self, *events: FileEvent, **trace: Any) -> Scene:
        return Scene(self.image, self.tree, trace_of(events, **trace), self.store)

    def decide(
        self,
        *events: FileEvent,
        includes: tuple[str, ...] = (),
        wishes: Wishes | None = None,
        extra: Mapping[ImagePath, tuple[Reason, ...]] | None = None,
        ignore: tuple[str, ...] = (),
        level: Level = Level.MINIMAL,
        disabled: frozenset[Rule] = frozenset(),
        **trace: Any,
    ) -> KeepSet:
        return decide(
            self.image,
            self.tree,
            trace_of(events, **trace),
            self.store,
            wishes=wishes or Wishes(keep=includes),
            extra=extra,
            ignore=ignore,
            level=level,
            disabled=disabled,
        )


def rules(keep: KeepSet, path: str) -> set[Rule]:
    """The rules by which a path is kept."""
    return {reason.rule for reason in keep.reasons.get(ImagePath(path), ())}


def files_kept(keep: KeepSet, world: World) -> set[str]:
    """The kept regular files whose contents ship."""
    return {
        path
        for path in keep.reasons
        if path not in keep.placeholders and world.things.get(path, directory()).type == "f"
    }


def elf(
    *,
    interpreter: str = "",
    needed: tuple[str, ...] = (),
    soname: str = "",
    imports: tuple[str, ...] = (),
    text: bytes = b"",
) -> bytes:
    """A little 64-bit x86 ELF file: a program if it has an interpreter or needs nothing.

    ``text`` is put in where code would be; ``imports`` are its undefined symbols.
    """
    shared = bool(needed or soname or interpreter or imports)
    strings = b"\0"
    tags = []
    for tag, value in [*((1, name) for name in needed), *([(14, soname)] if soname else [])]:
        tags.append((tag, len(strings)))
        strings += value.encode() + b"\0"
    symbols = bytes(24) if imports else b""
    for symbol in imports:
        symbols += struct.pack("<IBBHQQ", len(strings), 0x12, 0, 0, 0, 0)
        strings += symbol.encode() + b"\0"
    headers = 64 + 3 * 56
    name = interpreter.encode() + b"\0"
    at_strings = headers + len(name)
    at_symbols = (at_strings + len(strings) + 15) // 16 * 16
    at_tags = (at_symbols + len(symbols) + 15) // 16 * 16
    if imports:
        # The reader takes the table to end where the next one begins.
        tags += [(6, at_symbols), (4, at_symbols + len(symbols))]
    dynamic = b"".join(
        struct.pack("<qQ", *tag) for tag in (*tags, (5, at_strings), (10, len(strings)), (0, 0))
    )
    at_text = at_tags + len(dynamic)
    size = at_text + len(text)
    segments = [_segment(1, 0, size)]
    if interpreter:
        segments.append(_segment(3, headers, len(name)))
    if shared:
        segments.append(_segment(2, at_tags, len(dynamic)))
    kind = 3 if shared else 2
    header = b"\x7fELF\x02\x01\x01" + bytes(9)
    header += struct.pack(
        "<HHIQQQIHHHHHH", kind, 62, 1, 0, 64, 0, 0, 64, 56, len(segments), 0, 0, 0
    )
    image = (header + b"".join(segments)).ljust(headers, b"\0") + name + strings
    image = image.ljust(at_symbols, b"\0") + symbols
    return image.ljust(at_tags, b"\0") + dynamic + text


def _segment(kind: int, offset: int, size: int) -> bytes:
    return struct.pack("<IIQQQQQQ", kind, 5, offset, offset, offset, size, size, 16)
