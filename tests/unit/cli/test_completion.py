"""`slim completion`: the scripts, and what they are answered."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest
from click.testing import CliRunner

from slimpy.cli import VERBS
from slimpy.cli.completion import command


def completed(line: str) -> list[str]:
    """What the program answers to a bash that completes the last word of a line."""
    words = line.split(" ")
    environment = os.environ | {
        "_SLIM_COMPLETE": "bash_complete",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    done = subprocess.run(
        [sys.executable, "-m", "slimpy"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stderr == ""
    return [answer.partition(",")[2] for answer in done.stdout.splitlines()]


def test_verbs_and_options() -> None:
    assert set(completed("slim ")) >= set(VERBS)
    assert completed("slim bui") == ["build"]
    assert completed("slim build --lev") == ["--level"]
    assert completed("slim build --level ba") == ["balanced"]
    assert completed("slim lint --fail-level e") == ["error"]


def test_ways_to_an_image_and_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an engine, which is no error here."""
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    monkeypatch.setenv("SLIM_ENGINE", "docker")
    assert completed("slim build docker") == ["docker-archive:", "docker://", "docker-daemon:"]
    assert completed("slim xray ./app") == ["./app"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts(shell: str) -> None:
    done = CliRunner().invoke(command, [shell])
    assert done.exit_code == 0 and f"_SLIM_COMPLETE={shell}_complete" in done.output
    assert "%(" not in done.output


def test_bash_takes_its_script() -> None:
    script = CliRunner().invoke(command, ["bash"]).output
    bash = shutil.which("bash")
    assert bash is not None
    done = subprocess.run(
        [bash, "-euc", f"{script}\ncomplete -p slim"], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "") and "_slim_completion" in done.stdout


def test_another_shell_is_refused() -> None:
    assert CliRunner().invoke(command, ["tcsh"]).exit_code == 2
