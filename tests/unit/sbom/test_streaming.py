"""Packages out of files that streamed past: the same as out of the whole image."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from slimpy.model import Entry, FileType, ImagePath
from slimpy.sbom import streaming
from slimpy.sbom.package import Catalogue
from tests.unit.sbom import rpms
from tests.unit.sbom.world import APK, DPKG, OS_RELEASE, image, surveyed, write

NODE = '{"name": "@x/y", "version": "1.2.3"}'
GEM = "# stub: rack 2.2 ruby lib\n\nGem::Specification.new do |s|\nend\n"
COMPOSER = json.dumps({"packages": [{"name": "a/b", "version": "v1.0"}]})
PYTHON = "Metadata-Version: 2.1\nName: Flask\nVersion: 3.0\n\n" + "long " * 5000
WORLDS: dict[str, dict[str, str]] = {
    "dpkg": {name: str(data) for name, data in DPKG.items()},
    "distroless": {
        "/var/lib/dpkg/status.d/tzdata": "Package: tzdata\nVersion: 2024a-0\n",
        "/var/lib/dpkg/status.d/tzdata.md5sums": "0  usr/share/zoneinfo/UTC\n",
    },
    "apk": {"/lib": "-> usr/lib", "/usr/lib/apk/db/installed": APK},
    "elsewhere": {
        "/var/lib/dpkg": "-> ../../opt/db/dpkg",
        "/opt/db/dpkg/status": str(DPKG["/var/lib/dpkg/status"]),
        "/etc/os-release": "-> ../usr/lib/os-release",
        "/usr/lib/os-release": "-> os.release.d/os-release-container",
        "/usr/lib/os.release.d/os-release-container": OS_RELEASE,
    },
    "languages": {
        "/app/node_modules/@x/y/package.json": NODE,
        "/app/package.json": '{"name": "app", "version": "1"}',
        "/app/node_modules/@x/y/test/package.json": "{}",
        "/opt/site-packages/flask-3.dist-info/METADATA": PYTHON,
        "/opt/site-packages/flask-3.dist-info/RECORD": "flask/__init__.py,,\n",
        "/opt/site-packages/old.egg-info": "Name: old\nVersion: 1\n",
        "/opt/site-packages/older.egg-info/PKG-INFO": "Name: older\nVersion: 2\n",
        "/gems/specifications/rack-2.2.gemspec": GEM,
        "/gems/gems/rack-2.2/rack.gemspec": GEM,
        "/app/vendor/composer/installed.json": COMPOSER,
    },
}


def noted(files: Mapping[ImagePath, bytes]) -> dict[ImagePath, bytes]:
    """What would be noted of these."""
    sizes = {path: streaming.wanted(path, len(data)) for path, data in files.items()}
    return {path: data[: sizes[path]] for path, data in files.items() if sizes[path]}


def streamed(root: Path) -> Catalogue:
    tree, contents = image(root)
    files = {e.path: contents.read(e.path) for e in tree if e.type is FileType.FILE}
    return streaming.survey(tree, noted(files))


def told(found: Catalogue) -> list[tuple[str, ...]]:
    return [(p.ecosystem, p.name, p.version, p.evidence) for p in found.packages]


@pytest.mark.parametrize("world", WORLDS)
def test_the_whole_image_tells_no_more(world: str, tmp_path: Path) -> None:
    whole, found = surveyed(tmp_path, WORLDS[world]), streamed(tmp_path)
    assert told(found) == told(whole) != []
    assert found.distribution == whole.distribution
    assert found.warnings == ()


def test_rpm(tmp_path: Path) -> None:
    (tmp_path / "build").mkdir()
    packages = [rpms.built(tmp_path / "build", name, f"/opt/{name}") for name in ("one", "two")]
    found = streamed(rpms.installed(tmp_path / "root", *packages))
    assert [(p.ecosystem, p.name, p.version) for p in found.packages] == [
        ("rpm", "one", "1.2-4.el9"),
        ("rpm", "two", "1.2-4.el9"),
    ]
    assert found.warnings == ()


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/var/lib/rpm/Packages", "Berkeley DB"),
        ("/var/lib/rpm/rpmdb.sqlite", "damaged"),
        ("/var/lib/rpm/Packages.db", "damaged"),
        ("/app/node_modules/x/package.json", "no name or version"),
    ],
)
def test_what_cannot_be_read_is_said(path: str, text: str, tmp_path: Path) -> None:
    (warning,) = streamed(write(tmp_path, {path: "nonsense"})).warnings
    assert text in warning.text


def test_a_journal_beside_a_database_is_seen(tmp_path: Path) -> None:
    files = {f"/var/lib/rpm/rpmdb.sqlite{ending}": "nonsense" for ending in ("", "-wal")}
    texts = [item.text for item in streamed(write(tmp_path, files)).warnings]
    assert any("journal" in text for text in texts)


@pytest.mark.parametrize(
    ("path", "size", "bytes_"),
    [
        ("/var/lib/dpkg/status", 3_000_000, 3_000_000),
        ("/var/lib/dpkg/status", streaming.LARGEST + 1, 0),
        ("/x/y.dist-info/METADATA", 3_000_000, streaming.HEAD),
        ("/x/y.dist-info/METADATA", 100, 100),
        ("/x/node_modules/y/package.json", streaming.LARGEST_DOCUMENT + 1, 0),
        ("/x/package.json", 100, 0),
        ("/x/METADATA", 100, 0),
        ("/var/lib/dpkg/status.d/x.md5sums", 100, 0),
        ("/var/lib/dpkg/info/x.list", 100, 0),
        ("/var/lib/rpm/Packages", 100, 0),
        ("/status", 100, 0),
        ("/", 0, 0),
    ],
)
def test_how_much_is_wanted(path: str, size: int, bytes_: int) -> None:
    assert streaming.wanted(path, size) == bytes_


def test_what_was_not_noted_is_a_warning_and_no_empty_list() -> None:
    status = Entry(ImagePath("/var/lib/dpkg/status"), FileType.FILE, size=500)
    large = Entry(ImagePath("/lib/apk/db/installed"), FileType.FILE, size=streaming.LARGEST + 1)
    found = streaming.survey([status, large], {})
    assert {warning.text for warning in found.warnings} == {
        "dpkg's status cannot be read",
        "apk's database is too large to be read",
    }


def test_what_lies_below_no_directory_hurts_nobody() -> None:
    entries = [
        Entry(ImagePath("/var"), FileType.LINK, target="var"),
        Entry(ImagePath("/var/lib/dpkg/status"), FileType.FILE, size=1),
        Entry(ImagePath("/lib/apk/db/installed"), FileType.FILE, size=10),
        Entry(ImagePath("/lib/apk/db/installed/os-release"), FileType.FILE, size=1),
    ]
    found = streaming.survey(entries, {ImagePath("/lib/apk/db/installed"): b"P:a\nV:1\n\n"})
    assert told(found) == [("apk", "a", "1", "/lib/apk/db/installed")]
