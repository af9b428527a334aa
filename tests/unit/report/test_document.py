from __future__ import annotations

import dataclasses
import json

import msgspec
import pytest

from slimpy.model import KeepSet, Verdict
from slimpy.report.document import build, encode
from slimpy.report.schema import (
    Count,
    HistoryFacts,
    ImageFacts,
    RoundFacts,
    RuleFacts,
    decode,
)
from slimpy.report.tsv import escape
from tests.unit.report.making import BAD, GOOD, HOSTILE, KEEP, SLIM, TREE, outcome


def test_the_facts_of_a_good_run():
    report = build(outcome())
    assert report.status == "slimmed"
    assert report.slimmed
    assert report.slim == ImageFacts("web.slim:1", "sha256:bb", 2_000_403)
    assert report.factor == 41.99
    assert report.kept == Count(files=5, directories=1, links=1, others=0, bytes=2_000_403)
    assert report.removed == Count(files=3, directories=1, links=1, others=1, bytes=80_000_009)
    assert report.placeholders == 1
    assert report.trace.paths == 2
    assert report.trace.events == 3
    assert report.trace.executables == ("/app/main",)
    assert report.trace.listeners == ("tcp 0.0.0.0:8080",)
    assert report.account.chown == ("/run",)
    assert "read" in report.seccomp.allowed
    assert "mount" in report.seccomp.still_blocked
    assert report.seconds == {"trace": 3.042, "prove": 2.0}
    assert [item.verdict for item in report.exchanges] == ["same", "same"]


def test_each_kept_path_counts_for_one_rule():
    report = build(outcome())
    assert report.kept_by_rule == (
        RuleFacts("hard-link", 1, 2_000_000),
        RuleFacts("elf-needed", 1, 400),
        RuleFacts("touched", 2, 3),
        RuleFacts("link", 1, 0),
        RuleFacts("listed", 1, 0),
        RuleFacts("parent", 1, 0),
    )
    assert sum(item.bytes for item in report.kept_by_rule) == report.kept.bytes


def test_equal_warnings_add_up():
    warnings = [(item.code, item.count) for item in build(outcome()).warnings]
    assert warnings == [("line", 5), ("elf", 1), ("unknown-syscall", 1), ("rpm", 1)]


@pytest.mark.parametrize(
    ("verdict", "status"),
    [
        (GOOD, "slimmed"),
        (BAD, "failed: 2 of 3 answers differ"),
        (Verdict(()), "failed: there was nothing to compare"),
        (Verdict((), started=False), "failed: the slim image did not start"),
        (None, "failed: the slim image was never run"),
    ],
)
def test_status(verdict, status):
    report = build(outcome(verdict))
    assert report.status == status
    assert report.slimmed == (verdict is GOOD)


def test_without_a_comparison_the_originals_answers_are_there():
    report = build(outcome(None, slim=None, tag=""))
    assert report.slim is None
    assert report.factor is None
    assert [(item.fat, item.verdict) for item in report.exchanges] == [
        ("status 200, 2 bytes", "unknown"),
        ("exit code 0, 2 bytes of output", "unknown"),
        ("no answer: timed\\x1bout", "unknown"),
    ]


def test_a_slim_image_of_no_size_has_no_factor():
    assert build(outcome(slim=dataclasses.replace(SLIM, size=0))).factor is None


def test_it_survives_json():
    for verdict in (GOOD, BAD, None):
        report = build(outcome(verdict))
        text = encode(report)
        assert decode(text.encode()) == report
        assert text.endswith("}\n")
        assert json.loads(text)["schema"] == "slimpy-report"
        assert json.loads(text)["version"] == 1


def test_a_newer_key_is_no_error_and_a_missing_one_is():
    document = json.loads(encode(build(outcome())))
    assert decode(json.dumps(document | {"new": 1}).encode()) == build(outcome())
    del document["status"]
    with pytest.raises(msgspec.ValidationError):
        decode(json.dumps(document).encode())


def test_a_document_from_before_history_and_rounds_is_read():
    whole = dataclasses.replace(
        build(outcome()),
        history=(HistoryFacts("RUN make", "", None, None),),
        rounds=(RoundFacts(1, 0, 2, ("missing: /a",)),),
    )
    assert decode(encode(whole).encode()) == whole
    document = json.loads(encode(whole))
    del document["history"], document["rounds"]
    old = decode(json.dumps(document).encode())
    assert (old.history, old.rounds) == ((), ())


def test_causes_of_rounds_are_safe_to_print():
    rounds = (RoundFacts(1, 0, 2, ("missing: /a\x1b[31m",)),)
    report = build(dataclasses.replace(outcome(), rounds=rounds))
    assert report.rounds == (RoundFacts(1, 0, 2, ("missing: /a\\x1b[31m",)),)


def strings(value: object):
    match value:
        case str():
            yield value
        case dict():
            yield from strings([*value.keys(), *value.values()])
        case list():
            for item in value:
                yield from strings(item)


def test_no_hostile_text_gets_through():
    keep = KeepSet(KEEP.reasons, refused={HOSTILE: "why\x1b\n"}, warnings=KEEP.warnings)
    evil = "\x1b]0;\u202e\udcfe\n"
    whole = dataclasses.replace(
        outcome(BAD),
        image=dataclasses.replace(outcome().image, reference=evil, id=evil),
        account=dataclasses.replace(outcome().account, user=evil, why=evil, chown=(HOSTILE,)),
        keep=keep,
        tag=evil,
        directory=evil,
    )
    found = list(strings(json.loads(encode(build(whole)))))
    assert [text for text in found if not text.isprintable()] == []
    assert escape(HOSTILE) in found


def test_the_tree_is_covered_by_both_counts():
    report = build(outcome())
    kept = report.kept.files + report.kept.directories + report.kept.links + report.kept.others
    gone = report.removed
    removed = gone.files + gone.directories + gone.links + gone.others
    assert kept + removed == len(TREE) - 1
