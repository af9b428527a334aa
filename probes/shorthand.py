"""Probes in one line of text, as the flags and short forms of a probe file have them."""

from __future__ import annotations

import re
import shlex

from probes.errors import PlanError
from probes.model import ExecCall, HttpCall, HttpExpectation, RunCall

METHOD = re.compile(r"[A-Za-z][A-Za-z-]{0,19}")
_QUOTED = re.compile(r"\\.|'[^']*'|\"(?:[^\"\\$`]|\\.)*\"", re.DOTALL)
_SHELL = re.compile(r"[|&;<>()$`*?\[\]#~{}!\n]|^\s*[A-Za-z_][A-Za-z0-9_]*=")


class ShorthandError(ValueError):
    """A text that is no probe; the message says why, without a full stop."""


def http_call(text: str) -> HttpCall:
    """``[METHOD] /path [STATUS]`` as a call.

    Raises:
        ShorthandError: it is not of this form.
    """
    words = text.split()
    method = "GET"
    if words and not words[0].startswith(("/", "{")) and METHOD.fullmatch(words[0]):
        method = words.pop(0).upper()
    if not words or not words[0].startswith(("/", "{")):
        message = (
            f"{text[:80]!r} has no absolute path, such as in 'GET /health' or 'POST /items 201'"
        )
        raise ShorthandError(message)
    path = words.pop(0)
    status: tuple[int, ...] = ()
    if words:
        status = (_status(words.pop(0)),)
    if words:
        message = f"{words[0][:80]!r} stands after the status; write 'METHOD /path STATUS'"
        raise ShorthandError(message)
    return HttpCall(method=method, path=path, expect=HttpExpectation(status=status))


def _status(text: str) -> int:
    if not re.fullmatch(r"[1-5][0-9][0-9]", text, re.ASCII):
        message = f"{text[:80]!r} is not an HTTP status (100 to 599)"
        raise ShorthandError(message)
    return int(text)


def command(text: str) -> tuple[str, ...]:
    """A command line as an argument list; through ``/bin/sh -c`` if it needs a shell to be
    understood.

    Raises:
        ShorthandError: it is empty, or a quotation has no end.
    """
    words = arguments(text)
    if not words:
        message = "the command is empty"
        raise ShorthandError(message)
    if _SHELL.search(_QUOTED.sub("q", text.strip())):
        return ("/bin/sh", "-c", text.strip())
    return words


def arguments(text: str) -> tuple[str, ...]:
    """The words of a text, with a shell's quoting and nothing else of a shell.

    Raises:
        ShorthandError: a quotation has no end, or there is a NUL character in it.
    """
    if "\0" in text:
        message = "a NUL character cannot be part of a command"
        raise ShorthandError(message)
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        message = f"{text[:80]!r} cannot be split into words: {str(error).lower()}"
        raise ShorthandError(message) from error


def parse_http(text: str) -> HttpCall:
    """The flag ``--http '[METHOD] /path [STATUS]'``.

    Raises:
        PlanError: it is not of this form.
    """
    try:
        return http_call(text)
    except ShorthandError as error:
        raise _wrong(error, flag="--http") from error


def parse_exec(text: str) -> ExecCall:
    """The flag ``--exec 'command line'``.

    Raises:
        PlanError: it is empty, or a quotation has no end.
    """
    try:
        return ExecCall(argv=command(text), name=f"exec {text.strip()}")
    except ShorthandError as error:
        raise _wrong(error, flag="--exec") from error


def parse_run(text: str) -> RunCall:
    """The flag ``--run 'arguments'``: what comes after the entrypoint; empty is the image's own
    CMD.

    Raises:
        PlanError: a quotation has no end.
    """
    try:
        return RunCall(args=arguments(text), name=f"run {text.strip()}".strip())
    except ShorthandError as error:
        raise _wrong(error, flag="--run") from error


def _wrong(error: ShorthandError, *, flag: str) -> PlanError:
    return PlanError(flag, None, "", str(error))
