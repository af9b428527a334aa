"""Ctrl-C and SIGTERM that arrive where something would be left behind: put off, never lost."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(slots=True)
class Interrupts:
    """The wish of the user to end; only the main thread asks, as only it handles signals.

    The first one is raised as KeyboardInterrupt, once; later ones must not disturb the clean-up
    that it sets off. Without a signal handler that calls `arrive` nothing is ever put off.
    """

    arrived: bool = False
    _raised: bool = False
    _blocks: int = 0

    def arrive(self) -> None:
        """A signal came; for a signal handler.

        Raises:
            KeyboardInterrupt: at once, unless it is put off or was raised before.
        """
        self.arrived = True
        if not self._blocks:
            self.check()

    def check(self) -> None:
        """Let a signal that was put off take effect, for long work that may end at this point.

        Raises:
            KeyboardInterrupt: a signal came, and was not raised before.
        """
        if self.arrived and not self._raised:
            self._raised = True
            raise KeyboardInterrupt

    def conclude(self) -> None:
        """What was to be done is done: a signal that has not taken effect by now never does."""
        self._raised = True

    @contextlib.contextmanager
    def deferred(self) -> Iterator[None]:
        """What is in this block is done whole: a signal takes effect at its end.

        For a request to an engine that creates or removes something: an engine goes on with it
        when nobody waits for the answer any more.
        """
        self._blocks += 1
        try:
            yield
        finally:
            self._blocks -= 1
            if not self._blocks:
                self.check()


INTERRUPTS = Interrupts()
"""Those of this process."""
