"""`slim build IMAGE`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from slimpy.cli.ending import errors_as_json
from slimpy.cli.options import FilePath, ProbeFlags, plan_of, probe_options
from slimpy.errors import VerificationError
from slimpy.model import Level, Rule
from slimpy.settings import (
    BuildOptions,
    checked_reference,
    checked_tag,
    default_report_directory,
    default_tag,
)

if TYPE_CHECKING:
    from slimpy.report.schema import Report


@click.command("build")
@click.argument("image")
@click.option(
    "-t", "--tag", metavar="OUT", help="Name of the slim image.  [default: NAME.slim:TAG]"
)
@probe_options
@click.option(
    "--include",
    "includes",
    multiple=True,
    metavar="GLOB",
    help="Keep these paths too; repeatable.",
)
@click.option(
    "--level",
    type=click.Choice([level.value for level in Level]),
    default=Level.BALANCED.value,
    show_default=True,
    callback=lambda _context, _option, value: Level(value),
    help="How much to keep beyond what ran.",
)
@click.option(
    "--disable-rule",
    "disabled",
    multiple=True,
    hidden=True,
    type=click.Choice([rule.value for rule in Rule]),
    callback=lambda _context, _option, values: frozenset(map(Rule, values)),
)
@click.option(
    "--trace",
    "traces",
    multiple=True,
    type=FilePath,
    metavar="FILE",
    help="Merge a trace saved by `slim trace`; repeatable.",
)
@click.option(
    "--seccomp-margin/--no-seccomp-margin",
    "margin",
    default=True,
    help="Also allow system calls that serve the same purpose as traced ones.  [default: allow]",
)
@click.option("--as-root", "root", is_flag=True, help="Do not switch to a non-root user.")
@click.option(
    "--repair",
    type=click.IntRange(0, 5),
    default=3,
    show_default=True,
    metavar="N",
    help="Rounds in which what the slim image missed is added.",
)
@click.option(
    "--keep-failed", is_flag=True, help="Tag the slim image even if it answers differently."
)
@click.option(
    "--pull/--no-pull", default=True, help="Pull the image if it is missing.  [default: pull]"
)
@click.option(
    "--report-dir",
    type=FilePath,
    metavar="DIR",
    help="Where the report goes.  [default: slim-report/NAME-TAG]",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print the report as JSON on standard output."
)
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
def command(
    image: str,
    tag: str | None,
    flags: ProbeFlags,
    report_dir: Path | None,
    as_json: bool,
    quiet: bool,
    **more: Any,
) -> int:
    """Make a small image that answers like the original.

    IMAGE runs under a tracer while probes exercise it: what it touched, and what that needs,
    becomes the slim image. That image is run with the same probes under its own seccomp profile.
    It is tagged only if it answers the same.
    """
    with errors_as_json(as_json):
        options = BuildOptions(
            reference=checked_reference(image),
            tag=checked_tag(default_tag(image) if tag is None else tag),
            named=tag is not None,
            plan=plan_of(flags),
            report_directory=report_dir or default_report_directory(image),
            **more,
        )
        report = _run(options, quiet=quiet)
    _print(report, as_json=as_json)
    return 0 if report.slimmed else VerificationError.exit_code


def _run(options: BuildOptions, *, quiet: bool) -> Report:
    from slimpy.cli.progress import LiveLine, sink
    from slimpy.engine.docker import DockerEngine
    from slimpy.pipeline import build

    progress = sink(quiet=quiet)
    try:
        engine = DockerEngine.connect()
        try:
            return build(engine, options, progress)
        finally:
            engine.close()
    finally:
        if isinstance(progress, LiveLine):
            progress.close()


def _print(report: Report, *, as_json: bool) -> None:
    from slimpy.report import text
    from slimpy.report.document import encode

    if as_json:
        click.echo(encode(report))
    else:
        text.show(report, colour=sys.stdout.isatty())
