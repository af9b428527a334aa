"""A machine that is not as it should be: no engine, no rights, no space, nobody who reads."""

from __future__ import annotations

import os
import socket
import stat
import sys
import tempfile
from pathlib import Path

import pytest

from tests.e2e.oddities import Images, environment, first_line, leftovers, slim

pytestmark = pytest.mark.e2e

NOBODY = 65534


def test_no_engine(tmp_path: Path) -> None:
    dead = f"unix://{tmp_path}/docker.sock"
    done = slim("build", "app", cwd=tmp_path, env=environment(DOCKER_HOST=dead))
    assert done.code == 3
    assert (
        first_line(done) == f"slim: No Docker Engine answers at {dead}: No such file or directory."
    )
    for odd in ("foo://bar", "tcp://x:abc", "tcp://127.0.0.1:1"):
        done = slim("build", "app", cwd=tmp_path, env=environment(DOCKER_HOST=odd))
        assert done.code == 3 and odd in first_line(done)


def test_an_engine_that_this_user_may_not_use() -> None:
    with (
        tempfile.TemporaryDirectory() as place,
        socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener,
    ):
        Path(place).chmod(0o755)
        listener.bind(f"{place}/docker.sock")
        listener.listen()
        Path(place, "docker.sock").chmod(0o600 if os.geteuid() == 0 else 0)
        env = environment(DOCKER_HOST=f"unix://{place}/docker.sock")
        done = slim("build", "app", cwd=Path(place), env=env, before=as_nobody())
    assert done.code == 3
    assert "This user may not use" in first_line(done) and "docker group" in done.talk


def as_nobody(group: int = NOBODY) -> tuple[str, ...]:
    """A command that runs another as an ordinary user, where the tests run as root.

    It may still read every file, because Python itself may lie in root's home.
    """
    if os.geteuid() != 0:
        return ()
    who = (f"--reuid={NOBODY}", f"--regid={NOBODY}", f"--groups={group}")
    return ("setpriv", *who, "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")


def test_a_report_directory_that_cannot_be_written(images: Images, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = slim("build", images.odd("serve"), "--report-dir", "file/below", cwd=tmp_path)
    assert done.code == 10
    assert "file/below" in first_line(done)
    assert not any(line.startswith("index") for line in done.talk.splitlines())


def on_full_disk(place: Path, size: str, *, filled: bool = False) -> tuple[str, ...]:
    """A command that runs another with a small file system of its own at ``place``."""
    place.mkdir()
    user = () if os.geteuid() == 0 else ("--map-root-user",)
    fill = f'cat /dev/zero >"{place}/zeros" 2>&-; ' if filled else ""
    script = f'mount -t tmpfs -o size={size} none "{place}"; {fill} exec "$@"'
    return ("unshare", *user, "--mount", "sh", "-c", script, "sh")


def test_a_full_disk_for_temporary_files(images: Images, tmp_path: Path) -> None:
    image = images.make("big", 'ENTRYPOINT ["/app"]', "EXPOSE 8080", "USER 1000", data=3 << 20)
    env = environment(TMPDIR=str(tmp_path / "small"))
    before = on_full_disk(tmp_path / "small", "1m")
    done = slim("build", image, cwd=tmp_path, env=env, before=before)
    assert done.code == 11
    assert "space" in first_line(done)
    assert not leftovers(images.engine, done.pid)
    assert not images.has(image.replace(":", ".slim:"))


def test_a_full_disk_for_the_report(images: Images, tmp_path: Path) -> None:
    image = images.make("unreported", 'ENTRYPOINT ["/app"]', "EXPOSE 8080", "USER 1000")
    full = slim(
        "build",
        image,
        "--report-dir",
        str(tmp_path / "full"),
        cwd=tmp_path,
        before=on_full_disk(tmp_path / "full", "64k", filled=True),
    )
    assert full.code == 11 and "no space left" in first_line(full)
    assert "index" not in full.talk, "found out before the work"
    done = slim(
        "build",
        image,
        "--report-dir",
        str(tmp_path / "small"),
        cwd=tmp_path,
        before=on_full_disk(tmp_path / "small", "8k"),
    )
    assert done.code == 11 and "no space left" in first_line(done)
    assert not images.has(image.replace(":", ".slim:")), "nothing is tagged without its report"
    assert not leftovers(images.engine, done.pid)


def test_an_ordinary_user_without_a_home(images: Images) -> None:
    """In an empty directory, with the right to use the engine and nothing else."""
    image = images.odd("serve")
    group = Path("/var/run/docker.sock").stat()
    if os.geteuid() == 0 and not group.st_mode & stat.S_IWGRP:
        pytest.skip("the engine's socket is for its owner alone")
    env = {key: value for key, value in environment().items() if key not in ("HOME", "USER")}
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o777)
        env["TMPDIR"] = place
        done = slim("build", image, cwd=Path(place), env=env, before=as_nobody(group.st_gid))
        left = sorted(path.name for path in Path(place).iterdir())
    assert done.code == 0, done.talk
    assert left == ["slim-report"]


def test_nobody_reads_the_output(images: Images, tmp_path: Path) -> None:
    """As in: slim build ... | head -0."""
    image = images.odd("serve")
    script = f'{{ "{sys.executable}" -m slimpy build {image} --quiet; echo $? >code; }} | head -0'
    done = slim(cwd=tmp_path, before=("sh", "-c", script, "sh"))
    assert done.talk == ""
    assert (tmp_path / "code").read_text() == "141\n"
    assert images.has(image.replace(":", ".slim:")), "the work itself was done"
    loud = script.replace(" --quiet", " 2>&1")
    assert slim(cwd=tmp_path, before=("sh", "-c", loud, "sh")).talk == ""
    assert (tmp_path / "code").read_text() == "141\n"


def test_output_goes_to_a_full_disk(images: Images, tmp_path: Path) -> None:
    script = 'exec "$@" >/dev/full'
    done = slim("build", images.odd("serve"), cwd=tmp_path, before=("sh", "-c", script, "sh"))
    assert done.code == 11 and "no space left" in first_line(done)
