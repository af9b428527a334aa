"""What survives slimming of all that no probe asked for: app by app, level by level.

    python -m benchmarks.survival [NAME...] [--levels minimal,balanced,safe] [--json FILE]

A sample's ``survival.yaml`` lists behaviours beyond its probe file. Each is observed on the fat
image and on slim images made with the probe file alone; it survives if every answer is the same.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import click

from benchmarks.behaviours import Behaviour, UnfitError, groups, load, together
from benchmarks.outcome import Cell, Machine, Outcome, Table, Target
from benchmarks.program import (
    REPOSITORY,
    SAMPLES,
    environment,
    remove_images,
    run,
    sample_image,
    samples,
    slim,
)
from benchmarks.recorded import cache_file, decode, encode
from benchmarks.rounds import median, tell
from probes.errors import ProbeError
from probes.model import Exchange, NoAnswer, Plan
from slimpy.engine.docker import DockerEngine
from slimpy.engine.observe import Observer
from slimpy.engine.protocol import Confinement, Workspace
from slimpy.errors import SlimError
from slimpy.model import Comparison, Image, Sameness, display
from slimpy.verify import bundles
from slimpy.verify.compare import compare

SCHEMA = "slimpy-survival"
VERSION = 1
LEVELS = ("minimal", "balanced", "safe")
GROWTH_LIMIT = 2.2
"""Times that ``balanced`` may weigh ``minimal``, in the median."""
SHARE_LIMIT = 35.0
"""Percent of the fat image that ``balanced`` may weigh, in the median."""


@dataclass(frozen=True, slots=True)
class Lost:
    """A behaviour that did not survive, and the first thing that differs."""

    behaviour: str
    difference: str


@dataclass(frozen=True, slots=True)
class Slimmed:
    """One slim image: bytes, whether its own probes are answered alike, the rules that kept
    something, its hardening bundle.
    """

    image: str
    fat_size: int
    size: int
    verified: bool
    rules: tuple[str, ...]
    seconds: float
    confinement: Confinement


@dataclass(frozen=True, slots=True)
class Measured:
    """A slim image, and which behaviours it lost."""

    slimmed: Slimmed
    lost: tuple[Lost, ...]


@dataclass(frozen=True, slots=True)
class App:
    """All that was measured of one sample; a level that could not be built is not in it."""

    name: str
    behaviours: tuple[str, ...]
    levels: Mapping[str, Measured]


@dataclass(frozen=True, slots=True)
class Settings:
    """What was asked for. ``flags`` go to `slim build` as they are; ``confined`` runs the slim
    images as their hardening bundles say; ``fresh`` disregards what is cached of the fat images.
    """

    levels: tuple[str, ...] = LEVELS
    flags: tuple[str, ...] = ()
    confined: bool = False
    fresh: bool = False
    keep: bool = False


@dataclass(frozen=True, slots=True)
class Lab:
    """Where the images of one sample are observed: a workspace of the fat one."""

    workspace: Workspace
    sample: str
    settings: Settings

    def fat(self, group: Sequence[Behaviour]) -> tuple[Exchange, ...]:
        """What the fat image answers; from the cache where nothing changed.

        Raises:
            UnfitError: it does not answer as the behaviours expect.
        """
        plan, image = together(group), self.workspace.image
        cached = cache_file(image, plan)
        if cached.is_file() and not self.settings.fresh:
            return decode(cached.read_bytes())
        try:
            seen = self._observed(image, plan, Confinement())
        except (ProbeError, SlimError) as error:
            names = ", ".join(item.name for item in group)
            raise UnfitError(f"{self.sample}: {names}: {_said(error)}") from error
        for item in seen:
            if isinstance(item.answer, NoAnswer) or item.unmet:
                why = item.unmet[0] if item.unmet else item.answer
                raise UnfitError(f"{self.sample}: the fat image fails {item.name}: {why}")
        cached.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        cached.write_bytes(encode(seen))
        return seen

    def _observed(self, image: Image, plan: Plan, confinement: Confinement) -> tuple[Exchange, ...]:
        observer = Observer(self.workspace, plan, traced=False, confinement=confinement, replay=())
        return observer.observe(image).exchanges

    def lost(
        self, behaviours: Sequence[Behaviour], image: Image, confinement: Confinement
    ) -> Iterator[Lost]:
        """The behaviours that a slim image lost."""
        for group in groups(behaviours):
            yield from self._lost_of(group, image, confinement)

    def _lost_of(
        self, group: Sequence[Behaviour], image: Image, confinement: Confinement
    ) -> Iterator[Lost]:
        fat = self.fat(group)
        try:
            seen = self._observed(image, together(group), confinement)
        except (ProbeError, SlimError) as error:
            yield from (Lost(item.name, _said(error)) for item in group)
            return
        answers = {item.name: item.answer for item in seen}
        comparisons = compare(fat, seen)
        for item in group:
            bad = _first_bad(item, comparisons, alone=len(group) == 1)
            answer = answers.get(bad.name) if bad else None
            if bad and isinstance(answer, NoAnswer) and len(group) > 1:
                # What brought the app down, or to a halt, is to blame: not those that came after.
                yield from self._lost_of((item,), image, confinement)
            elif bad:
                yield Lost(item.name, _difference(bad, item.key))


def _first_bad(item: Behaviour, found: Sequence[Comparison], *, alone: bool) -> Comparison | None:
    """In a container of its own, the health check and the stop are part of the behaviour."""
    return next(
        (
            comparison
            for comparison in found
            if comparison.sameness is not Sameness.SAME
            and (comparison.name.startswith(item.key) or alone)
        ),
        None,
    )


def _difference(bad: Comparison, key: str) -> str:
    asked = _cut(bad.name.removeprefix(key).strip(), 60)
    # A note quotes the error output: often it is the cause in clear words.
    notes = [text for text in bad.differences[1:] if text.startswith("note: ")]
    found = [*bad.differences[:1], *notes[:1]] or [f"{bad.slim} instead of {bad.fat}"]
    return f"{asked}: {_cut('; '.join(found), 200)}"


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _said(error: Exception) -> str:
    said = (*getattr(error, "log", ()), *getattr(error, "details", ()))
    lines = [line for line in said if line.strip()]
    return display(f"{error}{f' ({lines[-1].strip()})' if lines else ''}")


@cache
def knows_levels() -> bool:
    """Whether `slim build` has levels; where it has none, what it makes counts as minimal."""
    return b"--level" in run(slim("build", "--help"), timeout=60).output


def slimmed(sample: str, level: str, flags: Sequence[str] = ()) -> Slimmed:
    """Slim a sample with its own probe file; it is tagged even where its probes differ.

    Raises:
        RuntimeError: no slim image came of it.
    """
    # A tag of this process's own: two measurements may run side by side.
    tag = f"{REPOSITORY}/{sample}.{level}:{os.getpid()}"
    options = ["--probe-file", str(SAMPLES / sample / "probe.yaml"), "--no-pull", "--quiet"]
    for name, value in environment(sample).items():
        options += ["--env", f"{name}={value}"]
    options += ["--level", level] if knows_levels() else []
    with tempfile.TemporaryDirectory(prefix="slimpy-survival-") as directory:
        more = ("--keep-failed", "--tag", tag, "--report-dir", directory, *flags)
        done = run(slim("build", sample_image(sample), *options, *more))
        path = Path(directory) / "report.json"
        report = json.loads(path.read_text()) if path.is_file() else {}
        if not report.get("slim"):
            raise RuntimeError(f"{sample}: no slim image at {level}: {done.errors.decode()}")
        return Slimmed(
            image=tag,
            fat_size=report["image"]["size"],
            size=report["slim"]["size"],
            verified=report["status"] == "slimmed",
            rules=tuple(row["rule"] for row in report["kept_by_rule"]),
            seconds=done.seconds,
            confinement=bundles.load(Path(directory)),
        )


def measure(engine: DockerEngine, sample: str, settings: Settings) -> App:
    """Every level of one sample.

    Raises:
        UnfitError: a behaviour does not work on the fat image.
        RuntimeError: a level could not be built.
    """
    behaviours = load(sample)
    levels: dict[str, Measured] = {}
    with engine.workspace(engine.inspect(sample_image(sample), pull=False)) as workspace:
        lab = Lab(workspace, sample, settings)
        for group in groups(behaviours):
            lab.fat(group)
        for level in settings.levels if knows_levels() else ("minimal",):
            tell(f"  {sample}: {level}")
            made = slimmed(sample, level, settings.flags)
            try:
                image = engine.inspect(made.image, pull=False)
                confinement = made.confinement if settings.confined else Confinement()
                levels[level] = Measured(made, tuple(lab.lost(behaviours, image, confinement)))
            finally:
                if not settings.keep:
                    remove_images(made.image)
    return App(sample, tuple(item.name for item in behaviours), levels)


def outcome(apps: Sequence[App], levels: Sequence[str], problems: Sequence[str]) -> Outcome:
    """Both tables: how much survived at what weight, and what was lost."""
    columns = ["App", "Behaviours", "Fat MB"]
    for level in levels:
        columns += [f"{level}: survived", "MB", "% of fat"]
    lost = tuple(
        (app.name, level, item.behaviour, item.difference)
        for app in apps
        for level, measured in app.levels.items()
        for item in measured.lost
    )
    unproven = (
        f"{app.name}: the slim image at {level} does not pass its own probes"
        for app in apps
        for level, measured in app.levels.items()
        if not measured.slimmed.verified
    )
    return Outcome(
        (
            Table("Survival of unprobed behaviour", tuple(columns), _rows(apps, levels)),
            Table("Behaviours lost", ("App", "Level", "Behaviour", "First difference"), lost),
        ),
        tuple(_targets(apps)),
        (*unproven, *problems),
    )


def _rows(apps: Sequence[App], levels: Sequence[str]) -> tuple[tuple[Cell, ...], ...]:
    return tuple(
        (
            app.name,
            len(app.behaviours),
            next((item.slimmed.fat_size / 1e6 for item in app.levels.values()), None),
            *(cell for level in levels for cell in _cells(app, level)),
        )
        for app in apps
    )


def _cells(app: App, level: str) -> tuple[Cell, Cell, Cell]:
    measured = app.levels.get(level)
    if measured is None:
        return None, None, None
    made = measured.slimmed
    survived = len(app.behaviours) - len(measured.lost)
    return survived, made.size / 1e6, 100 * made.size / made.fat_size


def _targets(apps: Sequence[App]) -> Iterator[Target]:
    for level in ("balanced", "safe"):
        found = [app.levels[level] for app in apps if level in app.levels]
        if found:
            yield Target(f"behaviours lost at {level}", sum(len(item.lost) for item in found), 0)
    pairs = [
        (app.levels["minimal"].slimmed, app.levels["balanced"].slimmed)
        for app in apps
        if {"minimal", "balanced"} <= app.levels.keys()
    ]
    if pairs:
        growth = median(more.size / less.size for less, more in pairs)
        share = median(100 * more.size / more.fat_size for _, more in pairs)
        yield Target("balanced against minimal, median", growth, GROWTH_LIMIT, "times")
        yield Target("balanced of the fat image, median", share, SHARE_LIMIT, "%")


def document(apps: Sequence[App], settings: Settings, problems: Sequence[str]) -> dict[str, Any]:
    """All figures as one JSON document."""
    plain = [asdict(app) for app in apps]
    for app in plain:
        for level in app["levels"].values():
            del level["slimmed"]["confinement"]
            level["survived"] = len(app["behaviours"]) - len(level["lost"])
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "machine": asdict(Machine.now()),
        "flags": settings.flags,
        "confined": settings.confined,
        "apps": plain,
        "problems": list(problems),
    }


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.argument("names", nargs=-1, metavar="[NAME]...", type=click.Choice(samples()))
@click.option(
    "--levels", default=",".join(LEVELS), show_default=True, help="Levels, separated by commas."
)
@click.option(
    "--disable-rule", "rules", multiple=True, metavar="RULE", help="Handed to slim build."
)
@click.option("--confined", is_flag=True, help="Run slim images as their hardening bundles say.")
@click.option("--fresh", is_flag=True, help="Observe the fat images anew.")
@click.option("--keep", is_flag=True, help="Leave the slim images that were made.")
@click.option("--json", "file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Write the figures as JSON, too.")  # fmt: skip
@click.pass_context
def main(
    context: click.Context,
    /,
    names: tuple[str, ...],
    levels: str,
    rules: tuple[str, ...],
    file: Path | None,
    **more: bool,
) -> None:
    """Measure which unprobed behaviours survive slimming; without NAMES in all sample apps."""
    flags = tuple(part for rule in rules for part in ("--disable-rule", rule))
    settings = Settings(levels=tuple(levels.split(",")), flags=flags, **more)
    apps: list[App] = []
    problems: list[str] = []
    engine = DockerEngine.connect()
    try:
        for name in names or samples():
            try:
                apps.append(measure(engine, name, settings))
            except (UnfitError, RuntimeError, ProbeError, SlimError) as error:
                problems.append(str(error).strip())
    finally:
        engine.close()
    click.echo(outcome(apps, settings.levels, problems).markdown())
    if file is not None:
        file.write_text(json.dumps(document(apps, settings, problems), indent=2) + "\n")
    context.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
