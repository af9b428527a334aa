"""The rules: each finds its own example, and nothing in what is good."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from slimpy.lint.check import MOST_FINDINGS, lint
from slimpy.lint.context import Context, survey
from slimpy.lint.dockerfile import LARGEST
from slimpy.lint.finding import LONGEST, Choice, Rule, Severity
from slimpy.lint.rules import RULES
from slimpy.lint.rules.secrets import masked

CORPUS = Path(__file__).parent / "corpus"
FULL = Context(
    has_ignore_file=False,
    entries=9,
    size=300_000_000,
    heaviest=(("data", 300_000_000),),
    junk=(".git",),
    secrets=("deploy.key",),
)
"""A build context in which everything is wrong."""


def ids(text: str, context: Context | None = None, choice: Choice | None = None) -> set[str]:
    found = lint(text, choice or Choice(), lambda _wanted: context)
    assert all(1 <= finding.line <= text.count("\n") + 1 for finding in found)
    return {finding.rule.id for finding in found}


def whole(snippet: str) -> str:
    return snippet if "FROM" in snippet else f"FROM debian:bookworm-slim\n{snippet}\n"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_the_example_of_each_rule(rule: Rule) -> None:
    assert rule.id in ids(whole(rule.bad), FULL)
    assert rule.id not in ids(whole(rule.good), FULL)


def test_rules_have_numbers_and_names_of_their_own() -> None:
    assert len({rule.id for rule in RULES}) == len({rule.name for rule in RULES}) == len(RULES)
    assert all(re.fullmatch(r"SL\d{3}", rule.id) for rule in RULES)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", rule.name) for rule in RULES)
    assert all(rule.why.endswith(".") and not rule.title.endswith(".") for rule in RULES)


@pytest.mark.parametrize("file", sorted((CORPUS / "bad").iterdir()), ids=lambda file: file.stem)
def test_bad_files_break_just_the_rules_they_name(file: Path) -> None:
    text = file.read_text()
    expected = re.search(r"^# expect: (.+)$", text, re.MULTILINE)
    assert expected is not None
    assert ids(text) == set(expected[1].split())


@pytest.mark.parametrize("file", sorted((CORPUS / "good").iterdir()), ids=lambda file: file.stem)
def test_good_files_break_none(file: Path) -> None:
    assert [(item.line, item.rule.id, item.message) for item in lint(file.read_text())] == []


def test_the_corpus_is_not_empty_and_knows_most_rules() -> None:
    bad = list((CORPUS / "bad").iterdir())
    named = {
        rule
        for file in bad
        for rule in re.findall(r"SL\d{3}", file.read_text().partition("FROM")[0])
    }
    assert len(bad) + len(list((CORPUS / "good").iterdir())) >= 25
    of_context = {"SL060", "SL065", "SL066", "SL067", "SL068"}
    assert {rule.id for rule in RULES} - named <= of_context


@pytest.mark.parametrize(
    ("text", "rule", "line"),
    [
        ("FROM a:1\nRUN x \\\n  && y \\\n  # c\n  && sudo z", "SL041", 5),
        ("FROM a:1\nRUN <<E\nset -e\nsudo x\nE", "SL041", 4),
        ("FROM a:1\nENV A=1 \\\n  B_TOKEN=abcdefgh", "SL050", 3),
        ("FROM a:1\nCOPY <<E /x\na\nghp_" + "a1B2" * 9 + "\nE", "SL052", 4),
    ],
)
def test_lines(text: str, rule: str, line: int) -> None:
    assert {item.line for item in lint(text) if item.rule.id == rule} == {line}


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("FROM a:1 AS build\nRUN apt-get update\nFROM a:1\nUSER 1", "SL030"),
        ("FROM a:1\nRUN --mount=type=cache,target=/var/lib/apt apt-get update", "SL030"),
        ("FROM a:1\nENV PIP_NO_CACHE_DIR=1\nRUN pip install x==1", "SL032"),
        ("FROM a:1\nRUN pip install x==1 && rm -rf /root/.cache", "SL032"),
        ("FROM a:1\nRUN pip install -c constraints.txt x", "SL022"),
        ("FROM a:1\nRUN pip install . ./x git+https://e.org/x wheel/x.whl -r r.txt", "SL022"),
        ("FROM a:1\nRUN apt-get -y install ./x.deb y/stable $PACKAGES", "SL020"),
        ("FROM a:1\nRUN yes | apt-get install x", "SL025"),
        ("FROM a:1\nRUN chmod 1777 /tmp && chmod 2775 /srv && chmod u+x /a", "SL043"),
        ("FROM a:1\nRUN chmod 2775 /srv && chmod g+s /srv", "SL042"),
        ("FROM a:1\nRUN a; true", "SL104"),
        ("FROM a:1\nRUN set -ex; a; b", "SL103"),
        ('FROM a:1\nSHELL ["/bin/sh", "-ec"]\nRUN a; b', "SL103"),
        ("FROM a:1\nRUN a || true; b", "SL103"),
        ("FROM a:1\nRUN x | a | b || true; b", "SL103"),
        ("FROM a:1\nRUN set -o pipefail && a | b", "SL104"),
        ("FROM a:1\nRUN curl x | python3 -c 'import json'", "SL100"),
        ("FROM a:1\nRUN curl x | tar -x", "SL100"),
        ("FROM a:1\nUSER 1\nCMD exec a $B", "SL080"),
        ("FROM a:1\nENTRYPOINT ['/sbin/tini', '--']\nCMD a & exec b".replace("'", '"'), "SL083"),
        ('FROM gcr.example/distroless/base:nonroot\nCMD ["a"]', "SL040"),
        ('FROM a:1\nENTRYPOINT ["gosu", "app", "a"]', "SL040"),
        ("FROM a:1\nENV A_TOKEN=$B TOKEN_URL=https://e.org PASSWORD=changeme KEY=x", "SL050"),
        ("FROM a:1\nRUN curl https://user:$PASS@e.org/", "SL052"),
        ("FROM a:1\nEXPOSE $PORT 80/udp 8000-8010", "SL014"),
        ("FROM a:1\nWORKDIR /a\nWORKDIR b", "SL015"),
        ("FROM a:1\nWORKDIR $HOME/a", "SL015"),
        ("FROM a:1\nCOPY --from=nginx:1 /a /a", "SL072"),
        ("FROM a:1\nCOPY a b $TARGET", "SL073"),
        ("FROM a:1 AS x\nFROM a:1\nRUN --mount=from=x,target=/y z", "SL092"),
    ],
)
def test_what_is_fine(text: str, rule: str) -> None:
    assert rule not in ids(text)


def test_secrets_are_masked() -> None:
    secret = "hunter2-correct-horse"
    text = (
        f"FROM a:1\nARG X_TOKEN={secret}\nENV DB_PASSWORD={secret}\nLABEL api_key={secret}\n"
        f"RUN curl -u me:{secret} x && wget --password={secret} https://me:{secret}@e.org/\n"
        f"ADD https://me:{secret}@e.org/x /y\n"
    )
    found = lint(text)
    assert {"SL050", "SL052", "SL070"} <= {item.rule.id for item in found}
    assert not any(secret in item.message + item.hint for item in found)
    assert masked("abc") == "*** (3 characters)" and masked(secret) == "hu*** (21 characters)"


def test_a_start_script_of_the_context_is_read(tmp_path: Path) -> None:
    text = 'FROM a:1\nCOPY docker/ /usr/local/bin/\nENTRYPOINT ["run.sh"]\nCMD ["app"]\n'
    (tmp_path / "docker").mkdir()
    script = tmp_path / "docker/run.sh"

    def found() -> set[str]:
        return {
            item.rule.id for item in lint(text, look=lambda names: survey(tmp_path, "D", names))
        }

    assert "SL040" in found() and "SL083" not in found()
    script.write_text('#!/bin/sh\nlogger &\nexec su-exec app "$@"\n')
    assert "SL083" in found() and "SL040" not in found()
    script.write_text('#!/bin/sh\nlogger &\n"$@" &\nwait\n')
    assert "SL083" not in found()
    script.write_text("#!/usr/bin/env python3\nlogger & exec(x)\n")
    assert "SL083" not in found()


def test_the_context_says_what_copy_takes(tmp_path: Path) -> None:
    text = "FROM a:1\nWORKDIR /srv\nCOPY . .\nUSER 1\n"
    (tmp_path / ".git").mkdir()
    (tmp_path / "a").write_text("")

    def found(text: str) -> set[str]:
        return {
            item.rule.id for item in lint(text, look=lambda names: survey(tmp_path, "D", names))
        }

    assert {"SL065", "SL066"} <= found(text)
    assert not {"SL065", "SL066"} & found(text.replace("COPY . .", "COPY a ."))
    (tmp_path / ".dockerignore").write_text(".git")
    assert not {"SL065", "SL066"} & found(text)


def test_ignoring() -> None:
    text = "FROM a:1\nRUN sudo x\nRUN sudo y && \\\n  # slim-lint ignore=sudo\n  sudo z\n"

    def lines(text: str, choice: Choice | None = None) -> list[int]:
        found = lint(text, choice or Choice())
        return [item.line for item in found if item.rule.id == "SL041"]

    assert lines(text) == [2]
    assert lines("# slim-lint ignore=SL041\n" + text) == [3]
    assert lines(text.replace("RUN sudo x", "# slim-lint ignore=SL003, SL041\n\nRUN sudo x")) == []
    assert lines(text + "# slim-lint ignore-file=SL041\n") == []
    assert lines(text, Choice(frozenset({"sl041"}))) == []
    assert lines(text, Choice(level=Severity.ERROR)) == []
    assert lines(text, Choice(level=Severity.WARNING)) == [2]


@pytest.mark.parametrize(
    "text",
    [
        "FROM a\nRUN x \\\n" + "a \\\n" * 100_000,
        "FROM a\nENV A=aaaaaaaa\n" + "ENV A=$A$A\n" * 3000,
        "FROM a AS s0\n" + "".join(f"FROM s{n} AS s{n + 1}\n" for n in range(3900)),
        "FROM a\nRUN " + "apt-get install a && " * 10_000 + "b",
        "FROM a\nRUN " + "$(" * 100_000,
        "FROM a\nCOPY " + "a " * 100_000,
        "FROM a\nCMD " + "[" * 500_000,
        "# slim-lint ignore=SL001\nRUN a\n" * 20_000,
        "\x01\x02\ufffd\u202e" * 50_000,
        "\n" * LARGEST,
        "",
    ],
    ids=[
        "continued",
        "doubling",
        "chain",
        "list",
        "nested",
        "words",
        "json",
        "ignores",
        "binary",
        "blank",
        "empty",
    ],
)
def test_hostile_files_have_an_end(text: str) -> None:
    found = lint(text)
    assert len(found) <= MOST_FINDINGS
    assert all(len(item.message) <= LONGEST and len(item.hint) <= LONGEST for item in found)


def test_looking_at_a_context_is_asked_for_the_start_script() -> None:
    asked: list[str] = []

    def look(names: Iterable[str]) -> Context | None:
        asked.extend(names)
        return None

    lint('FROM a:1\nCOPY bin/ start.sh /opt/\nENTRYPOINT ["/opt/start.sh"]', look=look)
    assert asked == ["bin/start.sh", "start.sh"]
