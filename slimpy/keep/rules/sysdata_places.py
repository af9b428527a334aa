"""Finding files of the system for the rule on its data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from slimpy.image.tree import name, parent
from slimpy.keep.programs import Head
from slimpy.keep.scene import Scene, Want
from slimpy.keep.standins import SECRETS
from slimpy.model import Entry, FileType, Reason, Rule

MOST_FILES = 4000  # of one directory


def reason(head: Head, detail: str) -> Reason:
    """Why data is kept: for a program or library, and what it is."""
    return Reason(Rule.DATA, head.entry.path, detail)


def files(scene: Scene, paths: Iterable[str], why: Reason, limit: int = 1 << 20) -> Iterator[Want]:
    """Wants for those of the paths that lead to a regular file of at most ``limit`` bytes."""
    for path in paths:
        entry = scene.entry(path)
        if entry is not None and entry.type is FileType.FILE and entry.size <= limit:
            yield Want(path, why)


def below(scene: Scene, directory: str, limit: int) -> tuple[Entry, ...]:
    """Everything in a directory, as long as its files weigh no more than ``limit`` bytes; else
    nothing. Private keys are left out.
    """
    real = scene.walk(directory).real
    if real is None:
        return ()
    found, total = [], 0
    for entry in scene.tree.below(real):
        if parent(entry.path) in SECRETS:
            continue
        total += entry.size if entry.type is FileType.FILE else 0
        found.append(entry)
        if total > limit or len(found) > MOST_FILES:
            return ()
    return tuple(found)


def whole(scene: Scene, directories: Iterable[str], why: Reason, limit: int) -> Iterator[Want]:
    """Wants for whole directories that are not too heavy, links in them with their ends."""
    for directory in directories:
        inside = below(scene, directory, limit)
        if inside:
            yield Want(directory, why)
        yield from (Want(entry.path, why) for entry in inside)


def library_directories(scene: Scene, head: Head) -> tuple[str, ...]:
    """Where modules of a library are looked for: beside it, and in the common directories, also
    those of Debian's architectures such as ``/usr/lib/x86_64-linux-gnu``.
    """
    common = ["/usr/lib", "/usr/lib64", "/lib", "/usr/local/lib"]
    real = scene.walk("/usr/lib").real
    if real is not None:
        common += [e.path for e in scene.tree.children(real) if "-linux-" in name(e.path)]
    return tuple(dict.fromkeys((parent(head.entry.path), *common)))
