"""What a build costs as the image grows, while the app and the files it keeps stay the same."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.outcome import Cell, Outcome, Table, Target
from benchmarks.program import (
    REPOSITORY,
    Build,
    build,
    has_image,
    medians,
    remove_images,
    sample_image,
)
from benchmarks.rounds import Settings, interleaved, median, tell

SAMPLE = "node-express"
"""A sample of about 0.4 GB."""

FACTOR = 1.3
"""How much longer the largest image may take than the smallest."""

PEAK = 300.0
"""Megabytes (10^6 bytes) of memory that slim may need at most."""

TAG = f"{REPOSITORY}/size.slim:latest"
IMAGE_SECONDS = 1800.0
BALLAST = str(Path(__file__).parent / "ballast")
APP_USER = "node"
"""The sample's own USER, under which the larger images run, too."""


@dataclass(frozen=True, slots=True)
class Ballast:
    """A layer of files that nothing uses; ``fills`` are arguments of ``ballast/fill.sh``."""

    name: str
    fills: tuple[str, ...]

    @property
    def image(self) -> str:
        """The image that ends with this layer."""
        return f"{REPOSITORY}/size:{self.name}"


MIDDLE = Ballast("middle", ("200x100x45000", "1x2x100000000"))
"""1.1 GB in 20 thousand files."""

LARGE = Ballast("large", ("400x100x50000", "2x4x200000000"))
"""3.6 GB in 40 thousand files, on top of the other."""


def measure(settings: Settings) -> Outcome:
    """Slim the three images in turns."""
    images = _images()
    cases: dict[str, Callable[[], Build]] = {
        name: partial(build, name, SAMPLE, TAG) for name in images
    }
    try:
        found = interleaved(cases, settings.rounds(3, 1))
    finally:
        if not settings.keep:
            remove_images(TAG, LARGE.image, MIDDLE.image)
    return _outcome(found)


def _images() -> tuple[str, ...]:
    base = sample_image(SAMPLE)
    images = [base]
    for ballast in (MIDDLE, LARGE):
        make(ballast, images[-1])
        images.append(ballast.image)
    return tuple(images)


def make(ballast: Ballast, base: str = "") -> None:
    """Build an image with ballast if it is missing; the sample's own is the default base."""
    if has_image(ballast.image):
        return
    tell(f"  building {ballast.image}")
    base = base or sample_image(SAMPLE)
    arguments = {"BASE": base, "APP_USER": APP_USER, "FILLS": " ".join(ballast.fills)}
    options = [f"--build-arg={name}={value}" for name, value in arguments.items()]
    subprocess.run(
        [
            "docker",
            "build",
            "--quiet",
            "--network=none",
            *options,
            f"--tag={ballast.image}",
            BALLAST,
        ],
        stdout=subprocess.DEVNULL,
        check=True,
        timeout=IMAGE_SECONDS,
        env={**os.environ, "DOCKER_BUILDKIT": "0"},
    )


def _outcome(found: Mapping[str, Sequence[Build]]) -> Outcome:
    stages = {name: medians(builds) for name, builds in found.items()}
    seconds = {
        name: median(item.process.seconds for item in builds) for name, builds in found.items()
    }
    peaks = [max(item.process.peak for item in builds) / 1e6 for builds in found.values()]
    smallest, *_, largest = seconds.values()
    rows = tuple(
        _row(builds[0], peak, whole, whole / smallest, stages[name].values())
        for (name, builds), peak, whole in zip(found.items(), peaks, seconds.values(), strict=True)
    )
    head = ("Image GB", "Paths", "Kept files", "Seconds", "Factor", "Peak MB")
    names = next(iter(stages.values()))
    return Outcome(
        (Table("Cost of a build by size of the image", (*head, *names), rows),),
        (
            Target("time of the largest by the smallest", largest / smallest, FACTOR),
            Target("peak memory of slim", max(peaks), PEAK, "MB"),
        ),
        _notes(found),
    )


def _row(
    build: Build, peak: float, seconds: float, factor: float, stages: Iterable[float]
) -> tuple[Cell, ...]:
    size = round(build.report["image"]["size"] / 1e9, 2)
    kept = build.report["kept"]["files"]
    return (size, paths(build), kept, seconds, factor, peak, *stages)


def paths(build: Build) -> int:
    """How many paths the image of a build has."""
    counts = (build.report["kept"], build.report["removed"])
    return sum(sum(count.values()) - count["bytes"] for count in counts)


def _notes(found: Mapping[str, Sequence[Build]]) -> tuple[str, ...]:
    kept = {item.report["kept"]["files"] for builds in found.values() for item in builds}
    failed = sum(not item.good for builds in found.values() for item in builds)
    notes = [f"{SAMPLE} with layers of files that nothing uses; seconds by stage on the right."]
    if len(kept) > 1:
        notes.append(f"The kept files were not the same in all builds: {sorted(kept)}.")
    if failed:
        notes.append(f"{failed} builds did not answer alike.")
    return tuple(notes)
