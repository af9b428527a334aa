"""The steps that made an image, as a report tells them: cleaned, masked, with layer and bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from slimpy.engine.protocol import HistoryEntry
from slimpy.model import display
from slimpy.report.schema import HistoryFacts
from slimpy.xray.history import MOST_ENTRIES, instructions
from slimpy.xray.secrets import in_text

LONGEST = 4_000
"""Characters of an instruction; a longer one ends in an ellipsis."""

_WRITERS = (("RUN", "COPY", "ADD"), ("RUN", "COPY", "ADD", "WORKDIR"))
"""What makes a layer even if it adds no bytes: surely, and with some builders."""


def steps(entries: Sequence[HistoryEntry], layers: int) -> tuple[HistoryFacts, ...]:
    """The steps of an image with that many layers, the first one first."""
    entries = entries[:MOST_ENTRIES]
    said = [{"created_by": entry.created_by, "comment": entry.comment} for entry in entries]
    texts = [item.text for item in instructions({"history": said})]
    empties = _empties(entries, texts, layers)
    numbers = _numbers(empties, layers)
    return tuple(
        HistoryFacts(_shown(text), display(entry.created[:40]), entry.size, empty, next(numbers))
        for entry, text, empty in zip(entries, texts, empties, strict=True)
    )


def _empties(
    entries: Sequence[HistoryEntry], texts: Sequence[str], layers: int
) -> tuple[bool | None, ...]:
    """Which steps made no layer; None where it is not told and cannot be concluded.

    Engines with Docker's API do not tell, only how many bytes a step added. A step without bytes
    may have made a layer, too: which ones did is known if their number fits that of the layers.
    """
    if all(entry.empty is not None for entry in entries):
        return tuple(entry.empty for entry in entries)
    for words in ((), *_WRITERS):
        found = tuple(
            not entry.size and text.partition(" ")[0] not in words
            for entry, text in zip(entries, texts, strict=True)
        )
        if found.count(False) == layers:
            return found
    return tuple(False if entry.size else None for entry in entries)


def _numbers(empties: Sequence[bool | None], layers: int) -> Iterator[int]:
    """The number of each step's layer; 0 for all where the steps do not fit the layers."""
    fits = empties.count(False) == layers and None not in empties
    number = 0
    for empty in empties:
        number += not empty
        yield number if fits and not empty else 0


def _shown(text: str) -> str:
    """An instruction without secrets and control characters."""
    shown = display(in_text(text)[1])
    return shown if len(shown) <= LONGEST else f"{shown[:LONGEST]}…"
