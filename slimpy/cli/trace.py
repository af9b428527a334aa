"""`slim trace IMAGE`."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import click

from slimpy.cli.engines import access_of, engine_for, engine_option
from slimpy.cli.names import IMAGE
from slimpy.cli.options import FilePath, plan_of, probe_options
from slimpy.engine.choice import EngineName
from slimpy.errors import ProbeFailedError, UsageError
from slimpy.settings import ProbeFlags, default_trace_file

HOST_COMMAND_SECONDS = 3600.0


@click.command("trace", context_settings={"ignore_unknown_options": False})
@click.argument("image", type=IMAGE)
@click.argument("host_command", nargs=-1, metavar="[-- COMMAND...]", type=click.UNPROCESSED)
@probe_options
@engine_option
@click.option("-o", "--output", type=FilePath, metavar="FILE", help="[default: NAME-TAG.trace]")
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
def command(
    image: str,
    host_command: tuple[str, ...],
    flags: ProbeFlags,
    output: Path | None,
    engine: EngineName | None,
    quiet: bool,
) -> None:
    """Save what a run of IMAGE shows, for later builds: slim build IMAGE --trace FILE.

    COMMAND, such as `pytest tests/integration`, runs here while the app is traced. It finds the
    app at SLIM_URL (http://HOST:PORT), SLIM_HOST and SLIM_PORT, and each port of the container at
    SLIM_PORT_<port>. It must succeed.
    """
    from slimpy import traces
    from slimpy.cli.progress import shown
    from slimpy.image.references import parse
    from slimpy.pipeline import trace

    plan = plan_of(flags)
    file = output or default_trace_file(parse(image).suggested)
    traces.check_writable(file)
    if host_command and shutil.which(host_command[0]) is None:
        message = f"There is no program {host_command[0]!r} here to run beside the app."
        raise UsageError(message)

    with shown(quiet=quiet) as progress, engine_for(engine, image) as connected:

        def accompany(addresses: Mapping[int, tuple[str, int]]) -> None:
            progress.pause()
            _run(host_command, addresses)

        found, seen = trace(
            connected,
            image,
            plan,
            progress,
            accompany=accompany if host_command else None,
            access=access_of(),
        )
    traces.save(seen, found, file)
    click.echo(f"{file}: {len(seen.activity.events):,} events; use it with --trace {file}")


def _run(argv: tuple[str, ...], addresses: Mapping[int, tuple[str, int]]) -> None:
    from slimpy import proc

    environment = dict(os.environ)
    for number, (port, (host, published)) in enumerate(addresses.items()):
        environment[f"SLIM_PORT_{port}"] = str(published)
        if number == 0:
            environment["SLIM_HOST"], environment["SLIM_PORT"] = host, str(published)
            environment["SLIM_URL"] = f"http://{host}:{published}"
    code = proc.accompany(argv, environment=environment, timeout=HOST_COMMAND_SECONDS)
    if code != 0:
        message = f"The command {argv[0]} ended with exit code {code}, so no trace was saved."
        raise ProbeFailedError(message, hint="Mend it first: a trace of failing tests misleads.")
