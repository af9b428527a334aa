"""Whom the app runs as, and what lets others become more than they are."""

from __future__ import annotations

import re
from collections.abc import Iterator

from slimpy.lint.finding import Finding, Rule, Severity
from slimpy.lint.shell import Command
from slimpy.lint.stages import Step
from slimpy.lint.subject import Check, Subject
from slimpy.lint.words import plain

ROOT = Rule(
    "SL040",
    "root-at-end",
    Severity.WARNING,
    "The container runs as root",
    "Whoever breaks into the app is root in the container, one bug of the kernel away from the "
    "machine.",
    'FROM debian:bookworm-slim\nCMD ["server"]',
    'FROM debian:bookworm-slim\nUSER 10001\nCMD ["server"]',
)
SUDO = Rule(
    "SL041",
    "sudo",
    Severity.WARNING,
    "sudo is used in a build",
    "RUN is root already, unless USER says otherwise; sudo only adds a setuid program to the "
    "image.",
    "RUN sudo ldconfig",
    "RUN ldconfig",
)
SETUID = Rule(
    "SL042",
    "setuid",
    Severity.WARNING,
    "A program gets the setuid bit",
    "It gives its owner's rights to everyone in the container. A file capability is narrower.",
    "RUN chmod u+s /usr/bin/tool",
    "RUN setcap cap_net_raw+ep /usr/bin/tool",
)
WORLD = Rule(
    "SL043",
    "world-writable",
    Severity.WARNING,
    "Files become writable for everyone",
    "Any process in the container can then change the app's code. Give them to the user who "
    "writes them.",
    "RUN chmod -R 777 /srv/app",
    "RUN chown -R 10001 /srv/app/data",
)
NAME = Rule(
    "SL044",
    "user-by-name",
    Severity.INFO,
    "USER is a name, not a number",
    "Kubernetes cannot see that a name is not root (runAsNonRoot), and refuses to start the "
    "container.",
    "USER app",
    "USER 10001",
)
RULES = (ROOT, SUDO, SETUID, WORLD, NAME)

_DROPPERS = ("gosu", "su-exec", "setpriv", "runuser", "chpst", "setuidgid", "s6-setuidgid", "su")
_NONROOT_BASE = re.compile(r"nonroot|rootless|unprivileged")
_MODE = re.compile(r"[0-7]{3,4}")
_SET_BIT = re.compile(r"(?:[ugo]*u[ugo]*|a)?[+=][rwxX]*s[rwxXs]*")
_FOR_ALL = re.compile(r"[ugo]*[oa][ugoa]*[+=][rxXs]*w[rwxXs]*")


def last_user(subject: Subject) -> Iterator[Finding]:
    """Root as the user of the image."""
    recipe = subject.recipe
    if not recipe.stages:
        return
    step = recipe.last("USER")
    if step is None:
        base = recipe.shipped[0].base
        hint = "USER 10001 before CMD; slim build finds the paths that this user must own."
        if (
            not _NONROOT_BASE.search(base.name or base.written)
            and not _drops(subject)
            and _starts(subject)
        ):
            yield ROOT.at(
                recipe.stages[-1].start.line, "No USER is set, so the container runs as root.", hint
            )
        return
    user = _user(subject, step)
    if user in ("root", "0") and not _drops(subject):
        yield ROOT.at(
            step.line, "The last USER is root.", "Switch back to another user at the end."
        )
    elif user and not user.isdecimal() and user != "root" and "$" not in user:
        yield NAME.at(step.line, f"USER {user} is a name.", "Use the number of that account.")


def commands(subject: Subject) -> Iterator[Finding]:
    """Commands that hand out rights."""
    for run in subject.runs:
        for command in run.script.commands:
            if "sudo" in command.through:
                yield SUDO.at(command.line, "sudo is used.", "Leave it out, or use USER.")
            if command.name == "chmod":
                yield from _chmod(command)
        if subject.ships(run.stage):
            for command in run.named("install"):
                yield from _install(command)


def copies(subject: Subject) -> Iterator[Finding]:
    """COPY --chmod with such a mode."""
    for stage in subject.recipe.shipped:
        for step in stage.of("COPY", "ADD"):
            mode = step.instruction.flag("chmod") or ""
            yield from _mode(mode, step.line)


def _user(subject: Subject, step: Step) -> str:
    text = plain(step.instruction.rest.value, subject.escape, step.values)
    return (text or step.instruction.rest.value).partition(":")[0]


def _starts(subject: Subject) -> bool:
    """Whether the file says that something is run: a base for others may stay root's."""
    keywords = ("CMD", "ENTRYPOINT", "EXPOSE", "HEALTHCHECK")
    return any(subject.recipe.last(keyword) is not None for keyword in keywords)


def _drops(subject: Subject) -> bool:
    """Whether what is started gives up root by itself."""
    commands = subject.started().commands
    return any(
        command.name in _DROPPERS or set(command.words[:3]) & set(_DROPPERS) for command in commands
    )


def _chmod(command: Command) -> Iterator[Finding]:
    mode = next((word for word in command.arguments if not word.startswith("-")), "")
    # `-s` takes the bit away, as does any mode that begins with a dash.
    yield from _mode(mode, command.line)


def _install(command: Command) -> Iterator[Finding]:
    words = command.arguments
    for number, word in enumerate(words[:-1]):
        if word in ("-m", "--mode"):
            yield from _mode(words[number + 1], command.line)


def _mode(mode: str, line: int) -> Iterator[Finding]:
    parts = mode.split(",")
    if _MODE.fullmatch(mode):
        bits = int(mode, 8)
        is_set = bool(bits & 0o4000)
        is_open = bool(bits & 0o002 and not bits & 0o1000)
    else:
        is_set = any(_SET_BIT.fullmatch(part) for part in parts)
        is_open = any(_FOR_ALL.fullmatch(part) for part in parts) and "+t" not in mode
    if is_set:
        yield SETUID.at(
            line, f"The mode {mode} sets the setuid bit.", "Use a file capability instead."
        )
    if is_open:
        yield WORLD.at(
            line, f"The mode {mode} lets everyone write.", "chown to the user that writes there."
        )


CHECKS: tuple[Check, ...] = (last_user, commands, copies)
