"""An original that does not behave: which error, which exit code, which words."""

from __future__ import annotations

import pytest

from probes.errors import AppExited, NeedsPorts, NeverReady, OnlyErrors, ProbeError
from probes.model import CommandAnswer, Exchange, HttpAnswer, NoAnswer
from slimpy.errors import (
    AppExitedError,
    AppNotReadyError,
    ContainerStartError,
    ProbeFailedError,
)
from slimpy.verify.failures import as_slim_error, check_original

LOG = ("the app's last words",)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (AppExited(3, log=LOG), AppExitedError),
        (NeverReady("Nothing listened.", log=LOG), AppNotReadyError),
        (NeedsPorts([80], log=LOG), AppNotReadyError),
        (OnlyErrors("Only errors.", log=LOG), ProbeFailedError),
        (ProbeError("Odd.", log=LOG), ProbeFailedError),
    ],
    ids=lambda value: type(value).__name__,
)
def test_each_failure_of_the_probes(error, kind):
    made = as_slim_error(error, "app:1")
    assert type(made) is kind
    assert made.message == f"app:1: {error.message}"
    assert (made.hint, made.details) == (error.hint, LOG)


def test_a_program_that_could_not_be_started_is_told_without_the_tracer():
    line = "/.slimpy/bin/strace: Can't stat '/nope': No such file or directory"
    made = as_slim_error(AppExited(1, log=[line]), "app:1")
    assert type(made) is ContainerStartError and made.exit_code == 6
    assert "cannot be started: /nope: No such file" in made.message
    assert "strace" not in "".join((made.message, made.hint, *made.details))


def exchange(answer, *unmet, kind="http"):
    return Exchange("the probe", kind, answer, unmet=unmet)


GOOD = HttpAnswer(200, (), b"", 0, "")


def test_a_good_original_passes():
    check_original([exchange(GOOD), exchange(CommandAnswer(0, b"", b""), kind="stop")], LOG)


@pytest.mark.parametrize(
    ("exchanges", "kind", "said"),
    [
        ([], ProbeFailedError, "nothing was asked"),
        (
            [exchange(CommandAnswer(0, b"", b""), kind="stop")],
            ProbeFailedError,
            "nothing was asked",
        ),
        ([exchange(NoAnswer("it is gone", "ended"))], AppExitedError, "the probe was not answered"),
        ([exchange(NoAnswer("late", "timeout"))], ProbeFailedError, "not answered: late."),
        (
            [exchange(GOOD), exchange(GOOD, "404 was expected.")],
            ProbeFailedError,
            "failed: 404 was expected.",
        ),
    ],
)
def test_an_original_that_fails(exchanges, kind, said):
    with pytest.raises(kind) as caught:
        check_original(exchanges, LOG)
    assert said in caught.value.message and caught.value.details == LOG


def test_a_failing_command_says_its_own_last_words():
    answer = CommandAnswer(1, b"", b"\n".join(b"line %d" % number for number in range(99)))
    with pytest.raises(ProbeFailedError) as caught:
        check_original([exchange(answer, "exit code 0 was expected")], LOG)
    assert caught.value.details == tuple(f"line {number}" for number in range(89, 99))
