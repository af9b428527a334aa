"""Reports of Grype and Trivy, and Debian's tracker."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from slimpy.errors import UsageError
from slimpy.sbom.package import Distribution, Ecosystem, State
from slimpy.scan import scanners, tracker
from slimpy.scan.known import Severity, base_score, name_of, severity_of_vector
from tests.unit.scan.inventories import ALL, BINARY, FLASK, OPENSSL, inventory, package


def saved(place: Path, document: Any) -> Path:
    file = place / "given.json"
    file.write_text(json.dumps(document))
    return file


def grype(name: str, kind: str, **artifact: Any) -> dict[str, Any]:
    return {
        "vulnerability": {"id": "CVE-2024-1000", "severity": "High", "fix": {"versions": ["9"]}},
        "artifact": {"name": name, "type": kind, **artifact},
        "more": {"that": "is not read"},
    }


def test_grype(tmp_path: Path) -> None:
    twice = [
        package(Ecosystem.NODE, "a", "1.0.0", state, evidence=f"/{place}/package.json")
        for place, state in (("app", State.KEPT), ("opt", State.REMOVED))
    ]
    report = {
        "matches": [
            grype("libssl3", "deb", version="3.0.11-1", purl=f"{OPENSSL.purl}?arch=amd64"),
            grype("flask", "python", version="2.0.1"),
            grype("a", "npm", version="1.0.0", purl="pkg:npm/a@1.0.0",
                  locations=[{"path": "/opt/package.json"}]),
            grype("elsewhere", "apk", version="1"),
        ]
    }  # fmt: skip
    image = inventory(*ALL.components, *twice)
    found = scanners.grype(saved(tmp_path, report), image)
    assert [match.component for match in found.matches] == [OPENSSL, FLASK, twice[1], None]
    assert {match.severity for match in found.matches} == {Severity.HIGH}
    assert {match.fixed for match in found.matches} == {"9"}
    assert found.covered == {Ecosystem.DEB, Ecosystem.PYTHON, Ecosystem.NODE, Ecosystem.APK}


def test_trivy(tmp_path: Path) -> None:
    report = {
        "SchemaVersion": 2,
        "Results": [
            {
                "Target": "x (debian 12)",
                "Type": "debian",
                "Vulnerabilities": [
                    {
                        "VulnerabilityID": "CVE-2024-2000",
                        "PkgName": "openssl",
                        "InstalledVersion": "3.0.11-1",
                        "Severity": "CRITICAL",
                        "PkgIdentifier": {"PURL": BINARY.purl},
                    }
                ],
            },
            {"Target": "Python", "Type": "python-pkg"},
        ],
    }
    found = scanners.trivy(saved(tmp_path, report), ALL)
    (match,) = found.matches
    assert (match.component, match.severity, match.fixed) == (BINARY, Severity.CRITICAL, "")
    assert found.covered == {Ecosystem.DEB, Ecosystem.PYTHON}


@pytest.mark.parametrize("document", [[], {}, {"matches": [{}]}, {"SchemaVersion": "x"}, "x"])
def test_other_files_are_refused(tmp_path: Path, document: Any) -> None:
    file = saved(tmp_path, document)
    for read in (scanners.grype, scanners.trivy, tracker.known):
        with pytest.raises(UsageError):
            read(file, ALL)
    with pytest.raises(UsageError):
        scanners.grype(tmp_path / "none.json", ALL)


def debian(**states: dict[str, str]) -> dict[str, Any]:
    entries = {f"CVE-2024-{key[1:]}": {"releases": {"bookworm": s}} for key, s in states.items()}
    entries["CVE-2024-9999"] = {"releases": {"trixie": {"status": "open"}}}
    return {"openssl": entries}


def test_debians_tracker(tmp_path: Path) -> None:
    data = debian(
        c3000={"status": "resolved", "fixed_version": "3.0.14-1", "urgency": "high**"},
        c3001={"status": "resolved", "fixed_version": "3.0.11-1", "urgency": "high"},
        c3002={"status": "resolved", "fixed_version": "0", "urgency": "high"},
        c3003={"status": "open", "urgency": "unimportant"},
        c3004={"status": "undetermined", "urgency": "not yet assigned"},
    )
    found = tracker.known(saved(tmp_path, data), inventory(OPENSSL, FLASK))
    assert [(m.id, m.severity, m.fixed) for m in found.matches] == [
        ("CVE-2024-3000", Severity.HIGH, "3.0.14-1"),
        ("CVE-2024-3003", Severity.NEGLIGIBLE, ""),
    ]
    assert found.unjudged == ((OPENSSL.purl, "CVE-2024-3004: undetermined"),)


@pytest.mark.parametrize("distro", [Distribution("alpine", "3.19"), Distribution("debian", "")])
def test_debians_tracker_is_for_its_releases(tmp_path: Path, distro: Distribution) -> None:
    file = saved(tmp_path, debian(c3000={"status": "open"}))
    with pytest.raises(UsageError):
        tracker.known(file, inventory(OPENSSL, distribution=distro))


@pytest.mark.parametrize(
    ("vector", "score"),
    [
        # Examples of FIRST's "CVSS v3.1: Examples".
        ("CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:U/C:L/I:L/A:N", 54),
        ("CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:C/C:L/I:L/A:N", 64),
        ("CVSS:3.1/AV:N/AC:H/PR:N/UI:R/S:U/C:L/I:N/A:N", 31),
        ("CVSS:3.1/AV:L/AC:L/PR:H/UI:N/S:U/C:L/I:L/A:L", 42),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N", 75),
        ("CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", 100),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H/E:U", 98),
        ("CVSS:3.1/AV:P/AC:H/PR:H/UI:R/S:U/C:N/I:N/A:N", 0),
        ("CVSS:3.1/AV:N", None), ("CVSS:4.0/AV:N/AC:L", None), ("", None), ("x" * 1000, None),
    ],
)  # fmt: skip
def test_scores(vector: str, score: int | None) -> None:
    assert base_score(vector) == score
    assert (severity_of_vector(vector) is Severity.UNKNOWN) is (score is None)


@pytest.mark.parametrize(
    ("own", "others", "name"),
    [
        ("DEBIAN-CVE-2024-1234", [], "CVE-2024-1234"),
        ("GHSA-a", ["CVE-2024-1234"], "CVE-2024-1234"),
        ("DSA-1", ["CVE-2024-1234", "CVE-2024-1235"], "DSA-1"),
        ("GHSA-a\x1b", [], "GHSA-a\\x1b"),
    ],
)
def test_names(own: str, others: list[str], name: str) -> None:
    assert name_of(own, others) == name
