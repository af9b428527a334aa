"""Progress as events: what is under way, how far, how long. Sinks decide how it looks; nothing
here prints.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol


class Progress(Protocol):
    """Where stages report to."""

    def begin(self, stage: str) -> None:
        """A stage starts."""

    def update(self, detail: str) -> None:
        """Something worth telling happened inside the stage under way."""

    def end(self, stage: str, detail: str, seconds: float) -> None:
        """A stage ended well; ``detail`` sums it up."""

    def pause(self) -> None:
        """Somebody else has the terminal until the next stage."""


class Silent:
    """A sink that says nothing."""

    def begin(self, stage: str) -> None:
        """See Progress."""

    def update(self, detail: str) -> None:
        """See Progress."""

    def end(self, stage: str, detail: str, seconds: float) -> None:
        """See Progress."""

    def pause(self) -> None:
        """See Progress."""


@dataclass(slots=True)
class Stage:
    """A stage under way; set ``summary`` before it ends."""

    name: str
    summary: str = ""


@dataclass(slots=True)
class Stopwatch:
    """Times the stages of a build (seconds, in order) and passes them on to a sink."""

    progress: Progress
    seconds: dict[str, float] = field(default_factory=dict)

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[Stage]:
        """Run a stage; its time is added to those of the same name."""
        stage = Stage(name)
        started = time.monotonic()
        self.progress.begin(name)
        try:
            yield stage
        finally:
            spent = time.monotonic() - started
            self.seconds[name] = self.seconds.get(name, 0.0) + spent
        self.progress.end(name, stage.summary, spent)
