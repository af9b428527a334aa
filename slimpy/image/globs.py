"""Patterns of paths, component by component: ``*``, ``?`` and ``[...]`` in one, ``**`` for any."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

WILD = frozenset("*?[")
"""Characters that make a text a pattern."""


def matches(pattern: Sequence[str], path: Sequence[str], *, above: bool = False) -> bool:
    """Whether the components of a pattern match those of a path.

    All states of the match are followed at once, so that no pattern takes long.

    Args:
        above: a directory above the path that matches is enough.
    """
    states = _opened({0}, pattern)
    for part in path:
        states = _opened(_after(states, pattern, part), pattern)
        if not states:
            return False
        if above and len(pattern) in states:
            return True
    return len(pattern) in states


def _after(states: set[int], pattern: Sequence[str], part: str) -> set[int]:
    found = set()
    for state in states:
        if state == len(pattern):
            continue
        if pattern[state] == "**":
            found.add(state)
        elif fnmatchcase(part, pattern[state]):
            found.add(state + 1)
    return found


def _opened(states: set[int], pattern: Sequence[str]) -> set[int]:
    """The states with those behind a ``**``, which may stand for nothing."""
    found = set(states)
    for state in states:
        at = state
        while at < len(pattern) and pattern[at] == "**":
            at += 1
            found.add(at)
    return found
