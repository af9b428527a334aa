"""`slim lint DOCKERFILE...`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from slimpy.cli import configuration
from slimpy.cli.ending import errors_as_json
from slimpy.cli.options import FilePath
from slimpy.errors import FOUND, DockerfileError, UsageError
from slimpy.lint.finding import Choice, Severity

if TYPE_CHECKING:
    from slimpy.lint.context import Context
    from slimpy.report.findings import Linted

NEVER = "never"
_INPUT = "-"
_LEVELS = [level.value for level in Severity]


@click.command("lint")
@click.argument("files", nargs=-1, metavar="[DOCKERFILE]...")
@click.option(
    "--context",
    "directory",
    type=FilePath,
    metavar="DIR",
    help="The build context.  [default: the file's directory]",
)
@click.option(
    "--ignore",
    "ignored",
    multiple=True,
    metavar="RULE",
    help="Say nothing of this rule: its number or name; repeatable.",
)
@click.option(
    "--level", type=click.Choice(_LEVELS), help="Say nothing of what weighs less.  [default: info]"
)
@click.option(
    "--fail-level",
    type=click.Choice([*_LEVELS, NEVER]),
    default=Severity.WARNING.value,
    show_default=True,
    help="End with 1 if something weighs that much.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "sarif"]),
    default="text",
    show_default=True,
    help="How the findings are printed.",
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option("--explain", metavar="RULE", help="Say what a rule is about, with an example.")
@click.option(
    "--config",
    type=FilePath,
    metavar="FILE",
    help="Settings of the project, [lint].  [default: slimpy.toml, if there is one]",
)
def command(
    files: tuple[str, ...],
    directory: Path | None,
    ignored: tuple[str, ...],
    level: str | None,
    fail_level: str,
    form: str,
    as_json: bool,
    explain: str | None,
    config: Path | None,
) -> int:
    """Advise on Dockerfiles: what a traced run cannot see.

    DOCKERFILE is a file, a directory with such files, or - for the input; without one it is the
    working directory. A comment `# slim-lint ignore=SL001` hides a rule on the next instruction,
    `# slim-lint ignore-file=SL001` in the whole file.
    """
    if explain is not None:
        _explain(explain)
        return 0
    form = "json" if as_json else form
    with errors_as_json(form == "json"):
        project = configuration.load(config).lint
        least = Severity(level) if level else project.level
        choice = Choice(project.ignore | {name.lower() for name in ignored}, least)
        _check_names(choice.ignore)
        linted, failures = _lint(files or (".",), directory, choice)
    _print(linted, failures, form)
    for failure in failures[1:]:
        click.echo(f"slim: {failure.message}", err=True)
    if failures:
        raise failures[0]
    return FOUND if _fails(linted, fail_level) else 0


def _lint(
    names: tuple[str, ...], directory: Path | None, choice: Choice
) -> tuple[list[Linted], list[DockerfileError]]:
    """What is found in each file, and what could not be read."""
    from slimpy.lint.check import lint
    from slimpy.report.findings import Linted

    linted, failures = [], []
    for name in names:
        try:
            for shown, text, around in _texts(name):
                look = _looking(directory or around, Path(shown).name)
                linted.append(Linted(shown, lint(text, choice, look)))
        except DockerfileError as error:
            failures.append(error)
    if directory is not None and not directory.is_dir():
        message = f"The build context {directory} is no directory."
        raise UsageError(message)
    return linted, failures


def _texts(name: str) -> Iterator[tuple[str, str, Path | None]]:
    """Name, text and directory of each Dockerfile that a name means."""
    from slimpy.lint import reading
    from slimpy.lint.dockerfile import LARGEST

    if name == _INPUT:
        yield name, reading.text_of(sys.stdin.buffer.read(LARGEST + 1), "The input"), None
        return
    path = Path(name)
    files = reading.found(path) if path.is_dir() else (path,)
    for file in files:
        yield str(file), reading.read(file), file.parent


def _looking(directory: Path | None, name: str) -> Callable[[Iterable[str]], Context | None]:
    """How a build context is looked at; there is none for the input."""

    def look(wanted: Iterable[str]) -> Context | None:
        from slimpy.lint.context import survey

        if directory is None:
            return None
        try:
            return survey(directory, name, wanted)
        except OSError:
            return None  # the advice about it is left out

    return look


def _check_names(names: frozenset[str]) -> None:
    from slimpy.lint.ignores import known
    from slimpy.lint.rules import RULES

    if unknown := known(sorted(names), ((rule.id, rule.name) for rule in RULES)):
        message = f"There is no rule {unknown[0]}."
        raise UsageError(message, hint="docs/lint.md lists them.")


def _explain(name: str) -> None:
    from slimpy.lint.rules import RULES

    for rule in RULES:
        if name.lower() in (rule.id.lower(), rule.name):
            indented = [
                text.replace("\n", "\n    ") for text in (f"\n{rule.bad}", f"\n{rule.good}")
            ]
            click.echo(f"{rule.id} {rule.name} ({rule.level.value}): {rule.title}.\n{rule.why}")
            click.echo(f"instead of{indented[0]}\nwrite{indented[1]}")
            return
    message = f"There is no rule {name}."
    raise UsageError(message, hint="docs/lint.md lists them.")


def _print(linted: list[Linted], failures: list[DockerfileError], form: str) -> None:
    from slimpy import __version__
    from slimpy.lint.rules import RULES
    from slimpy.report import findings

    match form:
        case "json":
            unreadable = [error.message for error in failures]
            click.echo(findings.encode(__version__, linted, unreadable), nl=False)
        case "sarif":
            click.echo(findings.encode_sarif(__version__, linted, RULES), nl=False)
        case _:
            findings.show(linted, colour=sys.stdout.isatty())


def _fails(linted: list[Linted], least: str) -> bool:
    if least == NEVER:
        return False
    return any(
        finding.rule.level.reaches(Severity(least)) for item in linted for finding in item.findings
    )
