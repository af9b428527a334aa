"""Every package of an image, from all that names one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from probes.model import TraceWarning
from slimpy.image.contents import Contents
from slimpy.image.tree import Tree
from slimpy.model import ImagePath, KeepSet
from slimpy.sbom import binaries, java, node, php, python, rpm, ruby, system
from slimpy.sbom.package import Catalogue, Package, State
from slimpy.sbom.reading import Reading

_DESCRIBED = (python, node, ruby, php)
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
            build names what it has read anyway. Of the rest, those that belong to no package are
            counted as unsearched: what they were built from is in no list.
    """
    reading = Reading(tree, contents)
    entries = list(tree)
    described = [(reader, list(reader.descriptions(entries))) for reader in _DESCRIBED]
    reading.fetch(
        (
            *system.databases(reading),
            *python.records(tree, described[0][1]),
            *(entry for _, files in described for entry in files),
        )
    )
    distro = system.distribution(reading)
    found = [*system.packages(reading, distro), *rpm.packages(reading, distro)]
    for reader, files in described:
        found += reader.packages(reading, files)
    searched = None if whole is None else frozenset(whole)
    owned = frozenset().union(*(item.files or () for item in found))
    unread: dict[str, int] = {}
    for kind, reader_, candidates in (
        ("program", binaries, binaries.programs(entries)),
        ("jar", java, java.archives(entries)),
    ):
        all_ = list(candidates)
        chosen = all_ if searched is None else [e for e in all_ if e.path in searched]
        if searched is not None:
            left = (e for e in all_ if e.path not in searched and e.path not in owned)
            unread[kind] = sum(1 for _ in left)
        reading.contents.fetch(entry.path for entry in chosen)
        found += reader_.packages(reading, chosen)
    return Catalogue(_sorted(found), distro, reading.warnings(), tuple(_unsearched(unread)))


def _unsearched(unread: Mapping[str, int]) -> Iterator[TraceWarning]:
    """One sentence on all that was removed without a look into it."""
    counted = [
        f"{count:,} {kind}{'s' if count > 1 else ''}" for kind, count in unread.items() if count
    ]
    if counted:
        yield TraceWarning(
            "packages",
            "what may be built into files that were removed is not listed: "
            f"{' and '.join(counted)} of no package",
        )


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
    return State.KEPT if all(map(_is_of_no_weight, lost)) else State.PARTLY


def _is_of_no_weight(path: ImagePath) -> bool:
    """Whether a package is whole without it: documentation, and what is made of its sources."""
    return path.startswith(_DOCUMENTATION) or path.endswith(".pyc")


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
