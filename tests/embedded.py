"""The embedded engine in tests: a store of its own, and runs as an ordinary user."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

from slimpy.engine.docker import DockerEngine
from slimpy.engine.embedded import namespaces
from slimpy.engine.embedded.engine import EmbeddedEngine
from slimpy.engine.embedded.runs import remove
from slimpy.engine.embedded.store import LayerStore
from slimpy.image.archives import open_archive

ROOT = Path(__file__).parents[1]
USER = "slimpy-test"
"""An ordinary user with subordinate ids; the tests' set-up makes it."""
ARCHIVES = "SLIMPY_TEST_ARCHIVES"
"""Environment variable: a directory of archives for whoever may not use Docker."""
PYTHON = "/usr/bin/python3"
"""A Python that every user may run: the tests' own may lie in root's home."""


@contextlib.contextmanager
def engine(*images: str) -> Iterator[EmbeddedEngine]:
    """An engine with these images."""
    place = Path(tempfile.mkdtemp(prefix="slimpy-test-store-", dir="/var/tmp"))
    place.chmod(0o755)
    users = namespaces.mapping()
    try:
        made = EmbeddedEngine(users, LayerStore(place, users))
        if archives := os.environ.get(ARCHIVES):
            for file in sorted(Path(archives).glob("*.tar")):
                with open_archive(file) as sources:
                    made.store.add(sources[0], sources[0].tags)
        else:
            give(made, *images)
        yield made
    finally:
        remove(place, users)


def give(engine: EmbeddedEngine, *images: str) -> None:
    """Copy images from the Docker Engine into its store."""
    docker = DockerEngine.connect()
    try:
        for name in images:
            with docker.export(docker.inspect(name, pull=False)) as source:
                engine.store.add(source, (name,))
    finally:
        docker.close()


@contextlib.contextmanager
def readable_copy() -> Iterator[Path]:
    """A directory with a copy of the program and its tests, which everybody may read."""
    with tempfile.TemporaryDirectory(prefix="slimpy-test-copy-", dir="/var/tmp") as name:
        place = Path(name)
        place.chmod(0o755)
        unwanted = shutil.ignore_patterns("__pycache__", ".*")
        for part in ("slimpy", "probes", "tests", "sample_apps"):
            shutil.copytree(ROOT / part, place / part, ignore=unwanted)
        shutil.copy(ROOT / "pyproject.toml", place)
        subprocess.run(["chmod", "-R", "a+rX", str(place)], check=True)
        yield place


def as_user(place: Path, home: Path, *arguments: str, **variables: str) -> list[str]:
    """The command that runs a Python program of the copy as the ordinary user.

    Python's packages may lie where only root looks, so it may read everything; it can do nothing
    else that users cannot.
    """
    user = pwd.getpwnam(USER)
    who = (f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups")
    may_read = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "PYTHONPATH": f"{place}:{sysconfig.get_paths()['purelib']}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "LC_ALL": "C.UTF-8",
        **variables,
    }
    env = [f"{name}={value}" for name, value in environment.items()]
    return ["setpriv", *who, *may_read, "env", "-i", *env, PYTHON, *arguments]


def python_versions_agree() -> bool:
    """Whether the packages of the tests' own Python work in the other one."""
    argv = [PYTHON, "-c", "import sys; print(sys.version_info[:2])"]
    return subprocess.check_output(argv, text=True).strip() == str(sys.version_info[:2])
