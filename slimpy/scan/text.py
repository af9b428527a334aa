"""The result of a scan on a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from slimpy.scan.known import Severity
from slimpy.scan.result import Outcome, Scan, Vulnerability

MOST_LISTED = 20
_MOST_NAMES = 4


def lines(scan: Scan, *, everything: bool = False) -> Iterator[str]:
    """What is known comes first, then what is not: unknown is never shown as none."""
    yield f"{scan.reference}: {scan.packages:,} packages, held to {', '.join(scan.sources)}"
    yield ""
    if scan.of_build:
        yield from _before_and_after(scan)
    else:
        yield from _present(scan)
    yield from _unknown(scan)
    listed = [item for item in scan.vulnerabilities if item.outcome is not Outcome.REMOVED]
    if listed:
        yield ""
        yield "still there:" if scan.of_build else "found:"
        shown = listed if everything else listed[:MOST_LISTED]
        yield from (f"  {_one(item)}" for item in shown)
        if len(shown) < len(listed):
            yield f"  and {len(listed) - len(shown):,} more; --all shows them"
    for warning in scan.warnings:
        yield f"warning: {warning}"


def _before_and_after(scan: Scan) -> Iterator[str]:
    columns = (Outcome.REMOVED, Outcome.THERE, Outcome.UNKNOWN)
    heads = ("before", "removed", "still there", "unknown")
    yield f"{'severity':<12}" + "".join(f"{head:>13}" for head in heads)
    for severity in scan.counts:
        row = [scan.number(column, (severity,)) for column in columns]
        yield f"{severity.value:<12}" + "".join(f"{number:>13,}" for number in (sum(row), *row))
    total = [scan.number(column) for column in columns]
    yield f"{'all known':<12}" + "".join(f"{number:>13,}" for number in (sum(total), *total))


def _present(scan: Scan) -> Iterator[str]:
    for severity in scan.counts:
        row = sum(scan.counts[severity].values())
        yield f"{severity.value:<12}{row:>13,}"
    total = sum(sum(row.values()) for row in scan.counts.values())
    yield f"{'all known':<12}{total:>13,}"


def _unknown(scan: Scan) -> Iterator[str]:
    if not scan.unjudged:
        return
    yield ""
    yield "not known, so not counted above:"
    for item in scan.unjudged:
        left = f", {item.left:,} of them in the slim image" if scan.of_build else ""
        yield f"  {item.ecosystem:<9} {item.packages:,} packages{left}: {item.why}"


def _one(item: Vulnerability) -> str:
    names = [f"{p.name} {p.version}{f' ({p.state})' if p.state else ''}" for p in item.packages]
    shown = ", ".join(names[:_MOST_NAMES])
    if len(names) > _MOST_NAMES:
        shown += f" and {len(names) - _MOST_NAMES} more"
    fixed = next((p.fixed for p in item.packages if p.fixed), "")
    word = "severity unknown" if item.severity is Severity.UNKNOWN else item.severity.value
    return f"{item.id}  {word}  {shown}" + (f"; fixed in {fixed}" if fixed else "")
