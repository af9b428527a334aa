"""Failures that a build does not notice."""

from __future__ import annotations

import re
from collections.abc import Iterator

from slimpy.lint.finding import Finding, Rule, Severity
from slimpy.lint.runs import Run
from slimpy.lint.shell import Command, Statement
from slimpy.lint.subject import Check, Subject

IGNORED = Rule(
    "SL103",
    "errors-ignored",
    Severity.WARNING,
    "A RUN goes on when one of its commands fails",
    "Only the last command's success counts where ; or a line end stands between. Use && or set "
    "-e.",
    "RUN make; make install",
    "RUN make && make install",
)
PIPE = Rule(
    "SL104",
    "pipe-without-pipefail",
    Severity.WARNING,
    "The failure of a pipe's first command is not noticed",
    "A pipe succeeds if its last command does: half a download is unpacked. pipefail counts every "
    "one.",
    "RUN curl -fsS https://example.org/app.tgz | tar -xz -C /opt",
    'SHELL ["/bin/bash", "-o", "pipefail", "-c"]\nRUN curl -fsS https://example.org/app.tgz | tar '
    "-xz -C /opt",
)
RULES = (IGNORED, PIPE)

_HARMLESS = frozenset(
    {
        *("echo", "printf", "true", ":", "set", "export", "umask", "trap", "local", "readonly"),
        *("declare", "shopt", "alias", "unset", "date", "exit"),
    }
)
_HARMLESS_KINDS = frozenset(
    {
        *("variable_assignment", "variable_assignments", "declaration_command"),
        *("function_definition", "unset_command"),
    }
)
_CANNOT_FAIL = frozenset({"echo", "printf", "yes", "true", "cat"})


def ignored(subject: Subject) -> Iterator[Finding]:
    """Statements whose failure nobody sees."""
    for run in subject.runs:
        if not run.shell or run.script.damaged or _has_option(run.step.shell, "e"):
            continue
        for number, statement in enumerate(run.script.statements[:-1]):
            if statement.name == "set" and _sets(run, "e"):
                break
            if not _matters(statement):
                continue
            after = run.script.statements[number + 1]
            what = f"{statement.name}: its failure" if statement.name else "A failure here"
            yield IGNORED.at(
                statement.line,
                f"{what} does not stop the build; line {after.line} goes on.",
                "Join them with &&, or begin with set -e.",
            )
            break


def pipes(subject: Subject) -> Iterator[Finding]:
    """Pipes without pipefail."""
    for run in subject.runs:
        if not run.shell or _pipefail(run.step.shell) or _sets_pipefail(run):
            continue
        for pipeline in run.script.pipelines():
            first = next((cmd for cmd in pipeline[:-1] if _can_fail(cmd)), None)
            if first is not None and not _is_condition(pipeline):
                yield PIPE.at(
                    first.line,
                    f"The build goes on when {first.name} fails: a pipe counts its last command "
                    f"only.",
                    'SHELL ["/bin/bash", "-o", "pipefail", "-c"], or set -o pipefail',
                )
                break


def _matters(statement: Statement) -> bool:
    return (
        not statement.handled
        and statement.kind not in _HARMLESS_KINDS
        and statement.name not in _HARMLESS
    )


def _sets(run: Run, option: str) -> bool:
    return any(_has_option(cmd.words, option) or "errexit" in cmd.words for cmd in run.named("set"))


def _has_option(words: tuple[str, ...], option: str) -> bool:
    return any(re.fullmatch(rf"-[a-z]*{option}[a-z]*", word) for word in words[1:])


def _pipefail(words: tuple[str, ...]) -> bool:
    return "pipefail" in words


def _sets_pipefail(run: Run) -> bool:
    return any("pipefail" in cmd.words for cmd in run.named("set"))


def _can_fail(command: Command) -> bool:
    return bool(command.name) and command.name not in _CANNOT_FAIL


def _is_condition(pipeline: tuple[Command, ...]) -> bool:
    """grep -q and the like at the end judge what they read."""
    return pipeline[-1].name in ("grep", "egrep", "sha256sum", "sha512sum", "true", "test")


CHECKS: tuple[Check, ...] = (ignored, pipes)
