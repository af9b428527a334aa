"""Why a path ships: chains of reasons back to what the run, the image or the user asked for."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from slimpy.model import ImagePath, KeepSet, Reason, Rule, display

ROOTS = frozenset({Rule.TOUCHED, Rule.LISTED, Rule.CONFIG, Rule.STATE, Rule.INCLUDE, Rule.REPAIR})
"""Rules that are an answer by themselves: they quote the run, the image or the user."""

MOST_CHAINS = 10
"""How many chains are told at most; the shortest ones say most."""

MOST_REASONS = 200
"""How many of a path's own reasons are followed: thousands of files can need one library."""


@dataclass(frozen=True, slots=True)
class Link:
    """One link of a chain: a kept path and one of its reasons."""

    path: ImagePath
    reason: Reason


Chain = tuple[Link, ...]


def chains(keep: KeepSet, path: ImagePath) -> tuple[Chain, ...]:
    """The chains of reasons of a kept path, one for each of its own reasons, the shortest first.

    Every chain begins with the path and ends with a reason that needs no other; chains that only
    lead in a circle are left out, unless the path has no other.
    """
    found: list[Chain] = []
    circles: list[Chain] = []
    for reason in keep.reasons.get(path, ())[:MOST_REASONS]:
        first = Link(path, reason)
        if _is_root(keep, reason):
            found.append((first,))
            continue
        rest = _shortest(keep, ImagePath(reason.by), path)
        (found if rest else circles).append((first, *rest))
    found.sort(key=lambda chain: (len(chain), [(link.path, link.reason) for link in chain]))
    return tuple((found or circles)[:MOST_CHAINS])


def explain(keep: KeepSet, path: ImagePath) -> tuple[str, ...]:
    """The same for people, line by line; empty if nothing ever asked for the path."""
    shown = display(path)
    if path in keep.refused:
        return (f"{shown} was asked for and refused: {keep.refused[path]}",)
    if path not in keep:
        return ()
    how = "by its name only, without contents" if path in keep.placeholders else "whole"
    lines = [f"{shown} is kept {how}:"]
    for chain in chains(keep, path):
        for depth, link in enumerate(chain):
            where = f"{display(link.path)}: " if depth else ""
            lines.append(f"{'  ' * (depth + 1)}{where}{_sentence(link.reason)}")
    return tuple(lines)


def _is_root(keep: KeepSet, reason: Reason) -> bool:
    return reason.rule in ROOTS or reason.by not in keep


def _shortest(keep: KeepSet, start: ImagePath, avoid: ImagePath) -> Chain:
    """The shortest chain from ``start`` to a root without passing ``avoid``; empty if none does."""
    came: dict[ImagePath, Link | None] = {start: None}
    waiting = deque([start])
    if start == avoid:
        return ()
    while waiting:
        here = waiting.popleft()
        for reason in keep.reasons[here]:
            if _is_root(keep, reason):
                return (*_way(came, here), Link(here, reason))
            above = ImagePath(reason.by)
            if above != avoid and above not in came:
                came[above] = Link(here, reason)
                waiting.append(above)
    return ()


def _way(came: dict[ImagePath, Link | None], end: ImagePath) -> Chain:
    links: list[Link] = []
    link = came[end]
    while link is not None:
        links.append(link)
        link = came[link.path]
    return tuple(reversed(links))


def _sentence(reason: Reason) -> str:
    by = f" ({display(reason.by)})" if reason.by and reason.rule not in ROOTS else ""
    return (
        f"{reason.rule.value}: {reason.detail}{by}" if reason.detail else f"{reason.rule.value}{by}"
    )
