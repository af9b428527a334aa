"""What a benchmark found, as values, and its two views: Markdown and JSON."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

Cell = str | int | float | None
"""One value of a table; None is "not known", and is never shown as zero."""

SCHEMA = "slimpy-benchmarks"
VERSION = 1


@dataclass(frozen=True, slots=True)
class Target:
    """A measured value that is to stay at or below ``limit``."""

    what: str
    value: float
    limit: float
    unit: str = ""

    @property
    def met(self) -> bool:
        """Whether the value is within the limit."""
        return self.value <= self.limit

    def __str__(self) -> str:
        verdict = "met" if self.met else "missed"
        unit = f" {self.unit}" if self.unit else ""
        return f"{self.what}: {self.value:.2f}{unit}, target {self.limit:g}{unit}: {verdict}"


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of equal length under ``columns``; units stand in the columns' names."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def markdown(self) -> str:
        """The table as GitHub shows it; numbers to the right."""
        cells = [self.columns, *(tuple(map(_shown, row)) for row in self.rows)]
        widths = [max(3, *(len(row[index]) for row in cells)) for index in range(len(self.columns))]
        right = [_is_numeric(row[index] for row in self.rows) for index in range(len(widths))]
        marks = tuple(
            "-" * (width - 1) + ":" if number else "-" * width
            for width, number in zip(widths, right, strict=True)
        )
        lines = (_line(row, widths, right) for row in (cells[0], marks, *cells[1:]))
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one benchmark found; ``notes`` say how it was measured and what went wrong."""

    tables: tuple[Table, ...]
    targets: tuple[Target, ...] = ()
    notes: tuple[str, ...] = ()

    def markdown(self) -> str:
        """All of it, for a terminal or a README."""
        parts = [f"### {table.title}\n\n{table.markdown()}" for table in self.tables]
        lines = [f"- {line}" for line in (*self.targets, *self.notes)]
        return "\n\n".join([*parts, "\n".join(lines)] if lines else parts)


@dataclass(frozen=True, slots=True)
class Machine:
    """Where and when it was measured; ``load`` is the load average of 1, 5 and 15 minutes."""

    processor: str
    processors: int
    kernel: str
    python: str
    load: tuple[float, float, float]

    @classmethod
    def now(cls) -> Machine:
        """This machine, at this moment."""
        return cls(
            processor=_processor(),
            processors=os.cpu_count() or 0,
            kernel=platform.release(),
            python=platform.python_version(),
            load=os.getloadavg(),
        )

    def __str__(self) -> str:
        load = " ".join(f"{value:.1f}" for value in self.load)
        return (
            f"{self.processor}, {self.processors} processors, Linux {self.kernel}, "
            f"Python {self.python}; load average {load}"
        )


def document(
    outcomes: Mapping[str, Outcome], before: Machine, after: Machine
) -> Mapping[str, object]:
    """All outcomes as one JSON document."""
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "machine": {**asdict(before), "load_after": after.load},
        "benchmarks": {name: _plain(outcome) for name, outcome in outcomes.items()},
    }


def _plain(outcome: Outcome) -> Mapping[str, object]:
    return {
        "tables": [
            {
                "title": table.title,
                "rows": [dict(zip(table.columns, row, strict=True)) for row in table.rows],
            }
            for table in outcome.tables
        ],
        "targets": [{**asdict(target), "met": target.met} for target in outcome.targets],
        "notes": list(outcome.notes),
    }


def _line(row: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    cells = (
        text.rjust(width) if number else text.ljust(width)
        for text, width, number in zip(row, widths, right, strict=True)
    )
    return f"| {' | '.join(cells)} |"


def _is_numeric(cells: Iterable[Cell]) -> bool:
    return all(cell is None or isinstance(cell, int | float) for cell in cells)


def _shown(cell: Cell) -> str:
    match cell:
        case None:
            return "?"
        case float():
            return (
                f"{cell:.3f}"
                if abs(cell) < 1
                else f"{cell:.2f}"
                if abs(cell) < 10
                else f"{cell:.1f}"
            )
        case _:
            return str(cell).replace("|", "\\|")


def _processor() -> str:
    with Path("/proc/cpuinfo").open(encoding="utf-8", errors="replace") as file:
        for line in file:
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    return platform.machine()
