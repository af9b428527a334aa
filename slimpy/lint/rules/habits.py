"""Habits of machines that do not fit a build."""

from __future__ import annotations

from collections.abc import Iterator

from slimpy.lint.finding import Finding, Rule, Severity
from slimpy.lint.shell import Command
from slimpy.lint.subject import Check, Subject

CURL_SHELL = Rule(
    "SL100",
    "curl-to-shell",
    Severity.WARNING,
    "A script is fetched and run unseen",
    "The server decides what runs; a connection that breaks runs half of it. Fetch, check the "
    "sum, then run.",
    "RUN curl -fsSL https://example.org/install.sh | sh",
    "RUN curl -fsSLo install.sh https://example.org/install.sh && echo 'abc  install.sh' > sum && "
    "sha256sum -c sum && sh install.sh",
)
CD = Rule(
    "SL101",
    "cd-for-workdir",
    Severity.INFO,
    "A RUN changes the directory for itself",
    "The next RUN is back where it was. WORKDIR holds, and is seen.",
    "RUN cd /srv && make",
    "WORKDIR /srv\nRUN make",
)
SERVICE = Rule(
    "SL102",
    "service-in-build",
    Severity.WARNING,
    "A build starts, stops or mounts something",
    "Nothing that runs in a build is running in the container.",
    "RUN service nginx start",
    'CMD ["nginx", "-g", "daemon off;"]',
)
RULES = (CURL_SHELL, CD, SERVICE)

_FETCHERS = frozenset({"curl", "wget", "fetch", "aria2c"})
_INTERPRETERS = frozenset(
    {"sh", "bash", "dash", "ash", "zsh", "python", "python3", "perl", "ruby", "node"}
)
_SERVICES = frozenset({"systemctl", "service", "initctl", "shutdown", "reboot", "mount", "umount"})
_STARTS = frozenset({"start", "restart", "stop", "reload"})
_VERBS = {"systemctl": _STARTS, "service": _STARTS}


def fetched_scripts(subject: Subject) -> Iterator[Finding]:
    """curl ... | sh, and sh -c "$(curl ...)"."""
    for run in subject.runs:
        for pipeline in run.script.pipelines():
            names = [command.name for command in pipeline]
            runs_it = set(names[1:]) & _INTERPRETERS
            if names[0] in _FETCHERS and runs_it and not _has_script(pipeline):
                yield _unseen(pipeline[0].line, f"{names[0]} ... | {sorted(runs_it)[0]}")
        for command in run.script.commands:
            substituted = [word for word in command.arguments if "$(" in word or "`" in word]
            is_run = (command.name in _INTERPRETERS and command.has("-c")) or command.name == "eval"
            if is_run and any(
                fetcher in word
                for word in substituted
                for fetcher in ("$(curl", "$(wget", "`curl", "`wget")
            ):
                yield _unseen(command.line, f'{command.name} "$(curl ...)"')


def directories(subject: Subject) -> Iterator[Finding]:
    """cd at the beginning of a RUN."""
    for run in subject.runs:
        first = next(iter(run.script.commands), None)
        if first is not None and first.name == "cd" and first.arguments[:1]:
            where = first.arguments[0]
            if where.startswith("/") and "$" not in where:
                yield CD.at(first.line, f"cd {where} holds for this RUN only.", f"WORKDIR {where}")


def services(subject: Subject) -> Iterator[Finding]:
    """Services that are started while nothing runs."""
    for run in subject.runs:
        alone = len(run.script.commands) <= 3
        for command in run.script.commands:
            if (
                command.name in _SERVICES
                and _does_nothing(command)
                and (alone or command.name == "systemctl")
            ):
                yield SERVICE.at(
                    command.line,
                    f"{command.name} has no lasting effect in a build.",
                    "Start it with CMD or ENTRYPOINT.",
                )


def _unseen(line: int, what: str) -> Finding:
    return CURL_SHELL.at(
        line,
        f"What `{what}` runs is not checked.",
        "Fetch it to a file, compare its checksum, then run it.",
    )


def _has_script(pipeline: tuple[Command, ...]) -> bool:
    """Whether the interpreter runs code of its own, and only reads what was fetched."""
    for command in pipeline[1:]:
        if command.name in _INTERPRETERS:
            words = [word for word in command.arguments if word != "-"]
            own = command.has("-c", "-e", "-n", "-p", "-m") and command.name not in (
                "sh",
                "bash",
                "dash",
                "ash",
            )
            named = words and not words[0].startswith("-")
            return bool(own or named or (command.name in ("sh", "bash") and command.has("-c")))
    return False


def _does_nothing(command: Command) -> bool:
    verbs = _VERBS.get(command.name)
    return verbs is None or bool(verbs & set(command.arguments))


CHECKS: tuple[Check, ...] = (fetched_scripts, directories, services)
