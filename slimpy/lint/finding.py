"""What a rule is, and what it finds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much a finding weighs; see `reaches` for the order."""

    INFO = "info"  # worth knowing; many good Dockerfiles do it
    WARNING = "warning"  # costs size, safety or reproducibility
    ERROR = "error"  # does not build, does not do what it says, or gives a secret away

    def reaches(self, least: Severity) -> bool:
        """Whether this weighs as much as ``least``, or more."""
        order = list(Severity)
        return order.index(self) >= order.index(least)


LONGEST = 300
"""Characters of a message."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of `slim lint`.

    ``bad`` and ``good`` are an example before and after the mend: lines of a Dockerfile, whose
    FROM may be left out. The first triggers the rule, the second does not (a test holds both).
    """

    id: str
    name: str
    level: Severity
    title: str
    why: str
    bad: str
    good: str

    def at(self, line: int, message: str, hint: str = "") -> Finding:
        """A finding of this rule; what it quotes is shortened."""
        return Finding(self, line, _shortened(message), _shortened(hint))


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that a Dockerfile breaks: where (line from 1), what exactly, and what to do.

    ``message`` and ``hint`` may quote the file, so they are hostile; secrets in them are masked.
    """

    rule: Rule
    line: int
    message: str
    hint: str = ""


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


@dataclass(frozen=True, slots=True)
class Choice:
    """What is to be told: rules that are not (numbers or names, in small letters), and the least
    level.
    """

    ignore: frozenset[str] = frozenset()
    level: Severity | None = None

    def tells(self, rule: Rule) -> bool:
        """Whether what this rule finds is told."""
        weighs = self.level is None or rule.level.reaches(self.level)
        return weighs and not self.ignore & {rule.id.lower(), rule.name}


EVERYTHING = Choice()
