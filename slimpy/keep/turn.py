"""One turn of a decision, as the rules of the policy table see it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from slimpy.keep.draft import Draft
from slimpy.keep.programs import Head, Libraries
from slimpy.keep.scene import Finding
from slimpy.model import Entry


@dataclass(frozen=True, slots=True)
class Turn:
    """What was added since the last turn, and what is kept so far.

    ``fresh`` are all entries added, ``files`` the regular files among them that are kept whole,
    with their first bytes. Every kept entry is in exactly one turn's ``fresh``, or in two if its
    name was kept first and its contents later.
    """

    draft: Draft
    fresh: tuple[Entry, ...]
    files: tuple[Head, ...]
    libraries: Libraries


Finder = Callable[[Turn], Iterable[Finding]]
"""A rule at work: called once a turn, it answers what else is wanted because of what is fresh.

It must ask for more when more is kept, and not depend on the order in which things were kept.
"""
