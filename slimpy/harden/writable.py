"""Where an app must be able to write when its root file system is read-only, from what it wrote.

A tmpfs starts empty, so it is put only where no kept file would be hidden; the kept directories
below it are mounted anew inside. Where files of the image and written ones share a directory, a
volume that starts as a copy of the directory serves both.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal

from probes.model import FileEvent, Operation, Trace
from slimpy.harden.identity import Identity
from slimpy.harden.ownership import ENTER, WRITE, permits, protected, runtime_path
from slimpy.image.links import resolve
from slimpy.image.tree import Tree, order, parent
from slimpy.model import ROOT, Account, FileType, Image, ImagePath, KeepSet, Rule, display

RUNTIME_STATE = ("/tmp", "/run", "/var/tmp", "/var/run", "/var/lock", "/var/cache", "/var/log")
"""What these hold need not outlive a container (hier(7), file-hierarchy(7))."""

_TRANSIENT = re.compile(r"\.(?:pid|sock|socket|lock|lck|log|tmp|swp)$")
_LIBRARY = re.compile(r"\.(?:so|node|jnilib)(?:\.|$)")
_MOUNTABLE = re.compile(r"(?:/[A-Za-z0-9._@%+~ -]+)+")
_MOST_NESTED = 16
_WRITING = frozenset({Operation.WRITE, Operation.CREATE, Operation.REMOVE})
_UNNEEDED = frozenset({Rule.PARENT, Rule.STATE})


@dataclass(frozen=True, slots=True)
class Writable:
    """A directory to mount something writable on; its size is unknown.

    ``seeded``: it must start with what the image holds there (an engine's new volume does so by
    itself). ``executable``: the run started programs or loaded libraries out of it.
    """

    path: ImagePath
    kind: Literal["tmpfs", "volume"]
    uid: int
    gid: int
    mode: int
    why: str
    seeded: bool = False
    executable: bool = False


@dataclass(frozen=True, slots=True)
class Writables:
    """``places`` in the tree's order; ``impossible`` (path -> why) is what the run wrote and no
    mount can serve: while there is any, the root file system has to stay writable.
    """

    places: tuple[Writable, ...] = ()
    impossible: Mapping[ImagePath, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class _Write:
    """``made`` in, or ``file`` of, an existing directory; neither where its own mode changed.

    ``made`` is the first part of a written path that the image lacks; ``is_directory`` if the run
    made a directory of that name.
    """

    directory: ImagePath
    made: ImagePath | None = None
    file: ImagePath | None = None
    is_directory: bool = False


def compute(image: Image, tree: Tree, keep: KeepSet, trace: Trace, account: Account) -> Writables:
    """What has to be writable so that the account can do what it did in the traced run.

    What the account may not write anyway is left out: it gets on without. So are Python's caches,
    and what an engine provides at each start (/dev, /proc, /etc/hosts).
    """
    return _Planner(image, tree, keep, trace, account).plan()


class _Planner:
    def __init__(
        self, image: Image, tree: Tree, keep: KeepSet, trace: Trace, account: Account
    ) -> None:
        self._tree = tree
        self._account = account
        self._who = Identity(account.uid, account.gid)
        self._handed = frozenset(account.chown)
        self._keep = keep
        self._volumes = tuple(dict.fromkeys(_real(tree, image.volumes)))
        self._data = _data(trace)
        self._run_from = _run_from(trace)
        self._writes = self._grouped(trace)

    def plan(self) -> Writables:
        places = [self._volume(path) for path in self._volumes]
        impossible: dict[ImagePath, str] = {}
        for directory in sorted(self._writes, key=order):
            found, why = self._serve(directory)
            places.extend(found)
            if why:
                impossible[directory] = why
        for place in [place for place in places if not _MOUNTABLE.fullmatch(place.path)]:
            places.remove(place)
            impossible[place.path] = "no engine takes such a name for a mount"
        return Writables(self._absorbed(places), MappingProxyType(impossible))

    def _grouped(self, trace: Trace) -> Mapping[ImagePath, tuple[_Write, ...]]:
        groups: defaultdict[ImagePath, dict[_Write, None]] = defaultdict(dict)
        for write in _writes(self._tree, trace):
            inside = any(_inside(write.directory, volume) for volume in self._volumes)
            if not inside and self._allowed(write):
                groups[write.directory][write] = None
        return {path: tuple(writes) for path, writes in groups.items()}

    def _allowed(self, write: _Write) -> bool:
        target = write.file or write.directory
        entry = self._tree.get(target)
        if entry is None or self._account.is_root:
            return True
        bits = WRITE | ENTER if entry.type is FileType.DIRECTORY else WRITE
        mine = target in self._handed or entry.uid == self._who.uid
        return mine or permits(entry, self._who, bits)

    def _serve(self, directory: ImagePath) -> tuple[list[Writable], str]:
        """Places for all that was written in one directory, or why there can be none."""
        writes = self._writes[directory]
        needed = self._needed_files(directory)
        if not needed and not protected(directory):
            return self._empty(directory, writes), ""
        made = sorted({write.made for write in writes if write.made and write.is_directory})
        others = [write for write in writes if not write.is_directory]
        if protected(directory):
            # There is no other choice, so a mkdir that finds its directory is hoped to be content.
            others = [write for write in others if write.made not in made]
        if not others:
            return [self._place(path, f"the run made {display(path)}") for path in made], ""
        if protected(directory):
            return [], _stuck(others[0])
        return [self._seeded(directory, writes, needed)], ""

    def _empty(self, directory: ImagePath, writes: tuple[_Write, ...]) -> list[Writable]:
        """A directory without files; what directories it has must be there at the start."""
        place = self._place(directory, _why(writes))
        below = [
            ImagePath(path)
            for path, reasons in self._keep.reasons.items()
            if path != directory and _inside(path, directory)
            if any(reason.rule not in _UNNEEDED for reason in reasons)
        ]
        if place.kind == "volume" or len(below) > _MOST_NESTED:
            return [replace(place, kind="volume", seeded=bool(below))]
        why = f"a directory that is kept below {display(directory)}"
        return [place, *(self._place(path, why, kind="tmpfs") for path in below)]

    def _seeded(self, directory: ImagePath, writes: tuple[_Write, ...], needed: int) -> Writable:
        why = f"{_why(writes)}, beside {needed} files of the image"
        return replace(self._place(directory, why, kind="volume"), seeded=True)

    def _volume(self, path: ImagePath) -> Writable:
        place = self._place(path, "a VOLUME of the image", kind="volume")
        return replace(place, seeded=self._needed_files(path) > 0)

    def _place(
        self, path: ImagePath, why: str, kind: Literal["tmpfs", "volume"] | None = None
    ) -> Writable:
        entry = self._tree.get(path)
        uid, gid, mode = self._account.uid, self._account.gid, 0o755
        if entry is not None:
            mode = entry.mode
            if path not in self._handed:
                uid, gid = entry.uid, entry.gid
        chosen = kind or ("volume" if self._lasting(path) else "tmpfs")
        executable = any(_inside(used, path) for used in self._run_from)
        return Writable(path, chosen, uid, gid, mode, why, executable=executable)

    def _lasting(self, path: ImagePath) -> bool:
        """Whether an app may want to find again, after a restart, what it wrote there."""
        if any(_inside(path, place) for place in RUNTIME_STATE):
            return False
        return any(_inside(data, path) for data in self._data)

    def _needed_files(self, directory: ImagePath) -> int:
        """How many kept paths a mount would hide that are no directories."""
        return sum(
            _inside(path, directory) and _is_file(self._tree, path) for path in self._keep.reasons
        )

    def _absorbed(self, places: Iterable[Writable]) -> tuple[Writable, ...]:
        """Without those that a place above already serves."""
        kept: dict[ImagePath, Writable] = {}
        for place in sorted(places, key=lambda item: (order(item.path), item.kind == "tmpfs")):
            above = next((kept[path] for path in reversed(kept) if _inside(place.path, path)), None)
            nested = above is not None and above.kind == "tmpfs" and above.path != place.path
            must_be_there = place.kind == "volume" or place.path in self._tree
            if above is None or (nested and must_be_there):
                kept[place.path] = place
            elif place.executable:
                kept[above.path] = replace(above, executable=True)
        return tuple(kept.values())


def _writes(tree: Tree, trace: Trace) -> Iterator[_Write]:
    for event in trace.activity.events:
        if event.error is None and event.operation in _WRITING:
            yield from _of_event(tree, event)
    for path in trace.changed:
        if not _ignored(path) and path not in tree:
            yield from _of_missing(tree, resolve(tree, path).missing, path)


def _of_event(tree: Tree, event: FileEvent) -> Iterator[_Write]:
    if _ignored(event.path):
        return
    removed = event.operation is Operation.REMOVE
    found = resolve(tree, event.path, follow_last=not removed)
    if found.real is None:
        yield from _of_missing(tree, found.missing, event.final or event.path)
        return
    entry = tree.get(found.real)
    if entry is None or _ignored(found.real):
        return
    if entry.type is FileType.DIRECTORY and not removed:
        yield _Write(found.real)
    elif removed or entry.type in (FileType.FILE, FileType.LINK):
        # Opening a device or a FIFO for writing works on a read-only file system too.
        yield _Write(parent(found.real), file=found.real)


def _of_missing(tree: Tree, missing: ImagePath | None, reached: str) -> Iterator[_Write]:
    if missing is None or _ignored(missing):
        return
    directory = tree.get(parent(missing))
    if directory is not None and directory.type is FileType.DIRECTORY:
        deeper = reached.startswith(f"{missing}/")
        yield _Write(directory.path, made=missing, is_directory=deeper)


def _ignored(path: str) -> bool:
    """Nothing for us to provide; Python's caches are written only where that is possible."""
    return runtime_path(path) or path.endswith((".pyc", "/__pycache__")) or "/__pycache__/" in path


