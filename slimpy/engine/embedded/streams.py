"""What a container writes, read as it comes and kept within bounds."""

from __future__ import annotations

import contextlib
import os
import select
import threading
from collections.abc import Iterator
from pathlib import Path

from slimpy.engine.docker_streams import STDOUT

_PIECE = 1 << 16
_TAIL = 1 << 16


class Captured:
    """One output stream: its first bytes up to a bound, and its last ones."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._head = bytearray()
        self._tail = bytearray()
        self._read, self.write = os.pipe()
        os.set_inheritable(self.write, True)
        self._thread = threading.Thread(target=self._follow, name="output", daemon=True)
        self._thread.start()

    def _follow(self) -> None:
        with contextlib.suppress(OSError):
            while data := os.read(self._read, _PIECE):
                self._head += data[: self._limit - len(self._head)]
                self._tail += data
                del self._tail[:-_TAIL]
        os.close(self._read)

    def started(self) -> None:
        """Let go of the writing end: from now on only the container holds it."""
        os.close(self.write)

    def settle(self, seconds: float) -> None:
        """Wait until all is read; only after the container's end."""
        self._thread.join(seconds)

    @property
    def head(self) -> bytes:
        """The first bytes."""
        return bytes(self._head)

    @property
    def tail(self) -> bytes:
        """The last bytes."""
        return bytes(self._tail)


class Fifo:
    """A tracer's pipe in the file system; a `slimpy.engine.tracestream.Reader`."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        path.chmod(0o666)
        self._path = path

    def __enter__(self) -> Fifo:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def frames(self) -> Iterator[tuple[int, bytes]]:
        """See Reader; waits for the tracer to come."""
        file = os.open(self._path, os.O_RDONLY)
        try:
            while data := os.read(file, _PIECE):
                yield STDOUT, data
        finally:
            os.close(file)

    def close(self) -> None:
        """Free a reader that still waits for a tracer."""
        with contextlib.suppress(OSError):
            os.close(os.open(self._path, os.O_WRONLY | os.O_NONBLOCK))


def readable(fds: list[int], seconds: float) -> list[int]:
    """Which of the descriptors have something to read, or have ended."""
    return select.select(fds, [], [], seconds)[0]
