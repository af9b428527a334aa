"""Measures whether a runtime starts containers under the bare floor, on whatever machine it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import product

from probes.model import Activity
from slimpy.harden.floor import Runtime
from slimpy.harden.seccomp import profile
from slimpy.model import Profile


@dataclass(frozen=True, slots=True)
class Case:
    """One way to start a container; ``init`` puts the engine's own small init in front."""

    no_new_privileges: bool
    user: str
    init: bool = False


CASES = tuple(
    Case(no_new_privileges, user, init)
    for no_new_privileges, user, init in product(
        (True, False), ("0:0", "65532:65532"), (False, True)
    )
)
"""Each of the cases that the floor's rows tell apart."""


@dataclass(frozen=True, slots=True)
class Measured:
    """``failures`` holds the reason of each start that failed, of ``starts`` in all, under a
    profile of ``allowed`` names.
    """

    case: Case
    allowed: int
    starts: int
    failures: tuple[str, ...]


def measure(
    start: Callable[[Profile, Case], str | None],
    *,
    runtime: Runtime = "any",
    cases: Iterable[Case] = CASES,
    times: int = 10,
) -> tuple[Measured, ...]:
    """Start a program that needs nothing but to be run and to exit, ``times`` in each case.

    One start proves little: a runtime written in Go makes some calls only now and then.

    Args:
        start: starts a container under that profile; None if the program ran, else why not.
        runtime: the runtime whose floor is tried.
    """
    return tuple(_measured(start, runtime, case, times) for case in cases)


def _measured(
    start: Callable[[Profile, Case], str | None], runtime: Runtime, case: Case, times: int
) -> Measured:
    bare = profile(Activity(), no_new_privileges=case.no_new_privileges, runtime=runtime)
    reasons = (start(bare, case) for _ in range(times))
    failures = tuple(reason for reason in reasons if reason is not None)
    return Measured(case, len(bare.allowed), times, failures)
