"""How the program ends: exit codes, messages that are safe, one JSON document, signals."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest

from slimpy import errors
from slimpy.cli import VERBS, ending
from slimpy.errors import ImageNotFoundError, SlimError

ESCAPE = "\x1b]0;owned\x07\n"


@pytest.fixture(autouse=True)
def _signals():
    kinds = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM)
    before = {kind: signal.getsignal(kind) for kind in kinds}
    yield
    for kind, handler in before.items():
        signal.signal(kind, handler)


def raising(error: BaseException):
    def work() -> None:
        raise error

    return work


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (ImageNotFoundError("It is not there."), 4, "slim: It is not there.\n"),
        (click.UsageError("bad option"), 2, "Error: bad option\n"),
        (click.Abort(), 130, "slim: Interrupted; everything"),
        (KeyboardInterrupt(), 130, "slim: Interrupted; everything"),
        (
            OSError(errno.ENOSPC, "full", "/x"),
            11,
            "slim: There is no space left on this machine: /x.",
        ),
        (OSError(errno.EIO, "broken"), 1, "slim: Internal error, a bug in slimpy: OSError"),
        (
            ZeroDivisionError(ESCAPE),
            1,
            "slim: Internal error, a bug in slimpy: ZeroDivisionError: \\x1b",
        ),
    ],
)
def test_every_failure_has_its_code_and_message(error, code, said, capsys, monkeypatch):
    monkeypatch.delenv("SLIMPY_DEBUG", raising=False)
    assert ending.run(raising(error)) == code
    out, err = capsys.readouterr()
    assert said in err and not out
    assert "\x1b" not in err and "Traceback" not in err


def test_a_bug_shows_itself_if_wanted(monkeypatch):
    monkeypatch.setenv("SLIMPY_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        ending.run(raising(ZeroDivisionError()))


@pytest.mark.parametrize(("code", "status"), [(None, 0), (0, 0), (13, 13), ("text", 0)])
def test_the_work_says_how_it_ended(code, status):
    assert ending.run(lambda: code) == status


def test_messages_are_bounded_and_escaped(capsys):
    error = SlimError(f"a{ESCAPE}b", hint=f"h{ESCAPE}", details=(f"d{ESCAPE}", "x" * 10**6))
    ending.run(raising(error))
    err = capsys.readouterr().err
    assert err.count("\n") == 4 and len(err) < 2000
    assert not set(err) & {"\x1b", "\x07"}


def test_an_error_is_one_json_document(capsys):
    error = ImageNotFoundError(f"a{ESCAPE}", hint=f"h{ESCAPE}", details=(ESCAPE,))

    def work() -> None:
        with ending.errors_as_json(True):
            raise error

    assert ending.run(work) == 4
    out, err = capsys.readouterr()
    document = json.loads(out)
    assert document["schema"] == "slimpy-error" and document["exit_code"] == 4
    assert "\x1b" not in "".join([document["message"], document["hint"], *document["details"]])
    assert err.startswith("slim: a")


def test_without_json_nothing_is_on_stdout(capsys):
    def work() -> None:
        with ending.errors_as_json(False):
            raise SlimError("no")

    ending.run(work)
    assert capsys.readouterr().out == ""


SCRIPT = """
import contextlib, os, sys, time
from slimpy.cli import ending
from slimpy.engine.interrupts import INTERRUPTS

ending.CLEAN_UP_SECONDS = int(sys.argv[1])

def work():
    try:
        print("working", flush=True)
        time.sleep(60)
    finally:
        print("cleaning", flush=True)
        time.sleep(float(sys.argv[2]))
        print("cleaned", flush=True)

sys.exit(ending.run(work))
"""


def interrupted(limit: int, cleaning: float) -> tuple[int, str, str]:
    command = [sys.executable, "-c", SCRIPT, str(limit), str(cleaning)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout and process.stdout.readline() == "working\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "cleaning\n"
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGINT):
            process.send_signal(number)
        out, err = process.communicate(timeout=30)
    return process.returncode, out, err


def test_further_signals_do_not_disturb_the_clean_up():
    code, out, err = interrupted(30, 0.3)
    assert (code, out) == (130, "cleaned\n")
    assert err == "slim: Interrupted; everything that slimpy had created was removed.\n"


def test_a_clean_up_that_hangs_is_given_up():
    code, out, err = interrupted(1, 60)
    assert (code, out) == (130, "")
    assert "the next start removes what is left" in err


def test_a_signal_that_is_ignored_stays_so():
    """As nohup and the jobs of a shell script have it."""
    script = (
        "import signal; from slimpy.cli import ending;"
        "signal.signal(signal.SIGHUP, signal.SIG_IGN);"
        "told = lambda: print(*(signal.getsignal(n) == signal.SIG_IGN for n in (1, 2, 15)));"
        "ending.run(told)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout == "True False False\n"


@pytest.mark.parametrize("redirect", [">&-", "2>&-", ">&- 2>&-", "<&-"])
def test_closed_streams_are_no_crash(redirect):
    command = f'"{sys.executable}" -m slimpy why /x {redirect}; echo $?'
    done = subprocess.run(
        ["sh", "-c", command],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        cwd="/",
    )
    assert done.stdout == "16\n" and "Traceback" not in done.stderr


def test_exit_codes_are_apart():
    """Every class of failure owns a code, and no code means two things."""
    kinds = [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, SlimError)
    ]
    meanings = {(kind.exit_code, kind.meaning) for kind in kinds}
    assert len(meanings) == len({code for code, _ in meanings})
    assert {code for code, _ in meanings} == set(range(1, len(meanings) + 1))


def test_every_verb_has_help():
    for verb in VERBS:
        done = subprocess.run(
            [sys.executable, "-m", "slimpy", verb, "--help"],
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        )
        assert re.match(rf"Usage: slim {verb} ", done.stdout)
