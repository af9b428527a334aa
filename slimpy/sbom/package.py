"""A package that some file of an image names, and its package URL."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote

from probes.model import TraceWarning
from slimpy.model import ImagePath


class Ecosystem(StrEnum):
    """Where a package comes from; the value is the type in its package URL."""

    DEB = "deb"
    APK = "apk"
    RPM = "rpm"
    PYTHON = "pypi"
    NODE = "npm"
    RUBY = "gem"
    JAVA = "maven"
    GO = "golang"
    RUST = "cargo"
    PHP = "composer"


_LOWER = frozenset(
    (
        *(Ecosystem.NODE, Ecosystem.DEB, Ecosystem.APK),
        *(Ecosystem.PYTHON, Ecosystem.GO, Ecosystem.PHP),
    )
)
"""Of which a package URL has the name in lower case."""


class State(StrEnum):
    """What became of a package in the slim image."""

    KEPT = "kept"  # all its files, but for documentation
    PARTLY = "partly"
    REMOVED = "removed"  # none of its files
    UNKNOWN = "unknown"  # nothing says which files are its own


@dataclass(frozen=True, slots=True)
class Package:
    """One installed package.

    ``files`` are real paths of the image, None where nothing tells them; ``metadata`` are those
    that only describe it. ``evidence`` is the file that names it. ``source`` is the package that
    it was built from, where that has another name.
    """

    ecosystem: Ecosystem
    name: str
    version: str
    evidence: ImagePath
    namespace: str = ""
    source: str = ""
    source_version: str = ""
    licence: str = ""
    architecture: str = ""
    distro: str = ""
    files: frozenset[ImagePath] | None = None
    metadata: frozenset[ImagePath] = frozenset()

    @property
    def purl(self) -> str:
        """The package URL, in its canonical form (package-url specification, 1.0)."""
        qualifiers = {
            "arch": self.architecture,
            "distro": self.distro,
            "upstream": self._upstream,
        }
        namespace, name, version = self.namespace, self.name, self.version
        if self.ecosystem in _LOWER:
            name = name.lower()
        match self.ecosystem:
            case Ecosystem.PYTHON:
                name = name.replace("_", "-")
            case Ecosystem.GO | Ecosystem.NODE | Ecosystem.PHP if "/" in name:
                namespace, _, name = name.rpartition("/")
            case Ecosystem.JAVA:
                namespace, _, name = name.rpartition(":")
            case Ecosystem.RPM if ":" in version:
                qualifiers["epoch"], _, version = version.partition(":")
        return _purl(self.ecosystem, namespace, name, version, qualifiers)

    @property
    def _upstream(self) -> str:
        if not self.source or self.source == self.name:
            return ""
        other = self.source_version and self.source_version != self.version
        return f"{self.source}@{self.source_version}" if other else self.source


@dataclass(frozen=True, slots=True)
class Distribution:
    """What an image says of itself in os-release(5); empty where it says nothing."""

    id: str = ""
    version: str = ""
    name: str = ""


UNNAMED = Distribution()
"""Of an image that does not say."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All packages of an image, sorted; what could not be read, and what was not looked into."""

    packages: tuple[Package, ...]
    distribution: Distribution = UNNAMED
    warnings: tuple[TraceWarning, ...] = ()
    unsearched: tuple[TraceWarning, ...] = ()


def normal_name(ecosystem: Ecosystem, name: str) -> str:
    """The name by which equal packages are told (PEP 503 for Python)."""
    if ecosystem is Ecosystem.PYTHON:
        return re.sub(r"[-_.]+", "-", name).lower()
    return name.lower() if ecosystem is Ecosystem.PHP else name


def _purl(kind: str, namespace: str, name: str, version: str, qualifiers: Mapping[str, str]) -> str:
    parts = [_quoted(part) for part in namespace.split("/") if part]
    text = "/".join((f"pkg:{kind}", *parts, _quoted(name)))
    if version:
        text += f"@{_quoted(version)}"
    pairs = [f"{key}={_quoted(value)}" for key, value in sorted(qualifiers.items()) if value]
    return f"{text}?{'&'.join(pairs)}" if pairs else text


def _quoted(text: str) -> str:
    return quote(text, safe=":", errors="surrogateescape")
