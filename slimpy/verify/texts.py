"""Two texts, and a third one that shows what the app changes by itself: are they the same answer?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher

from slimpy.model import display
from slimpy.verify.tokens import Kind, Token, alike, tokens

MOST_ALIGNED = 3000
"""Tokens that are aligned one by one; longer stretches are compared as a whole."""

_EXCERPT = 60
_WEAK = frozenset({Kind.SPACE, Kind.MARK})

Captured = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Words:
    """What the user's plan captured in either run, by variable."""

    fat: Captured = field(default_factory=dict)
    slim: Captured = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Change:
    """``old`` tokens from ``start`` on were replaced by ``new`` ones; ``end`` is exclusive."""

    start: int
    end: int
    old: Sequence[Token]
    new: Sequence[Token]


def difference(fat: str, again: str | None, slim: str, words: Words | None = None) -> str:
    """A sentence with the first place where ``slim`` is not the answer that ``fat`` is; empty if it is.

    ``again`` is the original's answer to the same request once more, None where there was none.
    """
    if fat == slim:
        return ""
    words = words or Words()
    ours, theirs = tokens(fat, words.fat), tokens(slim, words.slim)
    changes = _changes(ours, theirs)
    own = _own_changes(ours, tokens(again, words.fat)) if again not in (None, fat) else []
    for change in changes:
        if not _excused(change, own, repeated=again is not None):
            return _sentence(ours, change, theirs)
    return ""


def _own_changes(ours: Sequence[Token], again: Sequence[Token]) -> list[_Change]:
    """What changes by itself, neighbours joined: a random text may share a mark with the next one by chance."""
    out: list[_Change] = []
    for change in _changes(ours, again):
        between = ours[out[-1].end : change.start] if out else ()
        if out and len(between) <= 2 and all(token.kind in _WEAK for token in between):
            last = out.pop()
            change = _Change(
                last.start,
                change.end,
                ours[last.start : change.end],
                (*last.new, *between, *change.new),
            )
        out.append(change)
    return out


def _excused(change: _Change, own: Sequence[_Change], *, repeated: bool) -> bool:
    if _pairwise(change, repeated=repeated):
        return True
    covering = [
        other for other in own if other.start <= change.end and change.start <= other.end
    ]
    if not covering:
        return False
    inside = {index for other in covering for index in range(other.start, other.end)}
    if any(index not in inside for index in range(change.start, change.end)):
        return False
    return any(_similar(change, other) for other in covering)


def _pairwise(change: _Change, *, repeated: bool) -> bool:
    return len(change.old) == len(change.new) and all(
        alike(old, new, again=repeated) for old, new in zip(change.old, change.new, strict=True)
    )


def _similar(change: _Change, own: _Change) -> bool:
    """Whether a change looks like the one that the app makes by itself, in size and in what it is made of."""
    most = 2 * max(len(own.old), len(own.new)) + 2
    if len(change.new) > most or (not change.new and own.new and own.old):
        return False
    if max(len(own.old), len(own.new)) > 12:
        return _overlap(own.old, change.new) >= 0.7 * _overlap(own.old, own.new)
    if len(own.old) != len(own.new) or len(change.old) != len(own.old):
        return True
    if len(change.new) != len(own.new):
        return all(token.kind not in (Kind.WORD, Kind.SPACE) or len(token.text) > 5 for token in own.old)
    triples = zip(own.old, own.new, change.new, strict=True)
    return all(_same_sort(old, new, seen) for old, new, seen in triples)


def _same_sort(old: Token, new: Token, seen: Token) -> bool:
    """A short number stays a number; longer random text may look like any of them."""
    if old.kind is new.kind is Kind.NUMBER and len(old.text) < 6:
        return seen.kind in (Kind.NUMBER, Kind.EPOCH)
    return (old.kind in _WEAK) == (seen.kind in _WEAK) or (new.kind in _WEAK) == (seen.kind in _WEAK)


def _overlap(left: Sequence[Token], right: Sequence[Token]) -> float:
    """The share of tokens that two stretches have in common, spaces left out."""
    ours, theirs = (
        Counter(token.key for token in side if token.kind is not Kind.SPACE)
        for side in (left, right)
    )
    whole = max(ours.total(), theirs.total())
    return (ours & theirs).total() / whole if whole else 1.0


def _changes(ours: Sequence[Token], theirs: Sequence[Token]) -> list[_Change]:
    """The stretches in which two texts differ, in order."""
    left, right = [token.key for token in ours], [token.key for token in theirs]
    start = _common(left, right)
    end = _common(left[start:][::-1], right[start:][::-1])
    middle, other = left[start : len(left) - end], right[start : len(right) - end]
    if not middle and not other:
        return []
    if max(len(middle), len(other)) > MOST_ALIGNED:
        spans = [(0, len(middle), 0, len(other))] if len(middle) != len(other) else _places(middle, other)
    else:
        blocks = SequenceMatcher(None, middle, other, autojunk=False).get_opcodes()
        spans = [block[1:] for block in blocks if block[0] != "equal"]
    return [
        _Change(
            start + i1,
            start + i2,
            ours[start + i1 : start + i2],
            theirs[start + j1 : start + j2],
        )
        for i1, i2, j1, j2 in spans
    ]


def _places(left: Sequence[str], right: Sequence[str]) -> list[tuple[int, int, int, int]]:
    """The single places that differ in two long texts of the same length."""
    pairs = enumerate(zip(left, right, strict=True))
    return [(index, index + 1, index, index + 1) for index, (one, two) in pairs if one != two]


def _common(left: Sequence[str], right: Sequence[str]) -> int:
    """How many items two sequences begin with in common."""
    for index, (one, two) in enumerate(zip(left, right, strict=False)):
        if one != two:
            return index
    return min(len(left), len(right))


def _sentence(ours: Sequence[Token], change: _Change, theirs: Sequence[Token]) -> str:
    before = _joined(ours[max(0, change.start - 8) : change.start])[-20:]
    after = _joined(ours[change.end : change.end + 4])[:12]
    if not theirs or not any(token.text.strip() for token in theirs):
        return f"it is empty instead of {excerpt(_joined(ours[:40]))}"
    old, new = excerpt(_joined(change.old)), excerpt(_joined(change.new))
    near = excerpt(before + "…" + after)
    if not change.new:
        return f"{old} is missing (near {near})"
    if not change.old:
        return f"{new} is new (near {near})"
    return f"{new} instead of {old} (near {near})"


def _joined(part: Sequence[Token]) -> str:
    return "".join(token.text for token in part[:200])


def excerpt(text: str) -> str:
    """A short quotation, safe to show."""
    flat = " ".join(text.split())
    cut = flat if len(flat) <= _EXCERPT else flat[: _EXCERPT - 1] + "…"
    return f"“{display(cut)}”"
