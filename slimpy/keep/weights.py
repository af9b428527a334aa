"""What the slim image would weigh at each level of caution, without another run."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from probes.model import Trace
from slimpy.image.contents import Contents, Member
from slimpy.image.tree import Tree
from slimpy.keep.decide import decide
from slimpy.model import FileType, Image, ImagePath, KeepSet, Level, Reason, Rule


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


class _NothingNew(Contents):
    """Contents of which only what was fetched before, or is asked for by ``known``, can be read."""

    def __init__(self, contents: Contents, known: Container[ImagePath]) -> None:
        self._contents = contents
        self._known = known

    def fetch(self, paths: Iterable[ImagePath]) -> None:
        self._contents.fetch(path for path in paths if path in self._known)

    def open(self, path: ImagePath) -> BinaryIO:
        self._check(path)
        return self._contents.open(path)

    def read(self, path: ImagePath, limit: int | None = None) -> bytes:
        self._check(path)
        return self._contents.read(path, limit)

    def member(self, path: ImagePath) -> Member:
        self._check(path)
        return self._contents.member(path)

    def _check(self, path: ImagePath) -> None:
        if path not in self._known:
            raise FileNotFoundError(path)


def weigh(
    image: Image,
    tree: Tree,
    trace: Trace,
    contents: Contents,
    keep: KeepSet,
    level: Level,
    *,
    owners: Mapping[ImagePath, str],
    includes: Sequence[str] = (),
    extra: Mapping[ImagePath, Iterable[Reason]] | None = None,
    ignore: Sequence[str] = (),
    disabled: Container[Rule] = (),
) -> tuple[LevelWeight, ...]:
    """Every level's weight, the least careful first.

    ``keep`` is what was decided at ``level``, and exact. A lower level is decided anew: what it
    reads has been read. So is a higher one, but of files that were not kept nothing is read, except
    for the databases of packages.

    Args:
        owners: path -> package, of `slimpy.keep.packages`.
    """
    databases = _Databases(keep)
    weights = []
    for other in Level:
        exact = level.includes(other)
        decided = keep
        if other is not level:
            decided = decide(
                image,
                tree,
                trace,
                contents if exact else _NothingNew(contents, databases),
                includes=includes,
                extra=extra,
                ignore=ignore,
                level=other,
                disabled=disabled,
            )
        weights.append(_weight(tree, decided, other, exact=exact))
    return tuple(weights)
