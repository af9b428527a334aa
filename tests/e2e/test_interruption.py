"""Work that is ended half-way, by the user or by the engine, leaves nothing behind."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from slimpy.engine.docker import DockerEngine
from slimpy.engine.session import LABEL
from tests.e2e.oddities import Images, environment, leftovers, program, slim
from tests.e2e.proxy import Proxy
from tests.polling import eventually

pytestmark = pytest.mark.e2e

SECONDS = 40
STAGES = ("image", "index", "trace", "decide", "pack")
"""Each prints a line at its end; what follows the last one never ends with an app that is shy."""


@pytest.fixture(scope="module")
def shy(images: Images) -> str:
    """An app that listens only while it is traced, so that the proof waits for it."""
    return images.odd("shy")


class Running:
    """The program under way, in a directory that is also that of its temporary files."""

    def __init__(self, place: Path, *arguments: str, **env: str) -> None:
        (place / "tmp").mkdir(exist_ok=True)
        self.lines: list[str] = []
        self.result = ""
        self.process = subprocess.Popen(
            # The SDK leaves a socket open when it cannot be connected.
            program("build", *arguments, strict="DOCKER_HOST" not in env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=place,
            env=environment(TMPDIR=str(place / "tmp"), **env),
        )
        self._readers = [threading.Thread(target=work) for work in (self._listen, self._read)]
        for reader in self._readers:
            reader.start()

    def _listen(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as stream:
            self.lines.extend(stream)

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as stream:
            self.result = stream.read()

    def wait_for(self, stage: str) -> None:
        """Wait for the line that a stage prints at its end."""

        def told() -> bool:
            ended = self.process.poll() is not None
            found = any(line.startswith(f"{stage} ") for line in list(self.lines))
            assert found or not ended, self.lines
            return found

        eventually(told, timeout=SECONDS)

    def signal(self, number: int) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def end(self) -> tuple[int, str, str]:
        """The exit code, standard output and standard error."""
        code = self.process.wait(SECONDS)
        self.kill()
        talk = "".join(self.lines)
        assert "Traceback" not in talk and "Exception ignored" not in talk, talk
        return code, self.result, talk

    def kill(self) -> None:
        """End it for good, and read what it said."""
        self.process.kill()
        self.process.wait(SECONDS)
        for reader in self._readers:
            reader.join(SECONDS)


@contextlib.contextmanager
def running(place: Path, *arguments: str, **env: str) -> Iterator[Running]:
    """The program, killed at the end if it is still there."""
    run = Running(place, *arguments, **env)
    try:
        yield run
    finally:
        run.kill()


def containers(engine: DockerEngine, pid: int) -> list[dict[str, Any]]:
    """The running containers of a process of slimpy, the app's one and the one that is read."""
    found = engine._client.api.containers(filters={"label": LABEL})
    return [item for item in found if f".{pid}." in item["Labels"][LABEL]]


def left(engine: DockerEngine, run: Running, place: Path) -> list[str]:
    """Containers, volumes, tags, temporary files and reports that are left."""
    files = [path.name for path in (*(place / "tmp").iterdir(), *place.glob("slim-report"))]
    return leftovers(engine, run.process.pid) + files


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["INT", "TERM"])
@pytest.mark.parametrize("stage", STAGES)
def test_a_signal_after_each_stage(
    stage: str, number: int, shy: str, engine: DockerEngine, tmp_path: Path
) -> None:
    with running(tmp_path, shy) as run:
        run.wait_for(stage)
        run.signal(number)
        code, out, talk = run.end()
    assert code == 130, talk
    assert talk.endswith("slim: Interrupted; everything that slimpy had created was removed.\n")
    assert out == ""
    assert not left(engine, run, tmp_path)


