"""`slim harden check IMAGE --profile DIR`."""

from __future__ import annotations

from pathlib import Path

import click

from slimpy.cli.engines import access_of, engine_for, engine_option
from slimpy.cli.names import IMAGE
from slimpy.cli.options import FilePath, plan_of, probe_options
from slimpy.engine.choice import EngineName
from slimpy.errors import VerificationError
from slimpy.model import Sameness, display
from slimpy.settings import ProbeFlags


@click.group("harden")
def command() -> None:
    """Work with hardening bundles."""


@command.command("check")
@click.argument("image", type=IMAGE)
@click.option(
    "--profile",
    "directory",
    type=FilePath,
    required=True,
    metavar="DIR",
    help="A bundle: the hardening directory of a report.",
)
@probe_options
@engine_option
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
def check(
    image: str, directory: Path, flags: ProbeFlags, engine: EngineName | None, quiet: bool
) -> int:
    """Start IMAGE under a bundle, run the probes, and say what was refused."""
    from slimpy.cli.progress import shown
    from slimpy.pipeline import check as run
    from slimpy.verify.bundles import load

    confinement = load(directory)
    plan = plan_of(flags)
    with shown(quiet=quiet) as progress, engine_for(engine, image) as connected:
        checked = run(connected, image, plan, confinement, progress, access=access_of())
    click.echo(f"{checked.same} of {len(checked.comparisons)} answers are the same")
    for item in checked.comparisons:
        if item.sameness is not Sameness.SAME:
            why = "; ".join(item.differences) or item.slim
            click.echo(f"  {display(item.name)}: {display(why)}")
    for line in checked.refused:
        click.echo(f"  {display(line)}")
    return 0 if checked.passed else VerificationError.exit_code
