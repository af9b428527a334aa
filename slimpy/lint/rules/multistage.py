"""Stages: tools that should not ship, and stages that nothing uses."""

from __future__ import annotations

import re
from collections.abc import Iterator

from slimpy.lint.finding import Finding, Rule, Severity
from slimpy.lint.installs import install_of
from slimpy.lint.rules.packages import installs
from slimpy.lint.runs import Run
from slimpy.lint.subject import Check, Subject

TOOLS = Rule(
    "SL090",
    "build-tools-ship",
    Severity.WARNING,
    "Compilers or headers are in the image that ships",
    "They are often hundreds of MB, and a gift to whoever breaks in. Build in one stage, copy the "
    "result to the next.",
    "RUN apt-get update && apt-get install -y --no-install-recommends build-essential && rm -rf "
    "/var/lib/apt/lists/*",
    "FROM debian:bookworm-slim AS build\n"
    "RUN apt-get update && apt-get install -y --no-install-recommends build-essential\n"
    "FROM debian:bookworm-slim\nCOPY --from=build /out/ /opt/app/",
)
BASE = Rule(
    "SL091",
    "toolchain-base-ships",
    Severity.WARNING,
    "The image that ships starts from a toolchain",
    "The language's compilers and sources ship with the app, which needs none of them.",
    "FROM golang:1.23\nRUN go build -o /app .",
    "FROM golang:1.23 AS build\nRUN go build -o /app .\nFROM debian:bookworm-slim\nCOPY "
    "--from=build /app /app",
)
UNUSED = Rule(
    "SL092",
    "unused-stage",
    Severity.INFO,
    "Nothing uses a stage",
    "It is built by old builders all the same, unless it is meant as a --target.",
    "FROM debian:bookworm-slim AS lost\nFROM debian:bookworm-slim\nRUN echo built",
    "FROM debian:bookworm-slim AS used\nFROM used\nRUN echo built",
)
TWICE = Rule(
    "SL093",
    "stage-named-twice",
    Severity.ERROR,
    "Two stages have the same name",
    "The build stops, or takes the other one.",
    "FROM debian:bookworm-slim AS app\nFROM app AS app",
    "FROM debian:bookworm-slim AS base\nFROM base AS app",
)
RULES = (TOOLS, BASE, UNUSED, TWICE)

_TOOLS = re.compile(
    r"build-essential|build-base|alpine-sdk|base-devel|gcc(?:-[0-9.]+)?|g\+\+(?:-[0-9.]+)?|clang(?:-[0-9.]+)?"
    r"|gcc-c\+\+|make|cmake|ninja-build|autoconf|automake|libtool|golang(?:-[0-9.]+|-go)?|rustc|cargo"
    r"|openjdk-?[0-9]+-jdk(?:-headless)?|java-[0-9.]+-openjdk-devel|default-jdk(?:-headless)?|maven|gradle"
    r"|(?:[a-z0-9+.-]+)-(?:dev|devel)|linux-headers(?:-.*)?|meson|bison|flex|swig|yasm|nasm"
)
_NO_TOOL = re.compile(r"git-.*|.*-nodev|.*dev-null")
_REMOVES = frozenset({"purge", "remove", "autoremove", "del", "erase"})
_TOOLCHAINS = re.compile(
    r"(?:.*/)?(?:golang|rust|gcc|maven|gradle|buildpack-deps|clang|swift|haskell|emscripten/emsdk|sbt)(?::.*)?$"
    r"|.*\b(?:dotnet/sdk|dotnet-sdk)\b.*|(?:.*/)?(?:eclipse-temurin|amazoncorretto|openjdk|ibm-semeru-runtimes):"
    r".*jdk.*|(?:.*/)?openjdk:[0-9][^:]*$"
)
_MOST_NAMED = 5


def tools(subject: Subject) -> Iterator[Finding]:
    """Build tools that are installed in a layer which ships."""
    for run, item in installs(subject):
        if item.kind not in ("apt", "apk", "dnf", "zypper") or not subject.ships(run.stage):
            continue
        names = [name.partition("=")[0].partition("~")[0] for name in item.packages]
        found = [name for name in names if _TOOLS.fullmatch(name) and not _NO_TOOL.fullmatch(name)]
        if found and not _taken_away(run, found, item.command.words):
            more = f" and {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else ""
            yield TOOLS.at(
                item.command.line,
                f"{', '.join(found[:_MOST_NAMED])}{more}: tools for building that ship.",
                "Build in a stage of its own (FROM ... AS build), and COPY --from=build the "
                "result.",
            )


def toolchains(subject: Subject) -> Iterator[Finding]:
    """An image for building as the base of what ships."""
    for stage in subject.recipe.shipped[:1]:
        name = stage.base.name or ""
        if _TOOLCHAINS.match(name.partition("@")[0]):
            yield BASE.at(
                stage.start.line,
                f"{name} is an image to build with.",
                "Build in it (FROM ... AS build), and start the last stage from a runtime image.",
            )


def stages(subject: Subject) -> Iterator[Finding]:
    """Stages that are named twice, or not used."""
    recipe = subject.recipe
    used = {stage.base.stage for stage in recipe.stages}
    for stage in recipe.stages:
        for step in stage.of("COPY", "ADD"):
            used.add(recipe.stage_named(step.instruction.flag("from") or "", stage.index))
            if "$" in (step.instruction.flag("from") or ""):
                return
    for run in subject.runs:
        used.update(
            recipe.stage_named(mount.get("from", ""), run.stage.index) for mount in run.mounts
        )
    seen: dict[str, int] = {}
    for stage in recipe.stages:
        if stage.name and stage.name in seen:
            yield TWICE.at(
                stage.start.line, f"Line {seen[stage.name]} has a stage {stage.name} too."
            )
        seen.setdefault(stage.name, stage.start.line)
        if stage.index not in used and stage.index != recipe.stages[-1].index:
            name = stage.name or f"number {stage.index}"
            yield UNUSED.at(
                stage.start.line,
                f"Nothing uses the stage {name}.",
                "Remove it, unless it is built with --target.",
            )


def _taken_away(run: Run, found: list[str], words: tuple[str, ...]) -> bool:
    """Whether the same RUN removes them again, by name or as a virtual package."""
    virtual = {
        words[number + 1] for number, word in enumerate(words[:-1]) if word in ("-t", "--virtual")
    } | {word.partition("=")[2] for word in words if word.startswith("--virtual=")}
    for command in run.script.commands:
        if install_of(command) is None and _REMOVES & set(command.arguments[:4]):
            removed = set(command.arguments)
            if removed & virtual or removed & set(found) or any("$" in word for word in removed):
                return True
    return False


CHECKS: tuple[Check, ...] = (tools, toolchains, stages)
