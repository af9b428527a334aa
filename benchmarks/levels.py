"""What the closure rules cost in time: a build at each level, on images with many files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from benchmarks import size
from benchmarks.outcome import Cell, Outcome, Table, Target
from benchmarks.program import REPOSITORY, Build, build, medians, remove_images, sample_image
from benchmarks.rounds import Settings, interleaved, median
from slimpy.model import Level

LIMIT = 3.0
"""Seconds that the rules of the default level may add."""

SAMPLE = "fastapi-uvicorn"
"""A sample of which much is kept."""

TAG = f"{REPOSITORY}/levels.slim:latest"


def measure(settings: Settings) -> Outcome:
    """Slim two images at each level in turns."""
    size.make(size.MIDDLE)
    images = {sample_image(SAMPLE): SAMPLE, size.MIDDLE.image: size.SAMPLE}
    cases: dict[tuple[str, Level], Callable[[], Build]] = {
        (image, level): partial(build, image, sample, TAG, "--level", level)
        for image, sample in images.items()
        for level in Level
    }
    named = {f"{image} {level}": case for (image, level), case in cases.items()}
    try:
        found = interleaved(named, settings.rounds(3, 1))
    finally:
        if not settings.keep:
            remove_images(TAG, size.MIDDLE.image)
    return _outcome({key: found[f"{key[0]} {key[1]}"] for key in cases})


def _outcome(found: Mapping[tuple[str, Level], Sequence[Build]]) -> Outcome:
    seconds = {key: median(item.process.seconds for item in found[key]) for key in found}
    rows: list[tuple[Cell, ...]] = []
    for (image, level), builds in found.items():
        more = seconds[image, level] - seconds[image, Level.MINIMAL]
        kept = builds[0].report["kept"]["files"]
        decide = medians(builds)["decide"]
        rows.append(
            (image, size.paths(builds[0]), level, kept, seconds[image, level], decide, more)
        )
    columns = ("Image", "Paths", "Level", "Kept files", "Seconds", "Decide", "More than minimal")
    images = dict.fromkeys(image for image, _ in found)
    return Outcome(
        (Table("Cost of a build by level", columns, tuple(rows)),),
        tuple(
            Target(
                f"time that {Level.BALANCED} adds to {image}",
                seconds[image, Level.BALANCED] - seconds[image, Level.MINIMAL],
                LIMIT,
                "s",
            )
            for image in images
        ),
    )
