"""Packages: named with their versions, installed without questions, from fresh lists."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby, islice

from slimpy.lint.finding import Finding, Rule, Severity
from slimpy.lint.installs import Install, install_of
from slimpy.lint.runs import Run
from slimpy.lint.subject import Check, Subject

APT = Rule(
    "SL020",
    "apt-without-version",
    Severity.INFO,
    "apt installs whatever version is newest",
    "The same file gives another image later. Where that matters, name versions, or use a dated "
    "mirror.",
    "RUN apt-get update && apt-get install -y --no-install-recommends curl && rm -rf "
    "/var/lib/apt/lists/*",
    "RUN apt-get update && apt-get install -y --no-install-recommends curl=7.88.1-10+deb12u8 && "
    "rm -rf /var/lib/apt/lists/*",
)
APK = Rule(
    "SL021",
    "apk-without-version",
    Severity.INFO,
    "apk installs whatever version is newest",
    "The same file gives another image later. `~=` pins the version and lets rebuilds through.",
    "RUN apk add --no-cache curl",
    "RUN apk add --no-cache curl~=8.9",
)
PIP = Rule(
    "SL022",
    "pip-without-version",
    Severity.WARNING,
    "pip installs whatever version is newest",
    "A release of tomorrow can break the app. Name versions, or install from a file that has them.",
    "RUN pip install --no-cache-dir flask",
    "RUN pip install --no-cache-dir flask==3.0.3",
)
NPM = Rule(
    "SL023",
    "npm-without-version",
    Severity.WARNING,
    "npm, yarn or pnpm installs whatever version is newest",
    "A release of tomorrow can break the app, or be hostile. Name versions, or install from a "
    "lock file.",
    "RUN npm install -g serve && npm cache clean --force",
    "RUN npm install -g serve@14.2.3 && npm cache clean --force",
)
GEM = Rule(
    "SL024",
    "gem-without-version",
    Severity.WARNING,
    "gem installs whatever version is newest",
    "A release of tomorrow can break the app. Name the version, or use a Gemfile.lock.",
    "RUN gem install rails",
    "RUN gem install rails:7.1.3",
)
NO_YES = Rule(
    "SL025",
    "apt-without-yes",
    Severity.ERROR,
    "apt asks, and nobody answers",
    "Without -y apt waits for a yes, gets none in a build, and gives up.",
    "RUN apt-get update && apt-get install --no-install-recommends curl=7.88.1-10 && rm -rf "
    "/var/lib/apt/lists/*",
    "RUN apt-get update && apt-get install -y --no-install-recommends curl=7.88.1-10 && rm -rf "
    "/var/lib/apt/lists/*",
)
RECOMMENDS = Rule(
    "SL026",
    "apt-recommends",
    Severity.INFO,
    "apt also installs what is only recommended",
    "Recommended packages are often larger than what was asked for, and seldom needed in a "
    "container.",
    "RUN apt-get update && apt-get install -y curl=7.88.1-10 && rm -rf /var/lib/apt/lists/*",
    "RUN apt-get update && apt-get install -y --no-install-recommends curl=7.88.1-10 && rm -rf "
    "/var/lib/apt/lists/*",
)
UPDATE = Rule(
    "SL027",
    "apt-update-apart",
    Severity.WARNING,
    "apt-get update and apt-get install stand in different RUNs",
    "The update is cached: a later change of the install uses old lists, and gets old or missing "
    "packages.",
    "RUN apt-get update\nRUN apt-get install -y --no-install-recommends curl=7.88.1-10",
    "RUN apt-get update && apt-get install -y --no-install-recommends curl=7.88.1-10 && rm -rf "
    "/var/lib/apt/lists/*",
)
FOR_PEOPLE = Rule(
    "SL028",
    "apt-for-people",
    Severity.WARNING,
    "apt is meant for people",
    "Its interface changes between releases, and it warns of that itself; apt-get is for scripts.",
    "RUN apt update && apt install -y --no-install-recommends curl=7.88.1-10 && rm -rf "
    "/var/lib/apt/lists/*",
    "RUN apt-get update && apt-get install -y --no-install-recommends curl=7.88.1-10 && rm -rf "
    "/var/lib/apt/lists/*",
)
ASKS = Rule(
    "SL029",
    "package-asks",
    Severity.INFO,
    "A package asks questions while it is installed",
    "tzdata and its like ask for a region or a keyboard. On some bases that stops the build for "
    "good.",
    "RUN apt-get update && apt-get install -y --no-install-recommends tzdata=2024a-0 && rm -rf "
    "/var/lib/apt/lists/*",
    "RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y "
    "--no-install-recommends tzdata=2024a-0 && rm -rf /var/lib/apt/lists/*",
)
RULES = (APT, APK, PIP, NPM, GEM, NO_YES, RECOMMENDS, UPDATE, FOR_PEOPLE, ASKS)

_LOOSE = {"apt": APT, "apk": APK, "pip": PIP, "npm": NPM, "yarn": NPM, "pnpm": NPM, "gem": GEM}
_EXAMPLES = {
    "apt": "{}=1.2.3-1",
    "apk": "{}~=1.2",
    "pip": "{}==1.2.3",
    "npm": "{}@1.2.3",
    "yarn": "{}@1.2.3",
    "pnpm": "{}@1.2.3",
    "gem": "{}:1.2.3",
}
_ASKING = frozenset(
    {
        *("tzdata", "keyboard-configuration", "console-setup", "postfix", "krb5-config"),
        *("wireshark-common", "iptables-persistent", "slapd", "ttf-mscorefonts-installer"),
        *("jackd2", "mysql-server"),
    }
)
"""Packages that are known to ask."""

MOST_INSTALLS = 20
"""Installing commands of one RUN that are looked at, each against the whole RUN."""

_MOST_NAMED = 5


def versions(subject: Subject) -> Iterator[Finding]:
    """Packages without versions."""
    for _, item in installs(subject):
        rule = _LOOSE.get(item.kind)
        if rule and item.loose:
            example = _EXAMPLES[item.kind].format(item.loose[0].partition("@")[0] or item.loose[0])
            yield rule.at(
                item.command.line,
                f"{_named(item.loose)}: no version is named.",
                f"Name it, such as {example}.",
            )


def apt(subject: Subject) -> Iterator[Finding]:
    """How apt is called."""
    for run, item in installs(subject):
        command = item.command
        if item.kind != "apt":
            continue
        if not command.has("-y", "--yes", "--assume-yes", "-qq", "--force-yes") and not _says_yes(
            run
        ):
            yield NO_YES.at(command.line, "apt-get install lacks -y.", "apt-get install -y ...")
        if not command.has("--no-install-recommends", "--no-recommends") and not _configured(run):
            yield RECOMMENDS.at(
                command.line,
                "Recommended packages are installed too.",
                "apt-get install --no-install-recommends ...",
            )
        asking = sorted(_ASKING & {name.partition("=")[0] for name in item.packages})
        if asking and not _is_silent(run, item):
            yield ASKS.at(
                command.line,
                f"{_named(tuple(asking))} may ask questions.",
                "DEBIAN_FRONTEND=noninteractive apt-get install -y ...",
            )
    for run in subject.runs:
        for command in run.named("apt"):
            yield FOR_PEOPLE.at(command.line, "apt is called by a script.", "Call apt-get.")
            break


def updates(subject: Subject) -> Iterator[Finding]:
    """An update in another RUN than the install that needs it."""
    for _, group in groupby(subject.runs, key=lambda run: run.stage.index):
        lonely: Run | None = None
        for run in group:
            updated = any(
                "update" in cmd.arguments for cmd in run.named("apt-get", "apt", "aptitude")
            )
            found = map(install_of, run.script.commands)
            installed = any(item is not None and item.kind == "apt" for item in found)
            if installed and not updated and lonely is not None:
                yield UPDATE.at(
                    lonely.line,
                    f"apt-get update is in a RUN of its own; line {run.line} installs.",
                    "Join them: RUN apt-get update && apt-get install ...",
                )
                lonely = None
            if updated and not installed and not run.caches("/var/lib/apt/lists"):
                lonely = run


def installs(subject: Subject) -> Iterator[tuple[Run, Install]]:
    """The installing commands of the file, each with its RUN."""
    for run in subject.runs:
        found = filter(None, map(install_of, run.script.commands))
        yield from ((run, item) for item in islice(found, MOST_INSTALLS))


def _named(packages: tuple[str, ...]) -> str:
    more = f" and {len(packages) - _MOST_NAMED} more" if len(packages) > _MOST_NAMED else ""
    return ", ".join(packages[:_MOST_NAMED]) + more


def _says_yes(run: Run) -> bool:
    """Whether a pipe or the configuration answers."""
    piped = any(
        pipeline[0].name == "yes" for pipeline in run.script.pipelines() if pipeline[0].words
    )
    return piped or _mentions(run, "Assume-Yes")


def _configured(run: Run) -> bool:
    return _mentions(run, "Install-Recommends")


def _mentions(run: Run, setting: str) -> bool:
    return any(setting in word for cmd in run.script.commands for word in cmd.words)


def _is_silent(run: Run, item: Install) -> bool:
    name = "DEBIAN_FRONTEND"
    said = {key for cmd in run.script.commands for key, _ in cmd.variables}
    return (
        name in run.step.values
        or name in said
        or any(name == key for key, _ in item.command.variables)
    )


CHECKS: tuple[Check, ...] = (versions, apt, updates)
