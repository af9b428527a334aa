"""What is different between two images, or between the reports of two builds. Pure."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TextIO

import msgspec

from slimpy.model import display
from slimpy.report.keepfile import LoadedReport
from slimpy.report.schema import Report
from slimpy.report.tables import NAME_ONLY, WHOLE
from slimpy.report.text import size_text
from slimpy.report.tsv import escape

SCHEMA = "slimpy-diff"
VERSION = 1
"""Raised when a key changes its meaning or goes; a new key does not raise it."""

MOST_LINES = 20
"""Changes of a kind that are shown, unless all are wanted."""

Facts = Mapping[str, str]
"""Name -> what it is, in one line."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two: ``size`` in bytes, and its files, packages and settings.

    Where there are no ``packages``, they come of ``owners`` (path -> package and version) and
    ``sizes`` (path -> bytes).
    """

    name: str
    size: int
    files: Facts
    settings: Facts
    packages: Facts = field(default_factory=dict)
    owners: Facts = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Change:
    """``before`` is empty where B alone has it, ``after`` where A alone has it."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Difference:
    """All changes from A to B, by name."""

    schema: str
    version: int
    a: str
    b: str
    size_a: int
    size_b: int
    files: tuple[Change, ...]
    packages: tuple[Change, ...]
    settings: tuple[Change, ...]

    @property
    def same(self) -> bool:
        """Whether there is no change at all."""
        return not (self.files or self.packages or self.settings)


def compare(a: Side, b: Side) -> Difference:
    """The changes from A to B."""
    return Difference(
        schema=SCHEMA,
        version=VERSION,
        a=display(a.name),
        b=display(b.name),
        size_a=a.size,
        size_b=b.size,
        files=_changes(a.files, b.files),
        packages=_changes(_packages(a, b), _packages(b, a)),
        settings=_changes(a.settings, b.settings),
    )


def of_report(loaded: LoadedReport, name: str) -> Side:
    """What a build's report says of its slim image: what ships, how it was proven."""
    report = loaded.report
    shares = report.coverage.packages if report.coverage else ()
    return Side(
        name=name,
        size=report.slim.size if report.slim else 0,
        files={
            escape(path): NAME_ONLY if path in loaded.keep.placeholders else WHOLE
            for path in loaded.keep.reasons
        },
        packages={
            f"{share.kind} {share.name}": f"{share.kept:,} files kept, {share.removed:,} removed"
            for share in shares
        },
        settings=dict(_settings(report)),
    )


def encode(difference: Difference) -> str:
    """The JSON document, ending in a newline."""
    return msgspec.json.format(msgspec.json.encode(difference), indent=2).decode() + "\n"


def show(difference: Difference, *, everything: bool = False, file: TextIO | None = None) -> None:
    """Print the changes: ``-`` A alone has it, ``+`` B alone has it, ``~`` it is another."""
    out = file or sys.stdout
    out.writelines(f"{line}\n" for line in _lines(difference, everything=everything))


def _packages(side: Side, other: Side) -> Facts:
    """Packages with version and bytes. A slim image may lack the database that knows its files'
    owners; they are those of the other one then.
    """
    if side.packages:
        return side.packages
    owners = side.owners or other.owners
    total: Counter[str] = Counter()
    for path, size in side.sizes.items():
        if path in owners:
            total[owners[path]] += size
    parts = ((owner.partition(" "), size) for owner, size in total.items())
    return {name: f"{version} ({size_text(size)})".strip() for (name, _, version), size in parts}


def _changes(a: Facts, b: Facts) -> tuple[Change, ...]:
    names = sorted(name for name in {*a, *b} if a.get(name) != b.get(name))
    return tuple(Change(name, a.get(name, ""), b.get(name, "")) for name in names)


def _settings(report: Report) -> Iterator[tuple[str, str]]:
    hardening = report.hardening
    yield "status", report.status
    yield "level", report.level or "unknown"
    yield "original", report.image.id
    yield "user", report.account.user or "root"
    yield "root file system", "read-only" if hardening.read_only else "writable"
    yield "new privileges", "none" if hardening.no_new_privileges else "possible"
    yield from ((f"capability {name}", "kept") for name in hardening.capabilities)
    yield from ((f"writable {place.path}", place.kind) for place in hardening.writable)
    yield from ((f"system call {name}", "allowed") for name in report.seccomp.allowed)
    yield from ((f"probe {item.name}", item.verdict) for item in report.exchanges)
    yield from ((f"warning {item.code}", item.text) for item in report.warnings)
    if report.config:
        yield "entrypoint", " ".join(report.config.entrypoint) or "none"
        yield "command", " ".join(report.config.command) or "none"
        yield "working directory", report.config.workdir
        yield from ((f"port {port}", "exposed") for port in report.config.ports)


def _lines(difference: Difference, *, everything: bool) -> Iterator[str]:
    sizes = f"{size_text(difference.size_a)} -> {size_text(difference.size_b)}"
    yield f"{difference.a} -> {difference.b}: {sizes}"
    for label, changes in (
        ("settings", difference.settings),
        ("packages", difference.packages),
        ("files", difference.files),
    ):
        if not changes:
            continue
        yield f"{label}: {_counts(changes)}"
        shown = changes if everything else changes[:MOST_LINES]
        yield from (f"  {_line(change)}" for change in shown)
        if len(shown) < len(changes):
            yield f"  and {len(changes) - len(shown):,} more; --all shows them"
    if difference.same:
        yield "no difference"


def _counts(changes: tuple[Change, ...]) -> str:
    gone = sum(not change.after for change in changes)
    new = sum(not change.before for change in changes)
    return f"{new:,} added, {gone:,} removed, {len(changes) - new - gone:,} changed"


def _line(change: Change) -> str:
    name, before, after = map(display, (change.name, change.before, change.after))
    if not before:
        return f"+ {name}: {after}"
    return f"~ {name}: {before} -> {after}" if after else f"- {name}: {before}"
