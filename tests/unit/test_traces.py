"""Saved traces: whole again after a round trip, refused when damaged or foreign, merged."""

from __future__ import annotations

import gzip
import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probes.model import (
    Activity,
    Exchange,
    FileEvent,
    HttpAnswer,
    Listener,
    Operation,
    Process,
    SyscallUse,
    Trace,
    TraceWarning,
)
from slimpy import traces
from slimpy.errors import OutputError, UsageError
from slimpy.model import Image

IMAGE = Image("app:1", "sha256:aa", "amd64", "linux", 1, "", {}, layers=("sha256:l0", "sha256:l1"))
ODD = "/srv/\udcff\udc80 name\n"
ACTIVITY = Activity(
    events=(FileEvent(ODD, Operation.OPEN, None, "/bin/app", "GET /", ODD),),
    syscalls=(SyscallUse("openat", "x86_64", "/bin/app", frozenset({"ok", "ENOENT"})),),
    listeners=(Listener("tcp", "::", 80),),
    processes=(Process(1, 0, "/bin/app", None, 33),),
    warnings=(TraceWarning("io-uring", "asked", 2),),
    lines=12,
)
TRACE = Trace(
    image="sha256:aa",
    activity=ACTIVITY,
    exchanges=(Exchange("GET /", "http", HttpAnswer(200, (), b"private", 7, "x")),),
    ports=(80,),
    uids=((0, 0), (33, 33)),
    changed=("/run/pid",),
)


def test_a_round_trip_keeps_all_but_the_answers(tmp_path: Path) -> None:
    file = tmp_path / "app.trace"
    traces.save(TRACE, IMAGE, file)
    loaded = traces.load(file)
    assert (loaded.image, loaded.activity) == (TRACE.image, ACTIVITY)
    assert (loaded.ports, loaded.uids, loaded.changed) == (TRACE.ports, TRACE.uids, TRACE.changed)
    assert loaded.layers == IMAGE.layers and loaded.reference == "app:1"
    assert b"private" not in gzip.decompress(file.read_bytes())


def test_the_same_trace_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = tmp_path / "1", tmp_path / "2"
    traces.save(TRACE, IMAGE, first)
    traces.save(TRACE, IMAGE, second)
    assert first.read_bytes() == second.read_bytes()


@settings(deadline=None, max_examples=50)
@given(st.binary(max_size=40), st.integers(0, 400))
def test_a_damaged_file_is_one_clear_error(damage: bytes, place: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "t"
        traces.save(TRACE, IMAGE, file)
        data = file.read_bytes()
        file.write_bytes(data[:place] + damage + data[place + len(damage) :])
        try:
            assert traces.load(file).activity == ACTIVITY
        except UsageError as error:
            assert "trace" in error.message


def test_a_missing_or_foreign_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        traces.load(tmp_path / "none")
    other = tmp_path / "other"
    other.write_bytes(gzip.compress(json.dumps({"schema": "x"}).encode()))
    with pytest.raises(UsageError, match="not a whole trace"):
        traces.load(other)
    with pytest.raises(OutputError):
        traces.save(TRACE, IMAGE, tmp_path / "no" / "dir")


def saved(image: str, layers: tuple[str, ...]) -> traces.SavedTrace:
    return traces.SavedTrace(
        traces.SCHEMA, traces.VERSION, "app:0", image, layers, Activity(lines=1), (443,), (), (), ()
    )


def test_traces_of_the_same_image_are_merged() -> None:
    merged = traces.merged(TRACE, [saved("sha256:aa", IMAGE.layers)], IMAGE)
    assert merged.activity.events == ACTIVITY.events
    assert merged.activity.lines == 13
    assert merged.ports == (80, 443)
    assert merged.exchanges == TRACE.exchanges
    assert not merged.warnings


def test_an_older_image_on_the_same_base_counts_with_a_warning() -> None:
    merged = traces.merged(TRACE, [saved("sha256:bb", ("sha256:l0", "sha256:old"))], IMAGE)
    assert [warning.code for warning in merged.warnings] == ["trace-of-other-image"]


def test_an_unrelated_image_is_refused() -> None:
    with pytest.raises(UsageError, match="unrelated"):
        traces.merged(TRACE, [saved("sha256:cc", ("sha256:other",))], IMAGE)
