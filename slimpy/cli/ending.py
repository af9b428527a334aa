"""How the program ends: one clear message and an exit code of its own, whatever happened."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import click

from slimpy.engine.interrupts import INTERRUPTS
from slimpy.errors import INTERRUPTED, UNREAD, DiskFullError, SlimError

CLEAN_UP_SECONDS = 30
"""How long the clean-up after Ctrl-C may take; what is left then goes at the next start."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_LONGEST_LINE = 1000
"""Characters of an app's line that are shown."""
_REMOVED = "Interrupted; everything that slimpy had created was removed."
_LEFT = b"slim: Interrupted; the engine is slow, so the next start removes what is left.\n"
_FULL = (errno.ENOSPC, errno.EDQUOT)


def run(work: Callable[[], object]) -> int:
    """Do the program's work; the exit code that comes of it."""
    _prepare()
    try:
        code = work()
        if sys.stdout is not None:
            sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except SlimError as error:
        return _failed(error)
    except (click.Abort, KeyboardInterrupt):
        _say(f"slim: {_REMOVED}")
        return INTERRUPTED
    except click.ClickException as error:
        with contextlib.suppress(OSError):
            error.show()
        return error.exit_code
    except BrokenPipeError:
        _drop(sys.stdout, sys.stderr)
        return UNREAD
    except OSError as error:
        if error.errno in _FULL:
            _drop(sys.stdout)
            return _failed(_disk_full(error))
        return _bug(error)
    except Exception as error:  # noqa: BLE001  # the last resort: a bug is told, not traced
        return _bug(error)
    finally:
        signal.alarm(0)
        # The interpreter's end would give them back their old meaning, and the exit code with it.
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)


@contextlib.contextmanager
def errors_as_json(wanted: bool) -> Iterator[None]:
    """Print what ends the work as one JSON document on standard output, and pass it on."""
    try:
        yield
    except SlimError as error:
        if wanted:
            _print_error(error.exit_code, error)
        raise
    except KeyboardInterrupt:
        if wanted:
            _print_error(INTERRUPTED, SlimError(_REMOVED))
        raise


def _prepare() -> None:
    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup and shell jobs have it
            signal.signal(number, _interrupt)
    signal.signal(signal.SIGALRM, _give_up)
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115  # for the whole life


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    if not INTERRUPTS.arrived:
        signal.alarm(CLEAN_UP_SECONDS)
    INTERRUPTS.arrive()


def _give_up(_signal: int, _frame: FrameType | None) -> None:
    with contextlib.suppress(OSError):
        os.write(2, _LEFT)
    os._exit(INTERRUPTED)


def _failed(error: SlimError) -> int:
    _say(f"slim: {error.message}", *(f"  | {line[:_LONGEST_LINE]}" for line in error.details))
    if error.hint:
        _say(f"  {error.hint}")
    return error.exit_code


def _disk_full(error: OSError) -> DiskFullError:
    where = f": {error.filename}" if error.filename else ""
    return DiskFullError(f"There is no space left on this machine{where}.")


def _bug(error: Exception) -> int:
    if os.environ.get("SLIMPY_DEBUG"):
        raise error
    _say(
        f"slim: Internal error, a bug in slimpy: {type(error).__name__}: {error}",
        "  Run it again with SLIMPY_DEBUG=1 and report the traceback.",
    )
    return SlimError.exit_code


def _say(*lines: str) -> None:
    """Tell the user, if anyone listens; names and lines out of an image are hostile."""
    from slimpy.model import display

    with contextlib.suppress(OSError):
        for line in lines:
            click.echo(display(line), err=True)


def _drop(*streams: Any) -> None:
    """Let what is still buffered go nowhere, so that the interpreter's end does not complain."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in streams:
        with contextlib.suppress(OSError, ValueError, AttributeError):
            os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def _print_error(code: int, error: SlimError) -> None:
    import json

    from slimpy.model import display

    document = {
        "schema": "slimpy-error",
        "version": 1,
        "exit_code": code,
        "message": display(error.message),
        "hint": display(error.hint),
        "details": [display(line) for line in error.details],
    }
    with contextlib.suppress(OSError):
        click.echo(json.dumps(document, indent=2))
