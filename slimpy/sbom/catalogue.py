"""Every package of an image, from all that names one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from slimpy.image.contents import Contents
from slimpy.image.tree import Tree
from slimpy.model import Entry, ImagePath, KeepSet
from slimpy.sbom import binaries, java, node, php, python, ruby, system
from slimpy.sbom.package import Catalogue, Package, State
from slimpy.sbom.reading import Reading

_RPM = ("/var/lib/rpm", "/usr/lib/sysimage/rpm")
_DOCUMENTATION = tuple(
    f"/usr/share/{place}/"
    for place in ("doc", "doc-base", "man", "info", "locale", "lintian", "bug", "gtk-doc")
)


def survey(
    tree: Tree, contents: Contents, *, whole: Iterable[ImagePath] | None = None
) -> Catalogue:
    """All packages of an image.

    Args:
        whole: which jars and programs are searched; all by default. Those are read whole, so a
            build names what it has read anyway, and the rest is counted in a warning.
    """
    reading = Reading(tree, contents)
    distro = system.distribution(reading)
    found = [*system.packages(reading, distro)]
    if any(reading.files_in(place) for place in _RPM):
        reading.trouble("the image has an rpm database, which is not read")
    entries = list(tree)
    for reader in (python, node, ruby, php):
        described = list(reader.descriptions(entries))
        reading.fetch(described)
        found += reader.packages(reading, described)
    searched = None if whole is None else frozenset(whole)
    for kind, reader_, candidates in (
        ("jars", java, java.archives(entries)),
        ("programs", binaries, binaries.programs(entries)),
    ):
        chosen = _chosen(reading, list(candidates), searched, kind)
        reading.contents.fetch(entry.path for entry in chosen)
        found += reader_.packages(reading, chosen)
    return Catalogue(_sorted(found), distro, reading.warnings())


def with_states(catalogue: Catalogue, keep: KeepSet) -> Catalogue:
    """The same packages, each with what became of it."""
    packages = (replace(item, state=state_of(item, keep)) for item in catalogue.packages)
    return replace(catalogue, packages=tuple(packages))


def state_of(package: Package, keep: KeepSet) -> State:
    """What a slim image has of a package: whole files and links, not names alone."""
    if package.files is None:
        return State.UNKNOWN
    files = package.files or package.metadata
    kept = sum(path in keep.reasons and path not in keep.placeholders for path in files)
    if not kept:
        return State.REMOVED
    if kept == len(files):
        return State.KEPT
    lost = (path for path in files if path not in keep.reasons or path in keep.placeholders)
    return State.KEPT if all(path.startswith(_DOCUMENTATION) for path in lost) else State.PARTLY


def _chosen(
    reading: Reading, entries: list[Entry], searched: frozenset[ImagePath] | None, kind: str
) -> list[Entry]:
    if searched is None:
        return entries
    chosen = [entry for entry in entries if entry.path in searched]
    for _ in range(len(entries) - len(chosen)):
        reading.trouble(f"{kind} that were removed are not searched for packages in them")
    return chosen


def _sorted(found: Iterable[Package]) -> tuple[Package, ...]:
    return tuple(dict(_keyed(sorted(found, key=_order))).values())


def _keyed(found: Iterable[Package]) -> Iterator[tuple[tuple[str, ...], Package]]:
    for item in found:
        yield _order(item), item


def _order(package: Package) -> tuple[str, ...]:
    return (
        package.ecosystem,
        package.name,
        package.version,
        package.architecture,
        package.evidence,
    )
