"""Programs run with the Engine API's exec: their output as a stream, with a deadline."""

from __future__ import annotations

import contextlib
import math
import select
import struct
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from docker.errors import APIError

from slimpy.engine.docker_errors import explained, translated

STDOUT = 1
STDERR = 2
_HEADER = struct.Struct(">BxxxL")
_CHUNK = 1 << 16
_LAST_SECONDS = 5.0
"""How long a program may live on after the end of its output."""
_PAUSE = 0.02


def close_stream(stream: Any) -> None:
    """Close a hijacked connection of the SDK: its HTTP response first, then its socket."""
    response = getattr(stream, "_response", None)
    if response is not None:
        response.close()
    stream.close()
    connection = getattr(stream, "_sock", None)
    if connection is not None:
        connection.close()


class Exec:
    """A program run in a running container; iterate over (stream number, bytes), then ask for its
    exit code.
    """

    def __init__(
        self,
        client: Any,
        container: str,
        argv: Sequence[str],
        *,
        user: str = "",
        environment: Mapping[str, str] | None = None,
        stdin: bool = False,
        workdir: str | None = None,
    ) -> None:
        self._api = client.api
        try:
            with translated("running a command in a container", refusals=True):
                created = self._api.exec_create(
                    container,
                    list(argv),
                    stdin=stdin,
                    user=user,
                    environment=dict(environment or {}),
                    workdir=workdir,
                )
                self._id = created["Id"]
                self._stream = self._api.exec_start(self._id, socket=True)
        except APIError as error:
            message = f"the container is not running: {explained(error)}"
            raise ConnectionError(message) from error
        self._socket = getattr(self._stream, "_sock", self._stream)
        self._socket.settimeout(None)

    def __enter__(self) -> Exec:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the connection back; the program itself is not ended by this."""
        close_stream(self._stream)

    def send(self, data: bytes) -> None:
        """Write the program's whole standard input and close it; a program that stops reading is
        no error.
        """
        import socket

        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._socket.sendall(data)
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def frames(
        self, timeout: float = math.inf, *, silence: float = math.inf
    ) -> Iterator[tuple[int, bytes]]:
        """Its output as it comes, until its end or that of the connection.

        Args:
            timeout: seconds from now until TimeoutError.
            silence: seconds without a byte until TimeoutError.
        """
        deadline = time.monotonic() + timeout
        while header := self._exactly(_HEADER.size, deadline, silence):
            number, size = _HEADER.unpack(header)
            while size:
                data = self._some(min(size, _CHUNK), deadline, silence)
                if not data:
                    return
                size -= len(data)
                yield number, data

    def exit_code(self) -> int:
        """Its exit code; only after the output has ended.

        Raises:
            ConnectionError: the container is gone.
            TimeoutError: it still runs, so that what came was not its whole output.
        """
        deadline = time.monotonic() + _LAST_SECONDS
        while True:
            try:
                with translated("asking for an exit code", refusals=True):
                    state = self._api.exec_inspect(self._id)
            except APIError as error:
                message = "the container is gone"
                raise ConnectionError(message) from error
            if not state.get("Running"):
                return int(state.get("ExitCode") or 0)
            if time.monotonic() > deadline:
                message = "the command did not end with its output"
                raise TimeoutError(message)
            time.sleep(_PAUSE)

    def _exactly(self, size: int, deadline: float, silence: float) -> bytes:
        data = b""
        while len(data) < size:
            more = self._some(size - len(data), deadline, silence)
            if not more:
                return b""
            data += more
        return data

    def _some(self, size: int, deadline: float, silence: float) -> bytes:
        wait = min(silence, max(0.0, deadline - time.monotonic()))
        if not select.select([self._socket], [], [], None if wait == math.inf else wait)[0]:
            message = "the command did not end in time"
            raise TimeoutError(message)
        try:
            return bytes(self._socket.recv(size))
        except OSError:  # the connection was cut: whoever asks for the exit code learns why
            return b""
