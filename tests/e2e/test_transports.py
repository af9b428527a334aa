"""Builds from and to files, layouts, registries and other engines, through the command line."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from slimpy.engine.docker import DockerEngine
from slimpy.errors import ImageNotFoundError
from slimpy.image import hybrid, outputs
from slimpy.image.oci import Platform
from slimpy.image.references import parse
from slimpy.image.registry.access import Access
from slimpy.image.registry.push import push, push_index
from slimpy.image.sources import open_source, platforms_of
from tests import podman
from tests.e2e.test_samples import SAMPLES, fat_image, leftovers, slim
from tests.polling import eventually
from tests.sources import MemorySource, digest

pytestmark = pytest.mark.e2e

NAME = "static-c"
PROBES = ("--probe-file", str(SAMPLES / NAME / "probe.yaml"))


@pytest.fixture(scope="module")
def fat(engine: DockerEngine) -> Iterator[MemorySource]:
    """The sample as Docker has it, byte by byte."""
    with engine.export(engine.inspect(fat_image(NAME), pull=False)) as source:
        blobs = {}
        for layer in source.manifest.layers:
            with source.open(layer) as file:
                blobs[layer.digest] = file.read()
        yield MemorySource(source.config, blobs, source.manifest)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An open registry on this machine; its address."""
    place = tmp_path_factory.mktemp("registry")
    settings = place / "config.yml"
    settings.write_text(
        f"version: 0.1\nlog: {{level: warn}}\nstorage: {{filesystem: {{rootdirectory: {place}}}}}\n"
        "http: {addr: 127.0.0.1:0}\n"
    )
    with (place / "log").open("wb") as log:
        process = subprocess.Popen(
            ["docker-registry", "serve", str(settings)], stdout=log, stderr=log
        )
    try:
        yield eventually(lambda: _address(process.pid), timeout=30.0)
    finally:
        process.terminate()
        process.wait(10.0)


def _address(pid: int) -> str | None:
    """Where a process listens."""
    found = subprocess.run(
        ["ss", "-Hltnp"], capture_output=True, text=True, check=True, timeout=10
    ).stdout
    lines = (line.split() for line in found.splitlines() if f"pid={pid}," in line)
    return next((fields[3] for fields in lines), None)


def other(source: MemorySource, architecture: str) -> MemorySource:
    """The same image as one of another architecture."""
    config = json.dumps(json.loads(source.config) | {"architecture": architecture}).encode()
    described = replace(source.manifest.config, digest=digest(config), size=len(config))
    return replace(source, config=config, manifest=replace(source.manifest, config=described))


def built(*arguments: str, code: int = 0) -> Any:
    done = slim("build", *arguments, "--engine", "docker", "--json", "-q")
    assert done.returncode == code, done.stderr + done.stdout
    return json.loads(done.stdout)


def config_of(reference: str, platform: str = "") -> str:
    """The image's ID, after all of it was read."""
    wanted = Platform(*platform.split("/")) if platform else None
    with open_source(parse(reference), wanted) as source:
        for layer in source.manifest.layers:
            with source.open(layer) as file:
                while file.read(1 << 20):
                    pass
        return digest(source.config)


def has(engine: DockerEngine, name: str) -> bool:
    with contextlib.suppress(ImageNotFoundError):
        engine.inspect(name, pull=False)
        return True
    return False


def test_from_an_archive_to_a_layout_is_the_build_from_the_store(
    engine: DockerEngine, fat: MemorySource, tmp_path: Path
) -> None:
    file = tmp_path / "fat.tar"
    file.write_bytes(b"".join(hybrid.stream((fat,), "v1", ("slimpy-test/other:v1",))))
    reports = [tmp_path / "first", tmp_path / "second"]
    wanted = [f"oci:{tmp_path}/slim:v2", f"docker-archive:{tmp_path}/slim.tar:team/app:2"]
    report = built(
        f"oci-archive:{file}:v1", *PROBES, "--report-dir", str(reports[0]),
        *(part for text in wanted for part in ("--output", text)),
    )  # fmt: skip
    assert [item["destination"] for item in report["outputs"]] == wanted
    assert len({item["digest"] for item in report["outputs"]}) == 1
    assert not has(engine, "team/app:2") and not leftovers(engine)
    tag = "slimpy-test/from-store:1"
    stored = built(fat_image(NAME), *PROBES, "--tag", tag, "--report-dir", str(reports[1]))
    try:
        assert engine.inspect(tag, pull=False).id == stored["slim"]["id"] == report["slim"]["id"]
    finally:
        engine.remove_tag(tag)
    assert {config_of(text) for text in wanted} == {report["slim"]["id"]}
    # skopeo does not know slimpy; it finds the same image.
    found = subprocess.run(
        ["skopeo", "inspect", "--raw", f"oci:{tmp_path}/slim:v2"],
        capture_output=True, check=True, timeout=60,
    ).stdout  # fmt: skip
    assert json.loads(found)["config"]["digest"] == report["slim"]["id"]
    # Slim what was slimmed: its layout is an input like any other.
    again = built(wanted[0], *PROBES, "-o", wanted[0], "--report-dir", str(tmp_path / "third"))
    assert again["status"] == "slimmed"


