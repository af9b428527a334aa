from __future__ import annotations

import base64
import dataclasses
import hashlib
import html
import re
from html.parser import HTMLParser

import pytest

from slimpy.keep.coverage import CodeShare, Coverage, IdleCommands, PackageShare
from slimpy.keep.coverage_routes import Route
from slimpy.keep.weights import LevelWeight
from slimpy.model import KeepSet, Level, Rule
from slimpy.report.document import build
from slimpy.report.html import view
from slimpy.report.html.page import SCRIPTS, STYLES, _asset
from slimpy.report.html.wording import RULES
from slimpy.report.schema import HistoryFacts, RoundFacts
from tests.unit.report.html.unfold import document, embedded, rows
from tests.unit.report.making import BAD, GOOD, HOSTILE, KEEP, TREE, outcome

ATTACKS = (
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "\"><svg onload='alert(1)'>",
    "' autofocus onfocus=alert(1) x='",
    "javascript:alert(1)",
    "{{ 7 * 7 }}{% raw %}",
    "<!--<script>",
    "@@FILES@@",
    "\u202egnp.exe",
    "&lt;b&gt;&amp;",
)


class Shape(HTMLParser):
    """Tags and attributes of a page, and whether every tag is closed."""

    VOID = ("meta", "input", "br", "link", "img")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.open: list[str] = []
        self.ids: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def filled(verdict=GOOD, evil: str = "evil"):
    """A report in which every part is there, with a text everywhere that an image can set."""
    coverage = Coverage(
        packages=(PackageShare(evil, "system", 1, 2, 3, 4),),
        code=(CodeShare("Python", 10, 4, 2, 1, (evil,)),),
        commands=(IdleCommands(evil, (evil,), (evil,)),),
        routes_called=2,
        routes=(Route("GET", evil, evil, ()),),
        probe_these=(f"- GET {evil}",),
    )
    image = dataclasses.replace(
        outcome().image,
        reference=evil,
        config={"User": evil, "Cmd": [evil], "Volumes": {f"/{evil}": {}}, "WorkingDir": evil},
        layers=(evil,),
    )
    levels = tuple(LevelWeight(level, 1, 2, level is not Level.SAFE) for level in Level)
    keep = dataclasses.replace(KEEP, refused={HOSTILE: evil})
    return build(
        dataclasses.replace(
            outcome(verdict),
            image=image,
            keep=keep,
            level=Level.BALANCED,
            levels=levels,
            coverage=coverage,
            widened=(evil,),
            history=(
                HistoryFacts(f"RUN {evil}", "2026-01-02T03:04:05Z", 5_000_000, False, 1),
                HistoryFacts(f"ENV {evil}", evil, 0, True),
                HistoryFacts(f"RUN {'x ' * 200}{evil}", "", None, None),
            ),
            rounds=(RoundFacts(1, 3, 4, (evil,)), RoundFacts(2, 3, 4, (evil, evil))),
        )
    )


def whole(report=None) -> str:
    return document(report or filled(), KEEP, TREE, {})


def visible(text: str) -> str:
    """What is read without a script, as plain text."""
    body = re.sub(
        r"<(script|style)[^>]*>.*?</\1>", "", text.partition("<body>")[2], flags=re.DOTALL
    )
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", body)))


@pytest.mark.parametrize("verdict", [GOOD, BAD, None])
def test_it_is_well_formed(verdict):
    shape = Shape(whole(filled(verdict)))
    assert shape.open == []
    assert len(shape.ids) == len(set(shape.ids))
    assert shape.tags.count("h1") == 1


def test_main_facts_need_no_script():
    text = visible(whole())
    for fact in (
        "Passed",
        "42.0× smaller",
        "84.0 MB",
        "2.0 MB",
        "2 of 2",
        "33:33",
        "200, 2 bytes",
        "Added or loosened in rounds of repair evil",
        "the run made /run/pid",
        "elf-needed",
        "/usr 80.0 MB 0 B",
        "--level safe",
        "about 2 B",
        "- GET evil",
        "1 ELF file is damaged",
        "prove",
        "removed-files.tsv",
    ):
        assert fact in text, fact


def test_layers_are_told_with_their_instructions():
    text = visible(whole())
    for fact in ("1 RUN evil 5.0 MB", "no layer ENV evil – none", "x… RUN x x", "x evil unknown"):
        assert fact in text, fact
    assert "How much of each layer ships is not known" in text
    assert "Layers" not in visible(whole(build(outcome())))


