"""What data says of the packages of an inventory: the values that all readers give."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from slimpy.model import display
from slimpy.sbom.components import Component
from slimpy.sbom.package import Ecosystem


class Severity(StrEnum):
    """How grave, the gravest first; unknown is none of the others, and not harmless."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    NEGLIGIBLE = "negligible"
    UNKNOWN = "unknown"


_WORDS = {
    "critical": Severity.CRITICAL,
    "high": Severity.HIGH,
    "important": Severity.HIGH,
    "medium": Severity.MEDIUM,
    "moderate": Severity.MEDIUM,
    "low": Severity.LOW,
    "minor": Severity.LOW,
    "negligible": Severity.NEGLIGIBLE,
    "unimportant": Severity.NEGLIGIBLE,
    "end-of-life": Severity.UNKNOWN,
}
_CVE = re.compile(r"CVE-\d{4}-\d{4,19}")


@dataclass(frozen=True, slots=True)
class Match:
    """A vulnerability of one package. ``fixed`` is the version that has it no more, if known.

    ``component`` is None where the data speaks of a package that the inventory does not have.
    """

    id: str
    severity: Severity
    component: Component | None
    package: str
    version: str
    fixed: str = ""


@dataclass(frozen=True, slots=True)
class Known:
    """All that one source says.

    ``covered`` are the ecosystems of which it has data; of the others nothing is known.
    ``unjudged`` counts what the data holds and what could not be decided, by package URL.
    """

    source: str
    matches: tuple[Match, ...]
    covered: frozenset[Ecosystem]
    unjudged: tuple[tuple[str, str], ...] = ()  # package URL, why
    warnings: tuple[str, ...] = ()


def severity_of(word: object) -> Severity:
    """A severity by the word that sources use for it."""
    if not isinstance(word, str):
        return Severity.UNKNOWN
    return _WORDS.get(word.strip().rstrip("*").lower(), Severity.UNKNOWN)


def name_of(own: str, others: Iterable[str] = ()) -> str:
    """The name that sources share: the CVE, if there is exactly one, else the source's own."""
    found = {name[0] for text in (own, *others) if (name := _CVE.search(text))}
    return found.pop() if len(found) == 1 else display(own[:100])


_METRICS = re.compile(r"CVSS:3\.[01]((?:/[A-Z]{1,3}:[A-Z])+)")
_ATTACK = {"N": 0.85, "A": 0.62, "L": 0.55, "P": 0.2}
_COMPLEXITY = {"L": 0.77, "H": 0.44}
_PRIVILEGES = {"N": 0.85, "L": 0.62, "H": 0.27}
_PRIVILEGES_CHANGED = {"N": 0.85, "L": 0.68, "H": 0.5}
_INTERACTION = {"N": 0.85, "R": 0.62}
_IMPACT = {"H": 0.56, "L": 0.22, "N": 0.0}
_BOUNDS = ((90, Severity.CRITICAL), (70, Severity.HIGH), (40, Severity.MEDIUM), (1, Severity.LOW))


def severity_of_vector(vector: str) -> Severity:
    """The severity of a CVSS 3 vector's base score (CVSS 3.1, sections 5 and 7)."""
    tenths = base_score(vector)
    if tenths is None:
        return Severity.UNKNOWN
    return next((name for bound, name in _BOUNDS if tenths >= bound), Severity.NEGLIGIBLE)


def base_score(vector: str) -> int | None:
    """The base score in tenths; None for what is no vector of CVSS 3."""
    found = _METRICS.fullmatch(vector[:200])
    if found is None:
        return None
    said = dict(part.split(":") for part in found[1][1:].split("/"))
    changed = said.get("S") == "C"
    try:
        impact = 1.0
        for name in "CIA":
            impact *= 1 - _IMPACT[said[name]]
        impact = 1 - impact
        ease = (
            8.22
            * _ATTACK[said["AV"]]
            * _COMPLEXITY[said["AC"]]
            * (_PRIVILEGES_CHANGED if changed else _PRIVILEGES)[said["PR"]]
            * _INTERACTION[said["UI"]]
        )
    except KeyError:
        return None
    whole = 7.52 * (impact - 0.029) - 3.25 * (impact - 0.02) ** 15 if changed else 6.42 * impact
    if whole <= 0:
        return 0
    return _rounded_up(min((1.08 if changed else 1.0) * (whole + ease), 10.0))


def _rounded_up(score: float) -> int:
    """To the next tenth; as integers, so that it is the same everywhere (section 7, Roundup)."""
    exact = round(score * 100_000)
    return exact // 10_000 if exact % 10_000 == 0 else exact // 10_000 + 1
