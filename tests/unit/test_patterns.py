"""Regular expressions keep to what every Python that we support reads alike."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_no_group_is_repeated_possessively() -> None:
    """Python before 3.11.5 matches ``(...)*+`` wrongly (CPython's issue 106052)."""
    group = re.compile(r"[^\\\[]\)(?:\*|\+|\?|\{\d*,?\d*\})\+")
    files = [*ROOT.glob("slimpy/**/*.py"), *ROOT.glob("probes/**/*.py")]
    assert len(files) > 100
    found = [
        f"{file.name}: {line.strip()}"
        for file in files
        for line in file.read_text().splitlines()
        if group.search(line) and "re" in line and "&'()*+" not in line
    ]
    assert not found
