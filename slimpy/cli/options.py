"""The options that say how an image is to be probed, shared by every verb that runs one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from slimpy.errors import ProbeFileError, UsageError
from slimpy.settings import ProbeFlags

if TYPE_CHECKING:
    from probes.model import Plan

FilePath = click.Path(path_type=Path)
_OPTIONS = (
    click.option(
        "--probe-file", type=FilePath, metavar="FILE", help="YAML or TOML file of probes."
    ),
    click.option(
        "--http", multiple=True, metavar="'GET /path'", help="One more HTTP call; repeatable."
    ),
    click.option(
        "--exec",
        "commands",
        multiple=True,
        metavar="CMD",
        help="Run CMD inside the container; repeatable.",
    ),
    click.option(
        "--run",
        "runs",
        multiple=True,
        metavar="ARGS",
        help="Run a command-line image with ARGS; repeatable.",
    ),
    click.option(
        "--port",
        "ports",
        multiple=True,
        type=click.IntRange(1, 65535),
        help="TCP port to probe; repeatable.",
    ),
    click.option(
        "--env",
        "variables",
        multiple=True,
        metavar="NAME=VALUE",
        help="For the probed runs only; never packed.",
    ),
    click.option(
        "--network",
        metavar="NAME",
        help="The engine's network that the probed runs join; also `host` and `none`.",
    ),
    click.option("--ready", metavar="/path", help="Ready once this path answers below 500."),
    click.option(
        "--ready-timeout",
        type=click.FloatRange(1, 3600),
        metavar="SECONDS",
        help="How long to wait for it.  [default: 60]",
    ),
    click.option(
        "--crawl/--no-crawl", default=None, help="Follow links of the start page.  [default: crawl]"
    ),
    click.option(
        "--crawl-depth",
        type=click.IntRange(0, 20),
        metavar="N",
        help="How many links deep.  [default: 2]",
    ),
    click.option(
        "--crawl-pages",
        type=click.IntRange(1, 10000),
        metavar="N",
        help="At most N pages.  [default: 50]",
    ),
)


def probe_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a verb the options above; it receives one ``flags`` value for all of them."""

    def collected(**given: Any) -> Any:
        names = ProbeFlags.__dataclass_fields__
        flags = ProbeFlags(**{name: given.pop(name) for name in names})
        return command(flags=flags, **given)

    collected.__doc__ = command.__doc__
    collected.__dict__.update(command.__dict__)
    wrapped: Callable[..., Any] = collected
    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return wrapped


def plan_of(flags: ProbeFlags) -> Plan:
    """The plan: the probe file's, and the flags on top.

    Raises:
        ProbeFileError: the file has an error; the message names line and key.
        UsageError: a flag has.
    """
    return _with_limits(
        _with_settings(_with_calls(_from_file(flags.probe_file), flags), flags), flags
    )


def _from_file(file: Path | None) -> Plan:
    from probes import planfile
    from probes.errors import PlanError
    from probes.model import Plan

    try:
        return planfile.load(file) if file else Plan()
    except PlanError as error:
        raise ProbeFileError(error.message, hint=error.hint) from error


def _with_calls(plan: Plan, flags: ProbeFlags) -> Plan:
    from probes import shorthand
    from probes.errors import PlanError

    try:
        return replace(
            plan,
            http=(*plan.http, *map(shorthand.parse_http, flags.http)),
            commands=(*plan.commands, *map(shorthand.parse_exec, flags.commands)),
            runs=(*plan.runs, *map(shorthand.parse_run, flags.runs)),
        )
    except PlanError as error:
        raise UsageError(error.message, hint=error.hint) from error


def _with_settings(plan: Plan, flags: ProbeFlags) -> Plan:
    from probes.planparts import is_network

    environment = dict(plan.environment)
    for item in flags.variables:
        name, equals, value = item.partition("=")
        if not name or not equals:
            message = f"--env takes NAME=VALUE, not {item!r}."
            raise UsageError(message)
        environment[name] = value
    if flags.ready is not None and not flags.ready.startswith("/"):
        message = f"--ready takes a path such as /health, not {flags.ready!r}."
        raise UsageError(message)
    network = plan.network if flags.network is None else flags.network
    if network and not is_network(network):
        message = f"--network takes the name of a network, not {network!r}."
        raise UsageError(message)
    waits = replace(
        plan.ready,
        path=flags.ready or plan.ready.path,
        timeout=flags.ready_timeout or plan.ready.timeout,
    )
    return replace(
        plan,
        ports=(*plan.ports, *flags.ports),
        environment=environment,
        network=network,
        ready=waits,
    )


def _with_limits(plan: Plan, flags: ProbeFlags) -> Plan:
    crawl = plan.crawl
    limits = replace(
        crawl,
        enabled=crawl.enabled if flags.crawl is None else flags.crawl,
        depth=crawl.depth if flags.crawl_depth is None else flags.crawl_depth,
        pages=crawl.pages if flags.crawl_pages is None else flags.crawl_pages,
    )
    return replace(plan, crawl=limits)
