"""Where containers of this engine have their files, and what is left of crashed runs."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from slimpy import proc
from slimpy.engine.embedded.namespaces import Mapping, command_in
from slimpy.engine.interrupts import INTERRUPTS
from slimpy.engine.session import is_over, session_id
from slimpy.errors import OutputError, ProgramError

_REMOVE_SECONDS = 600.0


@contextlib.contextmanager
def run_directory(top: Path, users: Mapping) -> Iterator[Path]:
    """A new directory for one session, removed at the end; those of dead processes go first.

    Raises:
        OutputError: it cannot be made.
    """
    directory = top / session_id()
    try:
        top.mkdir(mode=0o755, parents=True, exist_ok=True)
        for old in top.iterdir():
            if is_over(old.name):
                remove(old, users)
        directory.mkdir(mode=0o755)
    except OSError as error:
        message = f"The engine's directory {top} cannot be used: {error.strerror}."
        raise OutputError(message, hint="Set XDG_CACHE_HOME to a directory with space.") from error
    try:
        yield directory
    finally:
        with INTERRUPTS.deferred():
            remove(directory, users)


def remove(directory: Path, users: Mapping) -> None:
    """Remove a directory whose files may belong to users of the container."""
    if rm := proc.find("rm"):  # which takes trees of any depth
        argv = command_in(users, (rm, "-rf", "--one-file-system", "--", str(directory)))
        with contextlib.suppress(ProgramError):
            proc.run(argv, timeout=_REMOVE_SECONDS)
        return
    shutil.rmtree(directory, ignore_errors=True)
