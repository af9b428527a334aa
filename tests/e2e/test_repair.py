"""Repair: what only the slim image looks for is added round by round, and told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.oddities import Images, leftovers, slim

pytestmark = pytest.mark.e2e

CHAIN = {
    "first": b"/second",
    "second": b"/third",
    "third": b"end",
    "fourth": b"nothing asks for it",
}
"""Files that the app follows only if it does not run as root: never in the traced run."""


@pytest.fixture
def image(images: Images) -> str:
    changes = ('ENTRYPOINT ["/app", "chained"]', "EXPOSE 8080")
    return images.make("chained", *changes, more=CHAIN)


def test_each_round_adds_what_the_last_one_missed(
    image: str, images: Images, tmp_path: Path
) -> None:
    arguments = ("--level", "minimal", "--report-dir", "report")
    done = slim("build", image, *arguments, cwd=tmp_path)
    assert done.code == 0, done.talk
    kept = (tmp_path / "report/kept-files.tsv").read_text().splitlines()
    reasons = {line.split("\t")[0]: line.split("\t")[3] for line in kept}
    for number, path in enumerate(("/first", "/second", "/third"), start=1):
        assert f"missed in round {number}" in reasons[path]
    assert "/fourth" not in reasons
    report = json.loads((tmp_path / "report/report.json").read_text())
    told = " ".join(report["hardening"]["widened"])
    assert told.index("/first") < told.index("/second") < told.index("/third")
    assert [item["round"] for item in report["rounds"]] == [1, 2, 3]
    for item, path in zip(report["rounds"], ("/first", "/second", "/third"), strict=True):
        assert item["alike"] < item["probes"]
        assert any(f"missing: {path} " in cause for cause in item["causes"])
    assert [item["layer"] for item in report["history"] if not item["empty"]] == [1]
    assert {item["verdict"] for item in report["exchanges"]} == {"same"}
    assert not leftovers(images.engine, done.pid)


def test_when_the_rounds_are_spent_root_is_the_last_resort_and_it_is_told(
    image: str, tmp_path: Path
) -> None:
    arguments = ("--level", "minimal", "--repair", "2", "--report-dir", "report")
    done = slim("build", image, *arguments, cwd=tmp_path)
    assert done.code == 0, done.talk
    account = json.loads((tmp_path / "report/report.json").read_text())["account"]
    assert account["uid"] == 0 and "as another user: GET /: " in account["why"]


def test_what_is_dropped_is_not_missed_again_and_again(image: str, tmp_path: Path) -> None:
    """The first round adds a file, the second finds one that must not be added: no third."""
    arguments = ("--level", "minimal", "--drop", "/second", "--report-dir", "report")
    done = slim("build", image, *arguments, cwd=tmp_path)
    assert done.code == 0, done.talk
    assert done.talk.count("\ndiagnose ") == 2
    assert json.loads((tmp_path / "report/report.json").read_text())["account"]["uid"] == 0
