"""The report for people: rows of label and text, as plain lines or on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, TextIO

from slimpy.keep.weights import LevelWeight
from slimpy.report.reach import not_reached
from slimpy.report.schema import Count, ExchangeFacts, ImageFacts, Report, WarningFacts

if TYPE_CHECKING:
    from rich.console import RenderableType

Row = tuple[str, str]
"""A label, empty on a further line of the same subject, and a text without line breaks."""

MOST_LINES = 20
"""How many differences, causes or warnings are shown each; the document has them all."""

_UNITS = ((10**9, "GB"), (10**6, "MB"), (10**3, "kB"))
_WIDTH = 14


def size_text(size: int) -> str:
    """Bytes for people: ``9.6 MB`` (decimal units, one digit)."""
    for unit, name in _UNITS:
        # What would round up to 1000 of a unit belongs to the next one.
        if size >= unit * 0.99995:
            return f"{size / unit:.1f} {name}"
    return f"{size} B"


def title(report: Report) -> str:
    """The outcome in one sentence."""
    name = report.image.reference or report.image.id
    if report.slimmed and report.slim:
        return f"{name} is slim: {_where(report, report.slim)}"
    return f"{name} was not slimmed: {report.status.removeprefix('failed: ')}"


def rows(report: Report) -> tuple[Row, ...]:
    """The whole summary, line by line."""
    return tuple(_rows(report))


def plain(report: Report) -> str:
    """The summary as text for a file or a pipe."""
    body = (f"  {label:<{_WIDTH}}{text}".rstrip() for label, text in rows(report))
    return "\n".join([title(report), *body]) + "\n"


def renderable(report: Report) -> RenderableType:
    """The same for a rich console."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for label, text in rows(report):
        table.add_row(f"  {label}", Text(text, style=_STYLES.get(label, "")))
    return Group(Text(title(report), style="bold green" if report.slimmed else "bold red"), table)


def show(report: Report, *, colour: bool, file: TextIO | None = None) -> None:
    """Print the summary, on standard output unless told otherwise."""
    out = file or sys.stdout
    if not colour:
        out.write(plain(report))
        return
    from rich.console import Console

    Console(file=out, force_terminal=True, highlight=False).print(renderable(report))


_STYLES = {"warning": "yellow", "difference": "red", "cause": "red", "what to do": "cyan"}


def _rows(report: Report) -> Iterator[Row]:
    yield "size", _size(report)
    yield "kept", _count(report.kept, report.placeholders)
    yield "removed", _count(report.removed)
    if report.levels:
        yield "levels", ", ".join(_level(item, report.level) for item in report.levels)
    yield from _probes(report)
    account = report.account
    yield "user", f"{account.user or 'root'}: {account.why}"
    if account.chown:
        yield "", f"{_many(len(account.chown), 'path')} handed to that user"
    yield "system calls", _seccomp(report)
    yield from _hardening(report)
    outputs = [f"{item.destination} ({item.digest})" for item in report.outputs]
    yield from _several("output" if len(outputs) == 1 else "outputs", outputs)
    yield "time", _time(report)
    yield "report", report.directory
    if report.coverage:
        yield from not_reached(report.coverage)
    yield from _several("warning", [_warning(item) for item in report.warnings])
    if not report.slimmed:
        yield from _failure(report)


def _size(report: Report) -> str:
    if report.slim is None or report.factor is None:
        return f"{size_text(report.image.size)}, no slim image was made"
    sizes = f"{size_text(report.image.size)} -> {size_text(report.slim.size)}"
    return f"{sizes}, {report.factor:.1f} times smaller"


def _level(weight: LevelWeight, built: str) -> str:
    about = "" if weight.exact else "about "
    this = " (this)" if weight.level == built else ""
    return f"{weight.level} {about}{size_text(weight.bytes)}{this}"


def _count(count: Count, placeholders: int = 0) -> str:
    parts = [
        f"{_many(count.files, 'file')} ({size_text(count.bytes)})",
        _many(count.directories, "directory", "directories"),
        _many(count.links, "link"),
    ]
    if count.others:
        parts.append(_many(count.others, "other"))
    if placeholders:
        parts.append(f"{placeholders:,} of them by name only")
    return ", ".join(parts)


def _probes(report: Report) -> Iterator[Row]:
    total = len(report.exchanges)
    same = sum(item.verdict == "same" for item in report.exchanges)
    yield "probes", f"{total} answered by the original, {same} answered alike by the slim image"
    if not total:
        yield "", "nothing was compared: the slim image is unproven"
    if not report.trace.complete:
        yield "", "the trace is not complete"


def _hardening(report: Report) -> Iterator[tuple[str, str]]:
    hardening = report.hardening
    privileges = "no-new-privileges" if hardening.no_new_privileges else "may gain privileges"
    root = "read-only root" if hardening.read_only else "writable root"
    kept = ", ".join(hardening.capabilities) or "no capabilities"
    yield "confined", f"{kept}, {privileges}, {root}"
    places = [f"{place.path} ({place.kind})" for place in hardening.writable]
    if hardening.read_only and places:
        yield "", f"writable: {', '.join(places[:6])}{' ...' if len(places) > 6 else ''}"


def _seccomp(report: Report) -> str:
    seccomp = report.seccomp
    blocked = f"{len(seccomp.still_blocked)} of {seccomp.dangerous} dangerous ones blocked"
    margin = f" ({seccomp.before_margin} before the margin)" if seccomp.before_margin else ""
    return f"{len(seccomp.allowed)} allowed{margin}, {blocked}"


def _time(report: Report) -> str:
    stages = ", ".join(f"{name} {spent:.1f}" for name, spent in report.seconds.items())
    return f"{sum(report.seconds.values()):.1f} s" + (f" ({stages})" if stages else "")


def _warning(warning: WarningFacts) -> str:
    return warning.text + (f" ({warning.count:,} times)" if warning.count > 1 else "")


def _failure(report: Report) -> Iterator[Row]:
    bad = [item for item in report.exchanges if item.verdict != "same"]
    yield from _several("difference", [line for item in bad for line in _differences(item)])
    yield from _several("cause", list(report.causes))
    yield from _several("what to do", list(_advice(report)))


def _differences(item: ExchangeFacts) -> Iterator[str]:
    if not item.differences:
        yield f"{item.name}: {item.verdict}; original: {item.fat}; slim: {item.slim or 'nothing'}"
    for difference in item.differences:
        yield f"{item.name}: {difference}"


def _advice(report: Report) -> Iterator[str]:
    if any(cause.startswith("missing:") for cause in report.causes):
        yield "Keep the missing paths with --keep PATH, or allow more rounds with --repair 5."
    if any(cause.startswith("not permitted") for cause in report.causes):
        yield "Try --as-root: the app may need rights that only root has."
    if report.slim and not report.slim.reference:
        yield "Look at the slim image itself: --keep-failed tags it all the same."
    yield "If an answer changes at each start, compare only its status, with a probe file."


def _several(label: str, texts: list[str]) -> Iterator[Row]:
    for number, text in enumerate(texts[:MOST_LINES]):
        yield ("" if number else label), text
    if len(texts) > MOST_LINES:
        yield "", f"and {len(texts) - MOST_LINES:,} more, see the report"


def _where(report: Report, slim: ImageFacts) -> str:
    """Its name in the engine's store; where it has none there, its first output."""
    outputs = [item.destination for item in report.outputs]
    return slim.reference or next(iter(outputs), slim.id)


def _many(count: int, one: str, more: str = "") -> str:
    return f"{count:,} {one if count == 1 else more or one + 's'}"
