"""`slim restore WHAT...`."""

from __future__ import annotations

import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from slimpy.cli.ending import errors_as_json
from slimpy.cli.engines import engine_for, engine_option, registry_options
from slimpy.cli.goals import goal_of
from slimpy.cli.options import FilePath, plan_of, probe_options
from slimpy.engine.choice import EngineName
from slimpy.errors import UsageError, VerificationError
from slimpy.settings import BuildOptions, ProbeFlags

if TYPE_CHECKING:
    from slimpy.image.registry.access import Access
    from slimpy.report.buildfile import SavedBuild
    from slimpy.report.restoring import Returned
    from slimpy.report.schema import Report
    from slimpy.traces import SavedTrace

_MOST_SHOWN = 8


@click.command("restore")
@click.argument("what", nargs=-1, required=True, metavar="WHAT...")
@click.option(
    "--report",
    type=FilePath,
    metavar="DIR",
    help="The report directory of the build.  [default: the only one in slim-report]",
)
@click.option(
    "-t", "--tag", metavar="OUT", help="Name of the new slim image.  [default: the build's]"
)
@click.option(
    "-o",
    "--output",
    "outputs",
    multiple=True,
    metavar="DEST",
    help="Write it there, as for build; repeatable.  [default: the build's]",
)
@click.option("--push", is_flag=True, help="Push OUT to its registry: --output docker://OUT.")
@engine_option
@registry_options
@probe_options
@click.option(
    "--report-dir",
    type=FilePath,
    metavar="DIR",
    help="Where the new report goes.  [default: it replaces the build's]",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print the report as JSON on standard output."
)
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
def command(
    what: tuple[str, ...],
    report: Path | None,
    tag: str | None,
    outputs: tuple[str, ...],
    push: bool,
    engine: EngineName | None,
    access: Access,
    flags: ProbeFlags,
    report_dir: Path | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Build again with WHAT was removed back in, and what that needs; nothing is traced again.

    WHAT is a path or a pattern, '/usr/lib/**/*.so', or the name of a package or program. The new
    image is proven like every other: the original is asked once more, untraced, and both must
    answer the same. A later restore keeps what an earlier one brought back.
    """
    from slimpy import traces
    from slimpy.report import buildfile, inventories, keepfile, restoring

    with errors_as_json(as_json):
        directory = report or keepfile.only(Path("slim-report"))
        before = keepfile.load(directory)
        saved = buildfile.load(directory)
        wishes = restoring.wanted(before, inventories.load(directory), what)
        asked = _with_saved(flags, saved)
        goal = goal_of(saved.reference, tag, outputs, push=push)
        same = not (tag or outputs or push)
        options = BuildOptions(
            reference=saved.reference,
            tag=saved.tag if same else goal.tag,
            named=saved.named if same else goal.named,
            platform=saved.platform,
            outputs=saved.outputs if same else goal.outputs,
            store=saved.store if same else goal.store,
            plan=plan_of(asked),
            flags=asked,
            wishes=saved.wishes.and_also(wishes),
            level=saved.level,
            disabled=frozenset(saved.disabled),
            margin=saved.margin,
            repair=saved.repair,
            root=saved.root,
            package_db=saved.package_db,
            report_directory=report_dir or directory,
        )
        trace = traces.load(directory / buildfile.TRACE)
        made = _run(options, saved, trace, engine, access, quiet=quiet)
        back = restoring.returned(before, keepfile.load(options.report_directory))
    _print(made, back, as_json=as_json)
    return 0 if made.slimmed else VerificationError.exit_code


def _with_saved(flags: ProbeFlags, saved: SavedBuild) -> ProbeFlags:
    """The probes of the build, but for what is given now.

    Raises:
        UsageError: the build had calls or variables that were not saved, and none are given.
    """
    if saved.private and not (flags.http or flags.commands or flags.runs or flags.variables):
        message = f"The build was proven with {', '.join(saved.private)}, which are not saved."
        hint = "Give them again: they may be private, so a report does not hold them."
        raise UsageError(message, hint=hint)
    known = replace(saved.flags, probe_file=Path(saved.probe_file) if saved.probe_file else None)
    given = {
        item.name: value
        for item in fields(ProbeFlags)
        if (value := getattr(flags, item.name)) not in (None, ())
    }
    return replace(known, **given)


def _run(
    options: BuildOptions,
    saved: SavedBuild,
    trace: SavedTrace,
    engine: EngineName | None,
    access: Access,
    *,
    quiet: bool,
) -> Report:
    from slimpy.cli.progress import shown
    from slimpy.pipeline import restore
    from slimpy.report.buildfile import missing

    known = missing(saved)
    with shown(quiet=quiet) as progress, engine_for(engine, options.reference) as connected:
        return restore(connected, options, trace, known, progress, access=access)


def _print(report: Report, back: Returned, *, as_json: bool) -> None:
    from slimpy.model import display
    from slimpy.report import text
    from slimpy.report.schema import encode

    if as_json:
        click.echo(encode(report), nl=False)
        return
    text.show(report, colour=sys.stdout.isatty())
    packages = f", of {', '.join(map(display, back.packages))}" if back.packages else ""
    click.echo(f"brought back: {len(back.paths):,} paths, {text.size_text(back.bytes)}{packages}")
    for path in back.paths[:_MOST_SHOWN]:
        click.echo(f"  {display(path)}")
    if len(back.paths) > _MOST_SHOWN:
        click.echo(f"  and {len(back.paths) - _MOST_SHOWN:,} more")
