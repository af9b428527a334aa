"""A build's report as SARIF, JUnit XML and Markdown; names out of an image stay names."""

from __future__ import annotations

import dataclasses
import json
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest
from markdown_it import MarkdownIt
from sarif_pydantic import Sarif

from benchmarks.documents import report_schema
from slimpy.keep.coverage import CodeShare, Coverage, Route
from slimpy.model import ImagePath
from slimpy.report import junit, markdown, sarif
from slimpy.report.document import build, encode
from slimpy.report.schema import Report
from tests.unit.report.making import BAD, KEEP, TREE, outcome

HOSTILE = (
    "</testcase>]]><script>alert(1)</script> ``` `x` | [a](javascript:b) @user #1"
    "\n\n# h\x1b\x00\ufffe"
)
SARIF: dict[str, Any] = {
    "type": "object",
    "required": ["$schema", "version", "runs"],
    "additionalProperties": False,
    "properties": {
        "$schema": {"const": "https://json.schemastore.org/sarif-2.1.0.json"},
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["tool", "results"],
                "additionalProperties": False,
                "properties": {
                    "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                    "tool": {
                        "type": "object",
                        "required": ["driver"],
                        "additionalProperties": False,
                        "properties": {
                            "driver": {
                                "type": "object",
                                "required": ["name", "semanticVersion", "rules"],
                                "additionalProperties": False,
                                "properties": {
                                    "name": {"type": "string", "minLength": 1},
                                    "semanticVersion": {"pattern": r"^\d+\.\d+\.\d+"},
                                    "rules": {
                                        "type": "array",
                                        "uniqueItems": True,
                                        "items": {"$ref": "#/$defs/rule"},
                                    },
                                },
                            }
                        },
                    },
                    "results": {"type": "array", "items": {"$ref": "#/$defs/result"}},
                },
            },
        },
    },
    "$defs": {
        "level": {"enum": ["none", "note", "warning", "error"]},
        "text": {
            "type": "object",
            "required": ["text"],
            "additionalProperties": False,
            "properties": {"text": {"type": "string", "minLength": 1}},
        },
        "rule": {
            "type": "object",
            "required": ["id", "shortDescription", "fullDescription", "help"],
            "additionalProperties": False,
            "properties": {
                "id": {"type": "string", "minLength": 1},
                "name": {"type": "string", "pattern": "^[A-Z][A-Za-z0-9]+$"},
                "shortDescription": {"$ref": "#/$defs/text"},
                "fullDescription": {"$ref": "#/$defs/text"},
                "help": {"$ref": "#/$defs/text"},
                "defaultConfiguration": {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {"level": {"$ref": "#/$defs/level"}},
                },
            },
        },
        "result": {
            "type": "object",
            "required": ["ruleId", "ruleIndex", "level", "message", "locations"],
            "additionalProperties": False,
            "properties": {
                "ruleId": {"type": "string"},
                "ruleIndex": {"type": "integer", "minimum": 0},
                "level": {"$ref": "#/$defs/level"},
                "message": {"$ref": "#/$defs/text"},
                "partialFingerprints": {
                    "type": "object",
                    "additionalProperties": {"type": "string", "minLength": 1},
                },
                "locations": {
                    "type": "array",
                    "minItems": 1,
                    "items": {
                        "type": "object",
                        "required": ["physicalLocation"],
                        "additionalProperties": False,
                        "properties": {
                            "physicalLocation": {
                                "type": "object",
                                "required": ["artifactLocation", "region"],
                                "additionalProperties": False,
                                "properties": {
                                    "artifactLocation": {
                                        "type": "object",
                                        "required": ["uri"],
                                        "additionalProperties": False,
                                        "properties": {
                                            "uri": {"pattern": r"^[A-Za-z0-9._~@+,=%/-]+$"}
                                        },
                                    },
                                    "region": {
                                        "type": "object",
                                        "required": ["startLine"],
                                        "additionalProperties": False,
                                        "properties": {
                                            "startLine": {"type": "integer", "minimum": 1}
                                        },
                                    },
                                },
                            }
                        },
                    },
                },
            },
        },
    },
}
"""What OASIS SARIF 2.1.0 asks of the parts that are written, and nothing besides them."""


