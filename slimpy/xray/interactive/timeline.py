"""Every path of an image through its layers: what lies there after each, and who changed it."""

from __future__ import annotations

from dataclasses import dataclass

from slimpy.model import FileType
from slimpy.xray.members import Member, parents
from slimpy.xray.stack import Change, Kind, Stack

TOP = -1
"""In place of a path's index: the root, which has none."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What a layer (counted from 0) makes of a path.

    ``member`` is what lies there from then on; of a removed path, what lay there last. ``kind`` is
    None for a directory that no layer stores, and that runtimes make up for what lies in it.
    """

    layer: int
    kind: Kind | None
    member: Member
    same: bool = False


@dataclass(frozen=True, slots=True)
class Timeline:
    """All paths that any layer has, in order, so that a directory comes before what lies in it.

    ``above`` is the index of each path's directory (or `TOP`), ``below`` the indices of what lies
    in a directory, ``entries`` what happened to each path, the oldest first.
    """

    paths: tuple[str, ...]
    above: tuple[int, ...]
    below: dict[int, tuple[int, ...]]
    entries: tuple[tuple[Entry, ...], ...]

    def at(self, index: int, layer: int) -> Entry | None:
        """What is to be said of a path when a layer has been put on those below: None where there
        is nothing, and where there has been nothing since an earlier layer.
        """
        for entry in reversed(self.entries[index]):
            if entry.layer <= layer:
                gone = entry.kind is Kind.REMOVED and entry.layer < layer
                return None if gone else entry
        return None


def timeline(stack: Stack) -> Timeline:
    """The layers of an image, told path by path."""
    story: dict[str, list[Entry]] = {}
    for number, layer in enumerate(stack.changes):
        for change in layer:
            _put(story, change, number)
    paths = tuple(sorted(path for path, entries in story.items() if entries))
    numbers = {path: index for index, path in enumerate(paths)}
    above = tuple(numbers.get(_directory(path), TOP) for path in paths)
    below: dict[int, list[int]] = {}
    for index, directory in enumerate(above):
        below.setdefault(directory, []).append(index)
    return Timeline(
        paths,
        above,
        {directory: tuple(items) for directory, items in below.items()},
        tuple(tuple(story[path]) for path in paths),
    )


def _put(story: dict[str, list[Entry]], change: Change, layer: int) -> None:
    """Add a change. Odd layers change a path more than once; what comes last is what counts."""
    entries = story.setdefault(change.path, [])
    while entries and entries[-1].layer == layer:
        entries.pop()
    lay = bool(entries) and entries[-1].kind is not Kind.REMOVED
    if change.member is None:
        if lay:
            entries.append(Entry(layer, Kind.REMOVED, entries[-1].member))
        return
    kind = Kind.CHANGED if lay else Kind.ADDED
    entries.append(Entry(layer, kind, change.member, same=change.same))
    _make_up(story, change.path, layer)


def _make_up(story: dict[str, list[Entry]], path: str, layer: int) -> None:
    """The directories above a path that no layer stores. Where something else was, there is one
    now: odd layers hide that, and store something below its name.
    """
    for above in parents(path):
        entries = story.setdefault(above, [])
        kind = None
        if entries and entries[-1].kind is not Kind.REMOVED:
            if entries[-1].member.type is FileType.DIRECTORY:
                continue
            kind = Kind.CHANGED if entries[-1].layer < layer else entries.pop().kind
        entries.append(Entry(layer, kind, Member(above, FileType.DIRECTORY, 0o755)))


def _directory(path: str) -> str:
    """The path of the directory; empty for the root."""
    return path.rpartition("/")[0]
