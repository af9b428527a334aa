"""Properties of the recorder on real logs, shuffled, cut and damaged."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from probes.files.recorder import Recorder, merge
from probes.files.tasks import Tasks
from probes.model import Activity

LOGS = [
    path.read_bytes()
    for path in sorted((Path(__file__).parents[3] / "golden/strace").glob("*.strace"))
]
LINES = sorted({line for log in LOGS for line in log.split(b"\n")})

slow = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def recorded(*chunks: bytes) -> Activity:
    recorder = Recorder(cwd="/")
    for chunk in chunks:
        recorder.feed(chunk)
    return recorder.finish(complete=True)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[start:end] for start, end in pairwise(ends)]


def renumbered(line: bytes, pid: int) -> bytes:
    return b"%d %s" % (pid, line.partition(b" ")[2])


shuffled = st.lists(st.tuples(st.sampled_from(LINES), st.integers(1, 3)), max_size=60).map(
    lambda pairs: b"".join(renumbered(line, pid) + b"\n" for line, pid in pairs)
)
edits = st.lists(
    st.tuples(st.integers(0, 10**6), st.integers(0, 30), st.binary(max_size=8)), max_size=8
)


def damaged(data: bytes, changes: list[tuple[int, int, bytes]]) -> bytes:
    for place, length, new in changes:
        start = place % (len(data) + 1)
        data = data[:start] + new + data[start + length :]
    return data


@slow
@given(st.sampled_from(LOGS), st.lists(st.integers(0, 10**6), max_size=40))
def test_chunks_do_not_matter(log: bytes, places: list[int]) -> None:
    assert recorded(*cut(log, places)) == recorded(log)


@pytest.mark.parametrize("log", LOGS)
def test_single_bytes_are_chunks_too(log: bytes) -> None:
    assert recorded(*(log[place : place + 1] for place in range(len(log)))) == recorded(log)


@slow
@given(shuffled, edits, st.lists(st.integers(0, 10**6), max_size=10))
def test_damage_never_raises_and_is_never_silent(
    log: bytes, changes: list[tuple[int, int, bytes]], places: list[int]
) -> None:
    data = damaged(log, changes)
    activity = recorded(*cut(data, places))
    assert activity == recorded(data)
    assert activity.lines == data.count(b"\n") + (not data.endswith(b"\n") and data != b"")
    assert merge([activity, activity]).events == activity.events


@slow
@given(st.binary(max_size=400))
def test_no_bytes_raise(data: bytes) -> None:
    activity = recorded(data)
    counted = {warning.code: warning.count for warning in activity.warnings}
    assert counted.get("strace-unparsed", 0) <= activity.lines
    recorded(b"1 open(" + data + b"\n1 <... " + data + b"\n1 +++ " + data + b"\n")


def test_skipping_known_lines_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def forget(tasks: Tasks, task: object, body: bytes) -> None:
        """Remember nothing."""

    @slow
    # A call left open is only replaced by another line of its task where lines were lost.
    @given(shuffled.filter(lambda log: b"unfinished" not in log))
    def check(log: bytes) -> None:
        quick = recorded(log + log)
        with monkeypatch.context() as patch:
            patch.setattr(Tasks, "remember", forget)
            assert recorded(log + log) == quick

    check()
