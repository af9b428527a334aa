"""rpm's databases, as the real rpm writes them."""

from __future__ import annotations

import sqlite3
import struct
import subprocess
import zlib
from pathlib import Path

import pytest

from tests.unit.sbom.world import surveyed, write

SPEC = """Name: tiny
Epoch: 3
Version: 1.2
Release: 4.el9
Summary: A package
License: MIT
BuildArch: noarch
%description
Nothing.
%install
mkdir -p %{buildroot}/opt/tiny
echo x > %{buildroot}/opt/tiny/file
%files
/opt/tiny/file
"""
FEDORA = {"/etc/os-release": "ID=fedora\nVERSION_ID=40\n", "/opt/tiny/file": "x\n"}


def run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=120)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    top = tmp_path_factory.mktemp("rpmbuild")
    (top / "tiny.spec").write_text(SPEC)
    run("rpmbuild", "-bb", "--define", f"_topdir {top}", str(top / "tiny.spec"))
    return next(top.rglob("*.rpm"))


@pytest.fixture(params=["sqlite", "ndb"])
def root(request: pytest.FixtureRequest, package: Path, tmp_path: Path) -> Path:
    """An image with a database that rpm wrote; Debian's rpm writes no ndb, so its rows are put
    into one here.
    """
    write(tmp_path, FEDORA)
    place = tmp_path / "usr/lib/sysimage/rpm"
    place.mkdir(parents=True)
    options = ("--define", "_db_backend sqlite", "--dbpath", str(place))
    run("rpm", *options, "-i", "--justdb", "--nodeps", "--ignorearch", str(package))
    if request.param == "ndb":
        connection = sqlite3.connect(place / "rpmdb.sqlite")
        blobs = [blob for (blob,) in connection.execute("SELECT blob FROM Packages")]
        connection.close()
        for path in place.glob("rpmdb.sqlite*"):
            path.unlink()
        (place / "Packages.db").write_bytes(ndb(blobs))
    return tmp_path


def ndb(blobs: list[bytes]) -> bytes:
    """A database as lib/backend/ndb/rpmpkg.c of rpm lays it out: one page of slots, then blobs."""
    head = struct.pack("<4sIIII12x", b"RpmP", 0, 7, 1, len(blobs) + 1)
    slots, data = b"", b""
    for number, blob in enumerate(blobs, 1):
        block = (4096 + len(data)) // 16
        whole = struct.pack("<4sIII", b"BlbS", number, 7, len(blob)) + blob
        whole += struct.pack("<II4s", zlib.adler32(blob), len(blob), b"BlbE")
        whole += bytes(-len(whole) % 16)
        slots += struct.pack("<4sIII", b"Slot", number, block, len(whole) // 16)
        data += whole
    while len(slots) < 4096 - 32:
        slots += struct.pack("<4sIII", b"Slot", 0, 0, 0)
    return head + slots + data


def test_a_database_of_the_real_rpm(root: Path) -> None:
    catalogue = surveyed(root, {})
    assert catalogue.warnings == ()
    (found,) = catalogue.packages
    assert (found.name, found.version, found.licence) == ("tiny", "3:1.2-4.el9", "MIT")
    assert found.files == {"/opt/tiny/file"}
    assert (found.source, found.source_version) == ("tiny", "1.2-4.el9")
    assert found.purl == ("pkg:rpm/fedora/tiny@1.2-4.el9?arch=noarch&distro=fedora-40&epoch=3")


def test_a_damaged_database_is_told(root: Path) -> None:
    for path in (root / "usr/lib/sysimage/rpm").iterdir():
        if path.name in ("rpmdb.sqlite", "Packages.db"):
            data = bytearray(path.read_bytes())
            for at in range(0, len(data), 61):
                data[at] ^= 0x5A
            path.write_bytes(data)
    catalogue = surveyed(root, {})
    assert catalogue.packages == ()
    assert "rpm database" in catalogue.warnings[0].text


def test_a_view_without_end_is_given_up(tmp_path: Path) -> None:
    place = write(tmp_path, FEDORA) / "var/lib/rpm"
    place.mkdir(parents=True)
    connection = sqlite3.connect(place / "rpmdb.sqlite")
    connection.execute(
        "CREATE VIEW Packages AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n)"
        " SELECT zeroblob(-1) AS blob FROM n WHERE x < 0"
    )
    connection.close()
    catalogue = surveyed(tmp_path, {})
    assert [item.text for item in catalogue.warnings] == ["an rpm database is damaged"]


def test_slots_that_share_their_blobs_do_not_fill_the_memory(tmp_path: Path) -> None:
    data = bytearray(ndb([b"x" * 60_000]))
    slot = bytes(data[32:48])
    data[32:4096] = slot * 254
    catalogue = surveyed(tmp_path, {**FEDORA, "/var/lib/rpm/Packages.db": bytes(data)})
    assert [(item.text, item.count) for item in catalogue.warnings] == [
        ("a package of an rpm database is damaged", 1),
        ("an rpm database is damaged", 1),
    ]


def test_berkeley_db_is_named_as_unread(tmp_path: Path) -> None:
    catalogue = surveyed(tmp_path, {**FEDORA, "/var/lib/rpm/Packages": "\0" * 512})
    assert "Berkeley DB" in catalogue.warnings[0].text
