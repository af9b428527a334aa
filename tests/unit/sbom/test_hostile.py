"""Metadata that lies, is damaged, or is far too large: told, bounded, and never executed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slimpy.sbom import cyclonedx, reading
from slimpy.sbom.components import inventory
from tests.unit.sbom.world import DPKG, IMAGE, surveyed

PLACES = [
    "/var/lib/dpkg/status",
    "/var/lib/dpkg/status.d/a",
    "/lib/apk/db/installed",
    "/var/lib/rpm/rpmdb.sqlite",
    "/var/lib/rpm/Packages.db",
    "/l/a-1.dist-info/METADATA",
    "/l/a-1.dist-info/RECORD",
    "/app/node_modules/a/package.json",
    "/g/specifications/a-1.gemspec",
    "/v/composer/installed.json",
    "/app/a.jar",
    "/etc/os-release",
]
STARTS = [b"", b"Package: a\nVersion: 1\n", b"P:a\nV:1\nF:\nR:", b"Name: a\nVersion: 1\n", b"RpmP",
    b"SQLite format 3\0", b'{"name": "a", "version": ', b'{"packages": [{"name": ', b"PK\x03\x04",
    b'# stub: a 1 b\ns.licenses = [', b'"', b"ID="]  # fmt: skip


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.sampled_from(PLACES), st.sampled_from(STARTS), st.binary(max_size=200))
def test_any_bytes_are_survived(
    tmp_path_factory: pytest.TempPathFactory, place: str, start: bytes, data: bytes
) -> None:
    root = tmp_path_factory.mktemp("image")
    found = surveyed(root, {place: start + data})
    text = cyclonedx.encode(inventory(found, "x", IMAGE))
    assert all(char.isprintable() or char in " \n" for char in text)


def test_control_characters_do_not_come_out(tmp_path: Path) -> None:
    evil = "Package: a\x1b[2J\nVersion: 1\x07\x9b\nStatus: install ok installed\n"
    (found,) = surveyed(tmp_path, {"/var/lib/dpkg/status": evil}).packages
    assert (found.name, found.version) == ("a\\x1b[2J", "1\\x07\\x9b")


def test_a_name_without_end_is_none(tmp_path: Path) -> None:
    evil = f"Package: {'a' * 100_000}\nVersion: 1\n"
    assert surveyed(tmp_path, {"/var/lib/dpkg/status": evil}).packages == ()


def test_a_file_that_is_too_large_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "LARGEST", 100)
    found = surveyed(tmp_path, DPKG)
    assert found.packages == ()
    assert "dpkg's status is too large to be read" in [item.text for item in found.warnings]


def test_deep_json_is_told(tmp_path: Path) -> None:
    found = surveyed(tmp_path, {"/node_modules/a/package.json": "[" * 100_000})
    assert found.warnings[0].text == "a package.json has no name or version"


def test_links_in_a_circle_are_no_database(tmp_path: Path) -> None:
    found = surveyed(tmp_path, {"/var/lib/dpkg": "-> ../lib/dpkg", "/etc/os-release": "ID=x\n"})
    assert found.packages == ()


def test_a_record_that_leads_out_owns_nothing_outside(tmp_path: Path) -> None:
    files = {
        "/l/a-1.dist-info/METADATA": "Name: a\nVersion: 1\n",
        "/l/a-1.dist-info/RECORD": "../../../../../../../../etc/hostname,,\n/etc/shadow,,\n",
        "/etc/shadow": "s",
    }
    (found,) = surveyed(tmp_path, files).packages
    assert found.files == {"/etc/shadow"}  # a path of the image, never of this machine
