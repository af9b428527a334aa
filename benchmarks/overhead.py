"""What a whole `slim build` costs beside the app's own start, stage by stage."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.outcome import Cell, Outcome, Table, Target
from benchmarks.program import REPOSITORY, Build, build, medians, remove_images, sample_image
from benchmarks.rounds import Settings, median, tell
from benchmarks.service import FLASK, started
from slimpy.engine.docker import DockerEngine

LIMIT = 8.0
"""Seconds of a build beside the app's own start."""

TAG = f"{REPOSITORY}/overhead.slim:latest"


def measure(settings: Settings) -> Outcome:
    """Slim the Flask sample a few times, and start it as it is in between."""
    image = sample_image(FLASK.sample)
    rounds = settings.rounds(5, 2)
    builds: list[Build] = []
    starts: list[float] = []
    try:
        for number in range(rounds):
            tell(f"  round {number + 1} of {rounds}")
            starts.append(_start(image))
            builds.append(build(image, FLASK.sample, TAG))
    finally:
        if not settings.keep:
            remove_images(TAG)
    return _outcome(starts, builds)


def _start(image: str) -> float:
    engine = DockerEngine.connect()
    try:
        with (
            engine.workspace(engine.inspect(image, pull=False)) as workspace,
            started(workspace, FLASK, traced=False) as running,
        ):
            return running.seconds
    finally:
        engine.close()


def _outcome(starts: Sequence[float], builds: Sequence[Build]) -> Outcome:
    whole = median(item.process.seconds for item in builds)
    start = median(starts)
    rows: tuple[tuple[Cell, ...], ...] = (
        *medians(builds).items(),
        ("whole build", whole),
        ("of it processor time of slim", median(item.process.processor_seconds for item in builds)),
        ("app's own start, untraced", start),
        ("build less that start", whole - start),
    )
    failed = sum(not item.good for item in builds)
    notes = (f"{len(builds)} builds of {FLASK.sample}.",)
    return Outcome(
        (Table("Stages of a build", ("Stage", "Median seconds"), rows),),
        (Target("build less the app's own start", whole - start, LIMIT, "s"),),
        (*notes, f"{failed} of them did not answer alike.") if failed else notes,
    )
