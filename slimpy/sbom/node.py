"""Node packages: each directory with a ``package.json`` below ``node_modules``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from slimpy.image.tree import Tree, name, parent
from slimpy.model import Entry, FileType, ImagePath
from slimpy.sbom.package import Ecosystem, Package
from slimpy.sbom.reading import Reading, plain

MODULES = "node_modules"


def descriptions(entries: Iterable[Entry]) -> Iterator[Entry]:
    """The ``package.json`` of each installed package."""
    for entry in entries:
        if entry.type is FileType.FILE and name(entry.path) == "package.json":
            above = parent(parent(entry.path))
            if name(above).startswith("@"):
                above = parent(above)
            if name(above) == MODULES:
                yield entry


def packages(reading: Reading, entries: Iterable[Entry]) -> Iterator[Package]:
    """The packages that these files describe."""
    for entry in entries:
        data = reading.data(entry, "a package.json")
        try:
            said = msgspec.json.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            said = None
        title = plain(said.get("name")) if isinstance(said, dict) else ""
        version = plain(said.get("version")) if isinstance(said, dict) else ""
        if not title or not version:
            reading.trouble("a package.json has no name or version")
            continue
        yield Package(
            Ecosystem.NODE,
            title,
            version,
            entry.path,
            licence=_licence(said.get("license")),
            files=_own_files(reading.tree, parent(entry.path)) - {entry.path},
            metadata=frozenset((entry.path,)),
        )


def _licence(value: object) -> str:
    return plain(value.get("type")) if isinstance(value, dict) else plain(value)


def _own_files(tree: Tree, directory: ImagePath) -> frozenset[ImagePath]:
    """All below but what is a package of its own."""
    found: list[ImagePath] = []
    waiting = [directory]
    while waiting:
        for entry in tree.children(waiting.pop()):
            if entry.type is not FileType.DIRECTORY:
                found.append(entry.path)
            elif name(entry.path) != MODULES:
                waiting.append(entry.path)
    return frozenset(found)