def _data(trace: Trace) -> frozenset[str]:
    """What was written or made (a rename makes whole files), but for logs, locks and sockets.

    That it was removed again proves nothing: a probe cleans up behind itself.
    """
    return frozenset(
        path
        for event in trace.activity.events
        if event.error is None and event.operation in (Operation.WRITE, Operation.CREATE)
        for path in (event.path, event.final)
        if path and not _TRANSIENT.search(path)
    )


def _run_from(trace: Trace) -> frozenset[str]:
    return frozenset(
        event.path
        for event in trace.activity.events
        if event.error is None
        if event.operation is Operation.EXEC
        or (event.operation is Operation.OPEN and _LIBRARY.search(event.path))
    )


def _why(writes: tuple[_Write, ...]) -> str:
    first = writes[0]
    shown = display(first.file or first.made or first.directory)
    verb = "wrote" if first.file else "made" if first.made else "changed"
    more = f" and {len(writes) - 1} more" if len(writes) > 1 else ""
    return f"the run {verb} {shown}{more}"


def _stuck(write: _Write) -> str:
    if write.file is not None:
        return (
            f"the run changed {display(write.file)}, which lies among the system's own files:"
            " mount a copy of that one file over it, or leave the root file system writable"
        )
    where = "the root directory" if write.directory == ROOT else display(write.directory)
    return (
        f"the run made {display(write.made or write.directory)} in {where}, where nothing can be"
        " mounted: let the app use another directory, or leave the root file system writable"
    )


def _is_file(tree: Tree, path: ImagePath) -> bool:
    entry = tree.get(path)
    return entry is not None and entry.type is not FileType.DIRECTORY


def _inside(path: str, directory: str) -> bool:
    return directory == ROOT or path == directory or path.startswith(f"{directory}/")


def _real(tree: Tree, paths: Iterable[str]) -> Iterator[ImagePath]:
    """Where a VOLUME really lies; an engine makes the directory if the image has none."""
    for path in paths:
        found = resolve(tree, path)
        if found.real is not None:
            yield found.real
        elif found.missing is not None:
            yield ImagePath(path)
