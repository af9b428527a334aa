"""What the slim image would weigh at each level of caution, without another run."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import BinaryIO

from slimpy.image.contents import Contents, Member
from slimpy.image.tree import Tree
from slimpy.keep.decide import NO_WISHES, decide
from slimpy.keep.policy import TABLE
from slimpy.keep.scene import Scene, is_within
from slimpy.model import FileType, ImagePath, KeepSet, Level, Reason, Rule
from slimpy.settings import Wishes


@dataclass(frozen=True, slots=True)
class LevelWeight:
    """A level with the regular files that it keeps and their bytes (hard links once).

    Not ``exact`` where files would have to be read that nothing else needs: what those ask for is
    left out.
    """

    level: Level
    files: int
    bytes: int
    exact: bool


_DATABASES = ("/var/lib/dpkg", "/lib/apk/db", "/usr/lib/apk/db")


class _OnlyKept(Contents):
    """Contents of which only what is kept, and the databases of packages, can be read."""

    def __init__(self, contents: Contents, keep: KeepSet) -> None:
        self._contents = contents
        self._keep = keep

    def fetch(self, paths: Iterable[ImagePath]) -> None:
        self._contents.fetch([path for path in paths if self._is_known(path)])

    def open(self, path: ImagePath) -> BinaryIO:
        self._check(path)
        return self._contents.open(path)

    def read(self, path: ImagePath, limit: int | None = None) -> bytes:
        self._check(path)
        return self._contents.read(path, limit)

    def member(self, path: ImagePath) -> Member:
        self._check(path)
        return self._contents.member(path)

    def _is_known(self, path: ImagePath) -> bool:
        return path in self._keep or any(is_within(path, top) for top in _DATABASES)

    def _check(self, path: ImagePath) -> None:
        if not self._is_known(path):
            raise FileNotFoundError(path)


def weigh(
    scene: Scene,
    keep: KeepSet,
    level: Level,
    *,
    wishes: Wishes = NO_WISHES,
    disabled: Container[Rule] = (),
) -> tuple[LevelWeight, ...]:
    """Every level's weight, the least careful first.

    ``keep`` is what was decided at ``level``, and exact; what rounds of mending added counts at
    every level. A lower level is decided anew: what it reads has been read. For a higher one only
    its further rules are asked, on top of what is kept, and nothing is read of other files.
    """
    weights = []
    for other in Level:
        exact = level.includes(other)
        decided = keep
        if other is not level:
            answered = set() if exact else {p.rule for p in TABLE if level.includes(p.level)}
            decided = decide(
                scene.image,
                scene.tree,
                scene.trace,
                scene.contents if exact else _OnlyKept(scene.contents, keep),
                wishes=wishes,
                extra=_mended(keep) if exact else _files(scene.tree, keep),
                ignore=scene.ignore,
                level=other,
                disabled={rule for rule in Rule if rule in disabled or rule in answered},
            )
            # About the same for every level; what exactly it is, only a build decides.
            decided = replace(decided, rewritten=keep.rewritten)
        weights.append(_weight(scene.tree, decided, other, exact=exact))
    return tuple(weights)


def _files(tree: Tree, keep: KeepSet) -> Mapping[ImagePath, tuple[Reason, ...]]:
    """What is kept whole; links and directories come with it."""
    whole = (path for path in keep.reasons if path not in keep.placeholders)
    entries = (tree.get(path) for path in whole)
    return {
        entry.path: keep.reasons[entry.path]
        for entry in entries
        if entry is not None and entry.type is FileType.FILE
    }


def _mended(keep: KeepSet) -> Mapping[ImagePath, tuple[Reason, ...]]:
    found = {
        path: tuple(reason for reason in reasons if reason.rule in (Rule.REPAIR, Rule.DATABASE))
        for path, reasons in keep.reasons.items()
    }
    return {path: reasons for path, reasons in found.items() if reasons}


def _weight(tree: Tree, keep: KeepSet, level: Level, *, exact: bool) -> LevelWeight:
    files = total = 0
    seen: set[int] = set()
    for path in keep.reasons:
        entry = tree.get(path)
        if entry is None or entry.type is not FileType.FILE:
            continue
        files += 1
        if path not in keep.placeholders and entry.inode not in seen:
            new = keep.rewritten.get(path)
            total += entry.size if new is None else len(new)
        if entry.inode:
            seen.add(entry.inode)
    return LevelWeight(level, files, total, exact)
