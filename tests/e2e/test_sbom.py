"""The packages of a slimmed image: its own database, the documents, and a scan of both sides."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.test_samples import slim, slimmed

pytestmark = pytest.mark.e2e

TAG = "slimpy-test/packages:1"
BARE = "slimpy-test/packages:2"
LARGEST_DATABASE = 400_000


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The report of the slimmed Flask sample."""
    directory = tmp_path_factory.mktemp("packages")
    made = slimmed("flask-gunicorn", directory, "--tag", TAG)
    assert made.code == 0, made.talk
    yield directory
    subprocess.run(["docker", "rmi", "-f", TAG], capture_output=True, timeout=60, check=True)


@pytest.fixture(scope="module")
def root(report: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All files of the slim image; it is created for that, never started."""
    assert report.is_dir()
    target = tmp_path_factory.mktemp("root")
    command = ["docker", "create", TAG]
    made = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    container = made.stdout.strip()
    try:
        copy = f"docker export {container} | tar -x --exclude=dev/* -C {target}"
        subprocess.run(["sh", "-c", copy], timeout=120, check=True)
    finally:
        subprocess.run(["docker", "rm", "-f", container], capture_output=True, check=True)
    return target


def packages(document: Path | str) -> dict[str, dict[str, Any]]:
    """The packages of a CycloneDX document, by their URL."""
    text = document.read_text() if isinstance(document, Path) else document
    return {item["purl"]: item for item in json.loads(text)["components"] if "purl" in item}


def dpkg(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_dpkg_and_the_document_name_the_same_packages(report: Path, root: Path) -> None:
    shown = dpkg(
        "dpkg-query", f"--admindir={root}/var/lib/dpkg", "-W", "-f",
        "${Package} ${Version} ${Architecture}\n",
    )  # fmt: skip
    listed = packages(report / "sbom.slim.cdx.json")
    named = {
        f"{item['name']} {item['version']} {purl.partition('arch=')[2].partition('&')[0]}"
        for purl, item in listed.items()
        if purl.startswith("pkg:deb/")
    }
    assert set(shown.splitlines()) == named
    assert 10 < len(named) < 60


def test_dpkg_finds_every_file_as_it_was(root: Path) -> None:
    assert dpkg("dpkg", f"--root={root}", "--verify") == ""
    place = f"--admindir={root}/var/lib/dpkg"
    for path in dpkg("dpkg-query", place, "-L", "libc6").split():
        assert (root / path.lstrip("/")).exists(), path


def test_the_slim_image_tells_the_same_by_itself(report: Path) -> None:
    done = slim("sbom", TAG)
    assert done.returncode == 0, done.stderr
    assert packages(done.stdout).keys() == packages(report / "sbom.slim.cdx.json").keys()
    assert json.loads(done.stdout)["components"][0]["name"] == "debian"


def test_states_are_in_the_document_of_the_original(report: Path) -> None:
    states: dict[str, list[str]] = {}
    for item in packages(report / "sbom.fat.cdx.json").values():
        said = {prop["name"]: prop["value"] for prop in item["properties"]}
        states.setdefault(said["slimpy:state"], []).append(item["name"])
    assert states.keys() <= {"kept", "partly", "removed", "unknown"}
    assert "libc6" in states["partly"]
    assert "flask" in [name.lower() for name in states["kept"] + states["partly"]]
    assert "perl-base" in states["removed"]
    assert len(states["removed"]) > 100


def test_the_database_is_small_and_says_why_it_is_there(report: Path) -> None:
    rows = [line.split("\t") for line in (report / "kept-files.tsv").read_text().splitlines()[1:]]
    own = [
        row for row in rows if all(rule == "package-database" for rule, _, _ in json.loads(row[3]))
    ]
    assert "/var/lib/dpkg/status" in [row[0] for row in own]
    assert sum(int(row[2]) for row in own) < LARGEST_DATABASE


def test_it_can_be_left_out(tmp_path: Path) -> None:
    try:
        made = slimmed("flask-gunicorn", tmp_path, "--tag", BARE, "--no-package-db")
        assert made.code == 0, made.talk
        kept = (tmp_path / "kept-files.tsv").read_text()
        assert "package-database" not in kept
        assert "/var/lib/dpkg/" not in kept
        assert "pkg:deb/debian/libc6@" in (tmp_path / "sbom.slim.cdx.json").read_text()
    finally:
        subprocess.run(["docker", "rmi", "-f", BARE], capture_output=True, timeout=60, check=False)


def record(name: str, ecosystem: str, package: str, severity: str) -> str:
    affected = {
        "package": {"ecosystem": ecosystem, "name": package},
        "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}],
    }
    specific = {"severity": severity}
    return json.dumps({"id": name, "affected": [affected], "database_specific": specific})


def test_a_scan_before_and_after(report: Path, tmp_path: Path) -> None:
    """Invented records: of what went, of what is left, and of no package of this image."""
    osv = tmp_path / "osv"
    osv.mkdir()
    for text in (
        record("GONE-1", "Debian:12", "perl", "CRITICAL"),
        record("LEFT-1", "Debian:12", "glibc", "HIGH"),
        record("LEFT-2", "PyPI", "flask", "LOW"),
        record("ELSE-1", "Debian:12", "emacs", "HIGH"),
    ):
        (osv / f"{json.loads(text)['id']}.json").write_text(text)
    done = slim("scan", str(report), "--osv", str(osv), "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    found = {item["id"]: (item["severity"], item["outcome"]) for item in told["vulnerabilities"]}
    assert found == {
        "GONE-1": ("critical", "removed"),
        "LEFT-1": ("high", "there"),
        "LEFT-2": ("low", "there"),
    }
    assert told["counts"]["critical"] == {"removed": 1}
    assert told["of_build"] and told["packages"] > 100
    shown = slim("scan", str(report), "--osv", str(osv))
    assert "GONE-1" not in shown.stdout and shown.returncode == 0
    for bound, code in (("critical", 0), ("high", 21)):
        judged = slim("scan", str(report), "--osv", str(osv), "--fail-on", bound)
        assert judged.returncode == code, judged.stderr


def test_spdx_of_a_report(report: Path, tmp_path: Path) -> None:
    file = tmp_path / "out.spdx.json"
    done = slim("sbom", str(report), "--slim", "--format", "spdx", "--output", str(file))
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    locators = [
        ref["referenceLocator"]
        for package in json.loads(file.read_text())["packages"]
        for ref in package.get("externalRefs", ())
    ]
    assert set(locators) == packages(report / "sbom.slim.cdx.json").keys()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("scan", "x"), 2), (("scan", "x", "--osv", "/nowhere"), 4), (("sbom", "x", "--slim"), 2),
        (("sbom", "slimpy-test/none"), 4),
    ],
)  # fmt: skip
def test_mistakes_are_told(arguments: tuple[str, ...], code: int) -> None:
    done = slim(*arguments)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
