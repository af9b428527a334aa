"""Reports of Grype and Trivy, joined with what became of the packages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import unquote

import msgspec

from slimpy.errors import UsageError
from slimpy.model import display
from slimpy.sbom.components import Component, Inventory
from slimpy.sbom.package import Ecosystem
from slimpy.scan import files
from slimpy.scan.known import Known, Match, name_of, severity_of

_GRYPE_TYPES = {
    "deb": Ecosystem.DEB,
    "apk": Ecosystem.APK,
    "rpm": Ecosystem.RPM,
    "python": Ecosystem.PYTHON,
    "npm": Ecosystem.NODE,
    "gem": Ecosystem.RUBY,
    "java-archive": Ecosystem.JAVA,
    "go-module": Ecosystem.GO,
    "rust-crate": Ecosystem.RUST,
    "php-composer": Ecosystem.PHP,
}
_TRIVY_TYPES = {
    "debian": Ecosystem.DEB,
    "ubuntu": Ecosystem.DEB,
    "alpine": Ecosystem.APK,
    "redhat": Ecosystem.RPM,
    "centos": Ecosystem.RPM,
    "rocky": Ecosystem.RPM,
    "alma": Ecosystem.RPM,
    "fedora": Ecosystem.RPM,
    "amazon": Ecosystem.RPM,
    "oracle": Ecosystem.RPM,
    "python-pkg": Ecosystem.PYTHON,
    "node-pkg": Ecosystem.NODE,
    "gemspec": Ecosystem.RUBY,
    "jar": Ecosystem.JAVA,
    "gobinary": Ecosystem.GO,
    "rustbinary": Ecosystem.RUST,
    "composer": Ecosystem.PHP,
    "composer-vendor": Ecosystem.PHP,
}


class _Fix(msgspec.Struct, frozen=True):
    versions: tuple[str, ...] = ()


class _GrypeName(msgspec.Struct, frozen=True):
    id: str
    severity: str = ""
    fix: _Fix | None = None


class _Related(msgspec.Struct, frozen=True):
    id: str = ""


class _Location(msgspec.Struct, frozen=True):
    path: str = ""


class _Artifact(msgspec.Struct, frozen=True):
    name: str
    version: str = ""
    type: str = ""
    purl: str = ""
    locations: tuple[_Location, ...] = ()


class _GrypeMatch(msgspec.Struct, frozen=True):
    vulnerability: _GrypeName
    artifact: _Artifact
    related: tuple[_Related, ...] | None = msgspec.field(
        default=None, name="relatedVulnerabilities"
    )


class _Grype(msgspec.Struct, frozen=True):
    matches: tuple[_GrypeMatch, ...]


class _Identifier(msgspec.Struct, frozen=True):
    purl: str = msgspec.field(default="", name="PURL")


class _TrivyItem(msgspec.Struct, frozen=True, rename="pascal"):
    vulnerability_id: str = msgspec.field(name="VulnerabilityID")
    pkg_name: str
    installed_version: str = ""
    fixed_version: str = ""
    severity: str = ""
    pkg_path: str = ""
    pkg_identifier: _Identifier = _Identifier()


class _TrivyResult(msgspec.Struct, frozen=True, rename="pascal"):
    target: str = ""
    type: str = ""
    vulnerabilities: tuple[_TrivyItem, ...] | None = None


class _Trivy(msgspec.Struct, frozen=True, rename="pascal"):
    schema_version: int
    results: tuple[_TrivyResult, ...] | None = None


def grype(path: Path, inventory: Inventory) -> Known:
    """What `grype -o json` says. Which ecosystems it had data of, it does not say: those count
    of which it names a vulnerability.

    Raises:
        UsageError: the file is no such report.
    """
    report = files.read(path, _Grype, "report of Grype (grype -o json)")
    joined = _Joining(inventory)
    found, covered = [], set()
    for one in report.matches:
        artifact, said = one.artifact, one.vulnerability
        ecosystem = _GRYPE_TYPES.get(artifact.type)
        covered |= {ecosystem} if ecosystem else set()
        paths = [place.path for place in artifact.locations]
        name = name_of(said.id, (item.id for item in one.related or ()))
        fixed = said.fix.versions[0] if said.fix and said.fix.versions else ""
        for item in joined.find(ecosystem, artifact.name, artifact.version, artifact.purl, paths):
            found.append(
                Match(
                    name, severity_of(said.severity), item, display(artifact.name),
                    display(artifact.version), display(fixed),
                )
            )  # fmt: skip
    return Known("Grype's report", tuple(found), frozenset(covered))


def trivy(path: Path, inventory: Inventory) -> Known:
    """What `trivy image -f json` says; it names each kind of package that it looked at.

    Raises:
        UsageError: the file is no such report.
    """
    report = files.read(path, _Trivy, "report of Trivy (trivy image -f json)")
    joined = _Joining(inventory)
    found, covered = [], set()
    for result in report.results or ():
        ecosystem = _TRIVY_TYPES.get(result.type)
        covered |= {ecosystem} if ecosystem else set()
        for one in result.vulnerabilities or ():
            paths = [one.pkg_path or result.target]
            name = name_of(one.vulnerability_id)
            version = one.installed_version
            purl = one.pkg_identifier.purl
            for item in joined.find(ecosystem, one.pkg_name, version, purl, paths):
                found.append(
                    Match(
                        name, severity_of(one.severity), item, display(one.pkg_name),
                        display(version), display(one.fixed_version),
                    )
                )  # fmt: skip
    if not report.results:
        message = f"{display(str(path))} holds no results."
        raise UsageError(message, hint="Make it with: trivy image -f json -o FILE IMAGE")
    return Known("Trivy's report", tuple(found), frozenset(covered))


class _Joining:
    """Packages of a report to those of the inventory: by URL, else by path, else by name."""

    def __init__(self, inventory: Inventory) -> None:
        self._by_purl: dict[str, list[Component]] = {}
        self._by_path: dict[str, list[Component]] = {}
        self._by_name: dict[tuple[str, str], list[Component]] = {}
        for item in inventory.components:
            self._by_purl.setdefault(_bare(item.purl), []).append(item)
            self._by_path.setdefault(item.evidence, []).append(item)
            self._by_name.setdefault((item.name.lower(), item.version), []).append(item)

    def find(
        self,
        ecosystem: Ecosystem | None,
        name: str,
        version: str,
        purl: str,
        paths: Iterable[str],
    ) -> Iterator[Component | None]:
        """The packages that are meant; None once where the inventory has none like it."""
        same = self._by_name.get((name.lower(), version), [])
        same = [item for item in same if ecosystem in (None, item.ecosystem)]
        places = {"/" + path.lstrip("/") for path in paths if path}
        named = self._by_purl.get(_bare(purl), []) if purl else same
        there = [item for item in named or same if item.evidence in places]
        found = there or named or same
        if found:
            yield from found
        else:
            yield None


def _bare(purl: str) -> str:
    """Without qualifiers, and however it is quoted; a version's epoch is in some of them only."""
    text = unquote(purl.partition("#")[0].partition("?")[0]).lower()
    head, _, version = text.rpartition("@")
    return f"{head}@{version.rpartition(':')[2]}" if head else text
