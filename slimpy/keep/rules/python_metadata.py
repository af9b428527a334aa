"""Installed Python distributions: which modules are theirs, and which plugins they announce."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from slimpy.image.tree import name
from slimpy.keep.scene import Scene
from slimpy.model import Entry, FileType, ImagePath, decoded

LARGEST = 4 << 20
"""Bytes of one metadata file that are read."""

MOST_DISTRIBUTIONS = 4096
"""Distributions that are read of one directory."""

LARGEST_RECORD = 64 << 10
"""A list of files above this (bytes) is not kept: only installers read it."""

_FOLDERS = (".dist-info", ".egg-info")
_KEPT = ("METADATA", "PKG-INFO", "entry_points.txt", "top_level.txt", "RECORD")
_READ = ("RECORD", "top_level.txt", "entry_points.txt", "installed-files.txt")
_POINT = re.compile(r"[^=\n]{1,200}=\s*([\w.]{1,200})")
_SCRIPTS = frozenset({"console_scripts", "gui_scripts"})


@dataclass(frozen=True, slots=True)
class Distribution:
    """One distribution: its metadata, the names of its outermost modules, and its entry points.

    ``points`` are (group, module) without those of commands.
    """

    metadata: tuple[ImagePath, ...]
    tops: frozenset[str]
    points: tuple[tuple[str, str], ...] = ()


def distributions(scene: Scene, site: ImagePath) -> tuple[Distribution, ...]:
    """The distributions installed in a directory; their metadata is read in one fetch."""
    found = [child for child in scene.tree.children(site) if name(child.path).endswith(_FOLDERS)][
        :MOST_DISTRIBUTIONS
    ]
    wanted = (file for entry in found for file in _files(scene, entry, _READ))
    scene.contents.fetch([file.path for file in wanted])
    return tuple(_distribution(scene, entry) for entry in found)


def _files(scene: Scene, entry: Entry, names: Iterable[str]) -> Iterator[Entry]:
    for base in names:
        file = scene.tree.get(f"{entry.path}/{base}")
        if file is not None and file.type is FileType.FILE and file.size <= LARGEST:
            yield file


def _distribution(scene: Scene, entry: Entry) -> Distribution:
    texts = {name(file.path): _text(scene, file) for file in _files(scene, entry, _READ)}
    tops = set(texts.get("top_level.txt", "").split())
    for path in texts.get("RECORD", "").splitlines():
        tops.add(_top(path.partition(",")[0].strip('"')))
    for path in texts.get("installed-files.txt", "").splitlines():
        tops.add(_top(path.removeprefix("../")))
    own = name(entry.path).partition("-")[0]
    tops.update({own, own.lower()} if not tops - {""} else ())
    metadata = [
        file.path
        for file in _files(scene, entry, _KEPT)
        if name(file.path) != "RECORD" or file.size <= LARGEST_RECORD
    ]
    if entry.type is FileType.FILE:
        metadata.append(entry.path)
    points = tuple(_points(texts.get("entry_points.txt", "")))
    return Distribution(tuple(metadata), frozenset(tops - {""}), points)


def _text(scene: Scene, entry: Entry) -> str:
    try:
        return decoded(scene.contents.read(entry.path, LARGEST))
    except FileNotFoundError:
        return ""


def _top(path: str) -> str:
    """The outermost module of an installed file's path; empty where that is none."""
    first = path.partition("/")[0]
    if first.startswith((".", "__pycache__")) or first.endswith(_FOLDERS):
        return ""
    return first.partition(".")[0]


def _points(text: str) -> Iterator[tuple[str, str]]:
    """(group, module) of an entry_points.txt (packaging.python.org, entry points)."""
    group = ""
    for line in text.splitlines():
        line = line.strip()
        if line.startswith("["):
            group = line.strip("[]").strip()
        elif group not in _SCRIPTS and (point := _POINT.match(line)):
            yield group, point[1]
