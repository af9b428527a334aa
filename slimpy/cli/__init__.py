"""The command line: the only place that prints and exits. One file per verb."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from types import FrameType
from typing import NoReturn

import click

from slimpy.errors import INTERRUPTED, SlimError

VERBS = {
    "build": "Make a small image that answers like the original.",
    "why": "Say why a path was kept or removed.",
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
    """Make container images 10-30 times smaller, and prove that they still work.

    \b
    slim build myapp:1.0              probe it, slim it, prove it: myapp.slim:1.0
    slim why /usr/bin/python3         why that file was kept
    """


def main() -> NoReturn:
    """Run the program; every foreseen failure is one clear message and its own exit code."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        code = program.main(standalone_mode=False, prog_name="slim")
        status = code if isinstance(code, int) else 0
    except SlimError as error:
        status = _failed(error)
    except click.Abort:
        status = INTERRUPTED
        click.echo("\nslim: Interrupted; everything that slimpy had created was removed.", err=True)
    except KeyboardInterrupt:
        status = INTERRUPTED
        click.echo("\nslim: Interrupted; everything that slimpy had created was removed.", err=True)
    except click.ClickException as error:
        error.show()
        status = error.exit_code
    except BrokenPipeError:
        sys.stderr.close()
        status = 1
    except Exception as error:
        if os.environ.get("SLIMPY_DEBUG"):
            raise
        click.echo(
            f"slim: Internal error, a bug in slimpy: {type(error).__name__}: {error}", err=True
        )
        click.echo("  Run it again with SLIMPY_DEBUG=1 and report the traceback.", err=True)
        status = SlimError.exit_code
    sys.exit(status)


def _failed(error: SlimError) -> int:
    from slimpy.model import display

    click.echo(f"slim: {display(error.message)}", err=True)
    for line in error.details:
        click.echo(f"  | {display(line)}", err=True)
    if error.hint:
        click.echo(f"  {display(error.hint)}", err=True)
    return error.exit_code


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
