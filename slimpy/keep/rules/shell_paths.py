"""Files of the image that words of scripts name, in full or up to what is not known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase

from slimpy.image.tree import name
from slimpy.keep.refusals import is_supplied
from slimpy.keep.rules.shell_values import UNKNOWN
from slimpy.keep.scene import Scene
from slimpy.keep.standins import SECRETS, is_program_directory
from slimpy.model import Entry, FileType, ImagePath

LARGEST_FILE = 16 << 20
"""Bytes of a file that is kept because a script names it."""

LARGEST_GROUP = 1 << 20
"""Bytes of the files that are kept together: those of a named directory, or matching a pattern."""

MOST_FILES = 256  # of such a group

_WILD = frozenset("*?[")
_SYSTEM = frozenset(
    {
        *("", "bin", "boot", "dev", "etc", "home", "lib", "lib32", "lib64", "libx32", "media"),
        *("mnt", "opt", "proc", "root", "run", "sbin", "srv", "sys", "tmp", "usr", "var"),
    }
)
_SHARED = ("/usr", "/etc", "/var", "/lib", "/bin", "/sbin", "/run", "/tmp", "/proc", "/sys", "/dev")


def named(scene: Scene, value: str) -> Iterator[str]:
    """Paths to keep for one absolute word: a file, a small directory, or matches of a pattern.

    Unknown text matches anything within one component, as a star does.
    """
    if not value.startswith("/") or len(value) > 4096 or any(c in value for c in " \t\n\r"):
        return
    value = "/" + "/".join(part for part in value.split("/") if part not in ("", "."))
    if is_supplied(value):
        return
    if UNKNOWN in value or _WILD & set(value):
        yield from _matching(scene, value)
        return
    entry = scene.entry(value)
    if entry is None:
        return
    if entry.type is not FileType.DIRECTORY:
        if entry.size <= LARGEST_FILE:
            yield value
        return
    yield value
    if not _is_common(entry.path):
        yield from _group(scene.tree.below(entry.path))


def _matching(scene: Scene, pattern: str) -> Iterator[str]:
    """Files that match a pattern, in one directory only and if they are few and small."""
    pattern = pattern.replace(UNKNOWN, "*")
    directory, _, last = pattern.rpartition("/")
    if _WILD & set(directory):
        return
    top = scene.entry(directory or "/")
    if top is None or top.type is not FileType.DIRECTORY or top.path in SECRETS:
        return
    # Where everything else lies too, a pattern has to say what it is after.
    plain = sum(char not in "*?[]" for char in last)
    if _is_common(top.path) and plain < 3:
        return
    found = [e for e in scene.tree.children(top.path) if fnmatchcase(name(e.path), last)]
    yield from _group(found)


def _group(entries: Iterable[Entry]) -> Iterator[str]:
    """These, if they are few and small together; else none."""
    found, total = [], 0
    for entry in entries:
        total += entry.size if entry.type is FileType.FILE else 0
        found.append(entry.path)
        if len(found) > MOST_FILES or total > LARGEST_GROUP:
            return
    yield from found


def _is_common(directory: ImagePath) -> bool:
    """Whether this is one of the system's directories that are not about one thing."""
    parts = directory.split("/")[1:]
    if len(parts) == 1:
        return parts[0] in _SYSTEM
    if directory in SECRETS or is_program_directory(directory):
        return True
    is_shared = any(directory == top or directory.startswith(f"{top}/") for top in _SHARED)
    return is_shared and len(parts) < 3
