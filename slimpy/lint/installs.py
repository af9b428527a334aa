"""Commands that install packages: of which kind, which, and whether their versions are named."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from slimpy.lint.shell import Command


@dataclass(frozen=True, slots=True)
class Install:
    """One command; ``loose`` are packages without a version, ``packages`` all that are named."""

    kind: str  # apt, apk, pip, npm, gem, dnf
    command: Command
    packages: tuple[str, ...]
    loose: tuple[str, ...]


_APT_VALUES = frozenset({"-o", "--option", "-t", "--target-release", "-c", "--config-file"})
_APK_VALUES = frozenset({"-t", "--virtual", "-X", "--repository", "-p", "--root"})
_PIP_VALUES = frozenset(
    {
        *("-r", "--requirement", "-c", "--constraint", "-e", "--editable", "-i", "--index-url"),
        *("--extra-index-url", "-f", "--find-links", "-t", "--target", "--prefix", "--root"),
        *("--trusted-host", "--platform", "--python-version", "--implementation", "--abi"),
        *("--cache-dir", "--proxy", "--timeout", "--retries", "--only-binary", "--no-binary"),
        *(
            "--progress-bar",
            "--python",
            "-p",
            "--config-settings",
            "-C",
            "--cert",
            "--log",
            "--src",
        ),
        *("--upgrade-strategy", "--root-user-action", "--group"),
    }
)
_NPM_VALUES = frozenset(
    {"--prefix", "--registry", "--cache", "--loglevel", "--omit", "--only", "-C"}
)
_GEM_VALUES = frozenset(
    {"-v", "--version", "-s", "--source", "-i", "--install-dir", "-n", "--bindir", "-P"}
)
_PIP_PINNED = re.compile(r"===|==|~=|<|@")
_PYTHONS = re.compile(r"python[0-9.]*|pypy[0-9.]*")
_PIPS = re.compile(r"pip[0-9.]*|pipx")


def install_of(command: Command) -> Install | None:
    """What a command installs; None if it is none of these."""
    name, arguments = command.name, command.arguments
    if _PYTHONS.fullmatch(name) and arguments[:2] == ("-m", "pip"):
        name, arguments = "pip", arguments[2:]
    if name == "uv" and arguments[:1] == ("pip",):
        name, arguments = "pip", arguments[1:]
    if _PIPS.fullmatch(name):
        name = "pip"
    kind, verbs, values, loose = _KINDS.get(name, ("", frozenset(), frozenset(), _never))
    if not kind:
        return None
    words = tuple(_operands(arguments, values))
    if name == "yarn" and words[:1] == ("global",):
        words = words[1:]
    if not words or words[0] not in verbs:
        return None
    packages = tuple(word for word in words[1:] if word)
    known = (word for word in packages if "$" not in word and "`" not in word)
    unpinned = tuple(word for word in known if loose(word, command))
    return Install(kind, command, packages, unpinned)


def _operands(arguments: tuple[str, ...], values: frozenset[str]) -> Iterator[str]:
    """The words that are no options, nor values of options."""
    skip = False
    for word in arguments:
        if skip:
            skip = False
        elif word.startswith("-") and len(word) > 1:
            skip = word in values
        else:
            yield word


def _never(_word: str, _command: Command) -> bool:
    return False


def _apt(word: str, _command: Command) -> bool:
    return not (
        "=" in word or "/" in word or (word.endswith((".deb", "-", "+", "*")) and "." in word)
    )


def _apk(word: str, _command: Command) -> bool:
    return not re.search(r"[=<>~@/]", word) and not word.endswith(".apk")


def _pip(word: str, command: Command) -> bool:
    if command.has("-c", "--constraint", "--require-hashes"):
        return False
    is_place = word.startswith((".", "/", "http:", "https:", "git+", "file:")) or "/" in word
    return (
        not is_place
        and not word.endswith((".whl", ".tar.gz", ".zip"))
        and not _PIP_PINNED.search(word)
    )


def _npm(word: str, _command: Command) -> bool:
    if word.startswith((".", "/", "http:", "https:", "git", "file:")) or word.endswith(".tgz"):
        return False
    if "/" in word and not word.startswith("@"):
        return False  # of a repository
    _, _, version = word.lstrip("@").partition("@")
    return version in ("", "latest", "*")


def _gem(word: str, command: Command) -> bool:
    return not command.has("-v", "--version") and ":" not in word and not word.endswith(".gem")


_Kind = tuple[str, frozenset[str], frozenset[str], Callable[[str, Command], bool]]
_APT: _Kind = ("apt", frozenset({"install"}), _APT_VALUES, _apt)
_NPM_VERBS = frozenset({"install", "i", "add", "ci", "clean-install"})
_DNF: _Kind = (
    "dnf",
    frozenset({"install", "groupinstall", "update", "upgrade"}),
    frozenset(),
    _never,
)
_KINDS: Mapping[str, _Kind] = {
    "apt-get": _APT,
    "apt": _APT,
    "aptitude": _APT,
    "apk": ("apk", frozenset({"add"}), _APK_VALUES, _apk),
    "pip": ("pip", frozenset({"install", "wheel"}), _PIP_VALUES, _pip),
    "npm": ("npm", _NPM_VERBS, _NPM_VALUES, _npm),
    "yarn": ("yarn", frozenset({"add", "install"}), frozenset({"--cwd"}), _npm),
    "pnpm": ("pnpm", _NPM_VERBS, frozenset({"-C", "--filter"}), _npm),
    "gem": ("gem", frozenset({"install", "i"}), _GEM_VALUES, _gem),
    "dnf": _DNF,
    "yum": _DNF,
    "microdnf": _DNF,
    "zypper": ("zypper", frozenset({"install", "in"}), frozenset(), _never),
}