def checked_sarif(text: str) -> dict[str, Any]:
    """The run of a document, if it is SARIF; every result names the rule at its index."""
    document = json.loads(text)
    jsonschema.Draft202012Validator(SARIF).validate(document)
    assert len(Sarif.model_validate_json(text).runs) == 1
    (run,) = document["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert len({rule["id"] for rule in rules}) == len(rules)
    assert not any(rule.get("name", "").lower() == rule["id"].lower() for rule in rules)
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
    assert isinstance(run, dict)
    return run


@pytest.fixture
def hostile() -> Report:
    """A report of a failed build whose texts are all hostile, though never displayed yet."""
    report = build(outcome(BAD))
    text = HOSTILE
    exchanges = tuple(
        dataclasses.replace(item, name=text, kind=text, fat=text, slim=text, differences=(text,))
        for item in report.exchanges
    )
    return dataclasses.replace(
        report,
        image=dataclasses.replace(report.image, reference=text),
        exchanges=exchanges,
        causes=(text,),
        account=dataclasses.replace(report.account, user=text, why=text, uid=0),
        warnings=(dataclasses.replace(report.warnings[0], text=text),),
        coverage=Coverage(
            routes=(Route("GET", text, text),), code=(CodeShare("python", 9, 1, 2, 3, ()),)
        ),
    )


def test_sarif_of_a_failed_build() -> None:
    run = checked_sarif(sarif.of_report(build(outcome(BAD))))
    found = [(item["ruleId"], item["message"]["text"]) for item in run["results"]]
    assert ("answer-differs", "GET /x\\x1b is different: the status is 500 instead of 200") in found
    assert ("answer-differs", "version is broken: original: exit 0; slim: nothing") in found
    assert any(rule == "cause" and "/usr/doc" in text for rule, text in found)
    assert any(rule == "loosened" for rule, _ in found)
    assert all(
        item["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "web%3A1"
        for item in run["results"]
    )


def test_sarif_of_a_good_build_has_no_error() -> None:
    run = checked_sarif(sarif.of_report(build(outcome())))
    assert run["results"] and not [item for item in run["results"] if item["level"] == "error"]
    unproven = checked_sarif(sarif.of_report(build(outcome(None, None, ""))))
    assert [item["level"] for item in unproven["results"]].count("error") == 1


def test_sarif_is_bounded_and_safe(hostile: Report) -> None:
    run = checked_sarif(sarif.of_report(hostile))
    assert all(text.isprintable() for text in (item["message"]["text"] for item in run["results"]))
    many = dataclasses.replace(hostile, causes=tuple(map(str, range(sarif.MOST_RESULTS * 2))))
    assert len(checked_sarif(sarif.of_report(many))["results"]) == sarif.MOST_RESULTS


def test_junit() -> None:
    top = ElementTree.fromstring(junit.of_report(build(outcome(BAD))))
    (suite,) = top
    assert top.tag == "testsuites" and suite.attrib == {
        "name": "web:1",
        "tests": "4",
        "failures": "3",
        "errors": "0",
        "skipped": "0",
        "time": "5.042",
    }
    cases = {case.get("name"): case.find("failure") for case in suite}
    assert cases["GET /"] is None
    broken, differs = cases["version"], cases["GET /x\\x1b"]
    assert broken is not None and broken.get("type") == "broken"
    assert differs is not None and differs.get("message") == "the status is 500 instead of 200"
    assert differs.text is not None and "slim: 500" in differs.text
    assert cases["slim image"] is not None


def test_junit_of_what_was_proven_and_of_what_was_not() -> None:
    (suite,) = ElementTree.fromstring(junit.of_report(build(outcome())))
    assert (suite.get("tests"), suite.get("failures")) == ("3", "0")
    (suite,) = ElementTree.fromstring(junit.of_report(build(outcome(None, None, ""))))
    assert (suite.get("failures"), suite.get("skipped")) == ("1", "3")


def test_junit_with_hostile_names(hostile: Report) -> None:
    text = junit.of_report(hostile)
    (suite,) = ElementTree.fromstring(text)
    assert {child.tag for child in suite.iter()} == {"testsuite", "testcase", "failure"}
    assert suite[0].get("name") == (
        "</testcase>]]><script>alert(1)</script> ``` `x` | [a](javascript:b) @user #1\n\n"
        "# h\\x1b\\x00\\ufffe"
    )


def test_markdown() -> None:
    owners = {
        ImagePath("/usr/doc"): "docs",
        ImagePath("/usr/doc2"): "b",
        ImagePath("/usr/doc3"): "b",
    }
    packages = markdown.removed_packages(KEEP, TREE, owners)
    assert packages == (("docs", 80_000_000), ("b", 9))
    text = markdown.of_report(build(outcome()), packages)
    assert text.startswith("### ✅ `web:1` is slim\n")
    assert "| size | 84.0 MB | 2.0 MB (42.0 times smaller) |" in text
    assert "| probes answered | 2 | 2 alike |" in text
    assert "| `docs` | 80.0 MB |" in text
    failed = markdown.of_report(build(outcome(BAD)))
    assert failed.startswith("### ❌ `web:1` was not slimmed\n")
    assert "- `GET /x\\x1b`: `the status is 500 instead of 200`" in failed
    assert "- cause: `missing: /usr/doc" in failed


def test_markdown_with_hostile_names(hostile: Report) -> None:
    text = markdown.of_report(hostile, [(HOSTILE, 5), ("a|b`", 4)])
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(text)
    flat = [token for each in tokens for token in (each, *(each.children or ()))]
    html = {token.content.strip() for token in flat if token.type.startswith("html")}
    assert all(each.startswith(("<details><summary>Heaviest", "</details>")) for each in html)
    assert {"link_open", "image", "fence", "code_block"}.isdisjoint(token.type for token in flat)
    assert [token.tag for token in flat if token.type == "heading_open"] == ["h3"]
    prose = " ".join(token.content for token in flat if token.type == "text")
    assert "@user" not in prose and "script" not in prose and "alert" not in prose
    spans = {token.content for token in flat if token.type == "code_inline"}
    assert "a|b`" in spans and any("@user" in span for span in spans)
    # One row has as many cells as another.
    assert sum(token.type == "td_open" for token in flat) == 3 * 3 + 2 * 2


@pytest.mark.parametrize("text", ["", " ", "`", "``a`", " a ", "a\nb", "|" * 9, "\\|", "x" * 9999])
def test_a_code_span_holds_any_text(text: str) -> None:
    (paragraph,) = [
        token
        for token in MarkdownIt().parse(f"- {markdown.code(text)} end")
        if token.type == "inline"
    ]
    assert [token.type for token in paragraph.children or ()] == ["code_inline", "text"]


def test_the_published_schema_accepts_reports() -> None:
    schema = json.loads(report_schema())
    validator = jsonschema.Draft202012Validator(schema)
    jsonschema.Draft202012Validator.check_schema(schema)
    for made in (outcome(), outcome(BAD), outcome(None, None, "")):
        validator.validate(json.loads(encode(build(made))))
    damaged = json.loads(encode(build(outcome())))
    del damaged["kept"]["files"], damaged["seccomp"]["allowed"]
    with pytest.raises(jsonschema.ValidationError):
        validator.validate(damaged)
