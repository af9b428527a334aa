"""`slim lint`: what it reads, prints and ends with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.report.test_forms import checked_sarif

GOOD = f"FROM debian:bookworm@sha256:{'ab' * 32}\nUSER 1000\n"
BAD = "FROM debian\nRUN sudo x\nUSER 1000\n"


def lint(directory: Path, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "slimpy", "lint", *arguments],
        cwd=directory,
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_directory_is_searched(tmp_path: Path) -> None:
    for name in ("Dockerfile", "a/web.Dockerfile", "a/Containerfile", "node_modules/x/Dockerfile"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(BAD)
    (tmp_path / "a/Dockerfile.dev").write_text(GOOD)
    (tmp_path / "a/Dockerfile.dockerignore").write_text("x")
    done = lint(tmp_path)
    assert done.returncode == 1 and done.stderr == ""
    lines = done.stdout.splitlines()
    assert "Dockerfile:1: warning SL001 base-without-tag: The image debian has no tag." in lines
    assert lines[-1] == "4 files: 0 errors, 6 warnings, 0 info"
    assert "node_modules" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ((), 1),
        (("--fail-level", "error"), 0),
        (("--fail-level", "never"), 0),
        (("--fail-level", "info"), 1),
        (("--level", "error"), 0),
        (("--ignore", "SL001", "--ignore", "sudo"), 0),
        (("--ignore", "SL001"), 1),
        (("--ignore", "SL9"), 2),
    ],
)
def test_exit_codes(tmp_path: Path, arguments: tuple[str, ...], code: int) -> None:
    (tmp_path / "Dockerfile").write_text(BAD)
    assert lint(tmp_path, *arguments).returncode == code


def test_the_input(tmp_path: Path) -> None:
    done = lint(tmp_path, "-", text=GOOD)
    assert (done.returncode, done.stdout) == (0, "1 file: nothing to say\n")
    assert lint(tmp_path, "-", text=BAD).stdout.startswith("-:1: warning SL001")


def test_what_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "good").write_text(GOOD)
    (tmp_path / "binary").write_bytes(b"FROM a\n\0")
    (tmp_path / "large").write_bytes(b"\n" * (1 << 20) + b"\n")
    os.mkfifo(tmp_path / "pipe")
    for name in ("binary", "large", "pipe", "none", "a\x1bb"):
        done = lint(tmp_path, "good", name)
        assert done.returncode == 20 and "\x1b" not in done.stderr
        assert done.stdout == "1 file: nothing to say\n"
    done = lint(tmp_path, "--json", "none", "binary")
    assert done.returncode == 20
    assert [text.split()[-1] for text in json.loads(done.stdout)["unreadable"]] == [
        "none.",
        "file.",
    ]
    (tmp_path / "empty").mkdir()
    assert "no Dockerfile" in lint(tmp_path, "empty").stderr
    assert lint(tmp_path, "good", "--context", "nowhere").returncode == 2


def test_json(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(BAD)
    document = json.loads(lint(tmp_path, "--json").stdout)
    assert (document["schema"], document["version"]) == ("slimpy-lint", 1)
    assert document["counts"] == {"error": 0, "warning": 2, "info": 0}
    (file,) = document["files"]
    assert file["file"] == "Dockerfile"
    assert file["findings"][1] == {
        "rule": "SL041",
        "name": "sudo",
        "level": "warning",
        "line": 2,
        "message": "sudo is used.",
        "hint": "Leave it out, or use USER.",
    }


def test_sarif(tmp_path: Path) -> None:
    (tmp_path / "a b").mkdir()
    (tmp_path / "a b/Dockerfile").write_text(BAD)
    run = checked_sarif(lint(tmp_path, "--format", "sarif").stdout)
    places = [item["locations"][0]["physicalLocation"] for item in run["results"]]
    assert [place["artifactLocation"]["uri"] for place in places] == ["a%20b/Dockerfile"] * 2
    assert [place["region"]["startLine"] for place in places] == [1, 2]
    assert len(run["tool"]["driver"]["rules"]) > 30


def test_hostile_text_is_shown_safely(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM a\x1b[31m\u202e\r\nRUNN\x07 x\n")
    for form in ("text", "json", "sarif"):
        done = lint(tmp_path, "--format", form)
        assert done.returncode == 1
        assert not set("\x1b\x07\u202e") & set(done.stdout) and "Traceback" not in done.stderr


def test_the_project_says_what_is_ignored(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(BAD)
    (tmp_path / "slimpy.toml").write_text('[lint]\nignore = ["SL001", "SUDO"]\nlevel = "warning"\n')
    assert lint(tmp_path).returncode == 0
    (tmp_path / "slimpy.toml").write_text('[lint]\nignore = ["SL1"]\n')
    done = lint(tmp_path)
    assert done.returncode == 2 and "no rule sl1" in done.stderr


def test_explaining(tmp_path: Path) -> None:
    done = lint(tmp_path, "--explain", "sl041")
    assert done.returncode == 0 and "RUN sudo ldconfig" in done.stdout
    assert lint(tmp_path, "--explain", "x").returncode == 2


def test_the_samples_get_advice_that_is_right() -> None:
    top = Path(__file__).parents[3] / "sample_apps"
    document = json.loads(lint(top, "--json", "--level", "warning", ".").stdout)
    found = {
        (Path(file["file"]).parent.name, finding["rule"])
        for file in document["files"]
        for finding in file["findings"]
    }
    assert document["unreadable"] == []
    # Compilers ship in three, nobody gives up root in three, npm's cache stays in one; the
    # entrypoints of postgres and redis give up root themselves.
    assert found == {
        *((name, "SL090") for name in ("fastapi-uvicorn", "flask-gunicorn", "ruby")),
        *((name, "SL040") for name in ("bash-healthcheck", "imagemagick", "nginx")),
        ("node-express", "SL033"),
    }
