"""What each rule of the policy table is good for: what is lost, and saved, without it.

    python -m benchmarks.ablation [NAME...] [--level balanced] [--json FILE]

Each sample is slimmed once with all rules of the level, and once without each rule that kept
something. What such a rule alone rescues are the behaviours of ``survival.yaml`` that survive with
it only; what it costs are the bytes that the image is smaller by without it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from benchmarks.behaviours import UnfitError
from benchmarks.outcome import Outcome, Table
from benchmarks.program import samples
from benchmarks.rounds import tell
from benchmarks.survival import App, Measured, Settings, measure
from probes.errors import ProbeError
from slimpy.engine.docker import DockerEngine
from slimpy.errors import SlimError
from slimpy.keep.policy import TABLE

SCHEMA = "slimpy-ablation"
VERSION = 1


@dataclass(frozen=True, slots=True)
class Effect:
    """One rule on one sample: bytes and behaviours that come and go with it."""

    rule: str
    sample: str
    bytes: int
    rescued: tuple[str, ...]


def effects(engine: DockerEngine, sample: str, level: str) -> Iterator[Effect]:
    """The effect of each rule that kept something of a sample.

    Raises:
        UnfitError: a behaviour does not work on the fat image.
        RuntimeError: an image could not be built.
    """
    whole = _measured(measure(engine, sample, Settings(levels=(level,))), level)
    for policy in TABLE:
        if policy.rule not in whole.slimmed.rules:
            continue
        tell(f"  {sample} without {policy.rule}")
        settings = Settings(levels=(level,), flags=("--disable-rule", policy.rule))
        without = _measured(measure(engine, sample, settings), level)
        lost = {item.behaviour for item in without.lost} - {item.behaviour for item in whole.lost}
        saved = whole.slimmed.size - without.slimmed.size
        yield Effect(policy.rule, sample, saved, tuple(sorted(lost)))


def _measured(app: App, level: str) -> Measured:
    return app.levels[level]


def outcome(found: Sequence[Effect], problems: Sequence[str]) -> Outcome:
    """One table over all samples, one by sample."""
    total = []
    for policy in TABLE:
        mine = [effect for effect in found if effect.rule == policy.rule]
        rescued = sum(len(effect.rescued) for effect in mine)
        cost = sum(effect.bytes for effect in mine) / 1e6
        total.append((policy.rule, len(mine), rescued, cost))
    rows = [
        (
            effect.rule,
            effect.sample,
            len(effect.rescued),
            effect.bytes / 1e6,
            "; ".join(effect.rescued),
        )
        for effect in found
        if effect.bytes or effect.rescued
    ]
    return Outcome(
        (
            Table(
                "What each rule alone rescues",
                ("Rule", "Samples", "Behaviours rescued", "MB"),
                tuple(total),
            ),
            Table("Rule by sample", ("Rule", "App", "Rescued", "MB", "Behaviours"), tuple(rows)),
        ),
        (),
        tuple(problems),
    )


def document(found: Sequence[Effect], level: str) -> Mapping[str, object]:
    """All figures as one JSON document."""
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "level": level,
        "effects": [asdict(effect) for effect in found],
    }


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.argument("names", nargs=-1, metavar="[NAME]...", type=click.Choice(samples()))
@click.option("--level", default="balanced", show_default=True)
@click.option("--json", "file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Write the figures as JSON, too.")  # fmt: skip
@click.pass_context
def main(context: click.Context, /, names: tuple[str, ...], level: str, file: Path | None) -> None:
    """Measure what each rule rescues and costs; without NAMES over all sample apps."""
    found: list[Effect] = []
    problems: list[str] = []
    engine = DockerEngine.connect()
    try:
        for name in names or samples():
            try:
                found.extend(effects(engine, name, level))
            except (UnfitError, RuntimeError, ProbeError, SlimError) as error:
                problems.append(str(error).strip())
            if file is not None:
                file.write_text(json.dumps(document(found, level), indent=2) + "\n")
    finally:
        engine.close()
    click.echo(outcome(found, problems).markdown())
    context.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
