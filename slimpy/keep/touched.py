"""What the run did with paths of the image, as wants.

Every path that was used is kept as the pristine image has it, also where the run later wrote,
renamed or removed it: a template consumed at start is needed at the next start. Files that were
only looked at are kept whole too, because what is looked at today may be opened tomorrow.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from probes.model import FileEvent, Operation
from slimpy.image.tree import parent
from slimpy.keep.refusals import ENGINE_DIRECTORIES, is_supplied
from slimpy.keep.scan import LOOKS
from slimpy.keep.scene import Scene, Want
from slimpy.model import FileType, ImagePath, Reason, Rule, display

_VERBS = {
    Operation.OPEN: "opened",
    Operation.WRITE: "written",
    Operation.CREATE: "created",
    Operation.REMOVE: "removed",
    Operation.STAT: "looked at",
    Operation.READLINK: "read as a link",
    Operation.LIST: "listed",
    Operation.EXEC: "run",
    Operation.CHDIR: "entered",
    Operation.CONNECT: "connected to",
}

_NOT_THERE = frozenset({"ENOENT", "ENAMETOOLONG"})
"""Errors that need nothing: they come without the path too. All others mean that it exists."""

_CHANGES = frozenset({Operation.CREATE, Operation.WRITE, Operation.REMOVE})
"""Operations that need the directory of the path, whether or not the image has the path."""

_ITSELF = frozenset({Operation.READLINK, Operation.REMOVE})
"""Operations on a link itself, not on what it leads to."""


@dataclass(frozen=True, slots=True)
class Listing:
    """A directory whose entries were read; ``names_only`` if only by scans of the whole image."""

    directory: ImagePath
    reader: str
    names_only: bool


def touched(scene: Scene, scans: Collection[str]) -> Iterable[Want]:
    """Wants for all that the run's events and the engine's list of changes name.

    ``scans`` are executables of which only names are kept (`slimpy.keep.scan`).
    """
    for event in scene.trace.activity.events:
        if event.error in _NOT_THERE:
            continue
        if event.operation in LOOKS and event.executable in scans:
            yield from _seen_by_scan(scene, event)
        else:
            yield from _used(scene, event)
    for process in scene.trace.activity.processes:
        if process.executable.startswith("/"):
            reason = Reason(Rule.TOUCHED, process.executable, "ran as a process")
            yield Want(process.executable, reason)
    for path in scene.trace.changed:
        reason = Reason(Rule.TOUCHED, "", "changed during the run")
        yield Want(path, reason, follow=False)


def listings(scene: Scene, scans: Collection[str]) -> tuple[Listing, ...]:
    """The directories of the image that the run listed, in the order of their paths."""
    found: dict[ImagePath, Listing] = {}
    for event in scene.trace.activity.events:
        if event.operation is not Operation.LIST or event.error is not None:
            continue
        for path in _spellings(event):
            entry = scene.entry(path)
            if entry is None or entry.type is not FileType.DIRECTORY:
                continue
            new = Listing(entry.path, event.executable, event.executable in scans)
            old = found.get(entry.path, new)
            found[entry.path] = Listing(
                entry.path, min(old.reader, new.reader), old.names_only and new.names_only
            )
    return tuple(found[path] for path in sorted(found))


def _used(scene: Scene, event: FileEvent) -> Iterable[Want]:
    reason = Reason(Rule.TOUCHED, event.executable, _detail(event))
    follow = event.operation not in _ITSELF
    for path in _spellings(event):
        found = scene.walk(path, follow=follow)
        if found.real is not None or found.links:
            yield Want(path, reason, follow=follow)
        missing = found.missing
        if missing is None or missing in ENGINE_DIRECTORIES or is_supplied(missing):
            continue
        # A file on the way (ENOTDIR) and a closed directory (EACCES) answer only if they are there.
        if event.error is not None:
            yield Want(parent(missing), reason)
        if event.operation in _CHANGES:
            detail = f"{_VERBS[event.operation]} in by {_actor(event)}"
            state = Reason(Rule.STATE, event.executable, detail)
            yield Want(parent(missing), state)


def _seen_by_scan(scene: Scene, event: FileEvent) -> Iterable[Want]:
    reason = Reason(Rule.TOUCHED, event.executable, _detail(event))
    for path in _spellings(event):
        real = scene.walk(path, follow=False).real
        entry = None if real is None else scene.tree.get(real)
        if entry is None:
            continue
        if entry.type is not FileType.FILE or scene.stand_ins.welcome(entry):
            yield Want(path, reason, follow=False, whole=False)


def _spellings(event: FileEvent) -> tuple[str, ...]:
    """The path as the program gave it, and the one that the kernel came to, where it was seen.

    The second finds files behind chroot(2), /proc/self/cwd and links that the run itself made.
    It is no path for pipes and the like.
    """
    both = (event.path, event.final or "")
    return tuple(dict.fromkeys(path for path in both if path.startswith("/")))


def _actor(event: FileEvent) -> str:
    during = f" during {display(event.during)}" if event.during else ""
    return f"{display(event.executable) or 'an unknown program'}{during}"


def _detail(event: FileEvent) -> str:
    failed = f", failed with {display(event.error)}" if event.error else ""
    return f"{_VERBS[event.operation]} by {_actor(event)}{failed}"
