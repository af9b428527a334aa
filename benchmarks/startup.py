"""How long `slim --help` takes, against an interpreter that does nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial

from benchmarks.outcome import Outcome, Table, Target
from benchmarks.program import run, slim
from benchmarks.rounds import Settings, interleaved, median

LIMIT = 0.15
"""Seconds until the help is there."""

BARE = "python -c pass"
HELP = "slim --help"


def measure(settings: Settings) -> Outcome:
    """Start each command many times."""
    commands = {
        BARE: (sys.executable, "-c", "pass"),
        "slim --version": slim("--version"),
        HELP: slim("--help"),
        "slim build --help": slim("build", "--help"),
        "slim why --help": slim("why", "--help"),
    }
    cases: dict[str, Callable[[], float]] = {
        name: partial(_seconds, argv) for name, argv in commands.items()
    }
    found = interleaved(cases, settings.rounds(15, 5))
    bare = median(found[BARE])
    rows = tuple(
        (name, 1000 * median(times), 1000 * min(times), median(times) / bare)
        for name, times in found.items()
    )
    columns = ("Command", "Median ms", "Best ms", f"Times {BARE}")
    return Outcome(
        (Table("Start-up of the command line", columns, rows),),
        (Target(HELP, median(found[HELP]), LIMIT, "s"),),
    )


def _seconds(argv: tuple[str, ...]) -> float:
    done = run(argv, timeout=60)
    if done.code:
        raise RuntimeError(f"{' '.join(argv)} failed: {done.errors.decode()}")
    return done.seconds
