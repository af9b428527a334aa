"""What package managers leave behind in a layer that ships."""

from __future__ import annotations

import re
from collections.abc import Iterator

from slimpy.lint.finding import Finding, Rule, Severity
from slimpy.lint.installs import Install
from slimpy.lint.rules.packages import installs
from slimpy.lint.runs import Run
from slimpy.lint.subject import Check, Subject

APT = Rule(
    "SL030",
    "apt-lists-left",
    Severity.WARNING,
    "The package lists of apt stay in the layer",
    "They are some 20 to 50 MB, and of no use: the next install fetches new ones. A later RUN "
    "cannot make the layer smaller.",
    "RUN apt-get update && apt-get install -y --no-install-recommends curl=7.88.1-10",
    "RUN apt-get update && apt-get install -y --no-install-recommends curl=7.88.1-10 && rm -rf "
    "/var/lib/apt/lists/*",
)
APK = Rule(
    "SL031",
    "apk-cache-left",
    Severity.WARNING,
    "The index of apk stays in the layer",
    "--no-cache reads the index without storing it.",
    "RUN apk add curl~=8.9",
    "RUN apk add --no-cache curl~=8.9",
)
PIP = Rule(
    "SL032",
    "pip-cache-left",
    Severity.WARNING,
    "The cache of pip stays in the layer",
    "It holds each wheel a second time.",
    "RUN pip install flask==3.0.3",
    "RUN --mount=type=cache,target=/root/.cache/pip pip install flask==3.0.3",
)
NPM = Rule(
    "SL033",
    "npm-cache-left",
    Severity.WARNING,
    "The cache of npm, yarn or pnpm stays in the layer",
    "It holds each package a second time.",
    "RUN npm ci",
    "RUN --mount=type=cache,target=/root/.npm npm ci",
)
DNF = Rule(
    "SL034",
    "dnf-cache-left",
    Severity.WARNING,
    "The cache of dnf, yum or zypper stays in the layer",
    "Metadata and packages are often a hundred MB.",
    "RUN dnf install -y curl",
    "RUN dnf install -y curl && dnf clean all",
)
FRONTEND = Rule(
    "SL035",
    "frontend-stays",
    Severity.INFO,
    "DEBIAN_FRONTEND stays set in the image",
    "ENV also counts for whoever works in a container later. ARG counts for the build alone.",
    "ENV DEBIAN_FRONTEND=noninteractive",
    "ARG DEBIAN_FRONTEND=noninteractive",
)
RULES = (APT, APK, PIP, NPM, DNF, FRONTEND)

_LISTS = "/var/lib/apt/lists"
_HOMES = r"(?:/root|~|\$HOME|\$\{HOME\}|/home/[^/]+)"
_PIP_CACHE = re.compile(rf"{_HOMES}/\.cache(?:/pip)?(?:/\*?)?$")
_NPM_CACHE = re.compile(
    rf"{_HOMES}/(?:\.npm|\.cache|\.yarn|\.local/share/pnpm|\.pnpm-store)|/usr/local/share/\.cache"
)


def apt(subject: Subject) -> Iterator[Finding]:
    """Lists of apt that nobody removes in the same RUN."""
    for run in subject.runs:
        if not subject.ships(run.stage) or run.caches(_LISTS):
            continue
        updates = [
            command
            for command in run.named("apt-get", "apt", "aptitude")
            if "update" in command.arguments
        ]
        if updates and not _removes(run, re.compile(r"/var/lib/apt/?(?:\*|lists(?:/.*)?)?$")):
            yield APT.at(
                updates[0].line,
                "The lists that apt-get update fetches stay in the layer.",
                "End the same RUN with: && rm -rf /var/lib/apt/lists/*",
            )


def others(subject: Subject) -> Iterator[Finding]:
    """Caches of the other package managers."""
    for run, item in installs(subject):
        if subject.ships(run.stage):
            yield from _left(run, item)


def frontend(subject: Subject) -> Iterator[Finding]:
    """DEBIAN_FRONTEND as ENV."""
    for stage in subject.recipe.shipped:
        for step in stage.of("ENV"):
            if re.search(r"\bDEBIAN_FRONTEND\b", step.instruction.rest.value):
                yield FRONTEND.at(
                    step.line, "DEBIAN_FRONTEND stays set in the image.", "Use ARG instead of ENV."
                )


def _left(run: Run, item: Install) -> Iterator[Finding]:
    line, command = item.command.line, item.command
    match item.kind:
        case "apk":
            clean = (
                command.has("--no-cache")
                or run.caches("/var/cache/apk")
                or run.caches("/etc/apk/cache")
            )
            if not clean and not _removes(run, re.compile(r"/var/cache/apk(?:/.*)?$")):
                yield APK.at(line, "apk stores its index in the layer.", "apk add --no-cache ...")
        case "pip":
            if _pip_leaves(run, item):
                yield PIP.at(
                    line,
                    "pip stores its cache in the layer.",
                    "pip install --no-cache-dir ..., or a cache mount: "
                    "--mount=type=cache,target=/root/.cache/pip",
                )
        case "npm" | "yarn" | "pnpm":
            if not _npm_cleans(run):
                yield NPM.at(
                    line,
                    f"{item.kind} stores its cache in the layer.",
                    "End the same RUN with npm cache clean --force, or mount a cache:"
                    " --mount=type=cache,target=/root/.npm",
                )
        case "dnf" | "zypper":
            if not _dnf_cleans(run):
                yield DNF.at(
                    line,
                    f"{command.name} stores its cache in the layer.",
                    f"End the same RUN with: && {command.name} clean all",
                )


def _pip_leaves(run: Run, item: Install) -> bool:
    setting = "PIP_NO_CACHE_DIR"
    said = {key for cmd in run.script.commands for key, _ in cmd.variables}
    if item.command.has("--no-cache-dir", "--no-cache") or item.command.name == "pipx":
        return False
    if (
        setting in run.step.values
        or setting in said
        or run.caches("/root/.cache/pip")
        or _any_cache(run, "pip")
    ):
        return False
    purged = any(
        "cache" in cmd.arguments and "purge" in cmd.arguments for cmd in run.script.commands
    )
    return not purged and not _removes(run, _PIP_CACHE)


def _npm_cleans(run: Run) -> bool:
    if any(_any_cache(run, name) for name in ("npm", "yarn", "pnpm", ".cache")):
        return True
    cleaned = any(
        {"cache", "store"} & set(cmd.arguments) and {"clean", "prune", "rm"} & set(cmd.arguments)
        for cmd in run.named("npm", "yarn", "pnpm")
    )
    return cleaned or _removes(run, _NPM_CACHE)


def _dnf_cleans(run: Run) -> bool:
    names = ("dnf", "yum", "microdnf", "zypper")
    cleaned = any({"clean", "cc"} & set(cmd.arguments) for cmd in run.named(*names))
    mounted = any(run.caches(f"/var/cache/{name}") for name in (*names, "libdnf5", "zypp"))
    return cleaned or mounted or _removes(run, re.compile(r"/var/cache/"))


def _any_cache(run: Run, part: str) -> bool:
    """Whether a cache is mounted for it, wherever its home is."""
    return any(
        mount.get("type") in ("cache", "tmpfs")
        and part in (mount.get("target") or mount.get("dst") or "")
        for mount in run.mounts
    )


def _removes(run: Run, places: re.Pattern[str]) -> bool:
    """Whether the RUN deletes such a place itself."""
    return any(
        places.match(word.rstrip("/")) or places.match(word)
        for command in run.named("rm", "find")
        for word in command.arguments
    )


CHECKS: tuple[Check, ...] = (apt, others, frontend)
