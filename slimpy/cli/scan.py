"""`slim scan IMAGE|REPORT`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from slimpy.cli.ending import errors_as_json
from slimpy.cli.engines import engine_option, registry_options
from slimpy.cli.names import IMAGE
from slimpy.cli.options import FilePath
from slimpy.cli.sbom import inventory
from slimpy.engine.choice import EngineName
from slimpy.errors import ThresholdError, UsageError

if TYPE_CHECKING:
    from slimpy.image.registry.access import Access
    from slimpy.sbom.components import Inventory
    from slimpy.scan.known import Known
    from slimpy.scan.result import Scan

_BOUNDS = ("critical", "high", "medium", "low", "negligible", "unknown")


@click.command("scan")
@click.argument("image", type=IMAGE, metavar="IMAGE|REPORT")
@click.option(
    "--osv", type=FilePath, metavar="DIR", help="OSV records: JSON files, or zip archives of them."
)
@click.option("--grype", type=FilePath, metavar="FILE", help="A report of grype -o json.")
@click.option("--trivy", type=FilePath, metavar="FILE", help="A report of trivy image -f json.")
@click.option(
    "--debian-security",
    "tracker",
    type=FilePath,
    metavar="FILE",
    help="The JSON file of Debian's security tracker.",
)
@click.option(
    "--fail-on",
    type=click.Choice(_BOUNDS),
    help="End with 21 if a vulnerability as grave is left; `unknown`: or anything is not known.",
)
@click.option("--all", "everything", is_flag=True, help="List every vulnerability that is left.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@engine_option
@registry_options
def command(
    image: str,
    osv: Path | None,
    grype: Path | None,
    trivy: Path | None,
    tracker: Path | None,
    fail_on: str | None,
    everything: bool,
    as_json: bool,
    engine: EngineName | None,
    access: Access,
) -> None:
    """Count known vulnerabilities, by data that you give; nothing is asked of the network.

    For REPORT, the directory of a build, it says which went with what was removed, and which are
    still there. Reports of Grype and Trivy have to be those of the original image.
    """
    with errors_as_json(as_json):
        from slimpy.scan import result

        if not any((osv, grype, trivy, tracker)):
            message = "There is nothing to hold the packages to."
            raise UsageError(message, hint="Give --osv, --grype, --trivy or --debian-security.")
        found = inventory(image, engine, access)
        scan = result.scanned(found, _known(found, osv, grype, trivy, tracker))
    if as_json:
        click.echo(result.encode(scan), nl=False)
    else:
        from slimpy.scan import text

        for line in text.lines(scan, everything=everything):
            click.echo(line)
    if fail_on is not None:
        _judge(scan, fail_on)


def _known(
    found: Inventory,
    osv: Path | None,
    grype: Path | None,
    trivy: Path | None,
    tracker: Path | None,
) -> Iterator[Known]:
    from slimpy.scan import osv as osv_records
    from slimpy.scan import scanners
    from slimpy.scan import tracker as debian

    if osv is not None:
        yield osv_records.known(osv, found)
    if grype is not None:
        yield scanners.grype(grype, found)
    if trivy is not None:
        yield scanners.trivy(trivy, found)
    if tracker is not None:
        yield debian.known(tracker, found)


def _judge(scan: Scan, bound: str) -> None:
    """End with an error if the bound is broken.

    Raises:
        ThresholdError: it is.
    """
    from slimpy.scan.known import Severity

    left = scan.left(Severity(bound))
    unknown = [item for item in scan.unjudged if item.left]
    if left:
        details = tuple(f"{item.id}: {item.severity.value}" for item in left[:20])
        word = "vulnerability is" if len(left) == 1 else "vulnerabilities are"
        message = f"{len(left):,} {word} left that --fail-on {bound} forbids."
        raise ThresholdError(message, details=details)
    if bound == "unknown" and unknown:
        count = sum(item.left for item in unknown)
        message = f"Nothing is known of {count:,} packages that are left."
        raise ThresholdError(message, hint="Give data for them, or name a severity.")
    if unknown:
        click.echo("note: what is not known could not break --fail-on", err=True)
