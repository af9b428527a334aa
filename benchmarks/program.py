"""Runs `slim` as users do, in a process of its own, and measures that process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.rounds import ROOT, median, tell

SAMPLES = ROOT / "sample_apps"
REPOSITORY = "slimpy-benchmark"
"""Repository of the images that benchmarks make."""

BUILD_SECONDS = 900.0


@dataclass(frozen=True, slots=True)
class Finished:
    """A process that ended: seconds of wall time, and of processors; peak resident bytes."""

    code: int
    output: bytes
    errors: bytes
    seconds: float
    processor_seconds: float
    peak: int


@dataclass(frozen=True, slots=True)
class Build:
    """One `slim build`: its process and its report."""

    process: Finished
    report: Mapping[str, Any]

    @property
    def stages(self) -> dict[str, float]:
        """Seconds by stage, and what passed outside all stages: the process's start, connecting,
        making the workspace, cleaning up, writing the report.
        """
        inside = dict(self.report["seconds"])
        return {**inside, "other": self.process.seconds - sum(inside.values())}

    @property
    def good(self) -> bool:
        """Whether the slim image answers like the original."""
        return self.process.code == 0


def run(argv: Sequence[str], *, timeout: float = BUILD_SECONDS) -> Finished:
    """Run a program to its end; it is killed after ``timeout`` seconds."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        began = time.monotonic()
        process = subprocess.Popen(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        watchdog = threading.Timer(timeout, process.kill)
        watchdog.start()
        try:
            # wait4 gives this one child's usage; getrusage would mix all children of this process.
            _, status, usage = os.wait4(process.pid, 0)
        finally:
            watchdog.cancel()
        seconds = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        errors.seek(0)
        return Finished(
            code=process.returncode,
            output=output.read(),
            errors=errors.read(),
            seconds=seconds,
            processor_seconds=usage.ru_utime + usage.ru_stime,
            peak=usage.ru_maxrss * 1024,
        )


def slim(*arguments: str) -> tuple[str, ...]:
    """The command line of `slim`."""
    return (sys.executable, "-m", "slimpy", *arguments)


def build(image: str, sample: str, tag: str, *flags: str) -> Build:
    """Slim ``image`` with the probes of a sample; ``flags`` go to `slim build` as they are.

    Raises:
        RuntimeError: there is no report.
    """
    with tempfile.TemporaryDirectory(prefix="slimpy-benchmark-") as directory:
        options = ["--probe-file", str(SAMPLES / sample / "probe.yaml"), "--no-pull", "--quiet"]
        for name, value in environment(sample).items():
            options += ["--env", f"{name}={value}"]
        argv = slim(
            "build", image, "--tag", tag, "--report-dir", directory, "--json", *options, *flags
        )
        done = run(argv)
        path = Path(directory) / "report.json"
        if not path.is_file():
            raise RuntimeError(f"slim build {image} left no report: {done.errors.decode()}")
        return Build(done, json.loads(path.read_text()))


def environment(sample: str) -> dict[str, str]:
    """The variables that a sample needs to start."""
    expected = tomllib.loads((SAMPLES / sample / "expect.toml").read_text())
    return dict(expected.get("run", {}).get("environment", {}))


def samples() -> tuple[str, ...]:
    """The names of all sample apps."""
    return tuple(sorted(path.parent.name for path in SAMPLES.glob("*/Dockerfile")))


def sample_image(name: str) -> str:
    """The image of a sample, built if the engine does not have it."""
    image = f"slimpy-sample/{name}"
    if not has_image(image):
        tell(f"  building {image}")
        subprocess.run([str(SAMPLES / "build.sh"), name], check=True, timeout=2 * BUILD_SECONDS)
    return image


def has_image(reference: str) -> bool:
    """Whether the engine has an image."""
    return run(["docker", "image", "inspect", "--format", "-", reference], timeout=60).code == 0


def remove_images(*references: str) -> None:
    """Take these names away, and the images with them; one that is not there is no error."""
    for reference in references:
        run(["docker", "image", "rm", reference], timeout=300)


def medians(builds: Sequence[Build]) -> dict[str, float]:
    """The median of each stage's seconds, in the order of the stages; a stage that a build did not
    have took no time.
    """
    names = dict.fromkeys(name for build in builds for name in build.stages)
    names["other"] = names.pop("other")
    return {name: median(item.stages.get(name, 0.0) for item in builds) for name in names}
