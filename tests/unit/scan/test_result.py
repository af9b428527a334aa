"""What the sources say together: counted by what became of it, and unknown is never none."""

from __future__ import annotations

import json

import pytest

from slimpy.sbom.components import Component
from slimpy.sbom.package import Ecosystem, State
from slimpy.scan.known import Known, Match, Severity
from slimpy.scan.result import Outcome, encode, scanned
from slimpy.scan.text import lines
from tests.unit.scan.inventories import ALL, BINARY, FLASK, OPENSSL, PERL, SIX, inventory, package


def match(name: str, severity: Severity, item: Component | None, fixed: str = "") -> Match:
    return Match(name, severity, item, item.name if item else "x", "1", fixed)


DATA = Known(
    "a test",
    (
        match("CVE-1", Severity.HIGH, OPENSSL),
        match("CVE-1", Severity.CRITICAL, BINARY, "2"),
        match("CVE-2", Severity.HIGH, PERL),
        match("CVE-3", Severity.UNKNOWN, FLASK),
        match("CVE-4", Severity.HIGH, SIX),
        match("CVE-5", Severity.LOW, None),
        match("CVE-6", Severity.LOW, BINARY),
    ),
    frozenset((Ecosystem.DEB, Ecosystem.PYTHON)),
    ((OPENSSL.purl, "CVE-7: version x cannot be placed"),),
)
SCAN = scanned(ALL, [DATA, DATA])


def test_outcomes() -> None:
    assert {item.id: (item.severity, item.outcome) for item in SCAN.vulnerabilities} == {
        "CVE-1": (Severity.CRITICAL, Outcome.THERE),
        "CVE-2": (Severity.HIGH, Outcome.REMOVED),
        "CVE-3": (Severity.UNKNOWN, Outcome.THERE),
        "CVE-4": (Severity.HIGH, Outcome.UNKNOWN),
        "CVE-5": (Severity.LOW, Outcome.UNKNOWN),
        "CVE-6": (Severity.LOW, Outcome.REMOVED),
    }
    assert SCAN.number(Outcome.THERE) == 2
    assert SCAN.number(Outcome.REMOVED, (Severity.HIGH,)) == 1


def test_what_is_not_known_is_listed() -> None:
    assert [(item.ecosystem, item.packages, item.left) for item in SCAN.unjudged] == [
        ("gem", 1, 1),
        ("deb", 1, 1),
    ]
    shown = "\n".join(lines(SCAN))
    assert "gem       1 packages, 1 of them in the slim image: no data was given for them" in shown
    assert "CVE-7" in shown


@pytest.mark.parametrize(
    ("bound", "left"),
    [
        (Severity.CRITICAL, ["CVE-1"]),
        (Severity.HIGH, ["CVE-1", "CVE-4"]),
        (Severity.LOW, ["CVE-1", "CVE-4", "CVE-5"]),
        (Severity.UNKNOWN, ["CVE-1", "CVE-4", "CVE-5", "CVE-3"]),
    ],
)
def test_what_a_bound_forbids(bound: Severity, left: list[str]) -> None:
    assert [item.id for item in SCAN.left(bound)] == left


def test_the_table() -> None:
    text = list(lines(SCAN))
    assert text[2].split() == ["severity", "before", "removed", "still", "there", "unknown"]
    table = {line.split("  ")[0]: line.split()[-4:] for line in text[3:8]}
    assert table == {
        "critical": ["1", "0", "1", "0"],
        "high": ["2", "1", "0", "1"],
        "low": ["2", "1", "0", "1"],
        "unknown": ["1", "0", "1", "0"],
        "all known": ["6", "2", "2", "2"],
    }
    assert any(
        "CVE-1  critical  libssl3 1 (partly), openssl 1 (removed); fixed in 2" in x for x in text
    )


def test_an_image_alone_has_no_before_and_after() -> None:
    one = package(Ecosystem.DEB, "a", "1")
    scan = scanned(inventory(one), [Known("t", (match("CVE-1", Severity.HIGH, one),), frozenset())])
    assert (scan.of_build, scan.vulnerabilities[0].outcome) == (False, Outcome.THERE)
    assert "removed" not in "\n".join(lines(scan))


def test_no_data_is_no_all_clear() -> None:
    scan = scanned(inventory(package(Ecosystem.DEB, "a", "1", State.KEPT)), [])
    assert [(item.packages, item.left) for item in scan.unjudged] == [(1, 1)]


def test_the_document() -> None:
    said = json.loads(encode(SCAN))
    assert (said["schema"], said["version"]) == ("slimpy-scan", 1)
    assert said["counts"]["high"] == {"removed": 1, "unknown": 1}
    assert said["vulnerabilities"][0]["packages"][0]["state"] == "partly"
