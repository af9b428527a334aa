"""Large JSON files that the user gives, read within bounds."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import msgspec

from slimpy.errors import UsageError
from slimpy.model import display

LARGEST = 512 << 20
"""Bytes; Debian's tracker has about 70 MB."""

T = TypeVar("T")


def read(path: Path, kind: type[T], what: str) -> T:
    """A file as a typed value.

    Raises:
        UsageError: it cannot be read, or is not what it should be.
    """
    where = display(str(path))
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        message = f"{where} cannot be read: {error.strerror}."
        raise UsageError(message) from error
    if len(data) > LARGEST:
        message = f"{where} is too large to be read."
        raise UsageError(message)
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        message = f"{where} is no {what}: {display(str(error))}."
        raise UsageError(message) from error
