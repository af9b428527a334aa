"""OSV records: which versions they mean, which packages, and what they leave open."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from slimpy.errors import UsageError
from slimpy.sbom.components import Component, Inventory
from slimpy.sbom.package import Distribution, Ecosystem, State
from slimpy.scan import osv
from slimpy.scan.known import Known, Severity
from tests.unit.scan.inventories import ALL, FLASK, inventory, package

Events = list[dict[str, str]]


def record(
    ecosystem: str, name: str, *events: Events, kind: str = "ECOSYSTEM", **more: Any
) -> dict[str, Any]:
    affected = {
        "package": {"ecosystem": ecosystem, "name": name},
        "ranges": [{"type": kind, "events": one} for one in events],
        **more.pop("affected", {}),
    }
    return {"id": more.pop("id", "X-1"), "affected": [affected], **more}


def held(place: Path, image: Inventory, *records: dict[str, Any]) -> Known:
    place.mkdir(exist_ok=True)
    for number, one in enumerate(records):
        (place / f"{number}.json").write_text(json.dumps(one))
    return osv.known(place, image)


def one(place: Path, item: Component, said: dict[str, Any], distro: Distribution) -> bool | None:
    found = held(place, inventory(item, distribution=distro), said)
    if found.unjudged:
        assert not found.matches
        return None
    return bool(found.matches)


FIXED: Events = [{"introduced": "0"}, {"fixed": "2.0.2"}]
TWICE: Events = [{"fixed": "1.5"}, {"introduced": "2.0"}, {"introduced": "0"}, {"fixed": "2.1"}]


@pytest.mark.parametrize(
    ("version", "events", "affected"),
    [
        ("2.0.1", FIXED, True), ("2.0.2", FIXED, False), ("0", FIXED, True),
        ("2.0.2rc1", FIXED, True),
        ("1.4", TWICE, True), ("1.5", TWICE, False), ("1.9", TWICE, False), ("2.0", TWICE, True),
        ("2.1", TWICE, False),
        ("1.0", [{"introduced": "0"}, {"last_affected": "1.0"}], True),
        ("1.0.1", [{"introduced": "0"}, {"last_affected": "1.0"}], False),
        ("9", [{"introduced": "0"}], True),
        ("1.0", [{"introduced": "1.1"}], False),
        ("nonsense", FIXED, None), ("2.0.1", [{"introduced": "0"}, {"fixed": "wat?"}], None),
    ],
)  # fmt: skip
def test_ranges(tmp_path: Path, version: str, events: Events, affected: bool | None) -> None:
    item = package(Ecosystem.PYTHON, "flask", version)
    assert one(tmp_path, item, record("PyPI", "Flask", events), Distribution()) is affected


@pytest.mark.parametrize(
    ("version", "listed", "affected"),
    [("1.0", ["1.0"], True), ("1.0.0", ["1.0"], True), ("1.1", ["1.0"], False), ("1.0", [], None)],
)
def test_lists_of_versions(
    tmp_path: Path, version: str, listed: list[str], affected: bool | None
) -> None:
    item = package(Ecosystem.PYTHON, "flask", version)
    said = record("PyPI", "flask", affected={"versions": listed})
    assert one(tmp_path, item, said, Distribution()) is affected


def test_commits_alone_decide_nothing(tmp_path: Path) -> None:
    said = record("PyPI", "flask", [{"introduced": "0"}], kind="GIT")
    assert one(tmp_path, FLASK, said, Distribution()) is None


@pytest.mark.parametrize(
    ("ecosystem", "name", "item", "distro", "affected"),
    [
        ("npm", "a", package(Ecosystem.NODE, "a", "1.0.0"), Distribution(), True),
        ("Go", "x.org/y", package(Ecosystem.GO, "x.org/y", "v1.0.0"), Distribution(), True),
        ("Go", "stdlib", package(Ecosystem.GO, "stdlib", "1.0"), Distribution(), True),
        ("Maven", "g:a", package(Ecosystem.JAVA, "g:a", "1.0"), Distribution(), True),
        ("RubyGems", "a", package(Ecosystem.RUBY, "a", "1.0"), Distribution(), True),
        ("Packagist", "v/a", package(Ecosystem.PHP, "V/a", "1.0"), Distribution(), True),
        ("crates.io", "a", package(Ecosystem.RUST, "a", "1.0.0"), Distribution(), True),
        ("npm", "a", package(Ecosystem.PYTHON, "a", "1.0"), Distribution(), False),
        ("Alpine:v3.19", "s", package(Ecosystem.APK, "a", "1.0-r0", source="s"),
         Distribution("alpine", "3.19.1"), True),
        ("Alpine:v3.18", "s", package(Ecosystem.APK, "a", "1.0-r0", source="s"),
         Distribution("alpine", "3.19.1"), False),
        ("Debian:12", "s", package(Ecosystem.DEB, "a", "9", source="s", source_version="1.0"),
         Distribution("debian", "12"), True),
        ("Debian:12", "a", package(Ecosystem.DEB, "a", "1.0", source="s", source_version="1.0"),
         Distribution("debian", "12"), False),
        ("Debian:11", "s", package(Ecosystem.DEB, "s", "1.0"), Distribution("debian", "12"), False),
        ("Debian:12", "s", package(Ecosystem.DEB, "s", "1.0"), Distribution("ubuntu", "12"), False),
        ("Ubuntu:22.04:LTS", "s", package(Ecosystem.DEB, "s", "1.0"),
         Distribution("ubuntu", "22.04"), True),
    ],
)  # fmt: skip
def test_which_package_is_meant(
    tmp_path: Path,
    ecosystem: str,
    name: str,
    item: Component,
    distro: Distribution,
    affected: bool,
) -> None:
    said = record(ecosystem, name, [{"introduced": "0"}, {"fixed": "2.0.0"}])
    assert one(tmp_path, item, said, distro) is affected


def test_withdrawn_records_count_as_data_only(tmp_path: Path) -> None:
    said = record("PyPI", "flask", FIXED, withdrawn="2024-01-01T00:00:00Z")
    found = held(tmp_path, ALL, said)
    assert (found.matches, found.covered) == ((), {Ecosystem.PYTHON})


def test_names_severities_and_fixes(tmp_path: Path) -> None:
    vector = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
    found = held(
        tmp_path,
        ALL,
        record("Debian:12", "openssl", [{"introduced": "0"}, {"fixed": "3.0.14-1"}],
               id="DSA-1", aliases=["CVE-2024-0001"],
               affected={"ecosystem_specific": {"urgency": "not yet assigned"}}),
        record("PyPI", "flask", FIXED, id="GHSA-x", aliases=["CVE-2024-0002"],
               severity=[{"type": "CVSS_V3", "score": vector}]),
        record("PyPI", "flask", FIXED, id="PYSEC-1", aliases=["CVE-2024-0002"]),
        record("PyPI", "flask", FIXED, id="GHSA-y", database_specific={"severity": "MODERATE"}),
    )  # fmt: skip
    assert [(m.id, m.severity, m.package, m.fixed) for m in found.matches] == [
        ("CVE-2024-0001", Severity.UNKNOWN, "libssl3", "3.0.14-1"),
        ("CVE-2024-0001", Severity.UNKNOWN, "openssl", "3.0.14-1"),
        ("CVE-2024-0002", Severity.CRITICAL, "Flask", "2.0.2"),
        ("GHSA-y", Severity.MEDIUM, "Flask", "2.0.2"),
    ]
    assert found.covered == {Ecosystem.DEB, Ecosystem.PYTHON}


def test_archives_and_damage(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("GHSA-z.json", json.dumps(record("PyPI", "flask", FIXED)))
        archive.writestr("readme.txt", "no record")
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04 no")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "broken.json").write_text('{"id": 5')
    found = osv.known(tmp_path, ALL)
    assert [match.id for match in found.matches] == ["X-1"]
    assert found.warnings == ("a record is damaged (1 times)", "a zip archive is damaged (1 times)")


def test_no_records_is_an_error(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "none"):
        with pytest.raises(UsageError):
            osv.known(place, inventory(package(Ecosystem.DEB, "a", "1", State.KEPT)))
