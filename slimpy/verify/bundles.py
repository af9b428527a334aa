"""The machine's form of a hardening bundle: written beside the others, read back by a check."""

from __future__ import annotations

from pathlib import Path

import msgspec

from slimpy.engine.protocol import Confinement
from slimpy.errors import ReportError
from slimpy.harden.forms.bundle import MACHINE, Machine
from slimpy.harden.forms.common import SECCOMP

LARGEST = 8 << 20
"""Bytes of a file of a bundle that are read at the most."""


def load(directory: Path) -> Confinement:
    """The restrictions of a bundle's directory (or of the report that holds it).

    Raises:
        ReportError: it is not there, or cannot be read.
    """
    if not (directory / MACHINE).exists() and (directory / "hardening" / MACHINE).exists():
        directory = directory / "hardening"
    try:
        machine = msgspec.json.decode(_read(directory / MACHINE), type=Machine)
        seccomp = _read(directory / SECCOMP).decode("utf-8")
        msgspec.json.decode(seccomp)
    except OSError as error:
        message = f"There is no hardening bundle in {directory}: {error.strerror}."
        raise ReportError(message, hint="Make one with: slim profile IMAGE") from error
    except ValueError as error:
        message = f"The hardening bundle in {directory} is damaged: {error}."
        raise ReportError(message, hint="Make it again with: slim profile IMAGE") from error
    return Confinement(
        seccomp=seccomp,
        no_new_privileges=machine.no_new_privileges,
        capabilities=machine.capabilities,
        read_only=machine.read_only,
        tmpfs=machine.tmpfs,
        volumes=machine.volumes,
    )


def _read(file: Path) -> bytes:
    with file.open("rb") as opened:
        data = opened.read(LARGEST + 1)
    if len(data) > LARGEST:
        message = f"{file.name} is too large"
        raise ValueError(message)
    return data
