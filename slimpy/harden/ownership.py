"""Which existing paths a user must own to do what the traced run did, and which it cannot read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from probes.model import FileEvent, Operation, Trace
from slimpy.harden.identity import Identity
from slimpy.image.links import resolve
from slimpy.image.tree import Tree, order, parent
from slimpy.model import ROOT, Account, Entry, FileType, Image, ImagePath

READ, WRITE, ENTER = 4, 2, 1

RUNTIME_TREES = ("/dev", "/proc", "/sys")
RUNTIME_FILES = frozenset(
    ("/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/etc/mtab", "/.dockerenv")
)
"""Put there by the engine at each start (OCI runtime-spec, "Default Filesystems"; Docker)."""

_PROGRAMS = "bin boot lib lib32 lib64 libx32 sbin usr/bin usr/lib usr/lib32 usr/lib64 usr/libexec"
_MORE = "usr/local/bin usr/local/sbin usr/sbin"
SYSTEM_TREES = tuple(f"/{name}" for name in f"{_PROGRAMS} {_MORE}".split())
"""Programs and libraries (hier(7)): who may write them owns whatever runs next."""

_SHARED = ("/etc", "/usr", "/usr/local", "/usr/local/lib", "/usr/share", "/var")
SYSTEM_DIRECTORIES = frozenset((ROOT, *SYSTEM_TREES, *RUNTIME_TREES, *_SHARED))
"""Shared by all of the image: their owner could replace others' entries, such as /etc/passwd."""

ACCOUNT_FILES = frozenset(
    f"/etc/{name}"
    for table in ("passwd", "group", "shadow", "gshadow")
    for name in (table, f"{table}-")
) | {"/etc/sudoers", "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.preload"}
"""Who may write these can become root, and a secret among them stays one."""

_NEEDS = {
    Operation.OPEN: (READ, "read"),
    Operation.LIST: (READ, "list"),
    Operation.EXEC: (ENTER, "execute"),
    Operation.CHDIR: (ENTER, "enter"),
}
_WRITING = frozenset({Operation.WRITE, Operation.CREATE, Operation.REMOVE})


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A path that the run used and the chosen user cannot; ``handed_over`` if it will be theirs."""

    path: ImagePath
    why: str
    handed_over: bool


def owned_after(
    image: Image, tree: Tree, trace: Trace, who: Identity, home: str = "/"
) -> tuple[ImagePath, ...]:
    """The existing paths to hand to ``who``, in the tree's order; ``home`` is the home directory
    that the run had.

    Those are what the run wrote and ``who`` could not, a VOLUME that was written with all that is
    in it (a new volume starts as a copy of it), and unreadable paths of the app's own.
    Never what the run made itself: a program may insist on an empty directory (initdb does).
    """
    written = set(written_paths(tree, trace))
    for volume in _real(tree, image.volumes):
        if not protected(volume) and any(_inside(path, volume) for path in written):
            written.add(volume)
            written.update(entry.path for entry in tree.below(volume))
    needed = (path for path in written if not protected(path) and not _writable(tree, path, who))
    readable = (item.path for item in unreadable(image, tree, trace, who, home) if item.handed_over)
    return tuple(sorted(set(chain(needed, readable)), key=order))


def written_paths(tree: Tree, trace: Trace) -> Iterator[ImagePath]:
    """Real, existing paths that were written; for a name made or removed, its directory."""
    for event in trace.activity.events:
        if event.error is None and event.operation in _WRITING:
            yield from _written_by(tree, event)
    changed = frozenset(trace.changed)
    busy = {parent(ImagePath(path)) for path in changed}
    for path in changed:
        if not runtime_path(path) and not _is_bytecode(path):
            yield from _changed(tree, path, children_changed=path in busy)


def _written_by(tree: Tree, event: FileEvent) -> Iterator[ImagePath]:
    if runtime_path(event.path) or _is_bytecode(event.path):
        return
    found = resolve(tree, event.path, follow_last=event.operation is not Operation.REMOVE)
    if found.real is not None:
        if runtime_path(found.real):
            return
        if event.operation is not Operation.REMOVE:
            yield found.real
        if event.operation is not Operation.WRITE:
            yield parent(found.real)
    elif found.missing is not None and not runtime_path(found.missing):
        yield from _existing(tree, parent(found.missing))


def _changed(tree: Tree, path: str, *, children_changed: bool) -> Iterator[ImagePath]:
    """The engine lists a directory also for a change below it: that is no write to itself."""
    entry = tree.get(path)
    if entry is None:
        yield from _existing(tree, parent(ImagePath(path)))
    elif entry.type is not FileType.DIRECTORY or not children_changed:
        yield entry.path


def _existing(tree: Tree, path: ImagePath) -> Iterator[ImagePath]:
    entry = tree.get(path)
    if entry is not None and entry.type is FileType.DIRECTORY:
        yield path


def unreadable(
    image: Image, tree: Tree, trace: Trace, who: Identity, home: str = "/"
) -> tuple[Unreadable, ...]:
    """What the run read and ``who`` may not, in the tree's order.

    Handed over only where it is the app's own (below WORKDIR, a VOLUME, the entrypoint's directory
    or the run's home): what the system keeps from others, such as /etc/shadow, is left as it is.
    """
    places = app_places(image, tree, home)
    found: dict[ImagePath, str] = {}
    events = (event for event in trace.activity.events if event.error is None)
    for path, operation in dict.fromkeys((event.path, event.operation) for event in events):
        if not runtime_path(path):
            for denied, why in _denied(tree, path, operation, who):
                found.setdefault(denied, why)
    return tuple(
        Unreadable(path, found[path], _is_own(path, places)) for path in sorted(found, key=order)
    )


def _denied(
    tree: Tree, path: str, operation: Operation, who: Identity
) -> Iterator[tuple[ImagePath, str]]:
    real = resolve(tree, path, follow_last=operation is not Operation.READLINK).real
    if real is None or runtime_path(real):
        return
    for directory in tree.parents(real):
        entry = tree.get(directory)
        if entry and not permits(entry, who, ENTER):
            yield directory, f"uid {who.uid} may not enter this directory ({entry.mode:04o})"
    needed, verb = _NEEDS.get(operation, (0, ""))
    entry = tree.get(real)
    if entry and not permits(entry, who, needed):
        yield real, f"uid {who.uid} may not {verb} it ({entry.mode:04o})"


def app_places(image: Image, tree: Tree, home: str = "/") -> tuple[ImagePath, ...]:
    """The directories of the app's own: WORKDIR, the VOLUMEs, where the entrypoint lies, home."""
    program = next(iter((*image.entrypoint, *image.command)), "")
    places = [image.workdir, *image.volumes, home]
    if "/" in program:
        path = program if program.startswith("/") else f"{image.workdir}/{program}"
        places.extend(parent(real) for real in _real(tree, [path]))
    return tuple(place for place in _real(tree, places) if place not in SYSTEM_DIRECTORIES)


