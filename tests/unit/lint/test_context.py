"""The build context: what is ignored, what is found, and what is not followed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from slimpy.lint import context
from slimpy.lint.context import is_secret, survey
from slimpy.lint.dockerignore import ignored, parse


@pytest.mark.parametrize(
    ("patterns", "path", "out"),
    [
        ("node_modules", "node_modules/a/b", True),
        ("node_modules", "web/node_modules/a", False),
        ("**/node_modules", "web/node_modules/a", True),
        ("**/node_modules", "node_modules", True),
        ("*.md", "README.md", True),
        ("*.md", "docs/README.md", False),
        ("**/*.md", "docs/a/README.md", True),
        ("/docs/", "docs/a", True),
        ("a/**/z", "a/z", True),
        ("a/**/z", "a/b/c/z/d", True),
        ("a/**", "a/b", True),
        ("*\n!keep", "keep/a", False),
        ("*\n!keep", "other", True),
        ("!a\na", "a", True),
        ("a\n!a/b\na/b/c", "a/b/c", True),
        ("a\n!a/b\na/b/c", "a/b/d", False),
        ("# a\n\n./b/../a", "a", True),
        ("f?o[0-9]", "foo1", True),
        ("[^a]x", "bx", True),
        (".", "a", False),
        ("**", "a/b", True),
        ("*/" * 200, "a", False),
    ],
)
def test_dockerignore(patterns: str, path: str, out: bool) -> None:
    assert ignored(parse(patterns), path) is out


def test_hostile_patterns_end() -> None:
    hostile = parse("\n".join(["**/a*a*a*a*a*a*a*a*b" * 3] * 300 + ["/".join(["**"] * 60)] * 100))
    assert ignored(hostile, "/".join(["a" * 200] * 30))


def test_survey(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git/config").write_text("x" * 10)
    (tmp_path / "web/node_modules/b").mkdir(parents=True)
    (tmp_path / "web/node_modules/b/server.key").write_text("inside of what is told anyway")
    (tmp_path / "app").mkdir()
    (tmp_path / "app/main.py").write_text("x" * 1000)
    (tmp_path / ".env").write_text("A=1")
    (tmp_path / "link").symlink_to("/")
    seen = survey(tmp_path)
    assert (seen.has_ignore_file, seen.complete) == (False, True)
    assert seen.junk == (".git", "web/node_modules")
    assert seen.secrets == (".env",)
    assert seen.heaviest[0] == ("app", 1000) and seen.size == 1000 + 10 + 3 + 29
    (tmp_path / ".dockerignore").write_text(".git\n**/node_modules\n.env\n")
    seen = survey(tmp_path)
    assert (seen.has_ignore_file, seen.junk, seen.secrets) == (True, (), ())
    (tmp_path / "Dockerfile.dockerignore").write_text("app")
    assert survey(tmp_path).junk == (".git", "web/node_modules")
    assert survey(tmp_path, "Other").junk == ()


def test_it_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "MOST_ENTRIES", 5)
    for number in range(10):
        (tmp_path / str(number)).write_text("x")
    seen = survey(tmp_path)
    assert not seen.complete and seen.size <= 5
    with pytest.raises(OSError, match="No such file"):
        survey(tmp_path / "none")


def test_scripts_come_from_the_context_only(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "run.sh").write_text("#!/bin/sh\n")
    (tmp_path / "secret").write_text("secret")
    (root / "out.sh").symlink_to("../secret")
    (root / "loop").symlink_to("loop")
    os.mkfifo(root / "pipe")
    wanted = ("run.sh", "out.sh", "../secret", "/etc/passwd", "pipe", "loop", "none", "a\0b", ".")
    assert survey(root, wanted=wanted).scripts == {"run.sh": b"#!/bin/sh\n"}


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        (".env", True),
        (".env.production", True),
        (".env.example", False),
        ("id_ed25519", True),
        ("id_ed25519.pub", False),
        ("server.key", True),
        ("tls.pem", True),
        ("ca-public.pem", False),
        ("fullchain.pem", False),
        (".npmrc", True),
        ("credentials.json", True),
        ("keyboard.py", False),
        ("environment.env.md", False),
    ],
)
def test_names_of_secrets(name: str, secret: bool) -> None:
    assert is_secret(name) is secret
