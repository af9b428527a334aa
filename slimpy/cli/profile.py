"""`slim profile IMAGE`."""

from __future__ import annotations

from pathlib import Path

import click

from slimpy.cli.engines import access_of, engine_for, engine_option
from slimpy.cli.names import IMAGE
from slimpy.cli.options import FilePath, plan_of, probe_options
from slimpy.engine.choice import EngineName
from slimpy.errors import VerificationError
from slimpy.model import display
from slimpy.settings import BuildOptions, ProbeFlags, default_report_directory


@click.command("profile")
@click.argument("image", type=IMAGE)
@probe_options
@engine_option
@click.option(
    "--seccomp-margin/--no-seccomp-margin",
    "margin",
    default=True,
    help="Also allow system calls that serve the same purpose as traced ones.  [default: allow]",
)
@click.option(
    "--repair",
    type=click.IntRange(0, 5),
    default=3,
    show_default=True,
    metavar="N",
    help="Rounds in which what was refused is allowed.",
)
@click.option(
    "--report-dir",
    type=FilePath,
    metavar="DIR",
    help="The bundle goes to DIR/hardening.  [default: slim-report/NAME-TAG.profile]",
)
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
def command(
    image: str,
    flags: ProbeFlags,
    margin: bool,
    repair: int,
    report_dir: Path | None,
    engine: EngineName | None,
    quiet: bool,
) -> int:
    """Write a proven hardening bundle for IMAGE as it is, without making a slim image."""
    from slimpy.cli.progress import shown
    from slimpy.harden.forms.bundle import bundle
    from slimpy.image.references import parse
    from slimpy.pipeline import profile
    from slimpy.report.files import check_writable, write_forms

    name = parse(image).suggested
    own = default_report_directory(name)  # a build's report is in that
    directory = report_dir or own.with_name(f"{own.name}.profile")
    options = BuildOptions(
        reference=image,
        tag=name,
        report_directory=directory,
        plan=plan_of(flags),
        margin=margin,
        repair=repair,
    )
    check_writable(directory)
    with shown(quiet=quiet) as progress, engine_for(engine, image) as connected:
        attempt = profile(connected, options, progress, access=access_of())
    write_forms(bundle(attempt.hardening), directory)
    verdict = attempt.verdict
    click.echo(f"{directory / 'hardening'}: {verdict.same} of {len(verdict.comparisons)} the same")
    for line in (*attempt.candidate.widened, *attempt.hardening.shortfalls()):
        click.echo(f"  {display(line)}")
    return 0 if verdict.passed else VerificationError.exit_code
