"""`slim why PATH...`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from slimpy.cli.ending import errors_as_json

if TYPE_CHECKING:
    from slimpy.report.whys import Why


@click.command("why")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option(
    "--report",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="The report directory of a build.  [default: the only one in slim-report]",
)
@click.option(
    "--tree/--no-tree", default=None, help="Show reasons as a tree.  [default: on a terminal]"
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(paths: tuple[str, ...], report: Path | None, tree: bool | None, as_json: bool) -> None:
    """Say why a PATH of the original image was kept or removed, and what would change it.

    PATH may be a pattern, '/usr/lib/**/*.so' or '*.pyc': then each match is told in one line.
    """
    with errors_as_json(as_json):
        from slimpy.report import keepfile, whys

        loaded = keepfile.load(report or keepfile.only(Path("slim-report")))
        found = tuple(dict.fromkeys(each for path in paths for each in whys.found(loaded, path)))
    if as_json:
        click.echo(whys.encode(tuple(whys.why(loaded, path) for path in found)), nl=False)
    elif len(found) > 1:
        _list(tuple(whys.why(loaded, path) for path in found))
    elif sys.stdout.isatty() if tree is None else tree:
        from rich.console import Console

        console = Console(file=sys.stdout, highlight=False)
        console.print(whys.renderable(whys.why(loaded, found[0])))
    else:
        for line in whys.lines(loaded, found[0]):
            click.echo(line)


def _list(items: tuple[Why, ...]) -> None:
    from slimpy.report import whys

    for item in items:
        click.echo(whys.brief(item))
    kept = sum(item.state in ("kept", "name-only") for item in items)
    click.echo(f"{len(items):,} paths, {kept:,} of them kept")
