"""Every path of the original as compact text for the page: one line each, in a single stream.

A line holds fields between tabs: how many leading components the path shares with the one before;
the other components; type and state letter; size in bytes; the package (`+NAME` the first time,
then its number, empty for none); then rule, by and detail of each reason. States: ``r`` removed,
``k`` kept, ``n`` kept by name only; in capitals where the bytes are counted at another name of
the same file. The lines are compressed (zlib, RFC 1950) and written as base64.
"""

from __future__ import annotations

import base64
import heapq
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from slimpy.image.tree import Tree, order
from slimpy.keep.coverage import package_of
from slimpy.model import ROOT, Entry, FileType, ImagePath, KeepSet, Reason
from slimpy.report.costs import Counted
from slimpy.report.tables import shown_size
from slimpy.report.tsv import escape

MOST_PATHS = 300_000
"""Paths in the page; of more only the largest are there, and the page says so."""

MOST_REASONS = 12
"""Reasons of a path in the page; the table beside it has them all."""

_CHUNK = 3 * 16_384  # base64 takes groups of three bytes


@dataclass(frozen=True, slots=True)
class Files:
    """All that the listing is made of; ``owners`` is path -> package."""

    tree: Tree
    keep: KeepSet
    owners: Mapping[ImagePath, str]


@dataclass(frozen=True, slots=True)
class Cut:
    """What the page leaves out: files below ``size`` bytes, ``paths`` of them."""

    size: int = 0
    paths: int = 0


def cut(files: Files, most: int = MOST_PATHS) -> Cut:
    """Where the listing must end to hold about ``most`` paths: the smallest are left out."""
    if len(files.tree) <= most:
        return Cut()
    entries = files.tree.below
    sizes = sorted((entry.size for entry in entries(ROOT) if _is_file(entry)), reverse=True)
    size = sizes[most] + 1 if len(sizes) > most else 0
    left_out = sum(entry.size < size or not _is_file(entry) for entry in entries(ROOT))
    return Cut(size, left_out)


def lines(files: Files, limit: Cut) -> Iterator[str]:
    """The listing, line by line, in the tree's order."""
    tree, keep = files.tree, files.keep
    counted = Counted(tree, keep)
    owner = _Interned()
    before: list[str] = []
    for entry in _entries(files):
        if limit.paths and (entry.size < limit.size or not _is_file(entry)):
            continue
        parts = escape(entry.path)[1:].split("/")
        shared = _shared(before, parts)
        state = _state(entry, keep, is_counted=counted(entry))
        package = owner(_package(files, entry))
        reasons = keep.reasons.get(entry.path, ())
        why = [text for reason in reasons[:MOST_REASONS] for text in _reason(reason, entry)]
        if len(reasons) > MOST_REASONS:
            why += ["", str(len(reasons) - MOST_REASONS), ""]
        fields = (
            str(shared),
            "/".join(parts[shared:]),
            entry.type.value + state,
            str(shown_size(entry, files.keep)),
        )
        yield "\t".join((*fields, package, *why)) + "\n"
        before = parts


def compressed(texts: Iterable[str]) -> Iterator[str]:
    """The texts as one zlib stream in base64, in pieces; needs no memory for the whole."""
    packer = zlib.compressobj(9)
    waiting = bytearray()
    for text in texts:
        waiting += packer.compress(text.encode())
        while len(waiting) >= _CHUNK:
            yield base64.b64encode(waiting[:_CHUNK]).decode()
            del waiting[:_CHUNK]
    waiting += packer.flush()
    yield base64.b64encode(waiting).decode()


def _entries(files: Files) -> Iterator[Entry]:
    """All paths but the root, and those that ship though the original lacks them."""
    made_up = sorted((path for path in files.keep.reasons if path not in files.tree), key=order)
    if not made_up:
        return files.tree.below(ROOT)
    extra = (Entry(path, FileType.DIRECTORY) for path in made_up)
    return heapq.merge(files.tree.below(ROOT), extra, key=lambda entry: order(entry.path))


def _is_file(entry: Entry) -> bool:
    return entry.type is FileType.FILE


def _shared(before: list[str], parts: list[str]) -> int:
    """Leading components in common; the last one is always written out."""
    count = 0
    for old, new in zip(before, parts[:-1], strict=False):
        if old != new:
            break
        count += 1
    return count


def _state(entry: Entry, keep: KeepSet, *, is_counted: bool) -> str:
    state = "r"
    if entry.path in keep:
        state = "n" if entry.path in keep.placeholders else "k"
    return state if is_counted else state.upper()


def _package(files: Files, entry: Entry) -> str:
    if entry.type is FileType.DIRECTORY:
        return ""
    found = package_of(entry.path, files.owners)
    if found is None:
        return ""
    kind, name = found
    return escape(files.owners[entry.path] if kind == "system" else f"{name} ({kind})")


def _reason(reason: Reason, entry: Entry) -> tuple[str, str, str]:
    by = "" if reason.by == entry.path else escape(reason.by)
    return reason.rule.value, by, escape(reason.detail)


class _Interned:
    """Texts that come often: written out once, then by number."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def __call__(self, text: str) -> str:
        if not text:
            return ""
        if text in self._numbers:
            return str(self._numbers[text])
        self._numbers[text] = len(self._numbers)
        return f"+{text}"
