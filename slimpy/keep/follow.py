"""What a kept symbolic link leads to."""

from __future__ import annotations

from collections.abc import Iterable

from slimpy.keep.draft import Draft
from slimpy.keep.scene import Scene, Want
from slimpy.model import Entry, FileType, Reason, Rule

SMALL_TARGET = 1 << 20
"""A file below this size (bytes) is kept whole when only a link to it was used."""


def targets(scene: Scene, draft: Draft, fresh: Iterable[Entry]) -> Iterable[Want]:
    """Wants for the ends of fresh links, and so for all links on the way.

    A link of which only the name or the text was read (readlink, a listing) must not come out
    dangling: what looks at it would take another branch than before. Its target is kept whole if it
    is small and the link itself was used, else an empty stand-in shows that it is there. Where a
    stand-in is unwelcome the target of a used link is kept whole, and a link that only shows a name
    is left dangling: "not found" is an honest answer.
    """
    for link in fresh:
        if link.type is not FileType.LINK:
            continue
        walk = scene.walk(link.path)
        end = scene.tree.get(walk.real) if walk.real else None
        if end is None or (draft.is_whole(end.path) and all(way in draft for way in walk.links)):
            continue
        used = draft.is_whole(link.path)
        welcome = end.type is not FileType.FILE or scene.stand_ins.welcome(end)
        if used or welcome:
            whole = used and (not welcome or end.size < SMALL_TARGET)
            reason = Reason(Rule.LINK, link.path, "what the link leads to")
            yield Want(link.path, reason, whole=whole)


def other_names(scene: Scene, draft: Draft, fresh: Iterable[Entry]) -> Iterable[Want]:
    """Makes stand-ins whole that are hard links of a file whose bytes are kept: they cost nothing.

    Names that nothing asked for stay out.
    """
    for entry in fresh:
        if entry.type is not FileType.FILE:
            continue
        names = [other for other in scene.tree.hardlinks(entry) if other.path in draft]
        whole = [other for other in names if draft.is_whole(other.path)]
        if len(names) < 2 or not whole:
            continue
        reason = Reason(Rule.HARDLINK, whole[0].path, "another name of the same file")
        for other in names:
            if not draft.is_whole(other.path):
                yield Want(other.path, reason, follow=False)
