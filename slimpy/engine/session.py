"""Whose things are these: labels on all that we create, removal at the end, and a sweep after a
crash.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from docker.errors import DockerException

from slimpy.engine.interrupts import INTERRUPTS
from slimpy.errors import DiskFullError, OutputError, SlimError

LABEL = "slimpy.session"
_SCRATCH = "slimpy-"
TEMPORARY_REPOSITORY = "slimpy-temporary"
"""Repository of tags that live only while a slim image is being proven."""
LONGEST = 7 * 24 * 3600
"""Seconds after which a session is over, whoever may have had it: no build takes a week."""

_FULL = (errno.ENOSPC, errno.EDQUOT)
_FAILURES = (DockerException, OSError, SlimError)
"""What a clean-up goes on after; the SDK lets requests' own errors through, which are OSErrors."""


@dataclass(frozen=True, slots=True)
class Session:
    """One build of one process, with an ``id`` by which others see whether it is over."""

    client: Any
    id: str

    @classmethod
    @contextlib.contextmanager
    def open(cls, client: Any) -> Iterator[Session]:
        """A new session; at the end whatever still carries its label is removed."""
        session = cls(client, session_id())
        try:
            yield session
        finally:
            session.remove_all()

    @property
    def labels(self) -> dict[str, str]:
        """The labels of everything created in this session."""
        return {LABEL: self.id}

    def remove_all(self) -> None:
        """Remove what is left with our label; failures are no errors, a later start sweeps."""
        with INTERRUPTS.deferred():
            _remove(self.client, f"{LABEL}={self.id}", lambda _: True)


def sweep(client: Any, remove_tag: Callable[[str], None]) -> None:
    """Remove containers, volumes and temporary tags of sessions that are over.

    Args:
        client: the SDK's.
        remove_tag: takes a name away from an image.
    """
    _remove(client, LABEL, is_over)
    with contextlib.suppress(*_FAILURES):
        for item in client.api.images(name=TEMPORARY_REPOSITORY):
            for tag in item.get("RepoTags") or ():
                repository, _, identity = tag.rpartition(":")
                if repository == TEMPORARY_REPOSITORY and is_over(identity):
                    remove_tag(tag)


def _remove(client: Any, label: str, wanted: Callable[[str], bool]) -> None:
    """Remove what carries the label, each on its own; containers first, they hold the volumes."""
    api, filters = client.api, {"label": label}
    with contextlib.suppress(*_FAILURES):
        for item in api.containers(all=True, filters=filters):
            if wanted(_identity(item)):
                with contextlib.suppress(*_FAILURES):
                    api.remove_container(item["Id"], force=True, v=True)
    with contextlib.suppress(*_FAILURES):
        for item in api.volumes(filters=filters).get("Volumes") or ():
            if wanted(_identity(item)):
                with contextlib.suppress(*_FAILURES):
                    api.remove_volume(item["Name"])


def _identity(item: Mapping[str, Any]) -> str:
    return str((item.get("Labels") or {}).get(LABEL, ""))


def session_id() -> str:
    """A new id, ``PLACE.PID.START.MADE.NONCE``: where the process is, when it was started (clock
    ticks after boot) and when the session was opened (seconds since the epoch).
    """
    pid = os.getpid()
    return f"{_place()}.{pid}.{_started(pid) or 0}.{int(time.time())}.{secrets.token_hex(4)}"


def temporary_tag() -> str:
    """A tag for a slim image that is not proven yet; swept like everything else of ours."""
    return f"{TEMPORARY_REPOSITORY}:{session_id()}"


def is_over(identity: str) -> bool:
    """Whether the process of a session is gone; False for what is not one of our ids.

    Processes of other places (another machine, or another container) cannot be seen from here, so
    those sessions are over by their age alone.
    """
    place, *numbers = identity.split(".")
    if len(numbers) != 4 or not all(part.isascii() and part.isdecimal() for part in numbers[:3]):
        return False
    pid, started, made = map(int, numbers[:3])
    if time.time() - made > LONGEST:
        return True
    return place == _place() and not _is_alive(pid, started)


@contextlib.contextmanager
def scratch_directory() -> Iterator[Path]:
    """A host directory for what is being packed; those of crashed processes are removed on the way.

    Raises:
        OutputError: no temporary directory can be made.
        DiskFullError: there is no space for one.
    """
    directory = _new_directory()
    try:
        yield directory
    finally:
        with INTERRUPTS.deferred():
            shutil.rmtree(directory, ignore_errors=True)


def _new_directory() -> Path:
    try:
        top = Path(tempfile.gettempdir())
        for old in top.glob(f"{_SCRATCH}*"):
            if is_over(old.name.removeprefix(_SCRATCH)):
                shutil.rmtree(old, ignore_errors=True)
        directory = top / f"{_SCRATCH}{session_id()}"
        directory.mkdir(mode=0o700)
    except OSError as error:
        kind = DiskFullError if error.errno in _FULL else OutputError
        message = f"No temporary directory can be made: {error.strerror}."
        raise kind(message, hint="Set TMPDIR to a directory with some space.") from error
    return directory


@cache
def _place() -> str:
    """The host's name and what tells this set of processes from others: containers on one host
    may share its name, but not its processes.
    """
    name = "".join(char for char in socket.gethostname().lower() if char.isalnum())[:40]
    unique = hashlib.sha256()
    with contextlib.suppress(OSError):
        unique.update(Path("/proc/sys/kernel/random/boot_id").read_bytes())
        unique.update(os.fsencode(Path("/proc/self/ns/pid").readlink()))
    return f"{name or 'host'}-{unique.hexdigest()[:12]}"


def _is_alive(pid: int, started: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass  # another user's
    found = _started(pid)
    return found is None or found == started


def _started(pid: int) -> int | None:
    """When a process was started, in clock ticks after boot (proc(5), stat, field 22); None where
    it cannot be seen, 0 where it has ended and waits for its parent.
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    state, *fields = text.rpartition(")")[2].split()
    return 0 if state in ("Z", "X") else int(fields[18])
