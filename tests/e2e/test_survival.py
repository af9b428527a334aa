"""What no probe asked for still works in the slim image: every behaviour of every sample."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import behaviours, recorded, survival
from benchmarks.program import SAMPLES, run, samples
from probes import planfile
from probes.model import (
    CommandAnswer,
    Exchange,
    ExecCall,
    HttpAnswer,
    HttpCall,
    NoAnswer,
    Page,
    Plan,
    RunCall,
)
from slimpy.engine.docker import DockerEngine

FEWEST = 8
BUILD_SECONDS = 900

Probe = HttpCall | ExecCall | RunCall


HERE = ("bash-healthcheck", "flask-gunicorn", "postgres", "ruby")
"""Apps of four kinds; all thirteen take longer: `python -m benchmarks.survival`."""


def probes(plan: Plan) -> list[Probe]:
    """All that a plan asks, without the names it gives."""
    return [
        *(replace(call, name="") for call in plan.http),
        *(replace(call, name="") for call in plan.commands),
        *(replace(call, name="") for call in plan.runs),
    ]


@pytest.mark.parametrize("name", samples())
def test_behaviours_are_many_and_are_not_probed(name: str) -> None:
    found = behaviours.load(name)
    probed = planfile.load(SAMPLES / name / "probe.yaml")
    assert len(found) >= FEWEST
    assert len({item.name for item in found}) == len(found)
    for item in found:
        same_settings = not behaviours.OWN_CONTAINER & item.given
        repeated = [call for call in probes(item.plan) if same_settings and call in probes(probed)]
        assert not repeated, f"{item.name}: the probe file asks that too"


@pytest.mark.parametrize("name", samples())
def test_each_exchange_finds_its_behaviour(name: str) -> None:
    for group in behaviours.groups(behaviours.load(name)):
        assert len({item.key for item in group}) == len(group)
        for item in group:
            names = [call.name for call in item.plan.http]
            names += [call.name for call in item.plan.commands]
            names += [call.name for call in item.plan.runs]
            assert all(name.startswith(item.key) for name in names)


@pytest.mark.parametrize("text", ["", "behaviours: []", "version: 1", "version: 2\nbehaviours: []"])
def test_a_file_of_another_form_is_refused(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "probe.yaml").write_text("version: 1\n")
    (folder / "expect.toml").write_text("")
    (folder / "survival.yaml").write_text(text)
    monkeypatch.setattr(behaviours, "SAMPLES", tmp_path)
    monkeypatch.setattr("benchmarks.program.SAMPLES", tmp_path)
    with pytest.raises(behaviours.UnfitError):
        behaviours.load("app")


def test_exchanges_come_back_from_the_cache_as_they_were() -> None:
    page = HttpAnswer(200, (("content-type", "text/plain"),), b"\xff\0", 2, "00")
    exchanges = (
        Exchange(
            "one", "http", page, again=page, page=Page("http", 80, "/"), captured=(("a", "b"),)
        ),
        Exchange("two", "exec", CommandAnswer(1, b"\xfe", b"", (("/f", None), ("/g", b"x")))),
        Exchange("three", "stop", NoAnswer("gone", "ended"), unmet=("all",), compare="status"),
    )
    assert recorded.decode(recorded.encode(exchanges)) == exchanges


@pytest.mark.e2e
@pytest.mark.timeout(BUILD_SECONDS + 600)
@pytest.mark.parametrize("name", HERE)
def test_all_behaviours_survive_at_the_default_level(name: str, engine: DockerEngine) -> None:
    built = run([str(SAMPLES / "build.sh"), name], timeout=BUILD_SECONDS)
    assert built.code == 0, built.errors.decode()
    app = survival.measure(engine, name, survival.Settings(levels=("balanced",), fresh=True))
    measured = app.levels["balanced"]
    assert measured.slimmed.verified
    assert not measured.lost, "\n".join(
        f"{item.behaviour}: {item.difference}" for item in measured.lost
    )
