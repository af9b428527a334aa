"""Layers on top of each other: what each changes, what remains visible, and what is wasted."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from slimpy.model import FileType
from slimpy.xray.members import LayerMembers, Member, parents

_MOST_LINKS = 40


class Kind(StrEnum):
    """What a layer does to a path."""

    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Change:
    """A path that a layer adds, changes or removes; ``size`` in bytes is what the layer stores for
    it. ``same`` says that a changed file has the contents that it had before. ``member`` is the
    path as the layer has it; None where the layer removes it.
    """

    path: str
    kind: Kind
    type: FileType
    size: int = 0
    same: bool = False
    member: Member | None = None


@dataclass(frozen=True, slots=True)
class Placed:
    """What is visible at a path, and the number of the layer that put it there."""

    member: Member
    layer: int


@dataclass(frozen=True, slots=True)
class Wasted:
    """A path with stored bytes that the finished image does not show.

    ``copies`` is how many layers store it, ``size`` the bytes of the hidden copies, ``reason``
    what became of the last of these: ``removed``, ``overwritten``, or ``same contents`` where it
    was stored again only for its mode, owner or time.
    """

    path: str
    size: int
    copies: int
    reason: str


@dataclass(frozen=True, slots=True)
class Stack:
    """All layers together. ``stored`` is the bytes of all files of all layers, ``minimum`` and
    ``discovered`` are those of the score, see `efficiency`.
    """

    changes: tuple[tuple[Change, ...], ...]
    visible: dict[str, Placed]
    wasted: tuple[Wasted, ...]
    stored: int
    minimum: int
    discovered: int

    @property
    def efficiency(self) -> float:
        """The smallest copies of all paths, as a share of all copies: 1 if no path is stored
        twice or removed (a removed path's smallest copy is nothing). 1 for an empty image.
        """
        return self.minimum / self.discovered if self.discovered else 1.0

    @property
    def wasted_bytes(self) -> int:
        """Stored bytes that the finished image does not show."""
        return sum(item.size for item in self.wasted)


def stacked(layers: Sequence[LayerMembers]) -> Stack:
    """Put layers on top of each other, the base first."""
    return _Stacking().result(layers)


class _Stacking:
    def __init__(self) -> None:
        self._visible: dict[str, Placed] = {}
        self._children: dict[str, set[str]] = {}
        self._sizes: dict[str, list[int]] = {}  # path -> smallest copy, all copies
        self._stored: dict[int, Member] = {}  # content -> its first name, as it was stored
        self._reasons: dict[int, str] = {}
        self._copies: dict[str, int] = {}

    def result(self, layers: Sequence[LayerMembers]) -> Stack:
        changes = tuple(tuple(self._put(layer, number)) for number, layer in enumerate(layers))
        return Stack(
            changes=changes,
            visible=self._visible,
            wasted=self._wasted(),
            stored=sum(member.size for member in self._stored.values()),
            minimum=sum(smallest for smallest, _ in self._sizes.values()),
            discovered=sum(total for _, total in self._sizes.values()),
        )

    def _put(self, layer: LayerMembers, number: int) -> Iterator[Change]:
        gone = self._hide(layer)
        for member in layer.members.values():
            member = self._moved(member)
            before = gone.pop(member.path, None) or self._visible.get(member.path)
            for path in self._below_what_goes(member):
                gone[path] = self._take(path)
            self._count(member)
            self._place(Placed(member, number), gone)
            if before is None:
                yield Change(member.path, Kind.ADDED, member.type, member.size, member=member)
                continue
            same = member.is_file and before.member.digest == member.digest
            self._end(before.member, "same contents" if same else "overwritten")
            if not (member.type is FileType.DIRECTORY and _alike(before.member, member)):
                yield Change(member.path, Kind.CHANGED, member.type, member.size, same, member)
        for path, placed in gone.items():
            self._end(placed.member, "removed")
            if path in self._sizes:
                self._sizes[path][0] = 0
            yield Change(path, Kind.REMOVED, placed.member.type)

    def _hide(self, layer: LayerMembers) -> dict[str, Placed]:
        """What the layer removes of those below; its own files are not there yet."""
        gone: dict[str, Placed] = {}
        tops = [self._real(path) for path in layer.whiteouts]
        for directory in layer.opaque:
            real = self._real(f"{directory.rstrip('/')}/.").removesuffix("/.") or "/"
            tops += [_join(real, name) for name in self._children.get(real, ())]
        for top in tops:
            for path in self._subtree(top):
                gone[path] = self._take(path)
        return gone

    def _below_what_goes(self, member: Member) -> list[str]:
        """What lies in a directory that becomes something else."""
        if member.type is FileType.DIRECTORY or not self._children.get(member.path):
            return []
        return [path for path in self._subtree(member.path) if path != member.path]

    def _subtree(self, top: str) -> list[str]:
        found = [top] if top in self._visible else []
        waiting = [top]
        while waiting:
            here = waiting.pop()
            names = [_join(here, name) for name in self._children.get(here, ())]
            found += names
            waiting += names
        return found

    def _take(self, path: str) -> Placed:
        above, _, name = path.rpartition("/")
        self._children.get(above or "/", set()).discard(name)
        return self._visible.pop(path)

    def _place(self, placed: Placed, gone: dict[str, Placed]) -> None:
        path = placed.member.path
        for above in parents(path):
            if above not in self._visible:  # the layer does not say; runtimes make it up
                gone.pop(above, None)
                self._enter(above, Placed(Member(above, FileType.DIRECTORY, 0o755), placed.layer))
        self._enter(path, placed)

    def _enter(self, path: str, placed: Placed) -> None:
        above, _, name = path.rpartition("/")
        self._children.setdefault(above or "/", set()).add(name)
        self._visible[path] = placed

    def _moved(self, member: Member) -> Member:
        path = self._real(member.path)
        return member if path == member.path else replace(member, path=path)

    def _real(self, path: str) -> str:
        """Where a path comes to lie if a directory above it is a link of the layers below."""
        for _ in range(_MOST_LINKS):
            for above in parents(path):
                placed = self._visible.get(above)
                if placed is not None and placed.member.type is FileType.LINK:
                    target = posixpath.join(posixpath.dirname(above), placed.member.target)
                    path = _normal(target) + path[len(above) :]
                    break
            else:
                return path
        return path

    def _count(self, member: Member) -> None:
        if not member.is_file:
            if member.path in self._sizes:
                self._sizes[member.path][0] = 0
            return
        if member.size:
            self._stored.setdefault(member.content, member)
        self._copies[member.path] = self._copies.get(member.path, 0) + 1
        sizes = self._sizes.setdefault(member.path, [member.size, 0])
        sizes[0] = min(sizes[0], member.size)
        sizes[1] += member.size

    def _end(self, member: Member, reason: str) -> None:
        if member.content:
            self._reasons[member.content] = reason

    def _wasted(self) -> tuple[Wasted, ...]:
        seen = {placed.member.content for placed in self._visible.values()}
        found: dict[str, Wasted] = {}
        for content, member in self._stored.items():
            if content in seen:
                continue
            before = found.get(member.path)
            size = member.size + (before.size if before else 0)
            reason = self._reasons.get(content, "overwritten")
            found[member.path] = Wasted(member.path, size, self._copies[member.path], reason)
        return tuple(sorted(found.values(), key=lambda item: (-item.size, item.path)))


def _alike(one: Member, other: Member) -> bool:
    return (one.type, one.mode, one.uid, one.gid) == (other.type, other.mode, other.uid, other.gid)


def _join(base: str, name: str) -> str:
    return f"/{name}" if base == "/" else f"{base}/{name}"


def _normal(path: str) -> str:
    """A link's target as an absolute path inside the image; it never leads out of it."""
    normal = posixpath.normpath(f"/{path.lstrip('/')}")
    return "" if normal == "/" else normal
