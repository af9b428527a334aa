"""The contract and the confinement once more, kept by the embedded engine for an ordinary user."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import pytest

from tests import embedded
from tests.engine.conftest import IMAGES

pytestmark = pytest.mark.engine

SECONDS = 300


def test_the_contract_holds_for_an_ordinary_user() -> None:
    assert embedded.python_versions_agree()
    with embedded.readable_copy() as place, tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        home = Path(name)
        home.chmod(0o777)
        for number, image in enumerate(IMAGES):
            file = home / f"{number}.tar"
            subprocess.run(["docker", "save", "--output", str(file), image], check=True)
            file.chmod(0o644)
        arguments = ("-m", "pytest", "-q", "-k", "embedded", "-p", "no:cacheprovider")
        names = ("test_contract.py", "test_embedded_confinement.py")
        tests = [str(place / "tests/engine" / name) for name in names]
        variables = {embedded.ARCHIVES: str(home)}
        argv = embedded.as_user(place, home, *arguments, *tests, **variables)
        done = subprocess.run(argv, cwd=place, capture_output=True, text=True, timeout=SECONDS)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
        assert " passed" in done.stdout and "skipped" not in done.stdout
