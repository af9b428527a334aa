"""The embedded engine where it has fewer users than a machine has, and where it may not run."""

from __future__ import annotations

import os
import subprocess
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from slimpy.engine.embedded.namespaces import Kind, Mapping, Rows, command_in
from tests import embedded

pytestmark = pytest.mark.engine

SECONDS = 120
STRANGER = "65533"
"""A user without a line in any table."""
ROOTLESS: Rows = ((0, 0, 1), (1, 100000, 65536))
ONE: Rows = ((0, 0, 1),)
SCRIPT = """
import sys
from slimpy.engine.embedded import namespaces
from slimpy.engine.protocol import RunSpec
from slimpy.errors import SlimError
from tests import embedded

def said(workspace, **options):
    command = ("/bin/sh", "-c", "echo $(id -u) $(stat -Lc %g /var/mail)")
    spec = RunSpec(traced=True, command=command, **options)
    try:
        with workspace.run(spec) as container:
            container.start()
            container.wait(30)
            return container.output()[0].decode().strip(), bool(container.activity().warnings)
    except SlimError as error:
        return type(error).__name__, "only one user" in error.message

try:
    print(namespaces.mapping().kind)
    with embedded.engine() as engine:
        image = engine.inspect("debian:bookworm", pull=False)
        with engine.workspace(image) as workspace:
            print(*said(workspace))
            print(*said(workspace, user="8"))
except SlimError as error:
    print(type(error).__name__, error.message)
"""


@pytest.fixture(scope="module")
def copy() -> Iterator[Path]:
    with embedded.readable_copy() as place:
        (place / "modes.py").write_text(SCRIPT)
        (place / "modes.py").chmod(0o644)
        yield place


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="slimpy-test-home-", dir="/var/tmp") as name:
        place = Path(name)
        place.chmod(0o777)
        command = ["docker", "save", "--output", str(place / "0.tar"), "debian:bookworm"]
        subprocess.run(command, check=True, timeout=SECONDS)
        (place / "0.tar").chmod(0o644)
        yield place


def stranger(argv: list[str]) -> list[str]:
    who = (f"--reuid={STRANGER}", f"--regid={STRANGER}", "--clear-groups")
    # Python's packages may lie where only root looks.
    reads = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")
    return ["setpriv", *who, *reads, *argv]


def without_sys_admin(argv: list[str]) -> list[str]:
    return ["setpriv", "--bounding-set=-sys_admin", *argv]


def nested(argv: list[str]) -> list[str]:
    return list(command_in(Mapping(Kind.OWN, ROOTLESS, ROOTLESS), ("/usr/bin/env", *argv)))


def nested_alone(argv: list[str]) -> list[str]:
    return list(command_in(Mapping(Kind.SINGLE, ONE, ONE), ("/usr/bin/env", *argv)))


def forbidden(argv: list[str]) -> list[str]:
    """Where there may be no more namespaces; the setting is of a namespace, not of the machine."""
    script = 'echo 0 >/proc/sys/user/max_user_namespaces; exec "$@"'
    return nested(["sh", "-c", script, "sh", *argv])


def lines(launched: list[str], copy: Path) -> list[str]:
    done = subprocess.run(launched, cwd=copy, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.splitlines()


def command(copy: Path, home: Path) -> list[str]:
    variables = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "PYTHONPATH": f"{copy}:{sysconfig.get_paths()['purelib']}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "LC_ALL": "C.UTF-8",
        embedded.ARCHIVES: str(home),
    }
    pairs = [f"{name}={value}" for name, value in variables.items()]
    return ["env", "-i", *pairs, embedded.PYTHON, str(copy / "modes.py")]


@pytest.mark.parametrize("launch", [without_sys_admin, nested])
def test_root_of_a_container_has_all_users(launch: object, copy: Path, home: Path) -> None:
    said = lines(launch(command(copy, home)), copy)  # type: ignore[operator]
    assert said == ["own", "0 8 False", "8 8 False"]


@pytest.mark.parametrize("launch", [stranger, nested_alone])
def test_one_user_is_enough_for_images_of_root(launch: object, copy: Path, home: Path) -> None:
    """Files are all root's then, another user is refused, and both are said."""
    said = lines(launch(command(copy, home)), copy)  # type: ignore[operator]
    assert said == ["single", "0 0 True", "ContainerStartError True"]


def test_the_setting_that_forbids_namespaces_is_named(copy: Path, home: Path) -> None:
    (said,) = lines(forbidden(command(copy, home)), copy)
    assert said.startswith("EngineUnavailableError") and "user.max_user_namespaces" in said
