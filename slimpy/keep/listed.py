"""What is kept of a directory because its listing was read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from slimpy.image.tree import Tree
from slimpy.keep.draft import Draft
from slimpy.keep.refusals import refusal
from slimpy.keep.scene import Scene, Want
from slimpy.keep.standins import SECRETS, is_program_directory
from slimpy.keep.touched import Listing
from slimpy.model import ROOT, Entry, FileType, Reason, Rule, display

SMALL_DIRECTORY = 256 << 10
"""Files of a listed directory that together weigh no more than this (bytes) are kept whole."""


class ListedDirectories:
    """The rule on listed directories.

    A program that lists a directory will open some of the names, perhaps others tomorrow. So a
    small directory is kept whole, without what is below its sub-directories; of others the names
    are shown by empty stand-ins (where those are welcome), so that the listing stays the same.

    What already is kept does not count as weight. Therefore the rule is asked again whenever more
    is kept, and its answer only grows.
    """

    def __init__(self, scene: Scene, listings: Iterable[Listing]) -> None:
        self._scene = scene
        self._large = [
            item
            for item in listings
            if not scene.is_ignored(item.directory) and not is_program_directory(item.directory)
        ]
        self._unnamed = list(self._large)

    def __call__(self, draft: Draft) -> Iterable[Want]:
        """Wants for entries of the listed directories, given what is kept by now."""
        for listing in self._unnamed:
            yield from self._names(listing)
        self._unnamed = []
        still_large = []
        for listing in self._large:
            missing = self._missing(draft, listing)
            if missing is None:
                still_large.append(listing)
            else:
                reason = _reason(listing, "in a small directory")
                yield from (Want(entry.path, reason) for entry in missing)
        self._large = still_large

    def _names(self, listing: Listing) -> Iterable[Want]:
        reason = _reason(listing, "a name in a directory")
        children = self._scene.tree.children(listing.directory)
        if listing.directory == ROOT:
            children = tuple(entry for entry in children if self._is_directory(entry))
        for entry in children:
            if self._scene.stand_ins.welcome(entry):
                yield Want(entry.path, reason, follow=False, whole=False)

    def _is_directory(self, entry: Entry) -> bool:
        end = self._scene.entry(entry.path)
        return end is not None and end.type is FileType.DIRECTORY

    def _missing(self, draft: Draft, listing: Listing) -> Sequence[Entry] | None:
        """The files and links to files not yet kept whole; None if they are too large together."""
        if listing.names_only or listing.directory == ROOT or listing.directory in SECRETS:
            return None
        missing = []
        weights = {}
        for child in self._scene.tree.children(listing.directory):
            end = self._scene.entry(child.path)
            if end is None or end.type is not FileType.FILE or refusal(end):
                continue
            if not (draft.is_whole(end.path) and child.path in draft):
                missing.append(child)
            if not _is_whole(self._scene.tree, draft, end):
                weights[end.inode or end.path] = end.size
        return missing if sum(weights.values()) <= SMALL_DIRECTORY else None


def _is_whole(tree: Tree, draft: Draft, entry: Entry) -> bool:
    """Whether the file's bytes are kept, under whatever name."""
    return any(draft.is_whole(other.path) for other in tree.hardlinks(entry))


def _reason(listing: Listing, what: str) -> Reason:
    reader = display(listing.reader) or "an unknown program"
    return Reason(Rule.LISTED, listing.directory, f"{what} that was listed by {reader}")
