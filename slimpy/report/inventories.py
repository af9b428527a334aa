"""The packages of a build, read back from its report directory."""

from __future__ import annotations

import errno
from pathlib import Path

from slimpy.errors import DiskFullError, OutputError, ReportError
from slimpy.model import display
from slimpy.report.files import temporary
from slimpy.sbom import cyclonedx
from slimpy.sbom.components import Inventory


def load(directory: Path, name: str = cyclonedx.FAT) -> Inventory:
    """One of the two inventories that a build leaves.

    Raises:
        ReportError: the directory has none, or it cannot be read.
    """
    path = directory / name
    where = display(str(path))
    hint = "Builds of this version write it; run slim build once more."
    try:
        with path.open("rb") as file:
            data = file.read(cyclonedx.LARGEST + 1)
    except OSError as error:
        message = f"The report's list of packages cannot be read: {where}: {error.strerror}."
        raise ReportError(message, hint=hint) from error
    if len(data) > cyclonedx.LARGEST:
        message = f"The report's list of packages is too large: {where}."
        raise ReportError(message)
    try:
        return cyclonedx.decode(data)
    except ValueError as error:
        message = f"The report's list of packages is damaged: {where}: {display(str(error))}."
        raise ReportError(message, hint=hint) from error


def write(path: Path, text: str) -> None:
    """Write a document of packages, whole or not at all; what is no file is written to.

    Raises:
        OutputError: it cannot be written.
        DiskFullError: there is no space left.
    """
    path = path.resolve()
    part = temporary(path.parent, path.name)
    try:
        if path.exists() and not path.is_file():  # a device, a pipe
            path.write_text(text, encoding="utf-8")
            return
        try:
            part.write_text(text, encoding="utf-8")
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        where = display(str(path))
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            message = f"There is no space left to write {where}."
            raise DiskFullError(message, hint="Free some space, or write elsewhere.") from error
        message = f"The list of packages cannot be written to {where}: {error.strerror}."
        raise OutputError(message, hint="Name a file of yours with --output.") from error
