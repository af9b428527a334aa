"""`python -m benchmarks [NAME...]`: Markdown on standard output, JSON with --json FILE."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click
import msgspec

from benchmarks import (
    embedded,
    levels,
    overhead,
    registry,
    report_html,
    samples,
    size,
    startup,
    tracing,
)
from benchmarks.outcome import Machine, Outcome, document
from benchmarks.rounds import Settings, tell

BENCHMARKS: dict[str, Callable[[Settings], Outcome]] = {
    "startup": startup.measure,
    "report_html": report_html.measure,
    "tracing": tracing.measure,
    "overhead": overhead.measure,
    "size": size.measure,
    "levels": levels.measure,
    "samples": samples.measure,
    "registry": registry.measure,
    "embedded": embedded.measure,
}
"""Name -> benchmark, in the order in which they run."""


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.argument("names", nargs=-1, type=click.Choice(list(BENCHMARKS)))
@click.option("--quick", is_flag=True, help="Fewer rounds: rough figures, soon.")
@click.option("--keep", is_flag=True, help="Leave the images that were made.")
@click.option("--json", "file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Write the figures as JSON, too.")  # fmt: skip
def main(names: tuple[str, ...], quick: bool, keep: bool, file: Path | None) -> None:
    """Measure slimpy on this machine; without NAMES everything.

    All ratios are against a baseline of the same run. Needs a Docker Engine; the images of the
    sample apps are built where they are missing.
    """
    settings = Settings(quick=quick, keep=keep)
    before = Machine.now()
    click.echo(f"Measured on {before}.")
    outcomes: dict[str, Outcome] = {}
    for name in names or BENCHMARKS:
        tell(f"{name}:")
        outcomes[name] = BENCHMARKS[name](settings)
        click.echo(f"\n## {name}\n\n{outcomes[name].markdown()}")
    after = Machine.now()
    click.echo("\nLoad average at the end: " + " ".join(f"{value:.1f}" for value in after.load))
    if file is not None:
        data = msgspec.json.encode(document(outcomes, before, after))
        file.write_bytes(msgspec.json.format(data, indent=2) + b"\n")


main()
