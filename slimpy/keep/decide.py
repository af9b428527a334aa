"""Decides what ships: from what is in the image and what the run did to path -> reasons."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence

from probes.model import Trace
from slimpy.image.contents import Contents
from slimpy.image.tree import Tree
from slimpy.keep import config, follow, policy, programs, system
from slimpy.keep.draft import Draft
from slimpy.keep.includes import dropped, included
from slimpy.keep.listed import ListedDirectories
from slimpy.keep.scan import scanners
from slimpy.keep.scene import Scene, Want
from slimpy.keep.touched import listings, touched
from slimpy.keep.turn import Turn
from slimpy.model import Image, ImagePath, KeepSet, Level, Reason, Rule
from slimpy.settings import Wishes

NO_WISHES = Wishes()


def decide(
    image: Image,
    tree: Tree,
    trace: Trace,
    contents: Contents,
    *,
    wishes: Wishes = NO_WISHES,
    extra: Mapping[ImagePath, Iterable[Reason]] | None = None,
    ignore: Sequence[str] = (),
    level: Level = Level.MINIMAL,
    disabled: Container[Rule] = (),
) -> KeepSet:
    """The set of paths that ship, each under its real name and with at least one reason.

    The rules are repeated on what the last round added, until nothing is added. They only ever ask
    for more when more is kept, so the result depends neither on the order of events nor of rules.

    Args:
        wishes: what the user asks to keep and to leave out (`slimpy.keep.includes`).
        extra: paths to keep for other reasons, such as those that the slim image missed.
        ignore: directories that belong to the tracing and not to the image.
        level: which rules of `slimpy.keep.policy` apply beyond what ran and what it is linked to.
        disabled: rules of that table that do not, to measure what each is good for.
    """
    scene = Scene(image, tree, trace, contents, tuple(ignore))
    scans = scanners(scene)
    draft = Draft(scene, dropped(scene, wishes.drop))
    draft.absorb(scans.values())
    draft.absorb(touched(scene, scans))
    programs.read_ahead(scene, draft)
    draft.absorb(config.configured(scene))
    draft.absorb(system.always(scene))
    draft.absorb(included(scene, wishes))
    draft.absorb(Want(path, why) for path, reasons in (extra or {}).items() for why in reasons)
    listed = ListedDirectories(scene, listings(scene, scans))
    libraries = programs.Libraries(scene)
    draft.absorb(listed(draft))
    finders = policy.finders(scene, level, disabled)
    while fresh := draft.take():
        files = programs.heads(scene, draft, fresh)
        libraries.note(files)
        draft.absorb(follow.targets(scene, draft, fresh))
        draft.absorb(follow.other_names(scene, draft, fresh))
        draft.absorb(programs.interpreters(scene, files))
        draft.absorb(system.needed_by(scene, files, libraries))
        draft.absorb(listed(draft))
        turn = Turn(draft, fresh, files, libraries)
        for finder in finders:
            draft.absorb(finder(turn))
        if draft.is_settled:
            draft.absorb(libraries.needed())
    draft.absorb(libraries.warnings())
    return draft.finish()
