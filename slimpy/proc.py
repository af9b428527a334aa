"""The only place that starts host programs: an argument list, a deadline, a clean environment, the
command in errors.
"""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Mapping, Sequence
from shutil import which

from slimpy.errors import ProgramError

ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL": "C.UTF-8",
}


def find(name: str) -> str | None:
    """The absolute path of a host program, None where it is not installed."""
    return which(name, path=ENVIRONMENT["PATH"])


def accompany(argv: Sequence[str], *, environment: Mapping[str, str], timeout: float) -> int:
    """Run the user's own command, with its output where ours goes; its exit code.

    Args:
        environment: the whole environment that it gets.

    Raises:
        ProgramError: it is not there, or took longer than ``timeout`` seconds.
    """
    command = shlex.join(argv)
    try:
        return subprocess.run(
            list(argv),
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            timeout=timeout,
            check=False,
        ).returncode
    except OSError as error:
        message = f"The command cannot be run: {command}: {error.strerror}."
        raise ProgramError(message) from error
    except subprocess.TimeoutExpired as error:
        message = f"The command did not end within {timeout:.0f} s: {command}"
        raise ProgramError(message) from error


def exchange(
    argv: Sequence[str], *, stdin: bytes, environment: Mapping[str, str], timeout: float
) -> tuple[int, bytes]:
    """Hand a program of the user's something to read; its exit code and its standard output.

    What goes in and comes out may be secret, so neither is part of an error.

    Args:
        environment: the whole environment that it gets; its PATH finds the program.

    Raises:
        ProgramError: it is not there, or took longer than ``timeout`` seconds.
    """
    command = shlex.join(argv)
    try:
        done = subprocess.run(
            list(argv),
            env=dict(environment),
            input=stdin,
            capture_output=True,
            timeout=timeout,
            check=False,
        )
    except OSError as error:
        message = f"The program cannot be run: {command}: {error.strerror}."
        raise ProgramError(message) from error
    except subprocess.TimeoutExpired:
        message = f"The program did not end within {timeout:.0f} s: {command}"
        raise ProgramError(message) from None
    return done.returncode, done.stdout


def start(
    argv: Sequence[str], *, streams: tuple[int, int, int], passed: Sequence[int] = ()
) -> subprocess.Popen[bytes]:
    """Start a program that works beside us; whoever starts it waits for it. Keys of a terminal that
    interrupt us do not reach it.

    Args:
        streams: the file descriptors of its standard input, output and error output.
        passed: further ones that it gets under the same numbers.

    Raises:
        ProgramError: it is not there.
    """
    stdin, stdout, stderr = streams
    try:
        return subprocess.Popen(
            list(argv),
            env=ENVIRONMENT,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            pass_fds=tuple(passed),
            start_new_session=True,
        )
    except OSError as error:
        message = f"The program cannot be run: {argv[0]}: {error.strerror}."
        raise ProgramError(message) from error


def end(process: subprocess.Popen[bytes], seconds: float) -> None:
    """Wait until a started program ended by itself; after so many seconds it is killed."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def run(argv: Sequence[str], *, timeout: float = 30.0) -> str:
    """Run a host program and return its standard output.

    Args:
        argv: the program and its arguments; no shell is involved.
        timeout: seconds until it is killed.

    Raises:
        ProgramError: with the exact command, and why it failed.
    """
    command = shlex.join(argv)
    try:
        done = subprocess.run(
            list(argv),
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout,
            check=False,
        )
    except FileNotFoundError as error:
        message = f"The program {argv[0]} is not installed here (needed for: {command})."
        raise ProgramError(message) from error
    except subprocess.TimeoutExpired as error:
        message = f"The command did not end within {timeout:.0f} s: {command}"
        raise ProgramError(message) from error
    if done.returncode != 0:
        message = f"The command failed with exit code {done.returncode}: {command}"
        raise ProgramError(
            message, details=tuple(done.stderr.decode("utf-8", "replace").splitlines()[-5:])
        )
    return done.stdout.decode("utf-8", "surrogateescape")
