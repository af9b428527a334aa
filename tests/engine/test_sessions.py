"""Whose left-overs may be removed: those of dead processes, never those of living ones."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from slimpy.engine import session
from slimpy.engine.docker import DockerEngine
from slimpy.engine.session import LABEL, TEMPORARY_REPOSITORY, Session, is_over
from slimpy.errors import OutputError

IMAGE = "debian:bookworm"
WEEKS = 8 * 24 * 3600


def identity(**changes: object) -> str:
    """The id of a session of this process, with some parts changed."""
    names = ("place", "pid", "started", "made", "nonce")
    parts = dict(zip(names, session.session_id().split("."), strict=True))
    return ".".join(str({**parts, **changes}[name]) for name in names)


def dead_pid() -> int:
    """The number of a process that has just ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        return process.pid


def test_ids_are_unique_and_can_be_tags() -> None:
    first, second = session.session_id(), session.session_id()
    assert first != second
    assert len(first) < 128 and not set(first) - set("abcdefghijklmnopqrstuvwxyz0123456789.-_")
    assert session.temporary_tag().startswith(f"{TEMPORARY_REPOSITORY}:")


def test_a_living_process_is_not_over() -> None:
    assert not is_over(session.session_id())


def test_a_dead_process_is_over() -> None:
    assert is_over(identity(pid=dead_pid()))


def test_a_number_that_was_given_again_is_over() -> None:
    assert is_over(identity(started=1))


def test_a_process_that_waits_for_its_parent_is_over() -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    try:
        started = next(
            int(Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[19])
            for _ in iter(lambda: os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT), None)
        )
        assert is_over(identity(pid=child, started=started))
    finally:
        os.waitpid(child, 0)


def test_another_users_process_is_alive() -> None:
    """The first process is another user's, or ours; either way it lives."""
    started = int(Path("/proc/1/stat").read_text().rpartition(")")[2].split()[19])
    assert not is_over(identity(pid=1, started=started))


@pytest.mark.parametrize("place", ["elsewhere-0123456789ab", "vm-000000000000"])
def test_processes_of_other_places_cannot_be_judged(place: str) -> None:
    """Another machine, or another container with this host's name but not its processes."""
    assert not is_over(identity(place=place, pid=dead_pid()))


def test_after_a_week_a_session_is_over_wherever_it_was() -> None:
    made = int(time.time()) - WEEKS
    assert is_over(identity(place="elsewhere-0123456789ab", made=made))
    assert not is_over(identity(made=int(time.time()) + WEEKS))


@pytest.mark.parametrize(
    "odd",
    [
        "",
        "latest",
        "a.b.c.d.e",
        "1.0",
        "host.1.2.3",
        "host.1.2.3.4.5",
        "host.-1.2.3.n",
        "host.².2.3.n",
        "..0.0.",
    ],
)
def test_what_is_no_id_of_ours_is_not_over(odd: str) -> None:
    assert not is_over(odd)


def test_numbers_beyond_all_bounds() -> None:
    assert is_over(identity(pid=10**30))


def test_scratch_directories_of_dead_processes_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    dead, alive = f"slimpy-{identity(pid=dead_pid())}", f"slimpy-{session.session_id()}"
    for name in (dead, alive, "slimpy-notes", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").touch()
    with session.scratch_directory() as place:
        assert place.stat().st_mode & 0o777 == 0o700
        (place / "layer").touch()
        left = {path.name for path in tmp_path.iterdir()}
        assert left == {alive, "slimpy-notes", "other", place.name}
    assert not place.exists()


def test_no_place_for_temporary_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    with pytest.raises(OutputError) as caught, session.scratch_directory():
        pytest.fail("the work must not start")
    assert "No such file or directory" in caught.value.message and "TMPDIR" in caught.value.hint


class Left:
    """Things at the engine as a session with some id leaves them."""

    def __init__(self, engine: DockerEngine, owner: str) -> None:
        self._engine, self._api = engine, engine._client.api
        labels = {LABEL: owner}
        self.volume = self._api.create_volume(labels=labels)["Name"]
        config = self._api.create_host_config(binds=[f"{self.volume}:/box"])
        self.container = self._api.create_container(
            IMAGE, ["true"], labels=labels, host_config=config
        )["Id"]
        self.tag = f"{TEMPORARY_REPOSITORY}:{owner}"
        self._api.tag(IMAGE, TEMPORARY_REPOSITORY, owner)

    def there(self) -> tuple[bool, bool, bool]:
        """Whether container, volume and tag are still there."""
        containers = self._api.containers(all=True, filters={"id": self.container})
        volumes = self._api.volumes(filters={"name": self.volume}).get("Volumes")
        return bool(containers), bool(volumes), bool(self._api.images(name=self.tag))

    def remove(self) -> None:
        """Remove what is still there."""
        with contextlib.suppress(Exception):
            self._api.remove_container(self.container, force=True)
        with contextlib.suppress(Exception):
            self._api.remove_volume(self.volume)
        self._engine.remove_tag(self.tag)


@contextlib.contextmanager
def left(engine: DockerEngine, owner: str) -> Iterator[Left]:
    things = Left(engine, owner)
    try:
        yield things
    finally:
        things.remove()


@pytest.mark.engine
def test_a_sweep_removes_what_the_dead_left_and_nothing_else(engine: DockerEngine) -> None:
    alive, foreign = session.session_id(), identity(place="elsewhere-0123456789ab", pid=1)
    with (
        left(engine, identity(pid=dead_pid())) as dead,
        left(engine, alive) as ours,
        left(engine, foreign) as theirs,
    ):
        engine.sweep()
        assert dead.there() == (False, False, False)
        assert ours.there() == theirs.there() == (True, True, True)
    assert engine.inspect(IMAGE, pull=False).tags, "the image itself stays"


@pytest.mark.engine
def test_the_end_of_a_session_removes_its_own_things(engine: DockerEngine) -> None:
    with Session.open(engine._client) as opened, left(engine, session.session_id()) as others:
        with left(engine, opened.id) as own:
            opened.remove_all()
            assert own.there() == (False, False, True), "tags are for who made them"
        assert others.there() == (True, True, True)


@pytest.mark.engine
def test_a_sweep_goes_on_after_a_failure(engine: DockerEngine) -> None:
    """What somebody else is just removing must not keep the rest."""

    class Refusing:
        def __init__(self, api: Any) -> None:
            self._api = api

        def __getattr__(self, name: str) -> Any:
            return getattr(self._api, name)

        def remove_container(self, container: str, **options: Any) -> None:
            self._api.remove_container(container, **options)
            raise ConnectionError("somebody else was faster")

        def remove_volume(self, name: str) -> None:
            self._api.remove_volume(name)
            raise ConnectionError("somebody else was faster")

    class Client:
        api = Refusing(engine._client.api)

    with left(engine, identity(pid=dead_pid())) as one, left(engine, identity(started=1)) as two:
        session.sweep(Client, engine.remove_tag)
        assert one.there() == two.there() == (False, False, False)


def test_a_dead_engine_is_no_further_failure() -> None:
    class Gone:
        def __getattr__(self, name: str) -> Any:
            def call(*_: Any, **__: Any) -> Any:
                raise ConnectionError(name)

            return call

    class Client:
        api = Gone()

    session.sweep(Client, lambda tag: pytest.fail(tag))
    with Session.open(Client):
        pass
