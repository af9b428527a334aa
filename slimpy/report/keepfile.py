"""Reads a report directory back, to ask why a path ships or does not."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from slimpy.errors import ReportError
from slimpy.keep import why as keep_why
from slimpy.model import FileType, ImagePath, KeepSet, Reason, Rule, display
from slimpy.report.schema import FILE, SCHEMA, VERSION, Report, decode
from slimpy.report.tables import (
    KEPT,
    KEPT_COLUMNS,
    NAME_ONLY,
    REMOVED,
    REMOVED_COLUMNS,
    damaged,
    read_table,
    unreadable,
)
from slimpy.report.tsv import unescape

MOST_DOCUMENT = 256 << 20
"""The longest document that is read, in bytes."""

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
        found = self.find(path)
        if found is None:
            raise self.unknown(path)
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

    def find(self, path: str) -> ImagePath | None:
        """The path that is meant, as it is or as the tables write it; None if there is none."""
        for form in _forms(path):
            if form in self.keep or form in self.removed or form in self.keep.refused:
                return form
        return None

    def unknown(self, path: str) -> ReportError:
        """The error for a path that the report does not know."""
        message = f"The original image has no path {display(path)}."
        parts = next(_forms(path)).split("/")
        above = [ImagePath("/".join(parts[:end])) for end in range(2, len(parts))]
        link = next((item for item in above if item in self.links), None)
        if link is None:
            return ReportError(message, hint="Paths begin at the image's root: /usr/bin/env.")
        hint = f"{display(link)} is a symbolic link: ask for the path that it leads to."
        return ReportError(message, hint=hint)


def load(directory: Path) -> LoadedReport:
    """Read a report directory back.

    Raises:
        ReportError: it holds no report, one of another version, or a damaged one.
    """
    report = _document(directory / FILE)
    kept = _kept(directory / KEPT)
    removed = _removed(directory / REMOVED)
    refused = {_path(directory / FILE, path): why for path, why in report.refused.items()}
    placeholders = frozenset(path for path, row in kept.items() if not row.whole)
    keep = KeepSet({path: row.reasons for path, row in kept.items()}, placeholders, refused)
    links = {path for path, item in removed.items() if item.type == FileType.LINK}
    links.update(path for path, row in kept.items() if row.type == FileType.LINK)
    return LoadedReport(report, keep, removed, frozenset(links))


def only(top: Path) -> Path:
    """The one report below a directory.

    Raises:
        ReportError: there is none, or there are several.
    """
    found = sorted(file.parent for file in top.glob("*/report.json")) if top.is_dir() else []
    if len(found) == 1:
        return found[0]
    if not found:
        message = f"There is no report below {top}."
        raise ReportError(message, hint="Make one with slim build, or name it: --report DIR")
    names = tuple(str(each) for each in found[:20])
    message = f"There are {len(found)} reports below {top}; which one is meant?"
    raise ReportError(message, hint="Name it: --report DIR", details=names)


@dataclass(frozen=True, slots=True)
class _Kept:
    type: str
    whole: bool
    reasons: tuple[Reason, ...]


def _document(file: Path) -> Report:
    try:
        with file.open("rb") as opened:
            data = opened.read(MOST_DOCUMENT + 1)
    except OSError as error:
        raise unreadable(file, error) from error
    if len(data) > MOST_DOCUMENT:
        raise damaged(file)
    try:
        report = decode(data)
    except msgspec.MsgspecError as error:
        raise damaged(file) from error
    if (report.schema, report.version) != (SCHEMA, VERSION):
        message = (
            f"The report {display(str(file))} is {display(report.schema)} version"
            f" {report.version}; this slimpy reads {SCHEMA} version {VERSION}."
        )
        raise ReportError(message, hint="Build the image again with this version.")
    return report


def _kept(file: Path) -> dict[ImagePath, _Kept]:
    return {
        _path(file, path): _Kept(kind, contents != NAME_ONLY, _reasons(file, reasons))
        for path, kind, _, reasons, contents in read_table(file, KEPT_COLUMNS)
    }


def _removed(file: Path) -> dict[ImagePath, Removed]:
    return {
        _path(file, path): Removed(kind, _number(file, size), _text(file, package))
        for path, kind, size, package in read_table(file, REMOVED_COLUMNS)
    }


def _path(file: Path, text: str) -> ImagePath:
    return ImagePath(_text(file, text))


def _text(file: Path, text: str) -> str:
    try:
        return unescape(text)
    except ValueError as error:
        raise damaged(file) from error


def _number(file: Path, text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 20):
        raise damaged(file)
    return int(text)


def _reasons(file: Path, text: str) -> tuple[Reason, ...]:
    try:
        return tuple(
            Reason(Rule(rule), unescape(by), unescape(detail))
            for rule, by, detail in _rows.decode(text)
        )
    except (msgspec.MsgspecError, ValueError) as error:
        raise damaged(file) from error


def _forms(path: str) -> Iterator[ImagePath]:
    """What a user may have meant: the path as typed, and as copied out of a table."""
    typed = "/" + "/".join(part for part in path.split("/") if part)
    yield ImagePath(typed)
    with contextlib.suppress(ValueError):
        yield ImagePath(unescape(typed))


def _kind(letter: str) -> str:
    return FileType(letter).name.lower() if letter in set(FileType) else "unknown type"
