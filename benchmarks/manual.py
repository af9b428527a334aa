"""The text of docs/man/slim.1, out of the commands (man-pages(7), groff_man(7))."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click

from benchmarks.readme import exit_code_rows
from slimpy import __version__
from slimpy.cli import VERBS, program

_HEAD = """.TH SLIM 1 "" "slimpy {version}" "User Commands"
.SH NAME
slim \\- make container images smaller, and prove that they still work
.SH SYNOPSIS
.B slim
.I VERB
[\\fIOPTION\\fR]... [\\fIARGUMENT\\fR]...
.SH DESCRIPTION
\\fBslim build\\fR runs an image under a tracer while probes exercise it, keeps what the run
needed and what that can reach, and asks the slim image the same questions. Results go to
standard output, progress and errors to standard error."""

_TAIL = """.SH FILES
.TP
.I slimpy.toml
Settings of the project, in the working directory.
.TP
.I slim\\-report/
Reports of builds, one directory for each image.
.SH ENVIRONMENT
.TP
.B DOCKER_HOST
The engine to use.
.TP
.B SLIMPY_DEBUG
If set, a bug in slimpy shows its traceback.
.SH SEE ALSO
.BR docker (1),
.BR podman (1),
.BR strace (1)"""


def manual() -> str:
    """The whole page."""
    lines = [_HEAD.format(version=__version__), ".SH VERBS"]
    for verb in VERBS:
        command = program.get_command(click.Context(program), verb)
        assert command is not None
        lines.extend(_command(f"slim {verb}", command))
    lines.append(".SH EXIT STATUS")
    for code, meaning in exit_code_rows():
        lines += [".TP", f".B {code}", _text(meaning)]
    return "\n".join((*lines, _TAIL)) + "\n"


def _command(name: str, command: click.Command) -> Iterator[str]:
    context = click.Context(command, info_name=name)
    pieces = " ".join(command.collect_usage_pieces(context))
    yield f".SS {_text(f'{name} {pieces}')}"
    yield from _paragraphs(command.help or "")
    for parameter in command.params:
        record = parameter.get_help_record(context)
        if isinstance(parameter, click.Option) and record is not None:
            yield from (".TP", f".B {_text(record[0])}", _text(record[1]))
    if isinstance(command, click.Group):
        for child in command.list_commands(context):
            inner = command.get_command(context, child)
            assert inner is not None
            yield from _command(f"{name} {child}", inner)


def _paragraphs(text: str) -> Iterator[str]:
    for paragraph in text.strip().split("\n\n"):
        if paragraph.startswith("\b\n"):
            yield from (".PP", ".nf", *(_text(line) for line in paragraph[2:].split("\n")), ".fi")
        else:
            yield from (".PP", _text(" ".join(paragraph.split())))


def _text(text: str) -> str:
    """Text without meaning for roff: no escapes, and no line that begins like a request."""
    escaped = re.sub(r"\s+", " ", text).replace("\\", "\\e").replace("-", "\\-")
    escaped = escaped.replace("'", "\\(aq").replace('"', "\\(dq")
    return f"\\&{escaped}" if escaped.startswith(".") else escaped
