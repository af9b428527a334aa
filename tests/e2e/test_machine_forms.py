"""What machines read of a real build: JSON by its schema, SARIF, JUnit, Markdown; and diff."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import pytest

from benchmarks.documents import DOCS
from slimpy.engine.docker import DockerEngine
from tests.e2e.test_samples import SAMPLES, fat_image, slim
from tests.unit.report.test_forms import checked_sarif

pytestmark = pytest.mark.e2e

TAG = "slimpy-test/machine-forms:1"


@pytest.fixture(scope="module")
def image() -> str:
    return fat_image("static-c")


@pytest.fixture(scope="module")
def built(
    image: str, tmp_path_factory: pytest.TempPathFactory, engine: DockerEngine
) -> Iterator[tuple[Path, str]]:
    """The report directory of a build, and what it printed."""
    directory = tmp_path_factory.mktemp("forms")
    probes = ("--probe-file", str(SAMPLES / "static-c" / "probe.yaml"))
    options = ("--tag", TAG, "--report-dir", str(directory), "--json")
    done = slim("build", image, *probes, *options)
    assert done.returncode == 0, done.stderr
    yield directory, done.stdout
    engine.remove_tag(TAG)


def test_the_document_keeps_to_its_published_schema(built: tuple[Path, str]) -> None:
    schema = json.loads((DOCS / "report.schema.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(json.loads(built[1]))
    assert json.loads((built[0] / "report.json").read_text()) == json.loads(built[1])


def test_every_probe_is_a_test_case(built: tuple[Path, str]) -> None:
    (suite,) = ElementTree.parse(built[0] / "junit.xml").getroot()
    names = [case.get("name") for case in suite]
    probes = [item["name"] for item in json.loads(built[1])["exchanges"]]
    assert names == [*probes, "slim image"] and suite.get("failures") == "0"


def test_nothing_is_wrong_in_sarif_and_markdown(built: tuple[Path, str]) -> None:
    run = checked_sarif((built[0] / "report.sarif").read_text())
    assert not [item for item in run["results"] if item["level"] == "error"]
    assert "is slim\n" in (built[0] / "summary.md").read_text()


def test_two_images_are_compared(image: str, built: tuple[Path, str]) -> None:
    assert slim("diff", image, image).returncode == 0
    done = slim("diff", image, TAG, "--json")
    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert {"layers"} <= {change["name"] for change in found["settings"]}
    report = slim("diff", str(built[0]), str(built[0]))
    assert (report.returncode, report.stdout.splitlines()[-1]) == (0, "no difference")
