"""Writes a report's directory: the document, its tables and its text, whole or not at all."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType

from slimpy.errors import DiskFullError, OutputError
from slimpy.harden.forms.bundle import DIRECTORY as BUNDLE
from slimpy.harden.forms.bundle import EXECUTABLE
from slimpy.harden.seccomp import to_json
from slimpy.image.tree import Tree
from slimpy.model import ImagePath, KeepSet, Profile, display
from slimpy.report import junit, markdown, sarif, text
from slimpy.report.html import page
from slimpy.report.schema import FILE, Report, encode
from slimpy.report.tables import KEPT, REMOVED, kept_lines, removed_lines

SECCOMP = "seccomp.json"
TEXT = "report.txt"

_NOTHING: Mapping[str, str | bytes] = MappingProxyType({})
_FULL = (errno.ENOSPC, errno.EDQUOT)


def write(
    report: Report,
    keep: KeepSet,
    tree: Tree,
    profile: Profile,
    owners: Mapping[ImagePath, str],
    directory: Path,
    forms: Mapping[str, str],
    more: Mapping[str, str | bytes] = _NOTHING,
) -> None:
    """Write all files of a report; an earlier report's files are replaced.

    All are written beside their place first and then renamed, the document last: whoever finds a
    document finds the lists that belong to it. ``owners`` is path -> package, ``forms`` file name
    -> text of the hardening bundle, and ``more`` the contents of further files.

    Raises:
        OutputError: the directory cannot be written.
        DiskFullError: there is no space left.
    """
    parts: tuple[tuple[str, Iterable[str] | bytes], ...] = (
        (KEPT, kept_lines(keep, tree)),
        (REMOVED, removed_lines(keep, tree, owners)),
        (SECCOMP, (to_json(profile),)),
        *((f"{BUNDLE}/{name}", (form,)) for name, form in forms.items()),
        *((name, (form,) if isinstance(form, str) else form) for name, form in more.items()),
        (TEXT, (text.plain(report),)),
        (sarif.FILE, (sarif.of_report(report),)),
        (junit.FILE, (junit.of_report(report),)),
        (
            markdown.FILE,
            (markdown.of_report(report, markdown.removed_packages(keep, tree, owners)),),
        ),
        (page.FILE, page.page(report, keep, tree, owners)),
        (FILE, (encode(report),)),
    )
    with _output_errors(directory):
        (directory / BUNDLE).mkdir(parents=True, exist_ok=True)
        try:
            for name, lines in parts:
                _write_lines(temporary(directory, name), lines)
            for name, _ in parts:
                temporary(directory, name).replace(directory / name)
            for name in EXECUTABLE & forms.keys():
                (directory / BUNDLE / name).chmod(0o755)
        finally:
            for name, _ in parts:
                temporary(directory, name).unlink(missing_ok=True)
            with suppress(OSError):  # only if nothing came of it
                (directory / BUNDLE).rmdir()


def write_forms(forms: Mapping[str, str], directory: Path) -> None:
    """Write a hardening bundle alone, into ``hardening`` below the directory.

    Raises:
        OutputError: it cannot be written.
        DiskFullError: there is no space left.
    """
    with _output_errors(directory):
        (directory / BUNDLE).mkdir(parents=True, exist_ok=True)
        for name, form in forms.items():
            _write_lines(directory / BUNDLE / name, (form,))
        for name in EXECUTABLE & forms.keys():
            (directory / BUNDLE / name).chmod(0o755)


def check_writable(directory: Path) -> None:
    """Find out before the work starts that a report can be written there; makes the directory.

    Raises:
        OutputError: it cannot.
        DiskFullError: there is no space left.
    """
    with _output_errors(directory):
        directory.mkdir(parents=True, exist_ok=True)
        trial = temporary(directory, "trial")
        try:
            _write_lines(trial, ("writable\n",))
        finally:
            trial.unlink(missing_ok=True)


@contextmanager
def reserved(directory: Path) -> Iterator[None]:
    """A directory that a report can be written to; taken away again if none comes of the work.

    Raises:
        OutputError: it cannot be written.
        DiskFullError: there is no space left.
    """
    new = [path for path in (directory, *directory.parents) if not path.exists()]
    done = False
    try:
        check_writable(directory)
        yield
        done = True
    finally:
        if not done:
            with suppress(OSError):  # what is not empty is not ours alone
                for path in new:
                    path.rmdir()


def temporary(directory: Path, name: str) -> Path:
    """Where a file is written before it takes its place; another process has another name."""
    final = directory / name
    return final.with_name(f".{final.name}.{os.getpid()}.part")


def _write_lines(path: Path, lines: Iterable[str] | bytes) -> None:
    if isinstance(lines, bytes):
        path.write_bytes(lines)
        return
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(lines)


@contextmanager
def _output_errors(directory: Path) -> Iterator[None]:
    where = display(str(directory))
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            message = f"The report cannot be written to {where}: no space left on the device."
            raise DiskFullError(
                message, hint="Free some space or name another --report-dir."
            ) from error
        reason = error.strerror or type(error).__name__
        message = f"The report cannot be written to {where}: {reason}."
        raise OutputError(message, hint="Name a directory of yours with --report-dir.") from error
