"""What `slim lint` found: as a versioned document, as SARIF, and for people."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TextIO

import msgspec

from slimpy.lint.finding import Finding, Rule, Severity
from slimpy.model import display
from slimpy.report import sarif

SCHEMA = "slimpy-lint"
VERSION = 1
"""Raised when a key changes its meaning or goes; a new key does not raise it."""

_STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.INFO: "cyan"}
_SARIF = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}


@dataclass(frozen=True, slots=True)
class FindingFacts:
    """One finding; ``line`` is from 1, ``level`` is info, warning or error."""

    rule: str
    name: str
    level: str
    line: int
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class FileFacts:
    """A file, as it was named, with its findings by line."""

    file: str
    findings: tuple[FindingFacts, ...]


@dataclass(frozen=True, slots=True)
class LintDocument:
    """All files; ``counts`` is level -> number, ``unreadable`` says what could not be linted."""

    schema: str
    version: int
    slimpy: str
    counts: Mapping[str, int]
    files: tuple[FileFacts, ...]
    unreadable: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Linted:
    """A file that was linted."""

    file: str
    findings: tuple[Finding, ...]


def encode(version: str, linted: Sequence[Linted], unreadable: Sequence[str]) -> str:
    """The JSON document, ending in a newline."""
    document = LintDocument(
        schema=SCHEMA,
        version=VERSION,
        slimpy=version,
        counts=counts(linted),
        files=tuple(FileFacts(display(item.file), _facts(item)) for item in linted),
        unreadable=tuple(map(display, unreadable)),
    )
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"


def encode_sarif(version: str, linted: Sequence[Linted], rules: Sequence[Rule]) -> str:
    """The SARIF document, ending in a newline."""
    shown = {
        rule.id: sarif.SarifRule(
            rule.id,
            "".join(part.capitalize() for part in rule.name.split("-")),
            _SARIF[rule.level],
            rule.title,
            f"{rule.why}\n\nInstead of:\n\n{rule.bad}\n\nwrite:\n\n{rule.good}",
        )
        for rule in rules
    }
    results = [
        sarif.SarifResult(
            shown[finding.rule.id],
            f"{finding.message} {finding.hint}".rstrip(),
            item.file if item.file != "-" else "Dockerfile",
            finding.line,
        )
        for item in linted
        for finding in item.findings
    ]
    return sarif.document(version, tuple(shown.values()), results)


def counts(linted: Sequence[Linted]) -> dict[str, int]:
    """How many findings there are of each level."""
    found = Counter(finding.rule.level.value for item in linted for finding in item.findings)
    return {level.value: found[level.value] for level in reversed(Severity)}


def show(linted: Sequence[Linted], *, colour: bool, file: TextIO | None = None) -> None:
    """Print the findings, one line each with what to do below, and their number."""
    out = file or sys.stdout
    if colour:
        from rich.console import Console

        console = Console(file=out, force_terminal=True, highlight=False, soft_wrap=True)
        console.print(_coloured(linted))
    else:
        out.write("".join(f"{line}\n" for line in _plain(linted)))


def _facts(item: Linted) -> tuple[FindingFacts, ...]:
    return tuple(
        FindingFacts(
            finding.rule.id,
            finding.rule.name,
            finding.rule.level.value,
            finding.line,
            display(finding.message),
            display(finding.hint),
        )
        for finding in item.findings
    )


def _plain(linted: Sequence[Linted]) -> list[str]:
    lines = []
    for item in linted:
        for finding in item.findings:
            rule = finding.rule
            lines.append(
                f"{display(item.file)}:{finding.line}: {rule.level.value} {rule.id} {rule.name}:"
                f" {display(finding.message)}"
            )
            if finding.hint:
                lines.append(f"    {display(finding.hint)}")
    return [*lines, _total(linted)]


def _coloured(linted: Sequence[Linted]) -> object:
    from rich.text import Text

    text = Text()
    for item in linted:
        for finding in item.findings:
            rule = finding.rule
            text.append(f"{display(item.file)}:{finding.line}", style="bold")
            text.append(f" {rule.level.value}", style=_STYLES[rule.level])
            text.append(f" {rule.id} {rule.name}", style="dim")
            text.append(f" {display(finding.message)}\n")
            if finding.hint:
                text.append(f"    {display(finding.hint)}\n", style="green")
    text.append(_total(linted))
    return text


def _total(linted: Sequence[Linted]) -> str:
    number = counts(linted)
    files = "1 file" if len(linted) == 1 else f"{len(linted)} files"
    if not sum(number.values()):
        return f"{files}: nothing to say"
    parts = (f"{count} {level}{_plural(level, count)}" for level, count in number.items())
    return f"{files}: {', '.join(parts)}"


def _plural(level: str, count: int) -> str:
    return "" if level == Severity.INFO or count == 1 else "s"
