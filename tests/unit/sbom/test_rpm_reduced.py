"""rpm's database of a slim image, read by the real rpm: true, whole, always the same bytes."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slimpy.model import Rule
from slimpy.sbom import owners, rpm_sqlite
from slimpy.sbom.catalogue import survey
from slimpy.sbom.components import inventory
from slimpy.sbom.package import State
from tests.unit.sbom.rpms import CHROOT, DATABASE, PLACE, built, installed, rpm
from tests.unit.sbom.world import image, keeping, reduced, shipped, write

LATIN = os.fsdecode(b"/opt/part/caf\xe9")
KEPT = ("/opt/whole/file", "/opt/part/here", LATIN)
FORMAT = "%{NAME} %{EVR} %{ARCH}\n"
OF_KEPT = "SELECT hnum FROM Name WHERE key IN ('whole', 'part')"
LEFT_OUT = "an rpm database is damaged or too large"


@pytest.fixture(scope="module")
def fat(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with a package that stays, one that stays in part, one that goes, and a key."""
    top = tmp_path_factory.mktemp("rpmbuild")
    packages = (
        built(top, "gone", "/opt/gone/file"),
        built(top, "whole", "/opt/whole/file"),
        built(top, "gpg-pubkey", "/opt/key"),
        built(top, "part", "/opt/part/here", "/opt/part/away", LATIN, version="2~rc1", epoch=3),
    )
    return installed(tmp_path_factory.mktemp("fat"), *packages)


@pytest.fixture(scope="module")
def data(fat: Path) -> bytes:
    return (fat / DATABASE.lstrip("/")).read_bytes()


@pytest.fixture
def slim(fat: Path, tmp_path: Path) -> Path:
    return shipped(fat, reduced(fat, keeping(KEPT)), tmp_path / "slim")


def copied(fat: Path, root: Path) -> Path:
    shutil.copytree(fat, root, symlinks=True)
    return root


def with_data(fat: Path, root: Path, data: bytes) -> Path:
    (copied(fat, root) / DATABASE.lstrip("/")).write_bytes(data)
    return root


