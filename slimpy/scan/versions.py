"""Which of two versions is newer, by the rules of their ecosystem.

The rules of most come from univers; those of Alpine (apk-package(5), "pkgver") and Composer
(composer/semver, VersionParser, and PHP's version_compare) are here, as it takes some of their
versions for none or orders them otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from slimpy.errors import UsageError
from slimpy.sbom.package import Ecosystem

LONGEST = 128
"""Characters; a longer text is no version, and would only cost time."""

Key = Any
"""Something that can be compared with what came of another version of the same ecosystem."""

_WORD = re.compile(r"[!-~]+")
_APK = re.compile(
    r"(\d+(?:\.\d+)*)([a-z]?)((?:_(?:alpha|beta|pre|rc|cvs|svn|git|hg|p)\d*)*)(?:~[0-9a-f]+)?(?:-r(\d+))?"
)
_SUFFIX = re.compile(r"_([a-z]+)(\d*)")
_SUFFIXES = ("alpha", "beta", "pre", "rc", "", "cvs", "svn", "git", "hg", "p")
_COMPOSER = re.compile(
    r"v?(\d+(?:\.\d+){0,3})(?:[._-]?(stable|beta|b|rc|alpha|a|patch|pl|p)((?:[.-]?\d+)*))?"
    r"([.-]?dev)?(?:\+\S+)?",
    re.IGNORECASE,
)
_STABILITIES = ("dev", "alpha", "beta", "rc", "", "p")
_SHORT = {"a": "alpha", "b": "beta", "pl": "p", "patch": "p", "stable": ""}
_GO = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?(?:(rc|beta)(\d+))?(.*)")


def compare(ecosystem: Ecosystem, one: str, other: str) -> int | None:
    """Negative, zero or positive as with numbers; None where one of them is no version.

    Raises:
        UsageError: the library for it is not installed.
    """
    a, b = key(ecosystem, one), key(ecosystem, other)
    if a is None or b is None:
        return None
    try:
        return int(a > b) - int(a < b)
    except (TypeError, ValueError):
        return None


@lru_cache(maxsize=65_536)
def key(ecosystem: Ecosystem, text: str) -> Key | None:
    """The version in a form that can be compared; None if it is none.

    Raises:
        UsageError: the library for it is not installed.
    """
    if len(text) > LONGEST or not _WORD.fullmatch(text):
        return None
    try:
        match ecosystem:
            case Ecosystem.APK:
                return _alpine(text)
            case Ecosystem.PHP:
                return _composer(text)
            case Ecosystem.GO:
                return _reader(ecosystem)(_go(text))
        return _reader(ecosystem)(text)
    except (ValueError, TypeError, AttributeError, IndexError):
        return None


@lru_cache
def _reader(ecosystem: Ecosystem) -> Callable[[str], Key]:
    try:
        from univers import versions
    except ImportError as error:
        message = "To compare versions of packages a library is needed that is not installed."
        raise UsageError(message, hint="Install it: pip install 'slimpy[scan]'") from error
    readers: dict[Ecosystem, Callable[[str], Key]] = {
        Ecosystem.DEB: versions.DebianVersion,
        Ecosystem.RPM: versions.RpmVersion,
        Ecosystem.PYTHON: versions.PypiVersion,
        Ecosystem.NODE: versions.SemverVersion,
        Ecosystem.RUST: versions.SemverVersion,
        Ecosystem.GO: versions.SemverVersion,
        Ecosystem.JAVA: versions.MavenVersion,
        Ecosystem.RUBY: versions.RubygemsVersion,
    }
    return readers[ecosystem]


def _go(text: str) -> str:
    """A Go version as Semantic Versioning has it: Go's own are ``1.22``, ``1.22rc1``."""
    found = _GO.fullmatch(text.removeprefix("v").removeprefix("go"))
    if found is None:
        raise ValueError(text)
    major, minor, patch, kind, number, rest = found.groups()
    before = f"-{kind}.{number}" if kind else ""
    return f"{major}.{minor}.{patch or 0}{before}{rest}"


def _alpine(text: str) -> Key | None:
    found = _APK.fullmatch(text)
    if found is None:
        return None
    digits, letter, suffixes, revision = found.groups()
    first, *others = digits.split(".")
    # After the first one, a number with a zero in front is a fraction: 1.02 is before 1.1.
    parts = [(1, int(first), "")]
    parts += [(0, 0, part.rstrip("0")) if part[0] == "0" else (1, int(part), "") for part in others]
    kinds = [(_SUFFIXES.index(kind), int(n or 0)) for kind, n in _SUFFIX.findall(suffixes)]
    # What comes before a release is before nothing at all, what comes after it is after it.
    return (parts, letter, [*kinds, (_SUFFIXES.index(""), 0)], int(revision or 0))


def _composer(text: str) -> Key | None:
    found = _COMPOSER.fullmatch(text)
    if found is None:
        return None
    digits, stability, numbers, dev = found.groups()
    parts = [int(part) for part in digits.split(".")]
    kind = (stability or "").lower()
    rank = _STABILITIES.index(_SHORT.get(kind, kind))
    level = [int(number) for number in re.findall(r"\d+", numbers or "")]
    if dev:
        rank, level = (0, []) if not stability else (rank, [*level, -1])
    return ([*parts, 0, 0, 0][:4], rank, level)
