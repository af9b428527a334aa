"""Kept paths with their reasons as a table, and a report directory read back to ask why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from slimpy.errors import ReportError
from slimpy.image.tree import Tree, order
from slimpy.keep import why as keep_why
from slimpy.model import FileType, ImagePath, KeepSet, Reason, Rule, display
from slimpy.report.schema import SCHEMA, VERSION, Report
from slimpy.report.tsv import escape, unescape

MOST_DOCUMENT = 256 << 20
"""The longest document that is read, in bytes."""

MOST_LINE = 64 << 20
"""The longest line of a table that is read, in characters."""

_KEPT_HEADER = ("path", "type", "size", "reasons", "contents")
_REMOVED_HEADER = ("path", "type", "size", "package")
_WHOLE, _NAME_ONLY = "whole", "name-only"

_Row = tuple[str, str, str]  # rule, by, detail
_rows = msgspec.json.Decoder(list[_Row])


@dataclass(frozen=True, slots=True)
class Removed:
    """A path of the original that does not ship; ``package`` is empty where no package owns it."""

    type: str
    size: int
    package: str


@dataclass(frozen=True, slots=True)
class LoadedReport:
    """A report read back: the document, what ships and why, and what does not."""

    report: Report
    keep: KeepSet
    removed: Mapping[ImagePath, Removed]
    links: frozenset[ImagePath]

    def why(self, path: str) -> tuple[str, ...]:
        """Why a path of the original image ships or does not, line by line, for people.

        The path may be given as it is or as the tables write it.

        Raises:
            ReportError: the report does not know it.
        """
        found = self._find(path)
        if found is None:
            raise self._unknown(path)
        if told := keep_why.explain(self.keep, found):
            return told
        if found not in self.removed:
            return (f"{display(found)} is kept, and no reason was noted.",)
        item = self.removed[found]
        size = f", {item.size:,} bytes" if item.type == FileType.FILE else ""
        owner = f" It belongs to the package {display(item.package)}." if item.package else ""
        return (
            f"{display(found)} was removed ({_kind(item.type)}{size}): the run did not use it, and"
            f" nothing kept asks for it.{owner}",
        )

    def _find(self, path: str) -> ImagePath | None:
        for form in _forms(path):
            if form in self.keep or form in self.removed or form in self.keep.refused:
                return form
        return None

    def _unknown(self, path: str) -> ReportError:
        message = f"The original image has no path {display(path)}."
        parts = next(_forms(path)).split("/")
        above = [ImagePath("/".join(parts[:end])) for end in range(2, len(parts))]
        link = next((item for item in above if item in self.links), None)
        if link is None:
            return ReportError(message, hint="Paths begin at the image's root: /usr/bin/env.")
        hint = f"{display(link)} is a symbolic link: ask for the path that it leads to."
        return ReportError(message, hint=hint)


def lines(keep: KeepSet, tree: Tree) -> Iterator[str]:
    """The table of what ships: reasons as a JSON list of [rule, by, detail]."""
    yield "\t".join(_KEPT_HEADER) + "\n"
    for path in sorted(keep.reasons, key=order):
        entry = tree.get(path)
        kind, size = (entry.type.value, entry.size) if entry else ("?", 0)
        rows = [(why.rule.value, escape(why.by), escape(why.detail)) for why in keep.reasons[path]]
        reasons = msgspec.json.encode(rows).decode()
        contents = _NAME_ONLY if path in keep.placeholders else _WHOLE
        yield f"{escape(path)}\t{kind}\t{size}\t{reasons}\t{contents}\n"


def load(directory: Path) -> LoadedReport:
    """Read a report directory back.

    Raises:
        ReportError: it holds no report, one of another version, or a damaged one.
    """
    from slimpy.report.files import KEPT, REMOVED, REPORT

    report = _document(directory / REPORT)
    reasons: dict[ImagePath, tuple[Reason, ...]] = {}
    placeholders: set[ImagePath] = set()
    removed: dict[ImagePath, Removed] = {}
    links: set[ImagePath] = set()
    for path, kind, _, why, contents in _table(directory / KEPT, _KEPT_HEADER):
        reasons[path] = _reasons(directory / KEPT, why)
        if contents == _NAME_ONLY:
            placeholders.add(path)
        if kind == FileType.LINK:
            links.add(path)
    for path, kind, size, package in _table(directory / REMOVED, _REMOVED_HEADER):
        removed[path] = Removed(kind, int(size) if size.isdecimal() else 0, unescape(package))
        if kind == FileType.LINK:
            links.add(path)
    refused = {ImagePath(unescape(path)): why for path, why in report.refused.items()}
    keep = KeepSet(reasons, frozenset(placeholders), refused)
    return LoadedReport(report, keep, removed, frozenset(links))
