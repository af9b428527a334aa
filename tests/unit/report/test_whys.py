"""`slim why` for one path and for many: reasons, trees, and what would change them."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from slimpy.cli.why import command
from slimpy.errors import ReportError
from slimpy.model import ImagePath, KeepSet, Reason, Rule
from slimpy.report import keepfile, whys
from slimpy.report.document import build, write
from slimpy.report.keepfile import LoadedReport, Removed
from tests.unit.report.making import FORMS, HOSTILE, KEEP, PROFILE, TREE, outcome

P = ImagePath
OWNERS = {P("/usr/doc"): "docs 1.0"}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    write(build(outcome()), KEEP, TREE, PROFILE, OWNERS, tmp_path / "r", FORMS)
    return tmp_path / "r"


@pytest.fixture
def loaded(directory: Path) -> LoadedReport:
    return keepfile.load(directory)


@pytest.mark.parametrize(
    ("pattern", "paths"),
    [
        ("/app/main", ["/app/main"]),
        ("/usr/doc*", ["/usr/doc", "/usr/doc2", "/usr/doc3"]),
        ("/**/doc?", ["/usr/doc2", "/usr/doc3"]),
        ("lib.*", ["/app/lib.so"]),
        ("/app/l*", ["/app/latest", "/app/lib.so", "/app/listed"]),
        ("/dev/*", ["/dev/\x1bzero"]),
        ("/*", ["/app", "/usr"]),
    ],
)
def test_patterns(loaded: LoadedReport, pattern: str, paths: list[str]) -> None:
    assert list(whys.found(loaded, pattern)) == paths


@pytest.mark.parametrize("pattern", ["/none", "/none/*", "*.none", "[", "/app/main/*"])
def test_what_is_not_there(loaded: LoadedReport, pattern: str) -> None:
    with pytest.raises(ReportError):
        whys.found(loaded, pattern)


def test_states_and_lines(loaded: LoadedReport) -> None:
    told = {path: whys.why(loaded, P(path)) for path in ("/app/main", "/app/listed", "/usr/doc")}
    assert [item.state for item in told.values()] == ["kept", "name-only", "removed"]
    assert whys.brief(told["/app/main"]) == "kept      /app/main  touched: exec and 1 more"
    assert whys.brief(told["/usr/doc"]) == (
        "removed   /usr/doc  80,000,000 bytes, of docs 1.0: the run did not use it"
    )
    refused = whys.why(loaded, P("/dev/\x1bzero"))
    assert refused.state == "refused" and "\x1b" not in whys.brief(refused)


@pytest.mark.parametrize(
    ("rules", "advice"),
    [
        ((Rule.TOUCHED,), "To leave it out: --drop /x (the proof may then fail)"),
        ((Rule.LINK,), "To leave it out: --drop /x (the proof may then fail)"),
        ((Rule.PYTHON,), "--level minimal does not keep it"),
        ((Rule.PACKAGE,), "--level balanced does not keep it"),
        ((Rule.PACKAGE, Rule.PYTHON), "--level minimal does not keep it"),
        ((Rule.PYTHON, Rule.TOUCHED), "(the proof may then fail)"),
        ((Rule.INCLUDE,), "leave out that --keep option"),
    ],
)
def test_what_would_lose_a_path(rules: tuple[Rule, ...], advice: str) -> None:
    keep = KeepSet({P("/x"): tuple(Reason(rule, "/y") for rule in rules)})
    told = whys.why(LoadedReport(build(outcome()), keep, {}, frozenset()), P("/x"))
    assert any(advice in line for line in told.advice)
    assert any("--drop" in line for line in told.advice) == (rules != (Rule.INCLUDE,))


def test_what_would_gain_a_path() -> None:
    removed = {P("/a b'c"): Removed("f", 5, "tools 1.0"), P("/d"): Removed("f", 5, "")}
    loaded = LoadedReport(build(outcome()), KeepSet({}), removed, frozenset())
    assert whys.why(loaded, P("/a b'c")).advice == (
        "To bring it back: slim restore '/a b'\"'\"'c'",
        "To keep it in every build: --keep '/a b'\"'\"'c'",
        "With its package: --keep-package tools",
    )
    assert len(whys.why(loaded, P("/d")).advice) == 2


def test_the_tree(loaded: LoadedReport) -> None:
    out = io.StringIO()
    console = Console(file=out, width=200, color_system=None)
    for path in ("/app/lib.so", HOSTILE, "/usr/doc"):
        console.print(whys.renderable(whys.why(loaded, P(path))))
    lines = out.getvalue().splitlines()
    assert lines[:3] == [
        "/app/lib.so kept",
        "└── elf-needed: lib.so",
        "    └── /app/main: touched: exec",
    ]
    assert not set("\x1b\u202e") & set(out.getvalue())


def test_the_verb(directory: Path) -> None:
    def run(*arguments: str) -> str:
        done = CliRunner().invoke(command, ["--report", str(directory), *arguments])
        assert done.exit_code == 0, done.output
        return done.output

    assert run("/app/lib.so").splitlines()[0] == "/app/lib.so is kept whole:"
    assert "--drop /app/lib.so" in run("/app/lib.so")
    assert run("--tree", "/app/lib.so").startswith("/app/lib.so kept\n└── ")
    listed = run("/app/main", "/usr/doc*", "/app/main").splitlines()
    assert len(listed) == 5 and listed[-1] == "4 paths, 1 of them kept"
    document = json.loads(run("--json", "/app/*"))
    assert (document["schema"], document["version"]) == ("slimpy-why", 1)
    states = {item["path"]: item["state"] for item in document["paths"]}
    assert states["/app/listed"] == "name-only" and states["/app/main"] == "kept"
    (chain, *_) = next(item for item in document["paths"] if item["path"] == "/app/lib.so")[
        "chains"
    ]
    assert [link["path"] for link in chain] == ["/app/lib.so", "/app/main"]