def test_layers_are_compared_to_the_largest():
    steps = (
        HistoryFacts("ADD file:" + "ab" * 32 + " /", "", 200, False, 1),
        HistoryFacts("RUN make", "", 50, False, 2),
        HistoryFacts("CMD x", "", 0, True),
    )
    rows = view.layers(dataclasses.replace(build(outcome()), history=steps))
    assert [row.width for row in rows] == [100, 25, 0]
    assert [row.number for row in rows] == [1, 2, 0]
    assert rows[0].text == "ADD file:abababababab… /"
    assert [row.rest for row in rows] == ["", "", ""]


@pytest.mark.parametrize("text", ["RUN a && " + "b " * 300, "RUN " + "x" * 600])
def test_a_long_instruction_can_be_unfolded(text):
    report = dataclasses.replace(build(outcome()), history=(HistoryFacts(text, "", 1, False, 1),))
    (row,) = view.layers(report)
    assert view.MOST_TEXT / 2 < len(row.text) <= view.MOST_TEXT
    assert text.startswith(row.text) and row.rest == text


def test_rounds_of_mending_are_told():
    text = visible(whole())
    assert "Rounds of mending" in text and "3 of 4 answers were alike" in text
    assert "After them all answers are alike" in text
    assert "It still differs: see the probes" in visible(whole(filled(BAD)))
    assert "Rounds of mending" not in visible(whole(build(outcome())))


def test_a_failure_is_told_first():
    text = visible(whole(filled(BAD)))
    assert "Passed" not in text
    order = ("Failed", "2 of 3 answers differ", "smaller, but not proven", "What went wrong")
    places = [text.index(part) for part in (*order, "missing: /usr/doc", "Where the bytes went")]
    assert places == sorted(places)
    assert "the status is 500 instead of 200" in text


def test_without_a_slim_image_nothing_is_claimed():
    report = build(outcome(None, slim=None, tag=""))
    text = visible(document(report, KEEP, TREE, {}))
    assert "no slim image was made" in text
    assert "smaller" not in text
    assert "not asked" in text


@pytest.mark.parametrize(
    ("factor", "words"),
    [
        (1.0, "the original had hardly anything to remove"),
        (0.5, "larger than the original"),
        (1.1, "smaller"),
    ],
)
def test_the_headline_is_honest(factor, words):
    report = dataclasses.replace(build(outcome()), factor=factor)
    assert view.smaller(report)[1] == words


@pytest.mark.parametrize("attack", ATTACKS)
def test_names_cannot_become_markup(attack):
    plain, evil = Shape(whole()), Shape(whole(filled(evil=attack)))
    assert evil.tags == plain.tags
    assert [name for name, _ in evil.attributes] == [name for name, _ in plain.attributes]
    assert evil.open == []
    shown = attack.replace("\u202e", "\\u202e")
    assert html.unescape(whole(filled(evil=attack))).count(shown) > 10


def test_no_control_character_gets_through():
    text = whole(filled(evil="\x1b[31m\u202e\x00\u2028\udcff\t"))
    assert [char for char in set(text) if not (char.isprintable() or char == "\n")] == []


def test_names_in_the_data_are_escaped():
    text = embedded(whole())
    assert "\x1b" not in text and "\u202e" not in text
    _, _, listing = text.partition("\n\n")
    assert len(rows(listing)) == len(TREE) - 1


def test_the_policy_allows_this_script_and_style_only():
    text = whole()
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    policy = html.unescape(policy)
    for tag, kind in (("script", "script-src"), ("style", "style-src")):
        (body,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, flags=re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
        assert f"{kind} 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy and "http" not in policy


def test_nothing_is_asked_of_a_network():
    shape = Shape(whole())
    links = {value for name, value in shape.attributes if name in ("src", "href", "action")}
    assert all(re.fullmatch(r"#[a-z-]+|[a-z.-]+/?", link) for link in links)
    handlers = [name for name, _ in shape.attributes if name.startswith("on") or name == "style"]
    assert handlers == []
    code = "".join(map(_asset, (*SCRIPTS, *STYLES)))
    for word in ("innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", "fetch("):
        assert word not in code
    assert "</" not in code and "<!--" not in code
    assert re.findall(r"https?://[^\"]*", code) == ["http://www.w3.org/2000/svg"]


def test_the_same_values_give_the_same_bytes():
    backwards = KeepSet(dict(reversed(KEEP.reasons.items())), KEEP.placeholders, KEEP.refused)
    assert document(filled(), backwards, TREE, {}) == whole()


def test_every_rule_has_its_words():
    assert set(RULES) == set(Rule)
    text, _, _ = embedded(whole()).partition("\n\n")
    assert dict(line.split("\t") for line in text.splitlines()) == dict(RULES)
