"""How the container starts, is watched, and stops."""

from __future__ import annotations

import re
from collections.abc import Iterator

from slimpy.lint.finding import Finding, Rule, Severity
from slimpy.lint.runs import code_of
from slimpy.lint.stages import Step
from slimpy.lint.subject import Check, Subject

SHELL_FORM = Rule(
    "SL080",
    "shell-form-start",
    Severity.WARNING,
    "The app is started by a shell, which gets the signals in its place",
    "docker stop signals the shell; the app may never hear of it, and is killed after ten "
    "seconds. Arguments of docker run are lost, too.",
    "CMD server --port 80",
    'CMD ["server", "--port", "80"]',
)
SEVERAL = Rule(
    "SL081",
    "several-starts",
    Severity.WARNING,
    "CMD, ENTRYPOINT or HEALTHCHECK stands there more than once",
    "Only the last one of a stage counts.",
    'CMD ["one"]\nCMD ["two"]',
    'CMD ["two"]',
)
NO_CHECK = Rule(
    "SL082",
    "no-healthcheck",
    Severity.INFO,
    "A port is exposed, and nothing checks the app's health",
    "Without HEALTHCHECK Docker and compose cannot see that a running app has stopped answering. "
    "Kubernetes has its own probes.",
    'EXPOSE 80\nCMD ["server"]',
    'EXPOSE 80\nHEALTHCHECK CMD ["server", "--check"]\nCMD ["server"]',
)
NO_INIT = Rule(
    "SL083",
    "no-init",
    Severity.WARNING,
    "Jobs run in the background, and nobody collects them",
    "What the app inherits when a script ends in exec becomes zombies, and gets no signal. An "
    "init of its own does both.",
    "CMD worker & exec server",
    'ENTRYPOINT ["tini", "--"]\nCMD ["server"]',
)
NOT_EXPANDED = Rule(
    "SL084",
    "variables-in-exec-form",
    Severity.WARNING,
    "The JSON form has what only a shell understands",
    "No shell reads it, so $NAME, && and > reach the program as they are.",
    'CMD ["server", "--port", "$PORT"]',
    'CMD ["sh", "-c", "exec server --port \\"$PORT\\""]',
)
RULES = (SHELL_FORM, SEVERAL, NO_CHECK, NO_INIT, NOT_EXPANDED)

_INITS = frozenset(
    {
        *("tini", "tini-static", "dumb-init", "catatonit", "docker-init", "my_init", "minit"),
        *("init", "s6-svscan", "runsvdir", "supervisord", "systemd"),
    }
)
_SHELLS = frozenset({"sh", "bash", "dash", "ash", "zsh", "cmd", "powershell", "pwsh", "cmd.exe"})
_OPERATORS = frozenset({"&&", "||", "|", ">", ">>", "<", ";", "2>&1", "&"})
_VARIABLE = re.compile(r"\$(?:[A-Za-z_]\w*|\{[A-Za-z_])")


def forms(subject: Subject) -> Iterator[Finding]:
    """The form of CMD and ENTRYPOINT."""
    for keyword in ("ENTRYPOINT", "CMD"):
        step = subject.recipe.last(keyword)
        if step is None:
            continue
        words = step.instruction.words
        if words is None:
            if not step.instruction.rest.value.startswith("[") and _keeps_shell(step):
                yield SHELL_FORM.at(
                    step.line,
                    f"{keyword} is run by a shell.",
                    f'Write it as a list: {keyword} ["program", "argument"], or begin with exec.',
                )
        elif words:
            yield from _not_expanded(step, words)


def several(subject: Subject) -> Iterator[Finding]:
    """Several of what only one counts of."""
    for stage in subject.recipe.stages:
        for keyword in ("CMD", "ENTRYPOINT", "HEALTHCHECK"):
            steps = list(stage.of(keyword))
            for step in steps[:-1]:
                yield SEVERAL.at(
                    step.line,
                    f"This {keyword} does not count: line {steps[-1].line} has another one.",
                    "Remove it.",
                )


def health(subject: Subject) -> Iterator[Finding]:
    """No HEALTHCHECK where a port is exposed."""
    recipe = subject.recipe
    step = recipe.last("EXPOSE")
    starts = recipe.last("CMD") or recipe.last("ENTRYPOINT")
    if step is not None and starts is not None and recipe.last("HEALTHCHECK") is None:
        yield NO_CHECK.at(
            step.line,
            f"Port {step.instruction.rest.value[:40]} is exposed, and there is no HEALTHCHECK.",
            "HEALTHCHECK CMD with a program that the image has anyway; or HEALTHCHECK NONE.",
        )


def init(subject: Subject) -> Iterator[Finding]:
    """Background jobs of a start script without an init."""
    step = subject.recipe.last("ENTRYPOINT") or subject.recipe.last("CMD")
    commands = subject.started().commands
    if step is None or any(
        _INITS & {word.rpartition("/")[2] for word in cmd.words[:3]} for cmd in commands
    ):
        return
    jobs = [command for command in commands if command.background]
    waits = any(command.name == "wait" for command in commands)
    replaced = any("exec" in command.through for command in commands)
    if jobs and (replaced or not waits) and not (waits and _ends_with_wait(subject)):
        yield NO_INIT.at(
            step.line,
            f"{jobs[0].name or 'A job'} runs in the background, and nobody waits for it.",
            'Start with an init: ENTRYPOINT ["tini", "--", ...], or docker run --init.',
        )


def _ends_with_wait(subject: Subject) -> bool:
    """Whether the script waits for its jobs itself instead of becoming the app."""
    script = subject.start_script()
    return script is not None and any(command.name == "wait" for command in script[1].commands)


def _keeps_shell(step: Step) -> bool:
    """Whether the shell stays in front of the app."""
    item = step.instruction
    script = code_of(None, item.rest, step.shell)
    commands = script.commands
    return bool(commands) and "exec" not in commands[-1].through


def _not_expanded(step: Step, words: tuple[str, ...]) -> Iterator[Finding]:
    if words[0].rpartition("/")[2].lower() in _SHELLS or "-c" in words[:4]:
        return
    odd = [word for word in words[1:] if word in _OPERATORS or _VARIABLE.search(word)]
    if odd:
        yield NOT_EXPANDED.at(
            step.line,
            f"{odd[0][:60]} reaches {words[0][:60]} as it is written.",
            f'{step.instruction.keyword} ["sh", "-c", "exec ..."]',
        )


CHECKS: tuple[Check, ...] = (forms, several, health, init)
