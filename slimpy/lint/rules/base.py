"""Images that stages start from: are they the same tomorrow?"""

from __future__ import annotations

import re
from collections.abc import Iterator

from slimpy.lint.finding import Finding, Rule, Severity
from slimpy.lint.subject import Check, Subject

NO_TAG = Rule(
    "SL001",
    "base-without-tag",
    Severity.WARNING,
    "An image is used without a tag",
    "Without a tag it is `latest`: each build may start from another system.",
    "FROM debian",
    "FROM debian:bookworm-slim",
)
LATEST = Rule(
    "SL002",
    "base-latest",
    Severity.WARNING,
    "An image is used by the tag latest",
    "`latest` moves: the same Dockerfile gives another image next month.",
    "FROM node:latest",
    "FROM node:22.11-bookworm-slim",
)
NO_DIGEST = Rule(
    "SL003",
    "base-without-digest",
    Severity.INFO,
    "An image is used without its digest",
    "Tags are moved for security updates; only a digest is the same bytes for ever. A bot can "
    "renew it.",
    "FROM debian:bookworm-slim",
    f"FROM debian:bookworm-slim@sha256:{'0123456789abcdef' * 4}",
)
PLATFORM = Rule(
    "SL004",
    "base-platform-fixed",
    Severity.INFO,
    "FROM names one platform",
    "The image can then not be built for another machine; `docker build --platform` chooses it.",
    "FROM --platform=linux/amd64 debian:bookworm-slim",
    "FROM --platform=$BUILDPLATFORM debian:bookworm-slim",
)
NO_DEFAULT = Rule(
    "SL005",
    "base-argument-unset",
    Severity.ERROR,
    "FROM uses a variable that no ARG before it declares",
    "It is empty, so the build fails or starts from another image. ARG has to stand before the "
    "first FROM.",
    "FROM debian:${RELEASE}",
    "ARG RELEASE=bookworm-slim\nFROM debian:${RELEASE}",
)
RULES = (NO_TAG, LATEST, NO_DIGEST, PLATFORM, NO_DEFAULT)

_BUILT_IN = re.compile(r"\$\{?(?:BUILD|TARGET)(?:PLATFORM|OS|ARCH|VARIANT)")


def bases(subject: Subject) -> Iterator[Finding]:
    """Unpinned images of FROM."""
    for stage in subject.recipe.stages:
        base = stage.base
        line = stage.start.line
        for name in base.empty:
            yield NO_DEFAULT.at(
                line,
                f"The variable {name} of `FROM {base.written}` is not set.",
                f"Declare it before the first FROM: ARG {name}=...",
            )
        platform = stage.start.flag("platform")
        if platform and "$" not in platform:
            yield PLATFORM.at(
                line,
                f"The platform {platform} is fixed.",
                "Leave it out, or say --platform=$BUILDPLATFORM for a stage that cross-compiles.",
            )
        if base.name and base.stage is None and not base.empty and base.name != "scratch":
            yield from image(base.name, line)


def copied_images(subject: Subject) -> Iterator[Finding]:
    """Unpinned images that files are copied from."""
    for stage in subject.recipe.stages:
        for step in stage.of("COPY"):
            source = step.instruction.flag("from") or ""
            is_image = any(mark in source for mark in "/:@") and "$" not in source
            if is_image:
                yield from image(source, step.line)


def image(name: str, line: int) -> Iterator[Finding]:
    """What is loose in an image's name."""
    whole, at, _ = name.partition("@")
    repository, colon, tag = whole.rpartition(":")
    if not colon or "/" in tag:
        repository, tag = whole, ""
    if at:
        return
    if not tag:
        yield NO_TAG.at(
            line, f"The image {name} has no tag.", f"Name a version: {repository}:1.2.3"
        )
    elif tag == "latest":
        yield LATEST.at(
            line, f"The image {name} is whatever is newest.", f"Name a version: {repository}:1.2.3"
        )
    else:
        yield NO_DIGEST.at(
            line,
            f"The image {name} is pinned by its tag only.",
            f"Pin its contents too: {name}@sha256:...",
        )


CHECKS: tuple[Check, ...] = (bases, copied_images)
