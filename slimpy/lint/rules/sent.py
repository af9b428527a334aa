"""What the build context brings along."""

from __future__ import annotations

import re
from collections.abc import Iterator

from slimpy.lint.finding import Finding, Rule, Severity
from slimpy.lint.stages import Step
from slimpy.lint.subject import Check, Subject

NO_FILE = Rule(
    "SL065",
    "no-dockerignore",
    Severity.WARNING,
    "Everything is copied, and there is no .dockerignore",
    "The image gets whatever lies in the directory of whoever builds it: history, caches, keys.",
    "COPY . /srv",
    "COPY app/ /srv/app/",
)
JUNK = Rule(
    "SL066",
    "junk-in-context",
    Severity.WARNING,
    "The image gets directories that only a workplace needs",
    ".git, node_modules or .venv make the image large, hide what the build installs, and tell its "
    "history.",
    "COPY . /srv",
    "COPY app/ /srv/app/",
)
LARGE = Rule(
    "SL067",
    "large-context",
    Severity.WARNING,
    "The build context is large",
    "All of it is read for each build, and what COPY takes is in the image.",
    "COPY . /srv",
    "COPY app/ /srv/app/",
)
SECRET = Rule(
    "SL068",
    "secret-in-context",
    Severity.ERROR,
    "Everything is copied, and among it are files that usually hold secrets",
    "They stay in their layer even if a later RUN deletes them.",
    "COPY . /srv",
    "COPY app/ /srv/app/",
)
RULES = (NO_FILE, JUNK, LARGE, SECRET)

MOST_BYTES = 100_000_000
_WHOLE = re.compile(r"(?:\./?|/|\*)$")
_MOST_NAMED = 5


def context(subject: Subject) -> Iterator[Finding]:
    """All that can be said of a context which is copied as a whole."""
    seen, step = subject.context, _whole(subject)
    if seen is None or step is None:
        return
    line = step.line
    if not seen.has_ignore_file and seen.entries > 1:
        yield NO_FILE.at(
            line, "There is no .dockerignore.", "Write one: .git, node_modules, .venv, *.md, .env"
        )
    if seen.junk:
        yield JUNK.at(
            line, f"{_named(seen.junk)} would be in the image.", "Add them to .dockerignore."
        )
    if seen.secrets:
        yield SECRET.at(
            line, f"{_named(seen.secrets)} would be in the image.", "Add them to .dockerignore."
        )
    if seen.size > MOST_BYTES:
        heavy = ", ".join(f"{name} {size / 1e6:.0f} MB" for name, size in seen.heaviest)
        least = "" if seen.complete else "at least "
        yield LARGE.at(
            line,
            f"The context is {least}{seen.size / 1e6:.0f} MB: {heavy}.",
            "Leave out with .dockerignore what the build does not need.",
        )


def _whole(subject: Subject) -> Step | None:
    """The first instruction that copies the whole context."""
    for stage in subject.recipe.stages:
        for step, sources, _ in subject.copies(stage):
            if any(_WHOLE.match(source) for source in sources):
                return step
    return None


def _named(paths: tuple[str, ...]) -> str:
    more = f" and {len(paths) - _MOST_NAMED} more" if len(paths) > _MOST_NAMED else ""
    return ", ".join(paths[:_MOST_NAMED]) + more


CHECKS: tuple[Check, ...] = (context,)