def edited(data: bytes, *statements: str) -> bytes:
    """A database after some SQL."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.deserialize(data[:18] + b"\x01\x01" + data[20:])
        for statement in statements:
            connection.execute(statement)
        return connection.serialize()


def rows(data: bytes, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.deserialize(data[:18] + b"\x01\x01" + data[20:])
        connection.text_factory = bytes
        return connection.execute(query).fetchall()


def test_rpm_and_the_bill_of_materials_name_the_same(fat: Path, slim: Path) -> None:
    tree, contents = image(fat)
    keep = reduced(fat, keeping(KEPT))
    listed = inventory(survey(tree, contents), "x", "sha256:x", keep=keep).components
    assert {item.name: item.state for item in listed} == {
        "gone": State.REMOVED,
        "part": State.PARTLY,
        "whole": State.KEPT,
    }
    left = {f"{i.name} {i.version} noarch" for i in listed if i.state is not State.REMOVED}
    assert set(rpm(slim, "-qa", "--qf", FORMAT).splitlines()) == left
    assert left == {"whole 1.2-4.el9 noarch", "part 3:2~rc1-4.el9 noarch"}


def test_owners_are_those_that_rpm_names(fat: Path) -> None:
    found = owners.survey(*image(fat))
    assert not found.warnings
    assert set(found.owners) == {"/opt/gone/file", *KEPT, "/opt/part/away"}
    for path, owner in found.owners.items():
        form = "%{NAME} %|EPOCH?{%{EPOCH}:}:{}|%{VERSION}-%{RELEASE}"
        assert owner == rpm(fat, "-qf", "--qf", form, path)


def test_the_slim_image_is_surveyed_as_the_build_says(slim: Path) -> None:
    found = survey(*image(slim))
    assert found.warnings == ()
    assert [item.purl for item in found.packages] == [
        "pkg:rpm/fedora/part@2~rc1-4.el9?arch=noarch&distro=fedora-40&epoch=3",
        "pkg:rpm/fedora/whole@1.2-4.el9?arch=noarch&distro=fedora-40",
    ]
    assert found.packages[0].files == {"/opt/part/here", LATIN}


def test_the_older_path_leads_to_it_still(slim: Path) -> None:
    assert (slim / "var/lib/rpm/rpmdb.sqlite").samefile(slim / DATABASE.lstrip("/"))


def test_rpm_finds_by_every_index(slim: Path) -> None:
    assert rpm(slim, "-q", "whole", "--qf", "%{VERSION}") == "1.2"
    assert rpm(slim, "-q", "--whatprovides", "part-by-another-name", "--qf", "%{NAME}") == "part"
    assert rpm(slim, "-qf", "/opt/whole/file", "--qf", "%{NAME}") == "whole"
    assert rpm(slim, "-qf", LATIN, "--qf", "%{NAME}") == "part"
    digest = rpm(slim, "-q", "whole", "--qf", "%{SIGMD5}")
    assert rpm(slim, "-q", "--pkgid", digest, "--qf", "%{NAME}") == "whole"
    for question in (["gone"], ["--whatprovides", "gone-by-another-name"]):
        command = ["rpm", "--root", str(slim), "--dbpath", PLACE, "-q", *question]
        done = subprocess.run([*CHROOT, *command], capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert "gone" in done.stdout + done.stderr


def test_rpm_verifies_what_ships_and_names_what_does_not(slim: Path) -> None:
    options = ("--nouser", "--nogroup")
    assert rpm(slim, "--verify", *options, "whole") == ""
    command = ["rpm", "--root", str(slim), "--dbpath", PLACE, "--verify", *options, "part"]
    done = subprocess.run([*CHROOT, *command], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["missing", "/opt/part/away"]


def test_headers_are_taken_over_as_they_are(slim: Path, data: bytes) -> None:
    new = (slim / DATABASE.lstrip("/")).read_bytes()
    query = f"SELECT blob FROM Packages WHERE hnum IN ({OF_KEPT}) ORDER BY hnum"
    assert rpm_sqlite.headers(new) == tuple(blob for (blob,) in rows(data, query))
    assert len(rpm_sqlite.headers(data)) == 4


def test_rpm_goes_on_from_there(slim: Path) -> None:
    rpm(slim, "--erase", "whole")
    assert rpm(slim, "-qa", "--qf", "%{NAME}\n") == "part\n"
    assert not (slim / "opt/whole/file").exists()
    rpm(slim, "--rebuilddb")
    assert rpm(slim, "-qf", LATIN, "--qf", "%{NAME}") == "part"


def test_the_file_is_whole_and_holds_nothing_of_what_was_removed(slim: Path) -> None:
    new = (slim / DATABASE.lstrip("/")).read_bytes()
    assert rows(new, "PRAGMA integrity_check") == [(b"ok",)]
    assert rows(new, "PRAGMA foreign_key_check") == []
    assert rows(new, "PRAGMA freelist_count") == [(0,)]
    assert b"gone" not in new
    assert b"gpg-pubkey" not in new
    assert new[18:20] == b"\x01\x01"  # WAL mode could not be read where nothing can be written


def test_all_that_rpm_would_index_is_there(slim: Path, data: bytes) -> None:
    new = (slim / DATABASE.lstrip("/")).read_bytes()
    tables = "SELECT name FROM sqlite_master WHERE type = '{}' AND name NOT LIKE 'sqlite_%' "
    for kind in ("table", "index"):
        query = tables.format(kind) + "ORDER BY name"
        assert rows(new, query) == rows(data, query)
    for (name,) in rows(new, tables.format("table")):
        if name != b"Packages":
            each = f'SELECT key, typeof(key), hnum, idx FROM "{name.decode()}" '
            old = rows(data, each + f"WHERE hnum IN ({OF_KEPT}) ORDER BY hnum, idx, key")
            assert rows(new, each + "ORDER BY rowid") == old


def test_the_same_input_gives_the_same_bytes(fat: Path, data: bytes, tmp_path: Path) -> None:
    one = reduced(fat, keeping(KEPT)).rewritten
    other = reduced(copied(fat, tmp_path / "two"), keeping(reversed(KEPT))).rewritten
    assert one == other
    assert one.keys() == {DATABASE}
    # What only the file's history makes different is of no matter.
    turned = [
        statement
        for table in ("Packages", "Basenames", "Providename")
        for statement in (
            f"CREATE TABLE other AS SELECT * FROM {table} ORDER BY rowid DESC",
            f"DELETE FROM {table}",
            f"INSERT INTO {table} SELECT * FROM other",
            "DROP TABLE other",
        )
    ]
    again = with_data(fat, tmp_path / "three", edited(data, *turned, "VACUUM"))
    assert reduced(again, keeping(KEPT)).rewritten == one


def test_the_library_that_wrote_it_does_not_tell(slim: Path) -> None:
    new = (slim / DATABASE.lstrip("/")).read_bytes()
    assert [int.from_bytes(new[at : at + 4], "big") for at in (24, 92, 96)] == [1, 1, 3_007_000]


def test_a_smaller_one_is_made_smaller_no_more(slim: Path) -> None:
    new = (slim / DATABASE.lstrip("/")).read_bytes()
    assert rpm_sqlite.reduced(new, lambda _: True) == new


def test_why_it_is_there(fat: Path) -> None:
    keep = reduced(fat, keeping(KEPT))
    added = keep.reasons.keys() - KEPT
    assert added == {DATABASE, "/var/lib/rpm", "/etc/os-release"}
    assert {reason.rule for path in added for reason in keep.reasons[path]} == {Rule.DATABASE}
    assert keep.warnings == ()


def test_the_package_that_tells_the_distribution_is_named(tmp_path: Path) -> None:
    (tmp_path / "build").mkdir()
    packages = [
        built(tmp_path / "build", "fedora-release", "/etc/fedora-release"),
        built(tmp_path / "build", "tool", "/opt/tool"),
    ]
    root = installed(tmp_path / "fat", *packages)
    slim = shipped(root, reduced(root, keeping(("/opt/tool",))), tmp_path / "slim")
    assert (slim / "etc/fedora-release").exists()
    assert set(rpm(slim, "-qa", "--qf", "%{NAME}\n").split()) == {"fedora-release", "tool"}


def test_nothing_of_rpm_kept_means_no_database(fat: Path) -> None:
    keep = reduced(fat, keeping(("/etc/os-release",)))
    assert set(keep.reasons) == {"/etc/os-release"}
    assert keep.warnings == ()


@pytest.mark.parametrize("name", [DATABASE, f"{DATABASE}-wal"])
def test_what_the_run_used_ships_as_it_is(fat: Path, name: str) -> None:
    keep = reduced(fat, keeping((*KEPT, name)))
    assert not keep.rewritten
    assert "ships as it is" in keep.warnings[-1].text


def test_a_journal_is_told(fat: Path, tmp_path: Path) -> None:
    root = copied(fat, tmp_path / "copy")
    (root / f"{DATABASE}-wal".lstrip("/")).write_bytes(b"x")
    (told,) = survey(*image(root)).warnings
    assert "journal" in told.text


@pytest.mark.parametrize("name", ["Packages", "Packages.db"], ids=["berkeley", "ndb"])
def test_older_forms_are_told_and_left_out(tmp_path: Path, name: str) -> None:
    write(tmp_path, {f"/var/lib/rpm/{name}": "x", "/a": "a"})
    keep = reduced(tmp_path, keeping(("/a",)))
    assert set(keep.reasons) == {"/a"}
    assert "older form" in keep.warnings[-1].text


def broken(data: bytes) -> bytes:
    """The headers can be read, an index cannot: the root page of one is no page."""
    ((page,),) = rows(data, "SELECT rootpage FROM sqlite_master WHERE name = 'Requirename'")
    assert isinstance(page, int)
    start = (page - 1) * 4096
    return data[:start] + b"\xff" * 4096 + data[start + 4096 :]


CRAFTED: dict[str, Callable[[bytes], bytes]] = {
    "no database": lambda _: b"SQLite format 3\0" + bytes(4096),
    "cut": lambda data: data[: len(data) // 3],
    "a broken index": broken,
    "statements that are no text": lambda data: data.replace(
        b"CREATE INDEX 'Name", b"CREATE \xff\xffDEX 'Name"
    ),
    "no packages": lambda data: edited(data, "DROP TABLE Packages"),
    "a view of packages": lambda data: edited(
        data,
        "ALTER TABLE Packages RENAME TO Other",
        "CREATE VIEW Packages AS SELECT hnum, blob FROM Other",
    ),
    "packages that are computed": lambda data: edited(
        data,
        "DROP TABLE Packages",
        "CREATE TABLE Packages (hnum INTEGER PRIMARY KEY, blob AS (zeroblob(1000000000)))",
        "INSERT INTO Packages (hnum) VALUES (1)",
    ),
    "a virtual table": lambda data: edited(
        data, "DROP TABLE Packages", "CREATE VIRTUAL TABLE Packages USING fts5(hnum, blob)"
    ),
    "numbers as headers": lambda data: edited(data, "UPDATE Packages SET blob = 5"),
    "numbers as names": lambda data: edited(
        data, "DROP TABLE Name", "CREATE TABLE Name (key, hnum, idx)",
        "INSERT INTO Name VALUES (1, 1, 0)",
    ),
    "a computed index": lambda data: edited(
        data, "DROP TABLE Name",
        "CREATE TABLE Name (key AS (zeroblob(30000000)), hnum, idx)",
        "INSERT INTO Name (hnum, idx) VALUES (1, 0)",
    ),
    "indexes without end": lambda data: edited(
        data, *(f"CREATE TABLE t{n} (key TEXT, hnum INTEGER, idx INTEGER)" for n in range(70))
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", CRAFTED)
def test_a_database_that_lies_is_left_out_and_told(
    fat: Path, data: bytes, tmp_path: Path, kind: str
) -> None:
    root = with_data(fat, tmp_path / "copy", CRAFTED[kind](data))
    keep = reduced(root, keeping(KEPT))
    assert not keep.rewritten
    assert DATABASE not in keep.reasons
    assert [item.text.partition(",")[0] for item in keep.warnings] == [
        "an rpm database is damaged or too large"
    ]


def test_one_that_is_too_large_is_told(fat: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("slimpy.sbom.reading.LARGEST", 4096)
    keep = reduced(fat, keeping(KEPT))
    assert not keep.rewritten
    assert LEFT_OUT in keep.warnings[-1].text


def test_rows_that_share_their_bytes_do_not_fill_the_memory(data: bytes) -> None:
    """One row, which its page names many times: there is more to read than is in the file."""
    big = edited(
        data, "DELETE FROM Packages", "INSERT INTO Packages VALUES (1, zeroblob(4000000))", "VACUUM"
    )
    ((page,),) = rows(big, "SELECT rootpage FROM sqlite_master WHERE name = 'Packages'")
    assert isinstance(page, int)
    at = (page - 1) * 4096
    forged = bytearray(big)
    assert (forged[at], forged[at + 3 : at + 5]) == (13, b"\0\1")  # a leaf with one cell
    forged[at + 3 : at + 5] = (600).to_bytes(2, "big")
    forged[at + 8 : at + 8 + 1200] = forged[at + 8 : at + 10] * 600
    assert len(rows(bytes(forged), "SELECT hnum FROM Packages")) == 600
    with pytest.raises(ValueError, match="more in the tables than in the file"):
        rpm_sqlite.headers(bytes(forged))


def test_nothing_of_its_schema_is_taken_over(fat: Path, data: bytes, tmp_path: Path) -> None:
    before = reduced(fat, keeping(KEPT)).rewritten[DATABASE]
    crafted = edited(
        data,
        "CREATE TRIGGER t AFTER INSERT ON Packages BEGIN DELETE FROM Name; END",
        "CREATE VIEW v AS SELECT 1 AS key, 2 AS hnum, 3 AS idx",
        "CREATE TABLE secrets (x)",
        "INSERT INTO secrets VALUES ('something else')",
        """CREATE TABLE "a'; --" (key TEXT, hnum INTEGER, idx INTEGER)""",
        "CREATE INDEX i ON Name (upper(key))",
    )
    root = with_data(fat, tmp_path / "copy", crafted)
    assert reduced(root, keeping(KEPT)).rewritten[DATABASE] == before


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(changes=st.lists(st.tuples(st.integers(0), st.integers(0, 255)), min_size=1, max_size=40))
def test_any_damage_ends_in_an_error_or_a_whole_database(
    data: bytes, changes: list[tuple[int, int]]
) -> None:
    damaged = bytearray(data)
    for where, value in changes:
        damaged[100 + where % (len(data) - 100)] = value
    try:
        new = rpm_sqlite.reduced(bytes(damaged), lambda _: True)
    except ValueError:
        return
    assert rows(new, "PRAGMA integrity_check") == [(b"ok",)]
