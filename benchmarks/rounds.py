"""Fair comparison: the cases take turns, and a median stands for a case."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

Result = TypeVar("Result")

ROOT = Path(__file__).parents[1]
"""The checkout: where the samples are, and where `python -m slimpy` finds itself."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What was asked for; ``quick`` means fewer rounds, ``keep`` leaves made images in place."""

    quick: bool = False
    keep: bool = False

    def rounds(self, usual: int, quick: int) -> int:
        """How many rounds to run."""
        return quick if self.quick else usual


def interleaved(cases: Mapping[str, Callable[[], Result]], rounds: int) -> dict[str, list[Result]]:
    """The results of each case. Every round runs all of them, every second one in reverse order, so
    that a machine that gets slower or faster meanwhile is the same to all.
    """
    results: dict[str, list[Result]] = {name: [] for name in cases}
    for number in range(rounds):
        tell(f"  round {number + 1} of {rounds}")
        order = list(cases) if number % 2 == 0 else list(cases)[::-1]
        for name in order:
            results[name].append(cases[name]())
    return results


def median(values: Iterable[float]) -> float:
    """The median of at least one value."""
    return float(statistics.median(values))


def poll(ready: Callable[[], bool], *, seconds: float, what: str) -> float:
    """Ask until it is so; the seconds that it took.

    Raises:
        TimeoutError: it was not so within ``seconds``.
    """
    began = time.monotonic()
    while not ready():
        if time.monotonic() - began > seconds:
            raise TimeoutError(f"{what} within {seconds:.0f} s")
        time.sleep(0.01)
    return time.monotonic() - began


def tell(text: str) -> None:
    """Say what is under way, beside the result."""
    print(text, file=sys.stderr, flush=True)
