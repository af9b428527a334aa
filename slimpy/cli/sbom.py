"""`slim sbom IMAGE|REPORT`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from slimpy.cli.engines import engine_for, engine_option, registry_options
from slimpy.cli.names import IMAGE
from slimpy.cli.options import FilePath
from slimpy.engine.choice import EngineName

if TYPE_CHECKING:
    from slimpy.image.registry.access import Access
    from slimpy.sbom.components import Inventory

_FORMS = ("cyclonedx", "spdx")


@click.command("sbom")
@click.argument("image", type=IMAGE, metavar="IMAGE|REPORT")
@click.option(
    "--format",
    "form",
    type=click.Choice(_FORMS),
    default=_FORMS[0],
    show_default=True,
    help="CycloneDX 1.6 or SPDX 2.3, both in JSON.",
)
@click.option("--slim", is_flag=True, help="Of a report: the slim image's, not the original's.")
@click.option("-o", "--output", type=FilePath, metavar="FILE", help="Write it there.")
@engine_option
@registry_options
def command(
    image: str,
    form: str,
    slim: bool,
    output: Path | None,
    engine: EngineName | None,
    access: Access,
) -> None:
    """List the packages in an image: the distribution's, and those of languages.

    IMAGE is a name as for build; nothing of it is run. REPORT is the directory of a build, whose
    list also says what became of each package: kept, partly, removed, or unknown.
    """
    from slimpy.report.inventories import write
    from slimpy.sbom import cyclonedx, spdx

    found = inventory(image, engine, access, slim=slim)
    text = (spdx if form == "spdx" else cyclonedx).encode(found)
    if output is not None:
        write(output, text)
    for warning in found.warnings:
        click.echo(f"warning: {warning}", err=True)
    if output is None:
        click.echo(text, nl=False)
    elif sys.stderr.isatty():
        click.echo(f"{len(found.components):,} packages", err=True)


def inventory(
    image: str, engine: EngineName | None, access: Access, *, slim: bool = False
) -> Inventory:
    """The packages of an image, or those of a report.

    Raises:
        SlimError: it cannot be read.
    """
    from slimpy.errors import UsageError
    from slimpy.inventory import inventory_of
    from slimpy.report.inventories import load
    from slimpy.report.schema import FILE
    from slimpy.sbom.cyclonedx import FAT, SLIM

    if (Path(image) / FILE).is_file():
        return load(Path(image), SLIM if slim else FAT)
    if slim:
        message = f"{image} is no report directory, so it has no slim image."
        raise UsageError(message, hint="Name the report's directory, or the slim image itself.")
    with engine_for(engine, image) as connected:
        return inventory_of(connected, image, access)
