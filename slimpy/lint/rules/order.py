"""The order of instructions: what changes often belongs behind what takes long."""

from __future__ import annotations

import re
from collections.abc import Iterator

from slimpy.lint.finding import Finding, Rule, Severity
from slimpy.lint.shell import Command
from slimpy.lint.subject import Check, Subject

EARLY = Rule(
    "SL060",
    "copy-before-install",
    Severity.WARNING,
    "The whole source is copied before its dependencies are installed",
    "Each change of any file makes the build install everything again. Copy the list of "
    "dependencies first.",
    "WORKDIR /srv\nCOPY . .\nRUN pip install --no-cache-dir -r requirements.txt",
    "WORKDIR /srv\nCOPY requirements.txt .\nRUN pip install --no-cache-dir -r "
    "requirements.txt\nCOPY . .",
)
RULES = (EARLY,)

_WHOLE = re.compile(r"(?:\./?|/|\*)$")
_NPM = "package.json and its lock file"
_GO_OFFLINE = frozenset({"dependency:go-offline", "dependency:resolve", "dependencies"})
_INSTALLS: tuple[tuple[re.Pattern[str], frozenset[str], str], ...] = (
    (re.compile(r"npm|pnpm"), frozenset({"install", "ci", "i", "clean-install"}), _NPM),
    (re.compile(r"yarn|bun"), frozenset({"install"}), _NPM),
    (re.compile(r"bundler?"), frozenset({"install"}), "Gemfile and Gemfile.lock"),
    (re.compile(r"composer(?:\.phar)?"), frozenset({"install"}), "composer.json and composer.lock"),
    (re.compile(r"go"), frozenset({"download"}), "go.mod and go.sum"),
    (re.compile(r"poetry|pipenv|pdm"), frozenset({"install", "sync"}), "the lock file"),
    (re.compile(r"uv"), frozenset({"sync"}), "pyproject.toml and uv.lock"),
    (re.compile(r"cargo"), frozenset({"fetch"}), "Cargo.toml and Cargo.lock"),
    (re.compile(r"dotnet"), frozenset({"restore"}), "the project files"),
    (re.compile(r"mvnw?|gradlew?"), _GO_OFFLINE, "the project's description"),
    (re.compile(r"apt-get|apt|dnf|yum|microdnf"), frozenset({"install"}), ""),
    (re.compile(r"apk"), frozenset({"add"}), ""),
)
"""Programs that install dependencies, how they are told to, and what they need for it."""


def early_copies(subject: Subject) -> Iterator[Finding]:
    """COPY of everything, and then an install in the same stage that only needs some of it."""
    for stage in subject.recipe.stages:
        whole = [
            step
            for step, sources, _ in subject.copies(stage)
            if any(_WHOLE.match(source) for source in sources)
        ]
        if not whole:
            continue
        for run in subject.runs:
            if run.stage is not stage or run.line < whole[0].line:
                continue
            found = next(filter(None, map(_installs, run.script.commands)), None)
            if found is not None:
                what, needs = found
                hint = (
                    f"Copy {needs} first, install, then copy the rest."
                    if needs
                    else ("Move the RUN above the COPY.")
                )
                yield EARLY.at(
                    whole[0].line,
                    f"Everything is copied before line {run.line} installs ({what}).",
                    hint,
                )
                break


def _installs(command: Command) -> tuple[str, str] | None:
    """What a command installs with, and which files it needs; None if it installs nothing."""
    name, words = command.name, command.arguments
    if re.fullmatch(r"python[0-9.]*", name) and words[:2] == ("-m", "pip"):
        name, words = "pip", words[2:]
    if re.fullmatch(r"pip[0-9.]*|uv", name) and "install" in words:
        listed = [word for word in words if re.search(r"requirements|constraints|\.txt$", word)]
        own = {".", "-e", "--editable"} & set(words)
        return ("pip install", f"{listed[0]}" if listed else "") if not own else None
    for program, verbs, needs in _INSTALLS:
        if program.fullmatch(name) and verbs & set(words[:4]):
            return f"{name} {next(word for word in words if word in verbs)}", needs
    return None


CHECKS: tuple[Check, ...] = (early_copies,)
