"""All paths of one installed package, by its name: of dpkg, apk, pip, npm or gem."""

from __future__ import annotations

import re
from collections.abc import Iterator

from slimpy.image.tree import name, parent
from slimpy.keep.scene import Scene
from slimpy.model import Entry, FileType, ImagePath
from slimpy.sbom import owners

MOST_LINES = 100_000  # of one list of files

_SEPARATORS = re.compile(r"[-_.]+")
_METADATA = (".dist-info", ".egg-info")


def bundle(scene: Scene, package: str) -> tuple[ImagePath, ...]:
    """Paths of every installed package of that name, sorted; empty if there is none."""
    found = set(_of_system(scene, package))
    for entry in scene.tree:
        if entry.type is not FileType.DIRECTORY:
            continue
        if _is_node_package(entry.path, package) or _is_gem(entry.path, package):
            found.add(entry.path)
            found.update(inside.path for inside in scene.tree.below(entry.path))
        elif entry.path.endswith(_METADATA) and _is_distribution(entry.path, package):
            found.update(_of_distribution(scene, entry))
    return tuple(sorted(found))


def _of_system(scene: Scene, package: str) -> Iterator[ImagePath]:
    for path, owner in owners.owners(scene.tree, scene.contents).items():
        if owner.partition(" ")[0] == package:
            yield path


def _is_node_package(path: ImagePath, package: str) -> bool:
    return path.endswith(f"/node_modules/{package}")


def _is_gem(path: ImagePath, package: str) -> bool:
    base = name(path)
    return name(parent(path)) == "gems" and base.rpartition("-")[0] == package


def _is_distribution(path: ImagePath, package: str) -> bool:
    """Whether metadata is that of the distribution; names are normalised (PEP 503)."""
    base = name(path).rpartition(".")[0].partition("-")[0]
    return _SEPARATORS.sub("-", base).lower() == _SEPARATORS.sub("-", package).lower()


def _of_distribution(scene: Scene, metadata: Entry) -> Iterator[ImagePath]:
    """The metadata, and the files that RECORD (PEP 376) or top_level.txt names."""
    yield metadata.path
    yield from (entry.path for entry in scene.tree.below(metadata.path))
    site = parent(metadata.path)
    lines = scene.text(f"{metadata.path}/RECORD").splitlines()[:MOST_LINES]
    for line in lines:
        path = line[1:].partition('"')[0] if line.startswith('"') else line.partition(",")[0]
        real = scene.walk(f"{site}/{path}", follow=False).real if path else None
        if real is not None:
            yield real
    if lines:
        return
    for top in scene.text(f"{metadata.path}/top_level.txt").split()[:100]:
        for path in (f"{site}/{top}", f"{site}/{top}.py"):
            entry = scene.tree.get(path)
            if entry is not None:
                yield entry.path
                yield from (inside.path for inside in scene.tree.below(entry.path))
