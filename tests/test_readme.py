"""README says what the program does: exit codes, verbs and options are those of the code."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from benchmarks.readme import README, exit_codes, filled
from slimpy.cli import VERBS, program

TEXTS = (README, README.parent / "docs" / "probes.md", README.parent / "Makefile")


def commands() -> list[tuple[str, str]]:
    """Every `slim VERB ...` that the texts show, with the file's name."""
    found = []
    for file in TEXTS:
        for line in file.read_text().splitlines():
            for match in re.finditer(r"(?:^|[ /`])slim ((?:[a-z]+)(?: [^`#|]*)?)", line):
                if match[1].split()[0] in VERBS:
                    found.append((file.name, match[1].strip()))
    return found


def test_the_exit_codes_are_those_of_the_errors() -> None:
    assert filled(README.read_text(), "exit codes", exit_codes()) == README.read_text()


def test_every_exit_code_has_one_meaning() -> None:
    codes = [row.split("|")[1].strip() for row in exit_codes().splitlines()[2:]]
    assert len(codes) == len(set(codes)) > 10


def test_the_texts_show_commands() -> None:
    assert len(commands()) >= 8


@pytest.mark.parametrize(("file", "line"), commands())
def test_the_options_shown_exist(file: str, line: str) -> None:
    words = shlex.split(line.partition(" -- ")[0])
    verb = program.get_command(click.Context(program), words[0])
    if isinstance(verb, click.Group) and words[1:]:
        verb = verb.get_command(click.Context(verb), words[1])
    assert verb is not None
    known = {name for option in verb.params for name in (*option.opts, *option.secondary_opts)}
    assert {word for word in words if word.startswith("-")} <= known


def test_every_verb_is_in_the_readme() -> None:
    text = README.read_text()
    assert all(f"slim {verb}" in text for verb in VERBS)


def test_paths_named_in_the_readme_exist() -> None:
    top = README.parent
    named = re.findall(r"\]\(([^)#:]+)\)", README.read_text())
    assert named and all((top / Path(name)).exists() for name in named)
