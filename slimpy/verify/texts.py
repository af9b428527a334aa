"""Two texts, and a third that shows what the app changes by itself: one answer or two?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher

from slimpy.model import display
from slimpy.verify.tokens import Kind, Token, alike, tokens

MOST_ALIGNED = 300
"""Tokens that are aligned one by one; longer stretches are compared place by place, or as a whole.
"""

MOST_PIECES = 8000
"""Pieces (lines, tags, list items) that are aligned before tokens are."""

_EXCERPT = 60
_ENDS = frozenset(">;,}")
_WEAK = frozenset({Kind.SPACE, Kind.MARK})

Span = tuple[int, int, int, int]
"""From, to (exclusive) in one sequence, and the same in the other."""

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
    """A sentence with the first place where ``slim`` is not the answer that ``fat`` is; empty if it
    is.

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
    """What changes by itself, neighbours joined: a random text may share a mark with the next one
    by chance."""
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
    covering = [other for other in own if other.start <= change.end and change.start <= other.end]
    if not covering:
        return False
    inside = {index for other in covering for index in range(other.start, other.end)}
    if any(index not in inside for index in range(change.start, change.end)):
        return False
    return any(_similar(change, other) for other in covering)


def _pairwise(change: _Change, *, repeated: bool) -> bool:
    return len(change.old) == len(change.new) and all(
        alike(old, new, repeated=repeated) for old, new in zip(change.old, change.new, strict=True)
    )


def _similar(change: _Change, own: _Change) -> bool:
    """Whether a change looks like the one that the app makes by itself, in size and in what it is
    made of."""
    sizes = (len(own.old), len(own.new))
    if len(change.new) > 2 * max(sizes) + 2 or (not change.new and min(sizes) > 0):
        return False
    if max(sizes) > 12:
        return _overlap(own.old, change.new) >= 0.7 * _overlap(own.old, own.new)
    both = (*own.old, *own.new)
    if all(token.kind is Kind.NUMBER and len(token.text) < 6 for token in both):
        return all(token.kind in (Kind.NUMBER, Kind.EPOCH) for token in change.new)
    if any(token.kind is Kind.SPACE for token in both):
        return True
    longest = max(len(_joined(own.old)), len(_joined(own.new)))
    spaces = any(token.kind is Kind.SPACE for token in change.new)
    return not spaces and len(_joined(change.new)) <= 2 * longest + 8


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
    spans = _spans(left[start : len(left) - end], right[start : len(right) - end])
    return [
        _Change(
            start + i1,
            start + i2,
            ours[start + i1 : start + i2],
            theirs[start + j1 : start + j2],
        )
        for i1, i2, j1, j2 in spans
    ]


def _spans(left: Sequence[str], right: Sequence[str]) -> Iterator[Span]:
    """First whole pieces are aligned, then the tokens of those that differ: this stays quick on
    long texts."""
    ours, theirs = _pieces(left), _pieces(right)
    if max(len(ours), len(theirs)) > MOST_PIECES:
        yield from _aligned(left, right, 0, 0)
        return
    mine = [tuple(left[i:j]) for i, j in ours]
    other = [tuple(right[i:j]) for i, j in theirs]
    for name, i1, i2, j1, j2 in SequenceMatcher(None, mine, other).get_opcodes():
        if name != "equal":
            a1, a2 = _bounds(ours, i1, i2, len(left))
            b1, b2 = _bounds(theirs, j1, j2, len(right))
            yield from _aligned(left[a1:a2], right[b1:b2], a1, b1)


def _bounds(
    pieces: Sequence[tuple[int, int]], first: int, last: int, length: int
) -> tuple[int, int]:
    start = pieces[first][0] if first < len(pieces) else length
    return start, pieces[last - 1][1] if last > first else start


def _pieces(keys: Sequence[str]) -> list[tuple[int, int]]:
    """Where lines, tags and items lie, as (start, end)."""
    out, start = [], 0
    for index, key in enumerate(keys):
        if key in _ENDS or "\n" in key:
            out.append((start, index + 1))
            start = index + 1
    if start < len(keys):
        out.append((start, len(keys)))
    return out


def _aligned(left: Sequence[str], right: Sequence[str], i: int, j: int) -> Iterator[Span]:
    if max(len(left), len(right)) <= MOST_ALIGNED:
        for name, i1, i2, j1, j2 in SequenceMatcher(None, left, right, False).get_opcodes():
            if name != "equal":
                yield i + i1, i + i2, j + j1, j + j2
    elif len(left) == len(right):
        yield from ((i + a, i + b, j + c, j + d) for a, b, c, d in _places(left, right))
    else:
        yield i, i + len(left), j, j + len(right)


def _places(left: Sequence[str], right: Sequence[str]) -> list[Span]:
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
