"""Exchanges of commands and runs."""

from __future__ import annotations

from probes.commands import command_exchange, exec_name, run_exchange, run_name
from probes.model import CommandAnswer, ExecCall, NoAnswer, RunCall


def test_a_command_as_expected():
    call = ExecCall(("psql", "-c", "select 1"), expect_contains=("1 row",), compare="status")
    item = command_exchange(call, CommandAnswer(0, b"(1 row)", b""))
    assert item.name == exec_name(call) == "exec psql -c 'select 1'"
    assert (item.kind, item.unmet, item.compare) == ("exec", (), "status")


def test_what_was_not_as_expected():
    call = RunCall(("in.png",), expect_contains=("done", "warned"))
    answer = CommandAnswer(2, b"", b"warned", (("/out/a", b"x"), ("/out/b", None)))
    item = run_exchange(call, answer)
    assert item.name == run_name(call) == "run in.png"
    assert item.unmet == (
        "exit code 0 was expected, but it is 2",
        "the output does not contain 'done': it starts with 'warned'",
        "the file /out/b was not written",
    )


def test_a_command_that_did_not_run():
    item = run_exchange(RunCall(()), NoAnswer("the engine went away"), name="mine", seconds=1.5)
    assert (item.name, item.seconds) == ("mine", 1.5)
    assert "the engine went away" in item.unmet[0]
    assert run_name(RunCall(())) == "run"
