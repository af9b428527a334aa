"""The two tables of a report: what ships and why, and the ledger of what does not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import BinaryIO

import msgspec

from slimpy.errors import ReportError
from slimpy.image.tree import Tree, order
from slimpy.model import ROOT, Entry, FileType, ImagePath, KeepSet, display
from slimpy.report.tsv import escape

KEPT = "kept-files.tsv"
KEPT_COLUMNS = ("path", "type", "size", "reasons", "contents")
REMOVED = "removed-files.tsv"
REMOVED_COLUMNS = ("path", "type", "size", "package")

WHOLE, NAME_ONLY = "whole", "name-only"
"""How a path is kept: with its contents, or as an empty stand-in."""

MOST_LINE = 64 << 20
"""The longest line that is read, in bytes: one library can be needed by thousands of files."""


def kept_entries(tree: Tree, keep: KeepSet) -> Iterator[Entry]:
    """What ships, in the tree's order; the root itself is not counted, every image has it."""
    return (entry for entry in tree.below(ROOT) if entry.path in keep)


def removed_entries(tree: Tree, keep: KeepSet) -> Iterator[Entry]:
    """What does not ship, directories and links included, in the tree's order."""
    return (entry for entry in tree.below(ROOT) if entry.path not in keep)


def content_size(entry: Entry, keep: KeepSet) -> int:
    """The bytes of a regular file; none for a placeholder, which is kept by its name only."""
    is_whole = entry.type is FileType.FILE and entry.path not in keep.placeholders
    return shown_size(entry, keep) if is_whole else 0


def shown_size(entry: Entry, keep: KeepSet) -> int:
    """The size of a path in tables: that of the new contents, where it ships with such."""
    new = keep.rewritten.get(entry.path)
    return entry.size if new is None else len(new)


def kept_lines(keep: KeepSet, tree: Tree) -> Iterator[str]:
    """The table of what ships: reasons as a JSON list of [rule, by, detail]."""
    yield _line(KEPT_COLUMNS)
    for path in sorted(keep.reasons, key=order):
        entry = tree.get(path)
        kind, size = (entry.type.value, shown_size(entry, keep)) if entry else ("?", 0)
        rows = [(why.rule.value, escape(why.by), escape(why.detail)) for why in keep.reasons[path]]
        reasons = msgspec.json.encode(rows).decode()
        contents = NAME_ONLY if path in keep.placeholders else WHOLE
        yield _line((escape(path), kind, str(size), reasons, contents))


def removed_lines(keep: KeepSet, tree: Tree, owners: Mapping[ImagePath, str]) -> Iterator[str]:
    """The ledger of what does not ship; ``owners`` is path -> package."""
    yield _line(REMOVED_COLUMNS)
    for entry in removed_entries(tree, keep):
        package = escape(owners.get(entry.path, ""))
        yield _line((escape(entry.path), entry.type.value, str(entry.size), package))


def _line(fields: tuple[str, ...]) -> str:
    return "\t".join(fields) + "\n"


def read_table(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """The rows of a table as they are written, without the first line.

    Raises:
        ReportError: it is not there, or is damaged.
    """
    try:
        with path.open("rb") as file:
            if _fields(path, file, 1) != columns:
                raise damaged(path, 1)
            for number in count(2):
                fields = _fields(path, file, number)
                if not fields:
                    return
                if len(fields) != len(columns):
                    raise damaged(path, number)
                yield fields
    except OSError as error:
        raise unreadable(path, error) from error


def _fields(path: Path, file: BinaryIO, number: int) -> tuple[str, ...]:
    """The next line's fields, none at the end."""
    line = file.readline(MOST_LINE)
    if not line:
        return ()
    if not line.endswith(b"\n"):
        raise damaged(path, number)
    try:
        return tuple(line[:-1].decode().split("\t"))
    except UnicodeDecodeError as error:
        raise damaged(path, number) from error


def damaged(path: Path, line: int | None = None) -> ReportError:
    """The error for a file that is not as it was written."""
    where = f" (line {line})" if line else ""
    message = f"The report's {display(str(path))} is damaged{where}."
    return ReportError(message, hint="Build the image again, or name another --report.")


def unreadable(path: Path, error: OSError) -> ReportError:
    """The error for a file that cannot be read."""
    reason = error.strerror or type(error).__name__
    message = f"The report's {display(str(path))} cannot be read: {reason}."
    return ReportError(message, hint="Name the directory of a report: slim why PATH --report DIR")
