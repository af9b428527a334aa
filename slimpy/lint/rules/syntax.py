"""What is no Dockerfile, is out of date, or does not mean what it looks like."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from slimpy.lint.dockerfile import KEYWORDS, Instruction, json_words
from slimpy.lint.finding import Finding, Rule, Severity
from slimpy.lint.subject import Check, Subject
from slimpy.lint.words import plain, split

UNKNOWN = Rule(
    "SL010",
    "unknown-instruction",
    Severity.ERROR,
    "There is no such instruction",
    "The build stops there. Often it is a misspelling, or a line before it lacks its backslash.",
    "RUNN echo built",
    "RUN echo built",
)
BROKEN = Rule(
    "SL011",
    "broken-syntax",
    Severity.ERROR,
    "The file is not written as a Dockerfile has to be",
    "The build stops there, or reads the lines in another way than they look.",
    "RUN echo a \\\n\n    && echo b",
    "RUN echo a \\\n    && echo b",
)
NO_FROM = Rule(
    "SL012",
    "no-from",
    Severity.ERROR,
    "The file does not begin with FROM",
    "Only ARG may stand before the first FROM; without a FROM there is no image.",
    "RUN echo early\nFROM debian:bookworm-slim",
    "FROM debian:bookworm-slim\nRUN echo late",
)
MAINTAINER = Rule(
    "SL013",
    "maintainer",
    Severity.WARNING,
    "MAINTAINER is deprecated",
    "A label says the same, and tools show it.",
    "MAINTAINER someone@example.org",
    'LABEL org.opencontainers.image.authors="someone@example.org"',
)
PORT = Rule(
    "SL014",
    "expose-out-of-range",
    Severity.ERROR,
    "EXPOSE names something that is no port",
    "Ports are numbers from 1 to 65535, with /tcp or /udp behind them.",
    "EXPOSE 80800",
    "EXPOSE 8080",
)
WORKDIR = Rule(
    "SL015",
    "workdir-relative",
    Severity.WARNING,
    "WORKDIR is relative to a directory that the file does not name",
    "It depends on the base image, and moves when that changes.",
    "WORKDIR app",
    "WORKDIR /app",
)
OLD_ENV = Rule(
    "SL016",
    "old-env-form",
    Severity.INFO,
    "ENV is written without =",
    "The old form takes the whole rest of the line as one value; it may go in later versions.",
    "ENV LANG C.UTF-8",
    "ENV LANG=C.UTF-8",
)
JSON = Rule(
    "SL017",
    "json-form-broken",
    Severity.WARNING,
    "Brackets that are not a JSON list",
    "A list that is not JSON (single quotes, a comma at its end) is run by the shell, brackets "
    "and all.",
    "CMD ['server', '--port', '80']",
    'CMD ["server", "--port", "80"]',
)
RULES = (UNKNOWN, BROKEN, NO_FROM, MAINTAINER, PORT, WORKDIR, OLD_ENV, JSON)

_HIGHEST_PORT = 65535
_NEED_ARGUMENTS = KEYWORDS - {"CMD", "ENTRYPOINT"}
_LISTS = frozenset({"CMD", "ENTRYPOINT", "SHELL", "VOLUME", "COPY", "ADD", "HEALTHCHECK", "RUN"})


def file(subject: Subject) -> Iterator[Finding]:
    """Problems of the file as a whole."""
    parsed = subject.recipe.file
    for problem in parsed.problems:
        yield BROKEN.at(problem.line, problem.message)
    if not subject.recipe.stages:
        line = parsed.instructions[0].line if parsed.instructions else 1
        yield NO_FROM.at(line, "There is no FROM.", "Begin with the image to build on.")
        return
    for item in subject.recipe.before:
        if item.keyword != "ARG" and item.keyword in KEYWORDS:
            yield NO_FROM.at(item.line, f"{item.keyword} stands before the first FROM.")
    for stage in subject.recipe.stages:
        words = list(split(stage.start.rest.value, parsed.escape))
        if len(words) not in (1, 3) or (len(words) == 3 and words[1].text.upper() != "AS"):
            yield BROKEN.at(stage.start.line, "FROM takes an image, or: IMAGE AS NAME.")


def instructions(subject: Subject) -> Iterator[Finding]:
    """Problems of single instructions."""
    for item in subject.recipe.file.instructions:
        if item.keyword not in KEYWORDS:
            yield _unknown(item)
        elif not item.rest.value and not item.heredocs and item.keyword in _NEED_ARGUMENTS:
            if item.keyword != "FROM":
                yield BROKEN.at(item.line, f"{item.keyword} says nothing.")
        elif item.keyword == "MAINTAINER":
            yield MAINTAINER.at(
                item.line,
                "MAINTAINER is deprecated.",
                "Use: LABEL org.opencontainers.image.authors=...",
            )
        elif _is_broken_list(item):
            yield JSON.at(
                item.line,
                f"What follows {item.keyword} looks like a list, but is not JSON.",
                "JSON wants double quotes, and commas only between the words.",
            )
        elif item.keyword == "SHELL" and item.words is None:
            yield BROKEN.at(item.line, "SHELL takes a JSON list.", 'SHELL ["/bin/bash", "-c"]')


def ports(subject: Subject) -> Iterator[Finding]:
    """EXPOSE with something that is no port."""
    for stage in subject.recipe.stages:
        for step in stage.of("EXPOSE"):
            for word in subject.words(step):
                if "$" not in word and not _is_port(word):
                    yield PORT.at(step.line, f"{word} is not a port.", "Ports are 1 to 65535.")


def places(subject: Subject) -> Iterator[Finding]:
    """Relative working directories."""
    for stage in subject.recipe.stages:
        for step in stage.of("WORKDIR"):
            path = plain(step.instruction.rest.value, subject.escape, step.values)
            if path and step.workdir is None and not _is_absolute(path):
                yield WORKDIR.at(
                    step.line,
                    f"The working directory {path} is below one that the base image chose.",
                    f"Say where: WORKDIR /{path.removeprefix('./')}",
                )


def environment(subject: Subject) -> Iterator[Finding]:
    """ENV in its old form."""
    for item in subject.recipe.file.instructions:
        if item.keyword == "ENV":
            words = [word.text for word in split(item.rest.value, subject.escape)]
            if words and "=" not in words[0]:
                if len(words) == 1:
                    yield BROKEN.at(item.line, f"ENV {words[0]} has no value.")
                else:
                    yield OLD_ENV.at(item.line, "ENV has no =.", f"ENV {words[0]}=...")


def _unknown(item: Instruction) -> Finding:
    near = get_close_matches(item.keyword[:20], sorted(KEYWORDS), 1, 0.6)
    hint = (
        f"Is {near[0]} meant?" if near else "Does the line before it lack a backslash at its end?"
    )
    return UNKNOWN.at(item.line, f"There is no instruction {item.keyword[:40]}.", hint)


def _is_broken_list(item: Instruction) -> bool:
    text = item.rest.value
    if item.keyword == "HEALTHCHECK":
        text = text[3:].lstrip() if text.upper().startswith("CMD") else ""
        return (
            text.startswith("[") and not text.startswith(("[ ", "[[")) and json_words(text) is None
        )
    if item.keyword not in _LISTS or item.words is not None:
        return False
    # `[ -f x ]` is a test of the shell.
    return text.startswith(("['", '["', "[]")) or (
        text.startswith(("[ '", '[ "')) and text.endswith("]")
    )


def _is_port(word: str) -> bool:
    numbers, slash, protocol = word.partition("/")
    if slash and protocol.lower() not in ("tcp", "udp", "sctp"):
        return False
    ends = numbers.split("-")
    return len(ends) <= 2 and all(
        end.isascii() and end.isdecimal() and len(end) < 6 and 1 <= int(end) <= _HIGHEST_PORT
        for end in ends
    )


def _is_absolute(path: str) -> bool:
    return path.startswith(("/", "\\", "$")) or path[1:3] in (":\\", ":/")


CHECKS: tuple[Check, ...] = (file, instructions, ports, places, environment)
