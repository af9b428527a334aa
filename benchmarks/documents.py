"""`python -m benchmarks.documents`: write what is made out of the code: the table of lint rules,
the manual page, the JSON Schema of the report. A test compares them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import msgspec

from benchmarks.manual import manual
from benchmarks.rules import rules
from slimpy.report.schema import SCHEMA, VERSION, Report

DOCS = Path(__file__).parents[1] / "docs"


def report_schema() -> str:
    """The JSON Schema of `report.json`; keys that are not in it are allowed."""
    made = msgspec.json.schema(Report)
    # Descriptions are docstrings: one line each, without the source's indentation.
    for definition in made["$defs"].values():
        definition["description"] = re.sub(r"\s+", " ", definition.get("description", "")).strip()
    whole = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:{SCHEMA}:{VERSION}",
        "title": f"{SCHEMA}, version {VERSION}",
        **made,
    }
    return json.dumps(whole, indent=2) + "\n"


DOCUMENTS: dict[str, Callable[[], str]] = {
    "lint.md": rules,
    "man/slim.1": manual,
    "report.schema.json": report_schema,
}
"""File below docs -> what makes its text."""


def main() -> None:
    """Write them all."""
    for name, make in DOCUMENTS.items():
        file = DOCS / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(make())


if __name__ == "__main__":
    main()
