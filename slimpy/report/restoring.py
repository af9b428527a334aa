"""What `slim restore` is asked for, and what came back."""

from __future__ import annotations

import difflib
import glob
from collections.abc import Iterable
from dataclasses import dataclass

from slimpy.errors import ReportError
from slimpy.image.globs import WILD
from slimpy.image.tree import name, parent
from slimpy.model import FileType, ImagePath, display
from slimpy.report import whys
from slimpy.report.keepfile import LoadedReport
from slimpy.sbom.components import Inventory
from slimpy.sbom.package import State
from slimpy.settings import Wishes

_CLOSE = 3  # suggestions


@dataclass(frozen=True, slots=True)
class Returned:
    """What a restored image has that the one before had not: paths, their bytes, packages."""

    paths: tuple[ImagePath, ...]
    bytes: int
    packages: tuple[str, ...]


def wanted(loaded: LoadedReport, packages: Inventory, asked: Iterable[str]) -> Wishes:
    """The wishes for paths, patterns of paths, packages and programs that were removed.

    A word without a slash is a package if one of that name lost something, else a program.

    Args:
        packages: the original's, with what became of each.

    Raises:
        ReportError: the report knows nothing of it, or it is there already.
    """
    wishes = Wishes()
    for text in asked:
        wishes = wishes.and_also(_wanted(loaded, packages, text))
    return wishes


def returned(before: LoadedReport, after: LoadedReport) -> Returned:
    """What came back."""
    paths = tuple(path for path in after.keep.reasons if path in before.removed)
    items = [before.removed[path] for path in paths]
    size = sum(item.size for item in items if item.type == FileType.FILE)
    return Returned(paths, size, tuple(sorted({item.package for item in items if item.package})))


def _wanted(loaded: LoadedReport, packages: Inventory, text: str) -> Wishes:
    if "/" not in text and not WILD & set(text):
        return _by_name(loaded, packages, text)
    paths = whys.found(loaded, text)
    for path in paths:
        if path in loaded.keep.refused:
            why = display(loaded.keep.refused[path])
            message = f"{display(path)} cannot come back: {why}."
            raise ReportError(message, hint="Build without what leaves it out.")
    lost = [path for path in paths if path in loaded.removed or path in loaded.keep.placeholders]
    if not lost:
        message = f"{display(text)} is in the slim image already."
        raise ReportError(message, hint=f"Ask why: slim why {display(text)}")
    if len(paths) == 1:
        return Wishes(keep=(glob.escape(paths[0]),))
    return Wishes(keep=(text,))


def _by_name(loaded: LoadedReport, packages: Inventory, word: str) -> Wishes:
    owners = {item.package.partition(" ")[0] for item in loaded.removed.values()} - {""}
    lost = {
        item.name for item in packages.components if item.state in (State.REMOVED, State.PARTLY)
    }
    if word in owners | lost:
        return Wishes(packages=(word,))
    programs = {name(path) for path in loaded.removed if parent(path).endswith("bin")}
    if word in programs:
        return Wishes(programs=(word,))
    there = {item.name for item in packages.components if item.state is State.KEPT}
    if word in there | {name(path) for path in loaded.keep.reasons if parent(path).endswith("bin")}:
        message = f"{display(word)} is in the slim image already."
        raise ReportError(message, hint=f"Ask why: slim why '*/{display(word)}'")
    close = difflib.get_close_matches(word, sorted(owners | lost | programs), _CLOSE)
    message = f"Nothing was removed of a package or program {display(word)}."
    hint = f"Is it one of these: {', '.join(map(display, close))}?" if close else ""
    raise ReportError(message, hint=hint or "Name a path: slim restore /usr/bin/env")
