"""What is made out of the code and kept in docs is up to date."""

from __future__ import annotations

import json

import jsonschema
import pytest

from benchmarks.documents import DOCS, DOCUMENTS
from slimpy.cli import VERBS
from slimpy.lint.rules import RULES


@pytest.mark.parametrize("name", DOCUMENTS)
def test_it_is_what_the_code_makes(name: str) -> None:
    made = DOCUMENTS[name]()
    assert (DOCS / name).read_text() == made, "run: python -m benchmarks.documents"


def test_every_rule_is_described() -> None:
    text = (DOCS / "lint.md").read_text()
    assert all(text.count(f"\n### {rule.id} {rule.name}\n") == 1 for rule in RULES)
    assert all(f"](#{rule.id.lower()}-{rule.name})" in text for rule in RULES)


def test_every_verb_is_in_the_manual() -> None:
    text = (DOCS / "man" / "slim.1").read_text()
    assert all(f"\n.SS slim {verb} " in text for verb in VERBS)
    assert not [line for line in text.splitlines() if line.startswith("'")]


def test_the_schema_is_one() -> None:
    schema = json.loads((DOCS / "report.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$id"] == "urn:slimpy-report:1"
