"""How progress looks: a live line on a terminal, plain lines elsewhere; always on stderr."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

import click

from slimpy.events import Progress, Silent
from slimpy.model import display


class PlainLines:
    """One line for each finished stage."""

    def begin(self, stage: str) -> None:
        """See Progress."""

    def update(self, detail: str) -> None:
        """See Progress."""
        click.echo(f"  {display(detail)}", err=True)

    def end(self, stage: str, detail: str, seconds: float) -> None:
        """See Progress."""
        click.echo(f"{stage:<8} {display(detail)} ({seconds:.1f} s)", err=True)

    def pause(self) -> None:
        """See Progress."""


class LiveLine:
    """A spinner with the stage under way and its time, and a line for each finished stage."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import Progress as Bar
        from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

        self._console = Console(stderr=True, highlight=False, markup=False)
        self._bar = Bar(
            SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn(),
            console=self._console, transient=True,
        )  # fmt: skip
        self._task = self._bar.add_task("")
        self._stage = ""

    def begin(self, stage: str) -> None:
        """See Progress."""
        self._stage = stage
        self._bar.start()
        self._bar.reset(self._task, description=stage)

    def update(self, detail: str) -> None:
        """See Progress."""
        self._bar.update(self._task, description=f"{self._stage}: {display(detail)}")

    def end(self, stage: str, detail: str, seconds: float) -> None:
        """See Progress."""
        self._bar.stop()
        self._console.print(f"{stage:<8} {display(detail)} ({seconds:.1f} s)")

    def pause(self) -> None:
        """See Progress."""
        self._bar.stop()


@contextlib.contextmanager
def shown(*, quiet: bool) -> Iterator[Progress]:
    """The right sink for where stderr goes; at the end the terminal is as it was."""
    if quiet:
        yield Silent()
        return
    if not sys.stderr.isatty():
        yield PlainLines()
        return
    live = LiveLine()
    try:
        yield live
    finally:
        live.pause()
