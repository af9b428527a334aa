"""Levels and what was not reached, in the document and for people."""

from __future__ import annotations

from dataclasses import replace

from slimpy.keep.coverage import CodeShare, Coverage, IdleCommands
from slimpy.keep.coverage_routes import Route
from slimpy.keep.weights import LevelWeight
from slimpy.model import Level
from slimpy.report.document import build
from slimpy.report.reach import not_reached
from slimpy.report.schema import decode, encode
from slimpy.report.text import plain
from tests.unit.report.making import outcome

LEVELS = (
    LevelWeight(Level.MINIMAL, 10, 12_000_000, exact=True),
    LevelWeight(Level.BALANCED, 20, 20_000_000, exact=True),
    LevelWeight(Level.SAFE, 40, 41_000_000, exact=False),
)
COVERAGE = Coverage(
    code=(
        CodeShare("Python", 80, 46, 12, 3, ("/app/x.py",)),
        CodeShare("Ruby", 4, 4, 9, 0, ()),
    ),
    commands=(IdleCommands("/app/a.sh", ("tar",), ("gzip",)), IdleCommands("/b", ("tar",), ())),
    routes_called=18,
    routes=tuple(Route("GET", f"/{number}", "/app/x.py") for number in range(8)),
    probe_these=tuple(f"- GET /{number}" for number in range(8)),
)


def test_nothing_is_said_where_nothing_was_measured() -> None:
    text = plain(build(outcome()))
    assert "levels" not in text
    assert "not reached" not in text
    assert tuple(not_reached(Coverage())) == ()


def test_the_levels_are_one_line() -> None:
    report = build(replace(outcome(), level=Level.BALANCED, levels=LEVELS))
    line = next(line for line in plain(report).splitlines() if "levels" in line)
    assert line.split(None, 1)[1] == (
        "minimal 12.0 MB, balanced 20.0 MB (this), safe about 41.0 MB"
    )


def test_a_few_lines_tell_what_was_not_reached() -> None:
    assert tuple(not_reached(COVERAGE)) == (
        (
            "not reached",
            "8 of 26 routes found were not called: "
            "GET /0, GET /1, GET /2, GET /3, GET /4 and 3 more",
        ),
        (
            "",
            "34 of 80 kept Python files never ran, 3 of them the app's own; 12 others are removed",
        ),
        ("", "1 command of the app's scripts never ran, kept: tar"),
        ("", "1 command of the app's scripts never ran, removed: gzip"),
        ("probe too", "- GET /0"),
        *(("", f"- GET /{number}") for number in range(1, 5)),
        ("", "and 3 more, see the report"),
    )


def test_the_document_holds_all_of_it_and_can_be_read_back() -> None:
    report = build(replace(outcome(), level=Level.SAFE, levels=LEVELS, coverage=COVERAGE))
    assert decode(encode(report).encode()) == report
    assert report.coverage == COVERAGE
    assert "not reached" in plain(report)
