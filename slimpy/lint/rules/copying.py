"""COPY and ADD: from where, to where."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches

from slimpy.lint.finding import Finding, Rule, Severity
from slimpy.lint.stages import Stage, Step
from slimpy.lint.subject import Check, Subject

REMOTE = Rule(
    "SL070",
    "add-remote",
    Severity.WARNING,
    "ADD fetches something that nobody checks",
    "The server decides what gets into the image. With a checksum the build stops when it changes.",
    "ADD https://example.org/tool.tar.gz /opt/",
    f"ADD --checksum=sha256:{'0123456789abcdef' * 4} https://example.org/tool.tar.gz /opt/",
)
LOCAL = Rule(
    "SL071",
    "add-for-copy",
    Severity.WARNING,
    "ADD is used where COPY would do",
    "ADD unpacks archives and fetches URLs; COPY does just what it says.",
    "ADD app/ /srv/app/",
    "COPY app/ /srv/app/",
)
UNKNOWN = Rule(
    "SL072",
    "copy-from-unknown",
    Severity.ERROR,
    "--from names no stage above",
    "The build stops, or pulls an image of that name from somewhere.",
    "FROM debian:bookworm-slim AS build\nFROM debian:bookworm-slim\nCOPY --from=biuld /app /app",
    "FROM debian:bookworm-slim AS build\nFROM debian:bookworm-slim\nCOPY --from=build /app /app",
)
NO_SLASH = Rule(
    "SL073",
    "copy-target-no-directory",
    Severity.ERROR,
    "Several files are copied to what is no directory",
    "The target of several sources has to end with a slash; the build stops.",
    "COPY a.txt b.txt /srv",
    "COPY a.txt b.txt /srv/",
)
RELATIVE = Rule(
    "SL074",
    "copy-target-relative",
    Severity.INFO,
    "Files are copied to a directory that the file does not name",
    "Without WORKDIR the target is below one that the base image chose.",
    "COPY app.py app/",
    "WORKDIR /srv\nCOPY app.py app/",
)
RULES = (REMOTE, LOCAL, UNKNOWN, NO_SLASH, RELATIVE)

_REMOTE = re.compile(r"(?:https?|ftp)://", re.IGNORECASE)
_GIT = re.compile(r"git@|git://|.*\.git(?:#.*)?$", re.IGNORECASE)
_ARCHIVE = re.compile(
    r".*\.(?:tar|tgz|tbz2?|txz|tar\.(?:gz|bz2|xz|zst|lzma))$|.*[*?$].*", re.IGNORECASE
)


def added(subject: Subject) -> Iterator[Finding]:
    """ADD where it is not needed, or not safe."""
    for stage in subject.recipe.stages:
        for step in stage.of("ADD"):
            sources = subject.words(step)[:-1]
            remote = [source for source in sources if _REMOTE.match(source)]
            if remote and step.instruction.flag("checksum") is None and not _GIT.match(remote[0]):
                yield REMOTE.at(
                    step.line,
                    f"{_without_login(remote[0])} is fetched without a checksum.",
                    "ADD --checksum=sha256:... URL TARGET",
                )
            elif sources and not remote and not any(map(_needs_add, sources)):
                yield LOCAL.at(step.line, f"ADD copies {', '.join(sources)[:80]}.", "Use COPY.")


def stages(subject: Subject) -> Iterator[Finding]:
    """--from that leads nowhere."""
    for stage in subject.recipe.stages:
        for step in stage.of("COPY"):
            source = step.instruction.flag("from")
            if source is not None:
                yield from _unknown_stage(subject, stage, step, source)
    for run in subject.runs:
        for mount in run.mounts:
            if mount.get("from"):
                yield from _unknown_stage(subject, run.stage, run.step, mount["from"])


def targets(subject: Subject) -> Iterator[Finding]:
    """Where files are copied to."""
    for stage in subject.recipe.stages:
        for step in stage.of("COPY", "ADD"):
            words = subject.words(step)
            if len(words) < 2 or "$" in words[-1]:
                continue
            target = words[-1]
            if len(words) > 2 and not target.endswith(("/", "\\")) and target not in (".", ".."):
                yield NO_SLASH.at(step.line, f"{target} does not end with a slash.", f"{target}/")
            if _is_relative(target) and step.workdir is None and stage.base.name != "scratch":
                yield RELATIVE.at(
                    step.line,
                    f"The target {target} is below a directory that the base image chose.",
                    "Set WORKDIR first.",
                )


def _unknown_stage(subject: Subject, stage: Stage, step: Step, source: str) -> Iterator[Finding]:
    recipe = subject.recipe
    if "$" in source or recipe.stage_named(source, stage.index) is not None:
        return
    names = [item.name for item in recipe.stages if item.name]
    if source.isascii() and source.isdecimal():
        yield UNKNOWN.at(
            step.line, f"There is no stage {source[:20]} above.", "Stages count from 0."
        )
    elif source.lower() in names:
        where = "this stage itself" if source.lower() == stage.name else "a later stage"
        yield UNKNOWN.at(
            step.line, f"{source} is {where}.", "Only stages above can be copied from."
        )
    elif not set("/:@.") & set(source) and (
        near := get_close_matches(source.lower()[:60], names[:200], 1, 0.6)
    ):
        yield UNKNOWN.at(step.line, f"There is no stage {source}.", f"Is {near[0]} meant?")


def _needs_add(source: str) -> bool:
    return bool(_ARCHIVE.match(source) or _GIT.match(source))


def _is_relative(target: str) -> bool:
    return not target.startswith(("/", "\\")) and target[1:3] not in (":\\", ":/")


def _without_login(url: str) -> str:
    return re.sub(r"//[^/@]*@", "//***@", url)[:120]


CHECKS: tuple[Check, ...] = (added, stages, targets)
