"""SARIF 2.1.0: what code-scanning services read (OASIS, "Static Analysis Results Interchange
Format", 27 March 2020). Of a build and of `slim lint`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any
from urllib.parse import quote

import msgspec

from slimpy.harden.dangerous import DANGEROUS
from slimpy.model import display
from slimpy.report.schema import Report

FILE = "report.sarif"
_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
MOST_RESULTS = 5000
"""Results of a document; services take no more of them."""

_NOTE, _WARNING, _ERROR = "note", "warning", "error"


@dataclass(frozen=True, slots=True)
class SarifRule:
    """A rule as SARIF has it; ``level`` is note, warning or error, ``help`` is plain text."""

    id: str
    name: str
    level: str
    title: str
    help: str = ""


@dataclass(frozen=True, slots=True)
class SarifResult:
    """A result: ``place`` is a path relative to the repository, or an image's name; ``line`` is
    from 1.
    """

    rule: SarifRule
    message: str
    place: str
    line: int = 1


DIFFERS = SarifRule("answer-differs", "AnswerDiffers", _ERROR, "The slim image answers differently")
CAUSE = SarifRule("cause", "Cause", _ERROR, "What is behind different answers")
ROOT = SarifRule("runs-as-root", "RunsAsRoot", _WARNING, "The slim image runs as root")
LOOSENED = SarifRule("loosened", "Loosened", _NOTE, "A restriction had to be loosened")
WISHED = SarifRule("shortfall", "Shortfall", _NOTE, "A restriction that is left to wish for")
DANGER = SarifRule(
    "dangerous-call", "DangerousCall", _WARNING, "A dangerous system call is allowed"
)
ROUTE = SarifRule(
    "not-called", "NotCalled", _NOTE, "A route of the app was not called by any probe"
)
IDLE = SarifRule("never-ran", "NeverRan", _NOTE, "Kept code of the app never ran")
UNSURE = SarifRule("warning", "Warning", _WARNING, "Something that the report cannot vouch for")
_RULES = (DIFFERS, CAUSE, ROOT, LOOSENED, WISHED, DANGER, ROUTE, IDLE, UNSURE)


def of_report(report: Report) -> str:
    """A build's differences, warnings and risks."""
    place = report.image.reference or report.image.id
    results = [SarifResult(rule, message, place) for rule, message in _of(report)]
    return document(report.slimpy, _RULES, results)


def document(version: str, rules: Sequence[SarifRule], results: Iterable[SarifResult]) -> str:
    """One run of slimpy as a SARIF document, ending in a newline."""
    numbers = {rule.id: number for number, rule in enumerate(rules)}
    value = {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "slimpy",
                        "semanticVersion": version,
                        "rules": [_rule(rule) for rule in rules],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "results": [
                    _result(result, numbers[result.rule.id])
                    for result in islice(results, MOST_RESULTS)
                ],
            }
        ],
    }
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n"


def _rule(rule: SarifRule) -> dict[str, Any]:
    # A name that only repeats the id must not be there (SARIF 2.1.0, 3.49.7).
    name = {} if rule.name.lower() == rule.id.lower() else {"name": rule.name}
    return {
        "id": rule.id,
        **name,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.help or rule.title},
        "help": {"text": rule.help or rule.title},
        "defaultConfiguration": {"level": rule.level},
    }


def _result(result: SarifResult, number: int) -> dict[str, Any]:
    message = display(result.message)
    print_of = f"{result.rule.id}\0{result.place}\0{message}".encode("utf-8", "surrogateescape")
    return {
        "ruleId": result.rule.id,
        "ruleIndex": number,
        "level": result.rule.level,
        "message": {"text": message},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": _uri(result.place)},
                    "region": {"startLine": max(result.line, 1)},
                }
            }
        ],
        "partialFingerprints": {"slimpyResult/v1": hashlib.sha256(print_of).hexdigest()},
    }


def _uri(place: str) -> str:
    """A relative reference (RFC 3986): a colon in its first part would make it a scheme."""
    return quote(place.encode("utf-8", "surrogateescape"), safe="/@+,=~")


def _of(report: Report) -> Iterator[tuple[SarifRule, str]]:
    for item in report.exchanges:
        if item.verdict != "same" and item.verdict != "unknown":
            why = (
                "; ".join(item.differences)
                or f"original: {item.fat}; slim: {item.slim or 'nothing'}"
            )
            yield DIFFERS, f"{item.name} is {item.verdict}: {why}"
    if not report.slimmed and not any(
        item.verdict in ("different", "broken") for item in report.exchanges
    ):
        yield DIFFERS, report.status
    yield from ((CAUSE, cause) for cause in report.causes)
    if report.account.uid == 0:
        yield ROOT, report.account.why
    yield from ((LOOSENED, line) for line in report.hardening.widened)
    yield from ((WISHED, line) for line in report.hardening.shortfalls)
    for name in sorted(set(report.seccomp.allowed) & set(DANGEROUS)):
        yield DANGER, f"The system call {name} is allowed."
    if report.coverage:
        for route in report.coverage.routes:
            yield ROUTE, f"{route.method} {route.path} was found and not called."
        for share in report.coverage.code:
            if share.own_idle:
                yield IDLE, f"{share.own_idle} of the app's own {share.language} files never ran."
    for warning in report.warnings:
        times = f" ({warning.count:,} times)" if warning.count > 1 else ""
        yield UNSURE, f"{warning.text}{times}"
