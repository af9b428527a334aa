"""What may come back, and the settings of a build that are saved for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from slimpy.errors import ReportError
from slimpy.model import Image, ImagePath, KeepSet, Level, Reason, Rule
from slimpy.report import buildfile, restoring
from slimpy.report.document import build
from slimpy.report.keepfile import LoadedReport, Removed
from slimpy.sbom.components import Component, Inventory
from slimpy.sbom.package import Ecosystem, State
from slimpy.settings import BuildOptions, ProbeFlags, Wishes
from tests.unit.report.making import outcome

P = ImagePath
IMAGE = Image("app:1", "sha256:" + "a" * 64, "amd64", "linux", 10, "", {})


@pytest.fixture
def loaded() -> LoadedReport:
    reasons = {P("/app"): (Reason(Rule.TOUCHED),), P("/name"): (Reason(Rule.LISTED),)}
    keep = KeepSet(reasons, frozenset({P("/name")}), {P("/dev/sda"): "a device"})
    removed = {
        P("/usr/bin/curl"): Removed("f", 100, "curl 7.88"),
        P("/usr/share/curl"): Removed("d", 4096, ""),
        P("/opt/tool/bin/tool"): Removed("f", 5, ""),
        P("/a[1]*"): Removed("f", 7, ""),
    }
    return LoadedReport(build(outcome()), keep, removed, frozenset())


def package(name: str, state: State) -> Component:
    return Component(Ecosystem.PYTHON, name, "1", f"pkg:pypi/{name}@1", "", state=state)


PACKAGES = Inventory(
    "app:1", "", (package("requests", State.REMOVED), package("flask", State.KEPT))
)

WANTED = {
    "/usr/bin/curl": Wishes(keep=("/usr/bin/curl",)),
    "/usr/*/curl": Wishes(keep=("/usr/*/curl",)),
    "/a[1]*": Wishes(keep=("/a[[]1][*]",)),
    "/name": Wishes(keep=("/name",)),
    "curl": Wishes(packages=("curl",)),
    "requests": Wishes(packages=("requests",)),
    "tool": Wishes(programs=("tool",)),
}


@pytest.mark.parametrize("text", WANTED)
def test_a_path_a_pattern_a_package_or_a_program_is_meant(text: str, loaded: LoadedReport) -> None:
    assert restoring.wanted(loaded, PACKAGES, [text]) == WANTED[text]


REFUSED = {
    "/app": "is in the slim image already",
    "flask": "is in the slim image already",
    "crul": "Nothing was removed",
    "/usr/bin/nothing": "has no path",
    "/dev/sda": "cannot come back: a device",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_cannot_come_back_is_told(text: str, loaded: LoadedReport) -> None:
    with pytest.raises(ReportError, match=REFUSED[text]):
        restoring.wanted(loaded, PACKAGES, [text])


def test_a_misspelt_name_is_guessed(loaded: LoadedReport) -> None:
    with pytest.raises(ReportError) as caught:
        restoring.wanted(loaded, PACKAGES, ["crul"])
    assert "curl" in caught.value.hint


def test_settings_are_read_back_as_they_were_but_for_what_is_private(tmp_path: Path) -> None:
    flags = ProbeFlags(
        probe_file=tmp_path / "p.yaml",
        http=("/secret",),
        commands=("echo secret", "true"),
        variables=("PASSWORD=secret", "USER=secret"),
        ports=(80,),
        crawl=False,
    )
    options = BuildOptions(
        reference="app:1",
        tag="app.slim:1",
        report_directory=tmp_path,
        flags=flags,
        wishes=Wishes(keep=("/x",), shell=True),
        level=Level.SAFE,
        disabled=frozenset({Rule.NODE}),
        margin=False,
    )
    missing = {P("/odd\udcff\n"): (Reason(Rule.REPAIR, "/by", "missed in round 1"),)}
    text = buildfile.encode(options, IMAGE, missing)
    assert "secret" not in text and str(tmp_path / "p.yaml") in text
    (tmp_path / buildfile.FILE).write_text(text)
    saved = buildfile.load(tmp_path)
    assert saved.private == ("--http", "--exec (2)", "--env PASSWORD", "--env USER")
    assert buildfile.missing(saved) == missing
    assert (saved.level, saved.disabled, saved.margin) == (Level.SAFE, (Rule.NODE,), False)
    assert saved.flags == ProbeFlags(ports=(80,), crawl=False)
    assert saved.wishes == options.wishes


DAMAGED = {
    "no JSON": lambda text: text[:50],
    "another version": lambda text: text.replace('"version": 1', '"version": 2'),
    "another schema": lambda text: text.replace("slimpy-build", "slimpy-other"),
    "a value of another type": lambda text: text.replace('"margin": true', '"margin": 5'),
    "nothing": lambda text: "",
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_damaged_settings_are_one_clear_error(damage: str, tmp_path: Path) -> None:
    options = BuildOptions(reference="app:1", tag="app.slim:1", report_directory=tmp_path)
    text = DAMAGED[damage](buildfile.encode(options, IMAGE, {}))
    (tmp_path / buildfile.FILE).write_text(text)
    with pytest.raises(ReportError) as caught:
        buildfile.load(tmp_path)
    assert "\n" not in caught.value.message and caught.value.hint


def test_a_report_without_settings_is_told(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="cannot be read"):
        buildfile.load(tmp_path)
