"""How much slower an app runs under the tracer: requests per second, start-up, and a job that does
little but ask for files.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from benchmarks import load
from benchmarks.outcome import Cell, Outcome, Table
from benchmarks.program import sample_image
from benchmarks.rounds import Settings, interleaved, median
from benchmarks.service import FLASK, NGINX, Service, started
from slimpy.engine.docker import DockerEngine
from slimpy.engine.protocol import RunSpec, Workspace

WARM_UP = 20
"""Requests before those that count."""

# The job times itself, so that making and starting the container is not in it.
STAT_JOB = """
began=$(date +%s%N)
find / -xdev -print0 | xargs -0 stat >/tmp/seen || exit 1
echo $(wc -l </tmp/seen) $((($(date +%s%N) - began) / 1000))
"""
JOB_SECONDS = 300.0
LINES_OF_STAT = 8
"""Lines that stat prints for one path."""

COLUMNS = ("Workload", "Unit", "Untraced", "Traced", "Times slower", "Log lines per unit")


@dataclass(frozen=True, slots=True)
class Seen:
    """One run: ``value`` is in seconds per unit of work; ``lines`` of the tracer's log per unit."""

    value: float
    lines: float
    start: float | None = None


def measure(settings: Settings) -> Outcome:
    """Each workload traced and untraced, in turns."""
    rounds = settings.rounds(5, 2)
    requests = 1500 if settings.quick else 4000
    engine = DockerEngine.connect()
    rows: list[tuple[Cell, ...]] = []
    try:
        for service, count in ((NGINX, requests), (FLASK, requests // 4)):
            with _workspace(engine, service.sample) as workspace:
                found = _both(partial(_serve, workspace, service, count), rounds)
            rows.append(
                _row(f"{service.sample} GET {service.path}", "requests/s", found, rate=True)
            )
            rows.append(_start_row(f"{service.sample} start to first answer", found))
        with _workspace(engine, FLASK.sample) as workspace:
            found = _both(partial(_stat, workspace), rounds)
        rows.append(_row("find / | xargs stat", "microseconds/path", found, rate=False))
    finally:
        engine.close()
    note = (
        f"Medians of {rounds} rounds in turns; {requests} requests on 4 connections "
        f"(Flask: {requests // 4})."
    )
    return Outcome((Table("Slowdown by tracing", COLUMNS, tuple(rows)),), notes=(note,))


@contextlib.contextmanager
def _workspace(engine: DockerEngine, sample: str) -> Iterator[Workspace]:
    with engine.workspace(engine.inspect(sample_image(sample), pull=False)) as workspace:
        yield workspace


def _both(case: Callable[..., Seen], rounds: int) -> Mapping[str, Sequence[Seen]]:
    cases = {"untraced": partial(case, traced=False), "traced": partial(case, traced=True)}
    return interleaved(cases, rounds)


def _serve(workspace: Workspace, service: Service, requests: int, *, traced: bool) -> Seen:
    with started(workspace, service, traced=traced) as running:
        load.apply(running.host, running.port, service.path, requests=WARM_UP)
        done = load.apply(running.host, running.port, service.path, requests=requests)
        running.container.stop(10)
        activity = running.container.activity()
    if not activity.complete:
        raise RuntimeError(f"{service.sample}: the tracer's log is not complete")
    return Seen(done.seconds / done.requests, activity.lines / done.requests, running.seconds)


def _stat(workspace: Workspace, *, traced: bool) -> Seen:
    spec = RunSpec(traced=traced, entrypoint=("/bin/sh", "-c", STAT_JOB), user="0")
    with workspace.run(spec) as container:
        container.start()
        code = container.wait(JOB_SECONDS)
        activity = container.activity()
        output, errors = container.output()
    if code != 0 or not activity.complete:
        raise RuntimeError(f"the stat job ended with {code}: {errors.decode(errors='replace')}")
    lines, microseconds = map(int, output.split())
    paths = lines / LINES_OF_STAT
    return Seen(microseconds / 1e6 / paths, activity.lines / paths)


def _row(
    name: str, unit: str, found: Mapping[str, Sequence[Seen]], *, rate: bool
) -> tuple[Cell, ...]:
    untraced, traced = (median(item.value for item in found[key]) for key in ("untraced", "traced"))
    shown = [1 / value if rate else value * 1e6 for value in (untraced, traced)]
    lines = median(item.lines for item in found["traced"])
    return (name, unit, *shown, traced / untraced, lines)


def _start_row(name: str, found: Mapping[str, Sequence[Seen]]) -> tuple[Cell, ...]:
    untraced, traced = (
        median(item.start for item in found[key] if item.start is not None)
        for key in ("untraced", "traced")
    )
    return (name, "seconds", untraced, traced, traced / untraced, None)
