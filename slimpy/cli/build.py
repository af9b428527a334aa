"""`slim build IMAGE`."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from slimpy.cli import configuration
from slimpy.cli.ending import errors_as_json
from slimpy.cli.engines import engine_for, engine_option, registry_options
from slimpy.cli.goals import ALL, checked_platform, goal_of
from slimpy.cli.names import IMAGE
from slimpy.cli.options import FilePath, plan_of, probe_options
from slimpy.cli.wishes import wish_options
from slimpy.engine.choice import EngineName
from slimpy.errors import VerificationError
from slimpy.model import Level, Rule
from slimpy.settings import (
    BuildOptions,
    ProbeFlags,
    Wishes,
    default_report_directory,
)

if TYPE_CHECKING:
    from slimpy.image.registry.access import Access
    from slimpy.report.platforms import PlatformReports
    from slimpy.report.schema import Report

T = TypeVar("T")


@click.command("build")
@click.argument("image", type=IMAGE)
@click.option(
    "-t", "--tag", metavar="OUT", help="Name of the slim image.  [default: NAME.slim:TAG]"
)
@click.option(
    "-o",
    "--output",
    "outputs",
    multiple=True,
    metavar="DEST",
    help="Write the slim image there: docker-archive:FILE, oci-archive:FILE, oci:DIR[:TAG], "
    "docker://NAME, docker-daemon:NAME, podman:NAME; repeatable. The engine's own store then gets "
    "it only if --tag names it.",
)
@click.option("--push", is_flag=True, help="Push OUT to its registry: --output docker://OUT.")
@click.option(
    "--platform",
    default="",
    metavar="OS/ARCH",
    help="Which image of several, such as linux/arm64; `all` is each that can run here.",
)
@engine_option
@registry_options
@probe_options
@wish_options
@click.option(
    "--config",
    type=FilePath,
    metavar="FILE",
    help="Settings of the project.  [default: slimpy.toml, if there is one]",
)
@click.option(
    "--level",
    type=click.Choice([level.value for level in Level]),
    callback=lambda _context, _option, value: None if value is None else Level(value),
    help="How much to keep beyond what ran.  [default: balanced]",
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
@click.option(
    "--as-root", "root", is_flag=True, default=None, help="Do not switch to a non-root user."
)
@click.option(
    "--repair",
    type=click.IntRange(0, 5),
    metavar="N",
    help="Rounds in which what the slim image missed is added.  [default: 3]",
)
@click.option(
    "--package-db/--no-package-db",
    default=True,
    help="Ship a package database of what is kept, for scanners.  [default: ship]",
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
    outputs: tuple[str, ...],
    push: bool,
    platform: str,
    engine: EngineName | None,
    access: Access,
    flags: ProbeFlags,
    wishes: Wishes,
    config: Path | None,
    level: Level | None,
    repair: int | None,
    root: bool | None,
    report_dir: Path | None,
    as_json: bool,
    quiet: bool,
    **more: Any,
) -> int:
    """Make a small image that answers like the original.

    IMAGE is a name in the engine's store, or docker-archive:FILE[:NAME], oci:DIR[:TAG],
    oci-archive:FILE[:TAG], docker://NAME, docker-daemon:NAME, podman:NAME.

    IMAGE runs under a tracer while probes exercise it: what it touched, and what that needs,
    becomes the slim image. That image is run with the same probes under its own seccomp profile.
    It is tagged only if it answers the same.
    """
    with errors_as_json(as_json):
        project = configuration.load(config)
        flags = replace(flags, probe_file=flags.probe_file or project.probe_file)
        goal = goal_of(image, tag, outputs, push=push)
        options = BuildOptions(
            reference=image,
            tag=goal.tag,
            named=goal.named,
            platform=checked_platform(platform),
            outputs=goal.outputs,
            store=goal.store,
            plan=plan_of(flags),
            flags=flags,
            wishes=project.wishes.and_also(wishes),
            level=level or project.level or Level.BALANCED,
            repair=_first(repair, project.repair, 3),
            root=_first(root, project.root, False),
            report_directory=report_dir or default_report_directory(goal.name),
            **more,
        )
        report = _run(options, engine or project.engine, access, quiet=quiet)
    _print(report, as_json=as_json)
    return 0 if report.slimmed else VerificationError.exit_code


def _first(flag: T | None, setting: T | None, default: T) -> T:
    """A flag's value if it was given, else the project's, else the default."""
    given = flag if flag is not None else setting
    return default if given is None else given


def _run(
    options: BuildOptions, engine: EngineName | None, access: Access, *, quiet: bool
) -> Report | PlatformReports:
    from slimpy.cli.progress import shown
    from slimpy.multiarch import build_all
    from slimpy.pipeline import build

    work = build_all if options.platform == ALL else build
    with shown(quiet=quiet) as progress, engine_for(engine, options.reference) as connected:
        return work(connected, options, progress, access=access)


def _print(report: Report | PlatformReports, *, as_json: bool) -> None:
    from slimpy.report import text
    from slimpy.report.platforms import PlatformReports, encode_all, show_all
    from slimpy.report.schema import encode

    colour = sys.stdout.isatty()
    if isinstance(report, PlatformReports):
        if as_json:
            click.echo(encode_all(report))
        else:
            show_all(report, colour=colour)
    elif as_json:
        click.echo(encode(report))
    else:
        text.show(report, colour=colour)
