"""The result of a scan: every vulnerability once, with what became of the packages that have it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from enum import StrEnum

import msgspec

from slimpy.sbom.components import Inventory
from slimpy.sbom.package import Ecosystem, State
from slimpy.scan.known import Known, Match, Severity

SCHEMA = "slimpy-scan"
VERSION = 1
"""Raised when a key changes its meaning or goes; a new key does not raise it."""


class Outcome(StrEnum):
    """What a build did to a vulnerability."""

    REMOVED = "removed"  # no file of the packages that have it is left
    THERE = "there"
    UNKNOWN = "unknown"  # nothing tells whether files of the package are left


class Affected(msgspec.Struct, frozen=True):
    """A package that has a vulnerability; ``state`` is empty where nothing was built."""

    name: str
    version: str
    purl: str
    state: str
    evidence: str
    fixed: str


class Vulnerability(msgspec.Struct, frozen=True):
    """One vulnerability in all packages that have it."""

    id: str
    severity: Severity
    outcome: Outcome
    packages: tuple[Affected, ...]


class Unjudged(msgspec.Struct, frozen=True):
    """Packages of which nothing is known: ``left`` of them are in the slim image, at least in
    part.
    """

    ecosystem: str
    packages: int
    left: int
    why: str


class Scan(msgspec.Struct, frozen=True):
    """All of it. ``counts`` is severity -> outcome -> number of vulnerabilities."""

    schema: str
    version: int
    reference: str
    image: str
    of_build: bool
    sources: tuple[str, ...]
    packages: int
    counts: dict[Severity, dict[Outcome, int]]
    vulnerabilities: tuple[Vulnerability, ...]
    unjudged: tuple[Unjudged, ...]
    warnings: tuple[str, ...] = ()

    def number(self, outcome: Outcome, severities: Iterable[Severity] = tuple(Severity)) -> int:
        """How many vulnerabilities of these severities came out so."""
        return sum(self.counts.get(one, {}).get(outcome, 0) for one in severities)

    def left(self, bound: Severity) -> tuple[Vulnerability, ...]:
        """Those at least as grave as ``bound`` that are not known to be gone.

        With the bound UNKNOWN, all of them.
        """
        order = list(Severity)
        grave = order[: order.index(bound) + 1]
        return tuple(
            item
            for item in self.vulnerabilities
            if item.severity in grave and item.outcome is not Outcome.REMOVED
        )


def encode(scan: Scan) -> str:
    """The JSON document, ending in a newline."""
    return msgspec.json.format(msgspec.json.encode(scan), indent=2).decode() + "\n"


def scanned(inventory: Inventory, data: Iterable[Known]) -> Scan:
    """What several sources say together; a vulnerability that two of them name counts once."""
    known = tuple(data)
    groups: dict[str, list[Match]] = {}
    for one in known:
        for match in one.matches:
            groups.setdefault(match.id, []).append(match)
    found = sorted((_one(name, group) for name, group in groups.items()), key=_order)
    counts: dict[Severity, Counter[Outcome]] = {}
    for item in found:
        counts.setdefault(item.severity, Counter())[item.outcome] += 1
    return Scan(
        schema=SCHEMA,
        version=VERSION,
        reference=inventory.reference,
        image=inventory.image,
        of_build=inventory.of_build,
        sources=tuple(one.source for one in known),
        packages=len(inventory.components),
        counts={severity: dict(counts[severity]) for severity in Severity if severity in counts},
        vulnerabilities=tuple(found),
        unjudged=tuple(_unjudged(inventory, known)),
        warnings=(*inventory.warnings, *(text for one in known for text in one.warnings)),
    )


def _order(item: Vulnerability) -> tuple[int, int, str]:
    return (list(Severity).index(item.severity), list(Outcome)[::-1].index(item.outcome), item.id)


def _one(name: str, matches: list[Match]) -> Vulnerability:
    severities = [match.severity for match in matches]
    packages: dict[tuple[str, str, str, str], Affected] = {}
    for match in matches:
        item = match.component
        row = Affected(
            name=match.package,
            version=match.version,
            purl=item.purl if item else "",
            state=_state(match),
            evidence=item.evidence if item else "",
            fixed=match.fixed,
        )
        key = (row.purl, row.evidence, row.name, row.version if not item else "")
        old = packages.get(key)
        packages[key] = row if old is None or (row.fixed and not old.fixed) else old
    rows = sorted(packages.values(), key=lambda row: (row.name, row.purl, row.evidence))
    return Vulnerability(
        id=name,
        severity=next(one for one in Severity if one in severities),
        outcome=_outcome(row.state for row in rows),
        packages=tuple(rows),
    )


def _state(match: Match) -> str:
    if match.component is None:
        return State.UNKNOWN.value
    return match.component.state.value if match.component.state else ""


def _outcome(states: Iterable[str]) -> Outcome:
    said = set(states)
    if said & {State.KEPT, State.PARTLY, ""}:
        return Outcome.THERE
    return Outcome.UNKNOWN if State.UNKNOWN in said else Outcome.REMOVED


def _unjudged(inventory: Inventory, known: tuple[Known, ...]) -> Iterator[Unjudged]:
    """First whole ecosystems without data, then packages that the data could not be held to."""
    covered = frozenset(one for source in known for one in source.covered)
    for ecosystem in Ecosystem:
        items = [item for item in inventory.components if item.ecosystem is ecosystem]
        if items and ecosystem not in covered:
            left = sum(item.state is not State.REMOVED for item in items)
            why = "no data was given for them"
            yield Unjudged(ecosystem.value, len(items), left, why)
    states = {item.purl: item for item in inventory.components}
    reasons = sorted({pair for source in known for pair in source.unjudged})
    for ecosystem in Ecosystem:
        own = [p for p in reasons if p[0] in states and states[p[0]].ecosystem is ecosystem]
        purls = {purl for purl, _ in own}
        if purls:
            left = sum(states[purl].state is not State.REMOVED for purl in purls)
            shown = "; ".join(why for _, why in own[:3])
            more = f"; and {len(own) - 3:,} more" if len(own) > 3 else ""
            yield Unjudged(ecosystem.value, len(purls), left, f"not decided: {shown}{more}")
