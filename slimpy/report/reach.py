"""What the probes did not reach, in a few lines for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from slimpy.keep.coverage import Coverage

MOST_NAMES = 5
"""How many routes, files or commands are named in a line; the document has them all."""

MOST_PROBES = 5
"""How many lines for the probe file are shown."""


def not_reached(coverage: Coverage) -> Iterator[tuple[str, str]]:
    """Rows of label and text: code, commands and routes that no probe used, and what to add."""
    lines = [*_routes(coverage), *_code(coverage), *_commands(coverage)]
    for number, line in enumerate(lines):
        yield ("" if number else "not reached"), line
    shown = coverage.probe_these[:MOST_PROBES]
    for number, line in enumerate(shown):
        yield ("" if number else "probe too"), line
    more = len(coverage.probe_these) - len(shown)
    if more:
        yield "", f"and {more} more, see the report"


def _routes(coverage: Coverage) -> Iterator[str]:
    if coverage.routes:
        total = coverage.routes_called + len(coverage.routes)
        names = _first(f"{route.method} {route.path}" for route in coverage.routes)
        yield f"{len(coverage.routes)} of {total} routes found were not called: {names}"


def _code(coverage: Coverage) -> Iterator[str]:
    for share in coverage.code:
        idle = share.kept - share.ran
        if idle:
            own = f", {share.own_idle} of them the app's own" if share.own_idle else ""
            yield (
                f"{idle:,} of {share.kept:,} kept {share.language} files never ran{own}; "
                f"{share.removed:,} others are removed"
            )


def _commands(coverage: Coverage) -> Iterator[str]:
    kept = sorted({command for item in coverage.commands for command in item.kept})
    removed = sorted({command for item in coverage.commands for command in item.removed})
    for what, names in (("kept", kept), ("removed", removed)):
        if names:
            count = "1 command" if len(names) == 1 else f"{len(names)} commands"
            yield f"{count} of the app's scripts never ran, {what}: {_first(names)}"


def _first(names: Iterable[str]) -> str:
    known = list(names)
    more = f" and {len(known) - MOST_NAMES} more" if len(known) > MOST_NAMES else ""
    return ", ".join(known[:MOST_NAMES]) + more
