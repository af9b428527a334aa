"""What the page shows, worked out from the report's document: shares, bars, rows. Pure."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from itertools import chain

from slimpy.model import ROOT, FileType
from slimpy.report.costs import Counted
from slimpy.report.html.listing import Files
from slimpy.report.html.wording import LEVELS, RULES, STAGES
from slimpy.report.schema import Report
from slimpy.report.tables import content_size
from slimpy.report.text import size_text
from slimpy.report.tsv import escape

MOST_PLACES = 20
"""Top directories in the table that needs no script."""

MOST_TEXT = 180
"""Characters of an instruction that are shown before it is unfolded."""

_COPIED = re.compile(r"\b((?:file|dir|multi):[0-9a-f]{12})[0-9a-f]{20,52}\b")
"""How old builders write what was copied: by its digest, of which the beginning is enough."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A labelled bar: ``begin`` and ``width`` in percent of the widest or of the whole."""

    label: str
    about: str
    value: float
    width: float
    begin: float = 0.0
    note: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """A directory at the top of the image, with the bytes below it that ship and that do not."""

    path: str
    kept: int
    removed: int

    @property
    def share(self) -> float:
        """The percentage that ships."""
        return percent(self.kept, self.kept + self.removed)


@dataclass(frozen=True, slots=True)
class RuleRow:
    """A rule with its cost; widths in percent of the dearest rule."""

    rule: str
    about: str
    paths: int
    bytes: int
    alone_paths: int
    alone_bytes: int
    width: float
    alone_width: float


@dataclass(frozen=True, slots=True)
class LayerRow:
    """A step that made the original: the ``text`` to begin with, the whole where that is cut.

    ``number`` is its layer's, 0 for none; ``width`` in percent of the largest layer.
    """

    number: int
    text: str
    rest: str
    bytes: int | None
    width: float
    empty: bool


@dataclass(frozen=True, slots=True)
class Proportion:
    """Both images as squares whose areas are to scale: sides in percent of the larger."""

    fat: float
    slim: float


def percent(part: float, whole: float) -> float:
    """The share in percent with two digits; 0 of nothing."""
    return round(100 * part / whole, 2) if whole else 0.0


def smaller(report: Report) -> tuple[str, str]:
    """The headline's figure and the words behind it, honest where nothing was won."""
    if report.factor is None:
        return "–", "no slim image was made"
    if report.factor < 0.95:
        return f"{1 / report.factor:.1f}×", "larger than the original"
    if report.factor < 1.05:
        return "1.0×", "the original had hardly anything to remove"
    return f"{report.factor:.1f}×", "smaller" if report.slimmed else "smaller, but not proven"


def proportion(report: Report) -> Proportion | None:
    """How the images compare as areas, None where there is only one."""
    if report.slim is None:
        return None
    largest = max(report.image.size, report.slim.size, 1)
    return Proportion(
        round(100 * math.sqrt(report.image.size / largest), 2),
        round(100 * math.sqrt(report.slim.size / largest), 2),
    )


def timeline(report: Report) -> tuple[Bar, ...]:
    """The stages one after the other, each where it began."""
    total = sum(report.seconds.values())
    bars, begin = [], 0.0
    for name, spent in report.seconds.items():
        width = percent(spent, total)
        bars.append(Bar(name, STAGES.get(name, ""), spent, width, percent(begin, total)))
        begin += spent
    return tuple(bars)


def layers(report: Report) -> tuple[LayerRow, ...]:
    """The steps that made the original, the first one first."""
    largest = max((step.bytes or 0 for step in report.history), default=0)
    rows = []
    for step in report.history:
        text = _COPIED.sub(r"\1…", step.instruction)
        rows.append(
            LayerRow(
                number=step.layer,
                text=_beginning(text),
                rest=text if len(text) > MOST_TEXT else "",
                bytes=step.bytes,
                width=percent(step.bytes or 0, largest),
                empty=step.empty is True,
            )
        )
    return tuple(rows)


def _beginning(text: str) -> str:
    """What fits, up to the end of a word."""
    if len(text) <= MOST_TEXT:
        return text
    whole, space, _ = text[:MOST_TEXT].rpartition(" ")
    return whole.rstrip() if space and len(whole) > MOST_TEXT / 2 else text[:MOST_TEXT]


def rules(report: Report) -> tuple[RuleRow, ...]:
    """The rules' costs with the width of their bars."""
    dearest = max((cost.bytes for cost in report.rule_costs), default=0)
    return tuple(
        RuleRow(
            cost.rule,
            RULES.get(cost.rule, ""),
            cost.paths,
            cost.bytes,
            cost.alone_paths,
            cost.alone_bytes,
            percent(cost.bytes, dearest),
            percent(cost.alone_bytes, dearest),
        )
        for cost in report.rule_costs
    )


def levels(report: Report) -> tuple[Bar, ...]:
    """The levels of caution by weight."""
    largest = max((item.bytes for item in report.levels), default=0)
    return tuple(
        Bar(
            item.level,
            LEVELS.get(item.level, ""),
            item.bytes,
            percent(item.bytes, largest),
            note=f"{'' if item.exact else 'about '}{size_text(item.bytes)}",
        )
        for item in report.levels
    )


def places(files: Files) -> tuple[Place, ...]:
    """The directories at the top of the image, those that weighed most first."""
    counted = Counted(files.tree, files.keep)
    found = []
    for top in files.tree.children(ROOT):
        kept = removed = 0
        for entry in chain((top,), files.tree.below(top.path)):
            size = content_size(entry, files.keep) if entry.path in files.keep else 0
            if counted(entry):
                kept += size
                removed += (entry.size if entry.type is FileType.FILE else 0) - size
        if kept or removed:
            found.append(Place(escape(top.path), kept, removed))
    found.sort(key=lambda place: (-place.kept - place.removed, place.path))
    return tuple(found[:MOST_PLACES])
