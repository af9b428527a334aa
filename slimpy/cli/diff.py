"""`slim diff A B`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from slimpy.cli.ending import errors_as_json
from slimpy.cli.engines import engine_for, engine_option, registry_options
from slimpy.cli.names import IMAGE
from slimpy.engine.choice import EngineName
from slimpy.errors import FOUND, UsageError

if TYPE_CHECKING:
    from slimpy.image.registry.access import Access
    from slimpy.report.difference import Side


@click.command("diff")
@click.argument("first", type=IMAGE, metavar="A")
@click.argument("second", type=IMAGE, metavar="B")
@engine_option
@registry_options
@click.option("--all", "everything", is_flag=True, help="Show every change.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document with every change.")
def command(
    first: str,
    second: str,
    engine: EngineName | None,
    access: Access,
    everything: bool,
    as_json: bool,
) -> int:
    """Say what is different between two images, or two reports.

    A and B are two images, as for build, or the report directories of two builds. It ends with 1
    if they differ. Contents of files are not compared, only what is known of them: type, mode,
    owner, size.
    """
    with errors_as_json(as_json):
        from slimpy.report import difference

        reports = [_is_report(name) for name in (first, second)]
        if reports[0] != reports[1]:
            message = "An image cannot be compared with a report."
            raise UsageError(message, hint="Name two images, or two report directories.")
        if reports[0]:
            sides = [_report(name) for name in (first, second)]
        else:
            sides = [_image(name, engine, access) for name in (first, second)]
        found = difference.compare(sides[0], sides[1])
    if as_json:
        click.echo(difference.encode(found), nl=False)
    else:
        difference.show(found, everything=everything)
    return 0 if found.same else FOUND


def _is_report(name: str) -> bool:
    from slimpy.report.schema import FILE

    return (Path(name) / FILE).is_file()


def _report(name: str) -> Side:
    from slimpy.report import difference, keepfile

    return difference.of_report(keepfile.load(Path(name)), name)


def _image(name: str, engine: EngineName | None, access: Access) -> Side:
    from slimpy.comparing import side_of

    with engine_for(engine, name) as connected:
        return side_of(connected, name, access)
