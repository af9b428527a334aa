from __future__ import annotations

import dataclasses
import io

import pytest

from slimpy.model import Verdict
from slimpy.report.document import build
from slimpy.report.schema import WarningFacts
from slimpy.report.text import MOST_LINES, plain, rows, show, size_text
from tests.unit.report.making import BAD, outcome

GOOD_TEXT = """\
web:1 is slim: web.slim:1
  size          84.0 MB -> 2.0 MB, 42.0 times smaller
  kept          5 files (2.0 MB), 1 directory, 1 link, 1 of them by name only
  removed       3 files (80.0 MB), 1 directory, 1 link, 1 other
  probes        2 answered by the original, 2 answered alike by the slim image
  user          33:33: The app's own processes drop from root to uid 33.
                1 path handed to that user
  system calls  {allowed} allowed, {blocked} of {blocked} dangerous ones blocked
  confined      no capabilities, no-new-privileges, read-only root
                writable: /run (tmpfs)
  time          5.0 s (trace 3.0, prove 2.0)
  report        slim-report/web-1
  warning       a line was not understood (5 times)
                1 ELF file is damaged
                the tracer has no name for the system call syscall_0x1f4, so the seccomp profile \
refuses it
                owners are unknown
"""

FAILURE_TEXT = """\
  difference    GET /x\\x1b: the status is 500 instead of 200
                version: broken; original: exit 0; slim: nothing
  cause         missing: /usr/doc (missed in round 1: open by /app/main)
  what to do    Keep the missing paths with --keep PATH, or allow more rounds with --repair 5.
                Look at the slim image itself: --keep-failed tags it all the same.
                If an answer changes at each start, compare only its status, with a probe file.
"""


def test_golden_text_of_a_good_run():
    report = build(outcome())
    allowed, blocked = len(report.seccomp.allowed), len(report.seccomp.still_blocked)
    assert plain(report) == GOOD_TEXT.format(allowed=allowed, blocked=blocked)


def test_golden_text_of_a_failed_run():
    text = plain(build(outcome(BAD, tag="")))
    assert text.startswith("web:1 was not slimmed: 2 of 3 answers differ\n")
    assert text.endswith(FAILURE_TEXT)
    assert "3 answered by the original, 1 answered alike" in text


def test_a_run_without_a_slim_image():
    text = plain(build(outcome(Verdict((), started=False), slim=None, tag="")))
    assert "web:1 was not slimmed: the slim image did not start\n" in text
    assert "84.0 MB, no slim image was made" in text
    assert "no answer: timed\\x1bout; slim: nothing" in text


def test_forbidden_paths_lead_to_the_advice_to_stay_root():
    verdict = dataclasses.replace(BAD, causes=("not permitted to uid 33: /x (open)",))
    assert "--as-root" in plain(build(outcome(verdict)))


def test_long_lists_are_cut_and_say_so():
    warnings = tuple(WarningFacts("w", f"number {n}", 1) for n in range(MOST_LINES + 5))
    report = dataclasses.replace(build(outcome()), warnings=warnings)
    assert f"number {MOST_LINES - 1}\n" in plain(report)
    assert f"number {MOST_LINES}\n" not in plain(report)
    assert "and 5 more, see the report" in plain(report)


def test_an_incomplete_trace_is_said():
    report = build(outcome())
    trace = dataclasses.replace(report.trace, complete=False)
    assert "the trace is not complete" in plain(dataclasses.replace(report, trace=trace))


def test_on_a_terminal_every_row_is_shown_and_colour_is_only_on_demand():
    report = build(outcome(BAD, tag=""))
    out, coloured = io.StringIO(), io.StringIO()
    show(report, colour=False, file=out)
    show(report, colour=True, file=coloured)
    assert out.getvalue() == plain(report)
    assert "\x1b[" in coloured.getvalue()
    for label, _ in rows(report):
        assert label in coloured.getvalue()


def test_names_are_no_markup():
    report = dataclasses.replace(build(outcome()), directory="[red]/[/nothing]")
    coloured = io.StringIO()
    show(report, colour=True, file=coloured)
    assert "[red]/[/nothing]" in coloured.getvalue()


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1_000, "1.0 kB"),
        (9_640_000, "9.6 MB"),
        (999_960, "1.0 MB"),
        (999_940, "999.9 kB"),
        (1_500_000_000, "1.5 GB"),
        (12_345_000_000_000, "12345.0 GB"),
    ],
)
def test_sizes(size, text):
    assert size_text(size) == text
