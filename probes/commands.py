"""The user's commands: those run inside the serving app's container, and whole runs of a command-
line image."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from probes.model import Answer, CommandAnswer, Exchange, ExecCall, NoAnswer, RunCall


def exec_name(call: ExecCall) -> str:
    """The call's own name, else its command line."""
    return call.name or f"exec {shlex.join(call.argv)}"


def run_name(call: RunCall) -> str:
    """The call's own name, else its arguments."""
    return call.name or f"run {shlex.join(call.args)}".rstrip()


def command_exchange(
    call: ExecCall, answer: Answer, *, name: str = "", seconds: float = 0.0
) -> Exchange:
    """What came of a command in the app's container, with the expectations that were not met."""
    unmet = _unmet(answer, call.expect_exit, call.expect_contains)
    return Exchange(
        name=name or exec_name(call),
        kind="exec",
        answer=answer,
        unmet=unmet,
        seconds=seconds,
        compare=call.compare,
    )


def run_exchange(
    call: RunCall, answer: Answer, *, name: str = "", seconds: float = 0.0
) -> Exchange:
    """What came of a run of a command-line image; a file that was not written is an expectation not
    met."""
    unmet = _unmet(answer, call.expect_exit, call.expect_contains)
    if isinstance(answer, CommandAnswer):
        missing = (path for path, content in answer.files if content is None)
        unmet += tuple(f"the file {path} was not written" for path in missing)
    return Exchange(
        name=name or run_name(call),
        kind="run",
        answer=answer,
        unmet=unmet,
        seconds=seconds,
        compare=call.compare,
    )


def _unmet(answer: Answer, exit_code: int, contains: Sequence[str]) -> tuple[str, ...]:
    if not isinstance(answer, CommandAnswer):
        reason = answer.reason if isinstance(answer, NoAnswer) else "not a command's answer"
        return (f"the command should have run, but did not: {reason}",)
    sentences = []
    if answer.exit_code != exit_code:
        sentences.append(f"exit code {exit_code} was expected, but it is {answer.exit_code}")
    for part in contains:
        if part.encode("utf-8", "surrogateescape") not in answer.stdout + b"\n" + answer.stderr:
            sentences.append(f"the output does not contain {part!r}: {_start(answer)}")
    return tuple(sentences)


def _start(answer: CommandAnswer) -> str:
    """The first words of an output."""
    text = (answer.stdout + b" " + answer.stderr).decode("utf-8", "replace")
    words = " ".join(text.split())
    return f"it starts with {words[:80]!r}" if words else "it is empty"
