"""Finds programs that went over the whole image (find, du, a scanner) and opened little of it.

What they looked at says nothing about what the app needs, so only names are kept of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from probes.model import FileEvent, Operation, TraceWarning
from slimpy.keep.scene import Scene
from slimpy.model import FileType, ImagePath, display

MANY_PATHS = 5000
"""More paths than this, looked at and opened by nobody, are a scan in any image."""

LARGE_SHARE = 0.2
"""So is this share of all paths of the image ..."""

FEWEST_PATHS = 500
"""... unless the image is so small that a share says little."""

MOST_DIRECTORIES = 0.5
"""So is listing this share of all directories; find lists all and looks at no file."""

FEWEST_DIRECTORIES = 100
"""... with the same caution: of fewer directories a share says little."""

LOOKS = frozenset({Operation.STAT, Operation.READLINK, Operation.LIST})
"""What a scan does; anything else is use."""


def scanners(scene: Scene) -> Mapping[str, TraceWarning]:
    """The executables that scanned the image, each with the warning that says so."""
    events = scene.trace.activity.events
    used = _used(scene, events)
    looked: dict[str, set[ImagePath]] = {}
    listed: dict[str, set[ImagePath]] = {}
    for event in events:
        if event.operation not in LOOKS or event.error is not None:
            continue
        path = scene.walk(event.path, follow=event.operation is not Operation.READLINK).real
        if path is None or scene.is_ignored(path):
            continue
        if event.operation is Operation.LIST:
            listed.setdefault(event.executable, set()).add(path)
        elif path not in used:
            looked.setdefault(event.executable, set()).add(path)
    directories = sum(entry.type is FileType.DIRECTORY for entry in scene.tree)
    paths_limit = min(MANY_PATHS, max(FEWEST_PATHS, LARGE_SHARE * len(scene.tree)))
    listed_limit = max(FEWEST_DIRECTORIES, MOST_DIRECTORIES * directories)
    found = {}
    for executable in sorted(looked.keys() | listed.keys()):
        seen = looked.get(executable, set()) | listed.get(executable, set())
        if len(seen) > paths_limit or len(listed.get(executable, ())) > listed_limit:
            found[executable] = _warning(executable, len(seen))
    return found


def _used(scene: Scene, events: Sequence[FileEvent]) -> frozenset[ImagePath]:
    """Files that anybody did more with than look; a directory is not used by being opened."""
    paths = set()
    for event in events:
        if event.operation in LOOKS or event.error is not None:
            continue
        entry = scene.entry(event.path)
        if entry is not None and entry.type is not FileType.DIRECTORY:
            paths.add(entry.path)
    return frozenset(paths)


def _warning(executable: str, count: int) -> TraceWarning:
    text = (
        f"{display(executable)} looked over the image without opening what it saw; "
        "of that only names are kept"
    )
    return TraceWarning("scan", text, count)
