"""The packages of one image as plain records: what the documents hold, and what is scanned."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from probes.model import TraceWarning
from slimpy.model import ImagePath, KeepSet, display, epoch
from slimpy.sbom.catalogue import state_of
from slimpy.sbom.package import (
    UNNAMED,
    Catalogue,
    Distribution,
    Ecosystem,
    Package,
    State,
)


@dataclass(frozen=True, slots=True)
class Component:
    """One package, without its files.

    ``group`` is the namespace in the package URL; ``source`` and ``source_version`` are what it
    was built from, ``evidence`` the file that names it; ``files`` and ``kept`` count its files, -1
    where they are not known. ``state`` is None where nothing was built.
    """

    ecosystem: Ecosystem
    name: str
    version: str
    purl: str
    evidence: str
    group: str = ""
    source: str = ""
    source_version: str = ""
    licence: str = ""
    files: int = -1
    kept: int = -1
    state: State | None = None


@dataclass(frozen=True, slots=True)
class Inventory:
    """All packages of one image. ``created`` is the image's own time, in seconds of the epoch."""

    reference: str
    image: str
    components: tuple[Component, ...]
    distribution: Distribution = UNNAMED
    created: int = 0
    warnings: tuple[str, ...] = ()

    @property
    def of_build(self) -> bool:
        """Whether the states of the packages are known."""
        return any(item.state is not None for item in self.components)


def inventory(
    catalogue: Catalogue,
    reference: str,
    image: str,
    *,
    created: str = "",
    keep: KeepSet | None = None,
) -> Inventory:
    """A catalogue as records; with a keep set, each with what became of it."""
    return Inventory(
        reference=display(reference),
        image=image,
        components=tuple(_component(item, keep) for item in catalogue.packages),
        distribution=catalogue.distribution,
        created=epoch(created),
        warnings=_told((*catalogue.warnings, *catalogue.unsearched)),
    )


def _told(warnings: Iterable[TraceWarning]) -> tuple[str, ...]:
    return tuple(
        f"{warning.text} ({warning.count} times)" if warning.count > 1 else warning.text
        for warning in warnings
    )


def slimmed(
    fat: Inventory, catalogue: Catalogue, keep: KeepSet, reference: str, image: str
) -> Inventory:
    """The part of an inventory that is in the slim image; ``catalogue`` is what it was made of.

    Nothing is said of what was removed unsearched: it is not in there.
    """
    described = frozenset(
        (item.purl, display(item.evidence))
        for item in catalogue.packages
        if item.evidence in keep.reasons and item.evidence not in keep.placeholders
    )
    return replace(
        fat,
        reference=display(reference),
        image=image,
        components=tuple(_present(fat, described)),
        warnings=_told(catalogue.warnings),
    )


def _present(fat: Inventory, described: frozenset[tuple[str, str]]) -> Iterator[Component]:
    for item in fat.components:
        unknown = item.state is State.UNKNOWN and (item.purl, item.evidence) in described
        if unknown or item.state in (State.KEPT, State.PARTLY):
            yield item


def _component(package: Package, keep: KeepSet | None) -> Component:
    files = package.files
    return Component(
        ecosystem=package.ecosystem,
        name=package.name,
        version=package.version,
        purl=package.purl,
        evidence=display(package.evidence),
        group=package.namespace,
        source=package.source,
        source_version=package.source_version,
        licence=package.licence,
        files=-1 if files is None else len(files),
        kept=-1 if files is None or keep is None else sum(_ships(path, keep) for path in files),
        state=None if keep is None else state_of(package, keep),
    )


def _ships(path: ImagePath, keep: KeepSet) -> bool:
    return path in keep.reasons and path not in keep.placeholders
