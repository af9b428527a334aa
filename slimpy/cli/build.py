"""`slim build IMAGE`."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from slimpy.errors import ProbeFileError, SlimError, UsageError, VerificationError
from slimpy.settings import BuildOptions, checked_tag, default_report_directory, default_tag

if TYPE_CHECKING:
    from probes.model import Plan


@click.command("build")
@click.argument("image")
@click.option(
    "-t", "--tag", metavar="OUT", help="Name of the slim image.  [default: NAME.slim:TAG]"
)
@click.option(
    "--probe-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="YAML or TOML file of probes.",
)
@click.option(
    "--http", multiple=True, metavar="'GET /path'", help="One more HTTP call; repeatable."
)
@click.option(
    "--exec",
    "commands",
    multiple=True,
    metavar="CMD",
    help="Run CMD inside the container; repeatable.",
)
@click.option(
    "--run",
    "runs",
    multiple=True,
    metavar="ARGS",
    help="Run a command-line image with ARGS; repeatable.",
)
@click.option(
    "--port",
    "ports",
    multiple=True,
    type=click.IntRange(1, 65535),
    help="TCP port to probe; repeatable.",
)
@click.option(
    "--env",
    "variables",
    multiple=True,
    metavar="NAME=VALUE",
    help="For the probed runs only; never packed.",
)
@click.option("--ready", metavar="/path", help="The app is ready once this path answers below 500.")
@click.option(
    "--ready-timeout",
    type=click.FloatRange(1, 3600),
    metavar="SECONDS",
    help="How long to wait for it.",
)
@click.option(
    "--crawl/--no-crawl", default=None, help="Follow links of the start page.  [default: crawl]"
)
@click.option(
    "--crawl-depth",
    type=click.IntRange(0, 20),
    metavar="N",
    help="How many links deep.  [default: 2]",
)
@click.option(
    "--crawl-pages",
    type=click.IntRange(1, 10000),
    metavar="N",
    help="At most N pages.  [default: 50]",
)
@click.option(
    "--include", "includes", multiple=True, metavar="GLOB", help="Keep these paths too; repeatable."
)
@click.option("--as-root", "root", is_flag=True, help="Do not switch to a non-root user.")
@click.option("--repair", type=click.IntRange(0, 5), default=3, show_default=True, metavar="N",
              help="Rounds in which what the slim image missed is added.")  # fmt: skip
@click.option(
    "--keep-failed", is_flag=True, help="Tag the slim image even if it answers differently."
)
@click.option(
    "--pull/--no-pull", default=True, help="Pull the image if it is missing.  [default: pull]"
)
@click.option("--report-dir", type=click.Path(path_type=Path), metavar="DIR",
              help="Where the report goes.  [default: slim-report/NAME-TAG]")  # fmt: skip
@click.option(
    "--json", "as_json", is_flag=True, help="Print the report as JSON on standard output."
)
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
def command(
    image: str, tag: str | None, probe_file: Path | None, http: tuple[str, ...], commands: tuple[str, ...],
    runs: tuple[str, ...], ports: tuple[int, ...], variables: tuple[str, ...], ready: str | None,
    ready_timeout: float | None, crawl: bool | None, crawl_depth: int | None, crawl_pages: int | None,
    includes: tuple[str, ...], root: bool, repair: int, keep_failed: bool, pull: bool, report_dir: Path | None,
    as_json: bool, quiet: bool,
) -> int:  # fmt: skip
    """Make a small image that answers like the original.

    IMAGE runs under a tracer while probes exercise it: what it touched, and what that needs,
    becomes the slim image.
    That image is run with the same probes under its own seccomp profile. It is tagged only if it
    answers the same.
    """
    plan = _plan(probe_file, http, commands, runs)
    plan = _with_flags(plan, ports=ports, variables=variables, ready=ready, timeout=ready_timeout)
    crawling = plan.crawl
    plan = replace(
        plan,
        crawl=replace(
            crawling,
            enabled=crawling.enabled if crawl is None else crawl,
            depth=crawling.depth if crawl_depth is None else crawl_depth,
            pages=crawling.pages if crawl_pages is None else crawl_pages,
        ),
    )
    out = checked_tag(tag or default_tag(image))
    options = BuildOptions(
        reference=image, tag=out, plan=plan, includes=includes, keep_failed=keep_failed, repair=repair, pull=pull,
        report_directory=report_dir or default_report_directory(image), root=root, named=tag is not None,
    )  # fmt: skip
    return _run(options, as_json=as_json, quiet=quiet)


def _plan(
    file: Path | None, http: tuple[str, ...], commands: tuple[str, ...], runs: tuple[str, ...]
) -> Plan:
    from probes import planfile, shorthand
    from probes.errors import PlanError
    from probes.model import Plan

    try:
        plan = planfile.load(file) if file else Plan()
    except PlanError as error:
        raise ProbeFileError(error.message, hint=error.hint) from error
    try:
        return replace(
            plan,
            http=(*plan.http, *map(shorthand.parse_http, http)),
            commands=(*plan.commands, *map(shorthand.parse_exec, commands)),
            runs=(*plan.runs, *map(shorthand.parse_run, runs)),
        )
    except PlanError as error:
        raise UsageError(error.message, hint=error.hint) from error


def _with_flags(
    plan: Plan,
    *,
    ports: tuple[int, ...],
    variables: tuple[str, ...],
    ready: str | None,
    timeout: float | None,
) -> Plan:
    environment = dict(plan.environment)
    for item in variables:
        name, equals, value = item.partition("=")
        if not name or not equals:
            message = f"--env takes NAME=VALUE, not {item!r}."
            raise UsageError(message)
        environment[name] = value
    if ready is not None and not ready.startswith("/"):
        message = f"--ready takes a path such as /health, not {ready!r}."
        raise UsageError(message)
    waits = replace(
        plan.ready, path=ready or plan.ready.path, timeout=timeout or plan.ready.timeout
    )
    return replace(plan, ports=(*plan.ports, *ports), environment=environment, ready=waits)


def _run(options: BuildOptions, *, as_json: bool, quiet: bool) -> int:
    from slimpy.cli.progress import LiveLine, sink
    from slimpy.engine.docker import DockerEngine
    from slimpy.pipeline import build
    from slimpy.report import text

    progress = sink(quiet=quiet)
    try:
        engine = DockerEngine.connect()
        try:
            report = build(engine, options, progress)
        finally:
            engine.close()
    except SlimError as error:
        if as_json:
            _print_error(error)
        raise
    finally:
        if isinstance(progress, LiveLine):
            progress.close()
    if as_json:
        from slimpy.report.document import encode

        click.echo(encode(report))
    else:
        text.show(report, colour=sys.stdout.isatty())
    return 0 if report.status == "slimmed" else VerificationError.exit_code


def _print_error(error: SlimError) -> None:
    import json

    from slimpy.model import display

    document = {
        "schema": "slimpy-error",
        "version": 1,
        "exit_code": error.exit_code,
        "message": display(error.message),
        "hint": error.hint,
        "details": [display(line) for line in error.details],
    }
    click.echo(json.dumps(document, indent=2))