def home_after(tree: Tree, home: str, account: Account) -> str:
    """Where a user without a line of its own is at home: where the run was, if the user may go
    there; else the root, as engines have it.
    """
    entry = next((tree.get(real) for real in _real(tree, [home])), None)
    if entry is None or entry.type is not FileType.DIRECTORY:
        return ROOT
    may = permits(entry, Identity(account.uid, account.gid), ENTER)
    return home if may or entry.path in account.chown else ROOT


def permits(entry: Entry, who: Identity, bits: int) -> bool:
    """Whether the mode grants all ``bits`` to ``who``, primary group only (path_resolution(7))."""
    if who.uid == 0:
        return True
    shift = 6 if entry.uid == who.uid else 3 if entry.gid == who.gid else 0
    return (entry.mode >> shift) & bits == bits


def protected(path: ImagePath) -> bool:
    """Whether a path is never handed over: the system's own, the runtime's, or an account file."""
    return (
        path in SYSTEM_DIRECTORIES
        or path in ACCOUNT_FILES
        or runtime_path(path)
        or any(_inside(path, tree) for tree in SYSTEM_TREES)
    )


def runtime_path(path: str) -> bool:
    """Whether the engine provides this path at each start: the image's own does not matter."""
    return path in RUNTIME_FILES or any(_inside(path, tree) for tree in RUNTIME_TREES)


def _is_own(path: ImagePath, places: Iterable[ImagePath]) -> bool:
    return not protected(path) and any(_inside(path, place) for place in places)


def _is_bytecode(path: str) -> bool:
    """Python's caches: written only where allowed, so no reason to hand out a code directory."""
    return path.endswith((".pyc", "/__pycache__")) or "/__pycache__/" in path


def _writable(tree: Tree, path: ImagePath, who: Identity) -> bool:
    """Whether there is nothing to hand over; an owner without the bit can give it to himself."""
    entry = tree.get(path)
    if entry is None or entry.uid == who.uid:
        return True
    match entry.type:
        case FileType.DIRECTORY:
            return permits(entry, who, WRITE | ENTER)
        case FileType.FILE | FileType.FIFO | FileType.SOCKET:
            return permits(entry, who, WRITE)
        case FileType.LINK | FileType.CHARACTER | FileType.BLOCK:
            return True


def _inside(path: str, directory: str) -> bool:
    return directory == ROOT or path == directory or path.startswith(f"{directory}/")


def _real(tree: Tree, paths: Iterable[str]) -> Iterator[ImagePath]:
    found = (resolve(tree, path).real for path in paths)
    return (real for real in found if real is not None)