def test_what_fails_its_proof_goes_nowhere(
    engine: DockerEngine, fat: MemorySource, tmp_path: Path
) -> None:
    file, old = tmp_path / "fat.tar", tmp_path / "old.tar"
    file.write_bytes(b"".join(hybrid.stream((fat,), "v1", ())))
    old.write_bytes(b"the user's")
    arguments = (
        f"oci-archive:{file}", *PROBES, "--drop", "/www/style.css", "--repair", "0",
        "-o", f"docker-archive:{old}", "-o", f"oci:{tmp_path}/new",
        "--report-dir", str(tmp_path / "report"),
    )  # fmt: skip
    report = built(*arguments, code=13)
    assert not report["outputs"] and old.read_bytes() == b"the user's"
    assert not (tmp_path / "new").exists() and not leftovers(engine)
    report = built(*arguments, "--keep-failed", code=13)
    assert len(report["outputs"]) == 2
    assert config_of(f"oci:{tmp_path}/new") == config_of(f"docker-archive:{old}")


def test_every_platform_that_runs_here_from_registry_to_registry(
    fat: MemorySource, registry: str, tmp_path: Path
) -> None:
    name = f"docker://{registry}/team/app:1"
    images = [fat, other(fat, "386"), other(fat, "arm64")]
    access = Access()
    push_index([push(item, name, access=access, tagged=False) for item in images], name,
               access=access)  # fmt: skip
    target, directory = f"docker://{registry}/team/slim:1", tmp_path / "layout"
    found = built(
        name, *PROBES, "--platform", "all", "-o", target, "-o", f"oci:{directory}",
        "--report-dir", str(tmp_path / "report"),
    )  # fmt: skip
    assert found["schema"] == "slimpy-platforms"
    assert {key: report["status"] for key, report in found["reports"].items()} == {
        "linux/amd64": "slimmed",
        "linux/386": "slimmed",
    }
    assert list(found["left_out"]) == ["linux/arm64"]
    assert (tmp_path / "report/linux-amd64/report.json").is_file()
    for place in (target, f"oci:{directory}"):
        assert platforms_of(parse(place)) == (Platform("linux", "amd64"), Platform("linux", "386"))
        for platform in ("linux/amd64", "linux/386"):
            assert config_of(place, platform) == found["reports"][platform]["slim"]["id"]


def test_one_platform_of_an_index(fat: MemorySource, tmp_path: Path) -> None:
    with outputs.layout((fat, other(fat, "386")), "v1", "", tmp_path / "fat") as commit:
        commit()
    report = built(
        f"oci:{tmp_path}/fat", *PROBES, "--platform", "386", "-o", f"oci:{tmp_path}/slim",
        "--report-dir", str(tmp_path / "report"),
    )  # fmt: skip
    assert report["config"]["architecture"] == "386"
    assert platforms_of(parse(f"oci:{tmp_path}/slim")) == (Platform("linux", "386"),)
    error = built(f"oci:{tmp_path}/fat", "--platform", "arm64", code=5)
    assert "linux/386, linux/amd64" in error["message"]


def test_push_is_an_output_to_the_tags_registry(
    engine: DockerEngine, registry: str, tmp_path: Path
) -> None:
    tag = f"{registry}/team/pushed:1"
    report = built(
        f"docker-daemon:{fat_image(NAME)}", *PROBES, "--tag", tag, "--push",
        "--report-dir", str(tmp_path / "report"),
    )  # fmt: skip
    try:
        assert engine.inspect(tag, pull=False).id == report["slim"]["id"]
        assert config_of(f"docker://{tag}") == report["slim"]["id"]
    finally:
        engine.remove_tag(tag)


@pytest.mark.parametrize(
    "output",
    ["docker-archive:no/such/place.tar", "oci:file/x", "docker-archive:a.tar oci-archive:./a.tar"],
)
def test_what_cannot_be_written_ends_the_work_before_it_begins(tmp_path: Path, output: str) -> None:
    (tmp_path / "file").write_text("the user's")
    places = [text.replace(":", f":{tmp_path}/", 1) for text in output.split()]
    error = built(
        fat_image(NAME), *(part for text in places for part in ("-o", text)),
        "--report-dir", str(tmp_path / "report"), code=2 if len(places) > 1 else 10,
    )  # fmt: skip
    assert error["schema"] == "slimpy-error" and not (tmp_path / "report").exists()


def test_a_build_at_podman(
    fat: MemorySource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, slim_file = tmp_path / "fat.tar", tmp_path / "slim.tar"
    file.write_bytes(b"".join(hybrid.stream((fat,), "v1", ("team/app:1",))))
    (tmp_path / "podman").mkdir()
    with podman.service(tmp_path / "podman") as engine:
        monkeypatch.setenv("CONTAINER_HOST", f"unix://{tmp_path}/podman/podman.sock")
        done = slim(
            "build", f"docker-archive:{file}", *PROBES, "--engine", "podman", "--json", "-q",
            "-o", f"docker-archive:{slim_file}", "-o", "podman:team/app.slim:1",
            "--report-dir", str(tmp_path / "report"),
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        report = json.loads(done.stdout)
        assert report["hardening"]["read_only"] and not report["hardening"]["capabilities"]
        assert engine.inspect("team/app.slim:1", pull=False).id == report["slim"]["id"]
        assert config_of(f"docker-archive:{slim_file}") == report["slim"]["id"]
        assert not engine._client.api.containers(all=True)
