"""`slimpy.toml`, and what flags add to it."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from slimpy.cli import configuration
from slimpy.cli.build import command as build
from slimpy.cli.configuration import Configuration, load, parse
from slimpy.cli.wishes import wish_options
from slimpy.engine.choice import EngineName
from slimpy.errors import UsageError
from slimpy.lint.finding import Choice, Severity
from slimpy.model import Level
from slimpy.settings import BuildOptions, Wishes
from slimpy.xray.thresholds import Thresholds

FULL = """
# what this project keeps
keep = ["/etc/app/**", "x"]
keep-package = "tzdata"
keep-bin = ["jq"]
keep-shell = true
drop = ["/usr/share/doc"]
level = "safe"
probe-file = "probes/app.yaml"
repair = 2
as-root = true
engine = "docker"
lint = { ignore = ["SL003", "sudo"], level = "warning" }
xray = { max-size = "200MB", max-waste = "5%", no-root = true }
"""


def test_every_key(tmp_path: Path) -> None:
    assert parse(FULL, tmp_path / "slimpy.toml") == Configuration(
        wishes=Wishes(("/etc/app/**", "x"), ("tzdata",), ("jq",), True, ("/usr/share/doc",)),
        level=Level.SAFE,
        probe_file=tmp_path / "probes/app.yaml",
        repair=2,
        root=True,
        engine=EngineName.DOCKER,
        lint=Choice(frozenset({"sl003", "sudo"}), Severity.WARNING),
        xray=Thresholds(max_size=200_000_000, max_waste_share=0.05, no_root=True),
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("\nkeep = 'a'\nkep = 'b'\n", "slimpy.toml:3: there is no key 'kep'."),
        ("[tool]\nx = 1\n", "slimpy.toml:1: there is no key 'tool'."),
        ("keep = 3", "slimpy.toml:1: 'keep' takes a pattern or a list of patterns."),
        ("keep = ['a', 3]", "slimpy.toml:1: 'keep' takes"),
        ("keep = ['']", "slimpy.toml:1: 'keep' takes"),
        ("# c\nkeep-shell = 'yes'", "slimpy.toml:2: 'keep-shell' takes true or false."),
        ("level = 'most'", "'level' takes one of minimal, balanced, safe."),
        ("repair = 9", "'repair' takes a number from 0 to 5."),
        ("repair = true", "'repair' takes a number from 0 to 5."),
        ("engine = 'moby'", "'engine' takes one of docker, podman, embedded."),
        ("probe-file = []", "'probe-file' takes the path of a file."),
        ("[lint]\nlevel = 'high'", "'lint' takes a table of ignore (rules) and level (info,"),
        ("[lint]\nlevels = 'info'", "slimpy.toml:1: 'lint' takes"),
        ("lint = 3", "'lint' takes"),
        ("[xray]\nmax-size = 'big'", "slimpy.toml:1: 'xray' takes a table of max-size, max-waste"),
        ("[xray]\nno-roots = true", "'xray' takes"),
        ("keep = [", "slimpy.toml is not TOML"),
        ("keep = " + "[" * 5000, "slimpy.toml is not TOML"),
    ],
)
def test_errors_name_file_line_and_key(text: str, said: str) -> None:
    with pytest.raises(UsageError) as error:
        parse(text, Path("slimpy.toml"))
    assert said in error.value.message


def test_the_file_of_the_working_directory_is_read_if_there_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load(None) == Configuration()
    (tmp_path / "slimpy.toml").write_text("keep-shell = true")
    assert load(None).wishes.shell
    with pytest.raises(UsageError, match="cannot be read"):
        load(tmp_path / "other.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff")
    with pytest.raises(UsageError, match="UTF-8"):
        load(tmp_path / "bytes.toml")


def test_every_key_has_a_value_to_go_to() -> None:
    for key in configuration._KEYS:
        text = next(line for line in FULL.splitlines() if line.startswith(f"{key} ="))
        assert parse(text, Path("f")) != Configuration()


def test_flags_become_wishes() -> None:
    seen: list[Wishes] = []

    @click.command()
    @wish_options
    def verb(wishes: Wishes) -> None:
        seen.append(wishes)

    arguments = "--keep a --include b --keep-package p --keep-bin c --keep-shell --drop d --drop e"
    done = CliRunner().invoke(verb, arguments.split())
    assert done.exit_code == 0
    assert seen == [Wishes(("a", "b"), ("p",), ("c",), True, ("d", "e"))]
    assert "--include" not in CliRunner().invoke(verb, ["--help"]).output


def built(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> BuildOptions:
    """The options that `slim build` comes to."""
    seen: list[BuildOptions] = []

    def run(options: BuildOptions, *_others: object, quiet: bool) -> None:
        seen.append(options)
        raise click.Abort

    monkeypatch.setattr("slimpy.cli.build._run", run)
    CliRunner().invoke(build, ["app", *arguments])
    return seen[0]


def test_flags_come_on_top_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    plain = built(monkeypatch)
    assert (plain.level, plain.repair, plain.root, plain.wishes) == (
        *(Level.BALANCED, 3, False),
        Wishes(),
    )
    (tmp_path / "slimpy.toml").write_text(
        'level = "safe"\nrepair = 0\nas-root = true\nkeep = "a"\nkeep-bin = "c"'
    )
    file = built(monkeypatch)
    assert (file.level, file.repair, file.root) == (Level.SAFE, 0, True)
    both = built(monkeypatch, "--keep", "b", "--level", "minimal", "--repair", "1")
    assert (both.level, both.repair) == (Level.MINIMAL, 1)
    assert both.wishes == Wishes(keep=("a", "b"), programs=("c",))
    (tmp_path / "other.toml").write_text("keep-shell = true")
    assert built(monkeypatch, "--config", "other.toml").wishes == Wishes(shell=True)
