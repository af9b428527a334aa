"""Trying again what may pass: how often, and how long to wait in between."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TypeVar

from slimpy.errors import SourceError

Result = TypeVar("Result")


class PassingError(SourceError):
    """A fault that may pass by itself: a broken connection, a busy registry.

    ``wait``: seconds that the registry asks us to wait, None where it does not say.
    """

    def __init__(self, message: str, *, hint: str = "", wait: float | None = None) -> None:
        super().__init__(message, hint=hint)
        self.wait = wait


@dataclass(frozen=True, slots=True)
class Retries:
    """How often something is tried, and the waits in between (seconds): doubled each time, unless
    the registry names one. A test brings its own clock; Ctrl-C ends a wait.
    """

    attempts: int = 5
    first: float = 0.5
    longest: float = 60.0
    now: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep

    def run(self, operation: Callable[[], Result]) -> Result:
        """The operation's result, at the first attempt that has one.

        Raises:
            PassingError: the last attempt's, or one that asks for a longer wait than we accept.
        """
        for attempt in range(1, self.attempts):
            try:
                return operation()
            except PassingError as fault:
                self.wait(attempt, fault)
        return operation()

    def wait(self, attempt: int, fault: PassingError) -> None:
        """Wait before the next attempt; ``attempt`` is the number of those that failed.

        Raises:
            PassingError: the fault itself, where waiting makes no sense.
        """
        asked = fault.wait
        if attempt >= self.attempts or (asked is not None and asked > self.longest):
            raise fault
        doubled: float = min(self.first * 2 ** (attempt - 1), self.longest)
        self.pause(doubled if asked is None else max(asked, self.first))


def retry_after(value: str, date: str) -> float | None:
    """The seconds of a ``Retry-After`` header (RFC 9110), None where it says nothing of use.

    Args:
        value: seconds, or a moment.
        date: the answer's own ``Date``, against which a moment counts; no clock has to be right.
    """
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        until, now = parsedate_to_datetime(value), parsedate_to_datetime(date)
    except (ValueError, TypeError, OverflowError):
        return None
    until, now = (
        moment if moment.tzinfo else moment.replace(tzinfo=UTC) for moment in (until, now)
    )
    return max(0.0, (until - now).total_seconds())
