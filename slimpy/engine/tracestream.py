"""What a tracer tells, and what a traced command answered: the same on every engine."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Protocol

from docker.errors import DockerException

from probes.files import strace
from probes.files.recorder import Recorder
from probes.model import Activity, CommandAnswer, lines_of
from slimpy.engine.docker_streams import STDOUT
from slimpy.model import Image

NOT_STARTED = 127
"""Exit code of a command that could not be started, as shells have it."""
_NOT_EXECUTED = b"OCI runtime exec failed"
_ARCH = {"amd64": "x86_64", "386": "i386", "arm64": "aarch64"}


class Reader(AbstractContextManager["Reader"], Protocol):
    """The other end of a tracer's pipe."""

    def frames(self) -> Iterator[tuple[int, bytes]]:
        """(stream number, bytes) as they come, until the tracer closes its end."""


def recorder_for(image: Image) -> Recorder:
    """A recorder for a program of an image."""
    return Recorder(cwd=image.workdir, arch=_ARCH.get(image.architecture, image.architecture))


class TraceStream:
    """A thread that feeds one tracer's pipe to a recorder."""

    def __init__(self, reader: Reader, recorder: Recorder, during: str = "start-up") -> None:
        self.recorder = recorder
        recorder.mark(during)
        self._reader = reader
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="trace", daemon=True)
        self._thread.start()

    def _follow(self) -> None:
        with contextlib.suppress(OSError, ValueError, DockerException), self._reader as reader:
            for number, data in reader.frames():
                if number == STDOUT:
                    self.recorder.feed(data)
            self._ended.set()

    @property
    def ended(self) -> bool:
        """Whether the tracer closed its pipe."""
        return self._ended.is_set()

    def finish(self, timeout: float) -> Activity:
        """What was recorded; complete only if the pipe ended within ``timeout`` seconds."""
        self._thread.join(timeout)
        return self.recorder.finish(complete=self.ended)


def answer(code: int, out: bytes, err: bytes) -> CommandAnswer:
    """What a command answered; the same, traced or not, where it could not be started."""
    if code in (126, 127) and out.startswith(_NOT_EXECUTED):
        return CommandAnswer(NOT_STARTED, b"", out)
    if code == 1 and not out and (why := strace.complaint(tuple(lines_of(err)))):
        return CommandAnswer(NOT_STARTED, b"", f"the program cannot be started: {why}\n".encode())
    return CommandAnswer(code, out, err)