@pytest.mark.parametrize("how", ["idle", "shy"])
def test_a_signal_while_the_app_runs(
    how: str, images: Images, engine: DockerEngine, tmp_path: Path
) -> None:
    """Traced as the idle app, or proven as the shy one: both wait, with two containers."""
    image = images.odd(how)
    with running(tmp_path, image, "--json") as run:
        run.wait_for("index" if how == "idle" else "pack")
        eventually(lambda: len(containers(engine, run.process.pid)) == 2, timeout=SECONDS)
        run.signal(signal.SIGINT)
        code, out, _ = run.end()
    assert code == json.loads(out)["exit_code"] == 130
    assert not left(engine, run, tmp_path)
    assert not images.has(image.replace(":", ".slim:"))


def test_impatience_does_not_break_the_clean_up(
    shy: str, engine: DockerEngine, tmp_path: Path
) -> None:
    with running(tmp_path, shy) as run:
        run.wait_for("pack")
        while run.process.poll() is None:
            run.signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                run.process.wait(0.005)
        code, _, talk = run.end()
    assert code == 130, talk
    assert talk.count("Interrupted") == 1
    assert not left(engine, run, tmp_path)


def test_what_a_killed_run_left_goes_at_the_next_start(
    shy: str, images: Images, engine: DockerEngine, tmp_path: Path
) -> None:
    with running(tmp_path, shy) as run:
        run.wait_for("pack")
        eventually(lambda: len(containers(engine, run.process.pid)) == 2, timeout=SECONDS)
        run.signal(signal.SIGKILL)
        run.process.wait(SECONDS)
    assert len(leftovers(engine, run.process.pid)) == 4, "two containers, a volume and a tag"
    assert list((tmp_path / "tmp").iterdir())
    done = slim(
        "build", images.odd("serve"), cwd=tmp_path, env=environment(TMPDIR=str(tmp_path / "tmp"))
    )
    assert done.code == 0, done.talk
    assert not leftovers(engine, run.process.pid)
    assert not list((tmp_path / "tmp").iterdir())


@pytest.mark.parametrize("stage", ["image", "index", "trace", "pack"])
def test_the_engine_dies_half_way(
    stage: str, shy: str, engine: DockerEngine, tmp_path: Path
) -> None:
    with (
        Proxy(tmp_path / "engine.sock") as proxy,
        running(tmp_path, shy, DOCKER_HOST=proxy.url) as run,
    ):
        run.wait_for(stage)
        if stage in ("index", "pack"):
            eventually(lambda: len(containers(engine, run.process.pid)) == 2, timeout=SECONDS)
        proxy.cut()
        code, _, talk = run.end()
    assert code == 12, talk
    assert "slim: The engine stopped answering while" in talk
    engine.sweep()
    assert not left(engine, run, tmp_path)


@pytest.mark.parametrize("which", ["app", "reader"])
def test_somebody_removes_a_container_of_ours(
    which: str, images: Images, engine: DockerEngine, tmp_path: Path
) -> None:
    """Whether it is seen to end or seen to be gone, that is said, and the rest goes too."""
    with running(tmp_path, images.odd("idle"), "--ready-timeout", "5") as run:
        run.wait_for("index")
        eventually(lambda: len(containers(engine, run.process.pid)) == 2, timeout=SECONDS)
        for item in containers(engine, run.process.pid):
            if ("/app" in item["Command"]) == (which == "app"):
                engine._client.api.remove_container(item["Id"], force=True)
        code, _, talk = run.end()
    assert code in ((6, 12) if which == "app" else (7, 12)), talk
    assert "\nslim: " in talk
    assert not left(engine, run, tmp_path)


def test_two_builds_side_by_side(images: Images, engine: DockerEngine, tmp_path: Path) -> None:
    image = images.odd("serve")
    places = [tmp_path / "one", tmp_path / "two"]
    for place in places:
        place.mkdir()
    with running(places[0], image) as one, running(places[1], image) as two:
        ends = [one.end(), two.end()]
    assert [code for code, _, _ in ends] == [0, 0], ends
    assert images.has(image.replace(":", ".slim:"))
    made = [
        json.loads(next(place.glob("slim-report/*/report.json")).read_text()) for place in places
    ]
    assert made[0]["slim"]["id"] == made[1]["slim"]["id"]
    assert not leftovers(engine, one.process.pid) + leftovers(engine, two.process.pid)
