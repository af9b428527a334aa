"""Commands that do not end, or whose container is gone, are answers, and no crash."""

from __future__ import annotations

import pytest

from probes.exercise import exercise
from probes.http.ready import Clock
from probes.model import CommandAnswer, CrawlLimits, ExecCall, NoAnswer, Plan, Ready

CALL = ExecCall(("slow",), name="slow", timeout=7.0)


def raising(error):
    def run(argv):
        raise error

    return run


@pytest.mark.parametrize(
    ("error", "answer"),
    [
        (TimeoutError("late"), NoAnswer("it did not end within 7 s", "timeout")),
        (ConnectionError("the container is gone"), NoAnswer("the container is gone", "ended")),
    ],
)
def test_a_command_of_the_user(error, answer, make_target, make_time):
    time = make_time()
    plan = Plan(commands=(CALL,), crawl=CrawlLimits(enabled=False))
    done = exercise(
        make_target(run=raising(error)),
        plan,
        exposed=(),
        healthcheck=None,
        clock=Clock(time.now, time.pause),
    )
    assert [item.answer for item in done.exchanges] == [answer]
    assert done.exchanges[0].unmet


def test_a_health_check_that_hangs(make_target, make_time):
    time = make_time()
    done = exercise(
        make_target(run=raising(TimeoutError("late"))),
        Plan(crawl=CrawlLimits(enabled=False)),
        exposed=(),
        healthcheck=("check",),
        clock=Clock(time.now, time.pause),
    )
    assert [item.answer for item in done.exchanges] == [
        NoAnswer("it did not end within 30 s", "timeout")
    ]


def test_a_ready_command_that_hangs_at_first(make_target, make_time):
    time = make_time()
    errors = [TimeoutError("late"), ConnectionError("not yet")]

    def run(argv):
        if errors:
            raise errors.pop()
        return CommandAnswer(0, b"", b"")

    target = make_target(run=run)
    plan = Plan(ready=Ready(argv=("is-ready",)), crawl=CrawlLimits(enabled=False))
    done = exercise(target, plan, exposed=(), healthcheck=None, clock=Clock(time.now, time.pause))
    assert len(target.executed) == 3 and done.exchanges == ()
