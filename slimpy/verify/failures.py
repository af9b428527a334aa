"""What it means when the original image itself does not behave: there is nothing to prove then."""

from __future__ import annotations

from collections.abc import Sequence

from probes.errors import AppExited, NeedsPorts, NeverReady, OnlyErrors, ProbeError
from probes.files.strace import complaint
from probes.model import CommandAnswer, Exchange, NoAnswer, lines_of
from slimpy.errors import (
    AppExitedError,
    AppNotReadyError,
    ContainerStartError,
    ProbeFailedError,
    SlimError,
)


def as_slim_error(error: ProbeError, reference: str) -> SlimError:
    """A probe's failure on the original image as an error with its exit code and last log lines.

    Args:
        error: what the probes said.
        reference: the image's name, for the message.
    """
    message = f"{reference}: {error.message}"
    match error:
        case AppExited() if why := complaint(error.log):
            message = f"{reference}: The image's program cannot be started: {why}."
            hint = "Check ENTRYPOINT and CMD, and that the program is in the image and executable."
            return ContainerStartError(message, hint=hint)
        case AppExited():
            return AppExitedError(message, hint=error.hint, details=error.log)
        case NeverReady() | NeedsPorts():
            return AppNotReadyError(message, hint=error.hint, details=error.log)
        case OnlyErrors():
            return ProbeFailedError(message, hint=error.hint, details=error.log)
    return ProbeFailedError(message, hint=error.hint, details=error.log)


def check_original(exchanges: Sequence[Exchange], log: Sequence[str]) -> None:
    """Every probe of the original must have been answered as the user expects.

    Raises:
        AppExitedError: the app ended in the middle.
        ProbeFailedError: an answer is missing or is not what the user said it must be.
    """
    probes = [item for item in exchanges if item.kind != "stop"]
    if not probes:
        message = "The app listens, but nothing was asked of it, so there is nothing to compare."
        hint = "Say what it should answer: --exec 'CMD' or a probe file (see README, Probes)."
        raise ProbeFailedError(message, hint=hint, details=tuple(log))
    for exchange in probes:
        answer = exchange.answer
        if isinstance(answer, NoAnswer):
            kind = AppExitedError if answer.kind == "ended" else ProbeFailedError
            message = f"In the original image {exchange.name} was not answered: {answer.reason}."
            raise kind(message, hint="Mend the probe or the app first.", details=tuple(log))
        if exchange.unmet:
            message = (
                f"In the original image {exchange.name} failed: {exchange.unmet[0].rstrip('.')}."
            )
            raise ProbeFailedError(
                message, hint="Mend the probe or the app first.", details=_said(answer, log)
            )


def _said(answer: object, log: Sequence[str]) -> tuple[str, ...]:
    """A command's own last words, else the app's."""
    if isinstance(answer, CommandAnswer):
        lines = tuple(lines_of(answer.stderr or answer.stdout))[-10:]
        why = complaint(lines)
        return (f"the program cannot be started: {why}",) if why else lines
    return tuple(log)
