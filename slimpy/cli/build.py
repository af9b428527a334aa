"""`slim build IMAGE`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from slimpy.cli.options import FilePath, ProbeFlags, plan_of, probe_options
from slimpy.errors import SlimError, VerificationError
from slimpy.model import Level, Rule
from slimpy.settings import BuildOptions, checked_tag, default_report_directory, default_tag


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
    options = BuildOptions(
        reference=image,
        tag=checked_tag(tag or default_tag(image)),
        named=tag is not None,
        plan=plan_of(flags),
        report_directory=report_dir or default_report_directory(image),
        **more,
    )
    return _run(options, as_json=as_json, quiet=quiet)


def _run(options: BuildOptions, *, as_json: bool, quiet: bool) -> int:
    from slimpy.cli.progress import LiveLine, sink
    from slimpy.engine.docker import DockerEngine
    from slimpy.pipeline import build
    from slimpy.report import text

    progress = sink(quiet=quiet)
    try:
        engine = DockerEngine.connect()
        try:
            report = build(engine, options, progress)
        finally:
            engine.close()
    except SlimError as error:
        if as_json:
            _print_error(error)
        raise
    finally:
        if isinstance(progress, LiveLine):
            progress.close()
    if as_json:
        from slimpy.report.document import encode

        click.echo(encode(report))
    else:
        text.show(report, colour=sys.stdout.isatty())
    return 0 if report.status == "slimmed" else VerificationError.exit_code


def _print_error(error: SlimError) -> None:
    import json

    from slimpy.model import display

    document = {
        "schema": "slimpy-error",
        "version": 1,
        "exit_code": error.exit_code,
        "message": display(error.message),
        "hint": error.hint,
        "details": [display(line) for line in error.details],
    }
    click.echo(json.dumps(document, indent=2))
