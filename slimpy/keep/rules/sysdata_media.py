"""Fonts, types of media, magic numbers, and small facts about the system."""

from __future__ import annotations

from collections.abc import Iterator

from probes.model import Operation
from slimpy.image.tree import parent
from slimpy.keep.programs import Head
from slimpy.keep.rules.sysdata_places import below, files, reason, whole
from slimpy.keep.scene import Scene, Want, is_within
from slimpy.model import FileType, ImagePath

LARGEST_FONTS = 24 << 20
"""Bytes of fonts that are kept together; of more only the directories of those in use are."""

LARGEST_MAGIC = 16 << 20

_FONTS = ("/usr/share/fonts", "/usr/local/share/fonts")


def fonts(scene: Scene, head: Head) -> Iterator[Want]:
    """Configuration, cache and fonts, if the run looked at fonts at all (fonts-conf(5))."""
    used, seen = _used_fonts(scene)
    if not seen:
        return
    why = reason(head, "fonts and their configuration")
    directories = ("/etc/fonts", "/usr/share/fontconfig", "/var/cache/fontconfig")
    yield from whole(scene, directories, why, 4 << 20)
    inside = [entry for top in _FONTS for entry in below(scene, top, LARGEST_FONTS)]
    if inside:
        yield from (Want(entry.path, why) for entry in inside)
    else:
        yield from whole(scene, sorted(used), why, LARGEST_FONTS // 2)


def _used_fonts(scene: Scene) -> tuple[set[ImagePath], bool]:
    """Directories of the fonts that were opened, and whether any was looked at."""
    used, seen = set(), False
    for event in scene.trace.activity.events:
        if event.error is None and any(is_within(event.path, top) for top in _FONTS):
            seen = True
            entry = scene.entry(event.path)
            opened = event.operation is Operation.OPEN
            if opened and entry is not None and entry.type is FileType.FILE:
                used.add(parent(entry.path))
    return used, seen


def magic(scene: Scene, head: Head) -> Iterator[Want]:
    """The database of libmagic(3)."""
    why = reason(head, "magic numbers")
    places = ("/usr/lib/file/magic.mgc", "/usr/share/misc/magic.mgc", "/usr/share/file/magic.mgc")
    more = ("/etc/magic", "/usr/share/misc/magic")
    yield from files(scene, (*places, *more), why, LARGEST_MAGIC)


def mime(scene: Scene, head: Head) -> Iterator[Want]:
    """The shared database of media types, as programs read it: without its sources."""
    why = reason(head, "types of media")
    names = ("mime.cache", "globs2", "globs", "magic", "aliases", "subclasses", "icons", "types")
    more = ("generic-icons", "XMLnamespaces", "treemagic", "version")
    yield from files(scene, [f"/usr/share/mime/{name}" for name in (*names, *more)], why)


def names(scene: Scene, head: Head) -> Iterator[Want]:
    """Small files that programs of any kind read: what the system is, and types by suffix."""
    why = reason(head, "small files that programs of any kind read")
    system = (
        "/etc/os-release",
        "/etc/debian_version",
        "/etc/alpine-release",
        "/etc/redhat-release",
    )
    shells = ("/etc/shells", "/etc/profile", "/etc/bash.bashrc", "/etc/environment")
    yield from files(scene, (*system, *shells, "/etc/mime.types"), why, 256 << 10)
