"""How long the notes are."""

from __future__ import annotations

import statistics
from decimal import Decimal
from fractions import Fraction


def of(notes: list[dict[str, object]]) -> dict[str, object]:
    """Mean and median of the titles' lengths."""
    lengths = [len(str(note["title"])) for note in notes] or [0]
    return {
        "mean": str(Decimal(str(statistics.fmean(lengths))).quantize(Decimal("0.1"))),
        "median": str(Fraction(statistics.median(lengths))),
    }
