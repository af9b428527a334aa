"""Walks a path through an image's links as the kernel does, see path_resolution(7)."""

from __future__ import annotations

from dataclasses import dataclass

from slimpy.image.tree import Tree, join, parent
from slimpy.model import ROOT, FileType, ImagePath

MAXIMUM_LINKS = 40
"""How many links the kernel follows before ELOOP (MAXSYMLINKS in include/linux/namei.h)."""


@dataclass(frozen=True, slots=True)
class Resolution:
    """Where a path leads.

    ``real`` is the link-free path, None if nothing is there or it went round in a ``loop``.
    ``links`` are the symbolic links passed, in order, each once and by its own real path.
    ``missing`` is the first thing that is not there: the real directory reached so far joined with
    the next component only, whatever would have come after it. Where a component follows something
    that is no directory, it is that thing's path joined with the component (for ``.``, ``..`` and a
    trailing slash: that thing's path). It is the root for an empty path, and None in a loop.
    """

    real: ImagePath | None
    links: tuple[ImagePath, ...]
    missing: ImagePath | None
    loop: bool = False


def resolve(tree: Tree, path: str, *, follow_last: bool = True) -> Resolution:
    """Walk ``path`` from the image's root; a relative path starts there too.

    ``..`` leads to the parent of the real directory and stays at the root; absolute targets start
    again at the image's root. Without ``follow_last`` a link in the last place is itself the
    result, as for lstat(2), unless a slash or a dot follows it.
    """
    waiting = _components(path)
    passed: dict[ImagePath, None] = {}
    followed = 0
    here = ROOT
    if not path:
        return Resolution(None, (), ROOT)
    while waiting:
        component = waiting.pop()
        entry = tree.get(here)
        if entry is None or entry.type is not FileType.DIRECTORY:
            dots = component in (".", "..")
            return Resolution(None, tuple(passed), here if dots else join(here, component))
        if component == ".":
            continue
        if component == "..":
            here = parent(here)
            continue
        here, directory = join(here, component), here
        entry = tree.get(here)
        if entry is None:
            return Resolution(None, tuple(passed), here)
        if entry.type is not FileType.LINK or not (waiting or follow_last):
            continue
        passed[here] = None
        followed += 1
        if followed > MAXIMUM_LINKS:
            return Resolution(None, tuple(passed), None, loop=True)
        if not entry.target:
            return Resolution(None, tuple(passed), here)
        waiting.extend(_components(entry.target))
        here = ROOT if entry.target.startswith("/") else directory
    return Resolution(here, tuple(passed), None)


def _components(path: str) -> list[str]:
    """The components reversed, ready to pop; a dot for a trailing slash, which asks the same."""
    parts = [part for part in path.split("/") if part]
    if parts and path.endswith("/"):
        parts.append(".")
    return parts[::-1]
