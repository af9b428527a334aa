"""Whose things are these: labels on all that we create, removal at the end, and a sweep after a
crash.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from docker.errors import DockerException, NotFound

from slimpy.errors import OutputError

LABEL = "slimpy.session"
_SCRATCH = "slimpy-"
TEMPORARY_REPOSITORY = "slimpy-temporary"
"""Repository of tags that live only while a slim image is being proven."""


@dataclass(frozen=True, slots=True)
class Session:
    """One build of one process; ``id`` is ``HOST.PID.START.NONCE``, so life can be checked."""

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
        """Remove what is left with our label; individual failures are not errors, the next start
        sweeps again.
        """
        named = {"label": f"{LABEL}={self.id}"}
        with contextlib.suppress(DockerException, OSError):
            for item in self.client.api.containers(all=True, filters=named):
                with contextlib.suppress(NotFound):
                    self.client.api.remove_container(item["Id"], force=True, v=True)
            for item in self.client.api.volumes(filters=named).get("Volumes") or ():
                with contextlib.suppress(NotFound):
                    self.client.api.remove_volume(item["Name"])

    @staticmethod
    def is_dead(labels: Mapping[str, str]) -> bool:
        """Whether labels name a session of this host whose process is gone."""
        return _is_dead(labels.get(LABEL, ""))

    @staticmethod
    def is_dead_tag(tag: str) -> bool:
        """The same for a temporary tag."""
        repository, _, name = tag.rpartition(":")
        return repository == TEMPORARY_REPOSITORY and _is_dead(name)


def session_id() -> str:
    """An id that names this process beyond doubt: host, pid, start time in hundredths of a second,
    nonce.
    """
    return f"{_host()}.{os.getpid()}.{_started(os.getpid())}.{secrets.token_hex(4)}"


def temporary_tag() -> str:
    """A tag for a slim image that is not proven yet; swept like everything else of ours."""
    return f"{TEMPORARY_REPOSITORY}:{session_id()}"


@contextlib.contextmanager
def scratch_directory() -> Iterator[Path]:
    """A host directory for what is being packed; those of crashed processes are removed on the way.

    Raises:
        OutputError: no temporary directory can be made.
    """
    top = Path(tempfile.gettempdir())
    for old in top.glob(f"{_SCRATCH}*"):
        if _is_dead(old.name.removeprefix(_SCRATCH)):
            shutil.rmtree(old, ignore_errors=True)
    directory = top / f"{_SCRATCH}{session_id()}"
    try:
        directory.mkdir(mode=0o700)
    except OSError as error:
        message = f"No temporary directory can be made in {top}: {error.strerror}."
        raise OutputError(message, hint="Set TMPDIR to a directory with some space.") from error
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _host() -> str:
    return "".join(char for char in socket.gethostname().lower() if char.isalnum())[:40] or "host"


def _started(pid: int) -> int:
    return int(psutil.Process(pid).create_time() * 100)


def _is_dead(identity: str) -> bool:
    host, *numbers = identity.split(".")
    if host != _host() or len(numbers) != 3 or not all(part.isdigit() for part in numbers[:2]):
        return False
    try:
        return _started(int(numbers[0])) != int(numbers[1])
    except psutil.NoSuchProcess:
        return True
