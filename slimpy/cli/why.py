"""`slim why PATH`."""

from __future__ import annotations

from pathlib import Path

import click

from slimpy.errors import ReportError


@click.command("why")
@click.argument("path")
@click.option(
    "--report",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="The report directory of a build.  [default: the only one in slim-report]",
)
def command(path: str, report: Path | None) -> None:
    """Say why a PATH of the original image was kept or removed."""
    from slimpy.report import keepfile

    loaded = keepfile.load(report or _only_report(Path("slim-report")))
    for line in loaded.why(path):
        click.echo(line)


def _only_report(top: Path) -> Path:
    found = sorted(file.parent for file in top.glob("*/report.json")) if top.is_dir() else []
    if len(found) == 1:
        return found[0]
    message = f"There are {len(found)} reports below {top}; which one is meant?"
    raise ReportError(message, hint="Name it: slim why PATH --report DIR")
