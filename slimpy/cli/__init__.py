"""The command line: the only place that prints and exits. One file per verb."""

from __future__ import annotations

import importlib
import sys
from typing import Any, NoReturn

import click

from slimpy.cli import ending
from slimpy.errors import UNREAD

VERBS = {
    "build": "Make a small image that answers like the original.",
    "trace": "Save what a run shows, for later builds; your own tests can be the probes.",
    "profile": "Write a proven hardening bundle for an image as it is.",
    "harden": "Check an image under a hardening bundle.",
    "why": "Say why a path was kept or removed.",
    "restore": "Bring removed paths or packages back, without tracing again.",
    "diff": "Say what is different between two images, or two reports.",
    "xray": "Say what is in an image, layer by layer, and who put it there.",
    "sbom": "List the packages in an image, or those before and after a build.",
    "scan": "Count known vulnerabilities before and after, from your own data.",
    "lint": "Advise on Dockerfiles: what a traced run cannot see.",
    "cache": "Show or clear the images that the embedded engine keeps.",
    "doctor": "Tell which engines work here, and how to get the others.",
    "completion": "Print the completion script of a shell.",
}
"""Verb -> what it is for. Each lives in a module of its own, imported only when it is used."""


class Verbs(click.Group):
    """A group whose commands are imported late, so that --help answers at once."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs, in the order of their use."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of a verb."""
        if cmd_name not in VERBS:
            return None
        command = importlib.import_module(f"slimpy.cli.{cmd_name}").command
        assert isinstance(command, click.Command)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run the verb; click itself would end with 1 where nobody reads the output any more."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise click.exceptions.Exit(UNREAD) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))


def _version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from slimpy import __version__

        click.echo(f"slim {__version__}")
        ctx.exit()


@click.group(
    cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_version,
    help="Show the version and exit.",
)
def program() -> None:
    """Make container images small, and prove that they still work.

    \b
    slim build myapp:1.0              probe it, slim it, prove it: myapp.slim:1.0
    slim why /usr/bin/python3         why that file was kept
    """


def main() -> NoReturn:
    """Run the program; every foreseen failure is one clear message and its own exit code."""
    sys.exit(ending.run(lambda: program.main(standalone_mode=False, prog_name="slim")))
