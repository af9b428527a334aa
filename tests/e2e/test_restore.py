"""What was removed comes back with what it needs, without tracing again."""

from __future__ import annotations

import csv
import subprocess
from pathlib import Path

import pytest

from slimpy.engine.docker import DockerEngine
from tests.e2e.oddities import Images, leftovers, slim
from tests.e2e.test_repair import CHAIN
from tests.e2e.test_samples import SAMPLES, fat_image

pytestmark = pytest.mark.e2e

TAG = "slimpy-test/restored:1"


def kept(directory: Path) -> set[str]:
    with (directory / "kept-files.tsv").open(newline="") as file:
        return {row["path"] for row in csv.DictReader(file, delimiter="\t")}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory in which a sample was slimmed, with a probe file."""
    directory = tmp_path_factory.mktemp("built")
    probes = str(SAMPLES / "bash-healthcheck/probe.yaml")
    image = fat_image("bash-healthcheck")
    done = slim("build", image, "--tag", TAG, "--probe-file", probes, cwd=directory)
    assert done.code == 0, done.talk
    return directory


def test_a_package_comes_back_with_the_libraries_of_others(
    built: Path, engine: DockerEngine, tmp_path: Path
) -> None:
    report = next(built.glob("slim-report/*"))
    before = kept(report)
    assert not any(path.endswith("/mke2fs") or "libext2fs" in path for path in before)
    new = tmp_path / "new"
    done = slim("restore", "e2fsprogs", "--report-dir", str(new), cwd=built)
    assert done.code == 0, done.talk
    try:
        after = kept(new)
        assert before < after
        assert "/usr/sbin/mke2fs" in after
        back = next(line for line in done.result.splitlines() if line.startswith("brought back:"))
        assert "e2fsprogs 1." in back and "libext2fs2" in back
        assert "\ntrace " not in done.talk and "\nask " in done.talk
        argv = ["docker", "run", "--rm", "--entrypoint", "mke2fs", TAG, "-V"]
        said = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True)
        assert said.stderr.startswith("mke2fs 1.")
        assert not leftovers(engine, done.pid)
        again = slim("restore", "e2fsprogs", "--report", str(new), cwd=built)
        assert again.code == 16 and "e2fsprogs is in the slim image already" in again.talk
    finally:
        engine.remove_tag(TAG)


def test_what_was_mended_stays_mended_and_what_came_back_stays(
    images: Images, tmp_path: Path
) -> None:
    more = {**CHAIN, "fifth": b"5"}
    image = images.make("back", 'ENTRYPOINT ["/app", "chained"]', "EXPOSE 8080", more=more)
    done = slim("build", image, "--level", "minimal", cwd=tmp_path)
    assert done.code == 0, done.talk
    report = next(tmp_path.glob("slim-report/*"))
    before = kept(report)
    one = slim("restore", "/fourth", cwd=tmp_path)
    assert one.code == 0, one.talk
    assert "diagnose" not in one.talk
    two = slim("restore", "/fif*", cwd=tmp_path)
    assert two.code == 0, two.talk
    assert kept(report) == before | {"/fourth", "/fifth"}


def test_calls_and_variables_are_not_saved_but_asked_for(images: Images, tmp_path: Path) -> None:
    lines = ('ENTRYPOINT ["/app", "serve"]', "EXPOSE 8080")
    image = images.make("private", *lines, more={"spare": b"x"})
    call = ("--http", "/?token=only-for-me", "--env", "KEY=only-for-me")
    done = slim("build", image, "--level", "minimal", *call, cwd=tmp_path)
    assert done.code == 0, done.talk
    report = next(tmp_path.glob("slim-report/*"))
    for name in ("build.json", "build.trace"):
        assert b"KEY=only" not in (report / name).read_bytes()
    missing = slim("restore", "/spare", cwd=tmp_path)
    assert missing.code == 2
    assert "--http, --env KEY, which are not saved" in missing.talk
    given = slim("restore", "/spare", *call, cwd=tmp_path)
    assert given.code == 0, given.talk
    assert "/spare" in kept(report)


def test_another_image_of_the_same_name_is_refused(images: Images, tmp_path: Path) -> None:
    lines = ('ENTRYPOINT ["/app", "serve"]', "EXPOSE 8080")
    image = images.make("twice", *lines, more={"spare": b"x"})
    assert slim("build", image, "--level", "minimal", cwd=tmp_path).code == 0
    report = next(tmp_path.glob("slim-report/*"))
    before = (report / "report.json").read_bytes()
    assert images.make("twice", *lines, data=7) == image
    done = slim("restore", "/spare", cwd=tmp_path)
    assert done.code == 16
    assert "is another image now than when it was traced" in done.talk
    assert (report / "report.json").read_bytes() == before
