"""Programs run with the Engine API's exec: their output as a stream, with a deadline."""

from __future__ import annotations

import contextlib
import select
import struct
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from docker.errors import APIError, NotFound

from slimpy.engine.docker_errors import translated

STDOUT = 1
STDERR = 2
_HEADER = struct.Struct(">BxxxL")
_CHUNK = 1 << 16


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
            with translated(f"running {argv[0]} in a container"):
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
            message = f"the container is not running: {error.explanation}"
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

    def frames(self, timeout: float | None = None) -> Iterator[tuple[int, bytes]]:
        """Its output as it comes.

        Args:
            timeout: seconds from now until TimeoutError; None waits for ever.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while header := self._exactly(_HEADER.size, deadline):
            number, size = _HEADER.unpack(header)
            while size:
                data = self._some(min(size, _CHUNK), deadline)
                if not data:
                    return
                size -= len(data)
                yield number, data

    def exit_code(self) -> int:
        """Its exit code; only after the output has ended."""
        try:
            with translated("asking for an exit code"):
                return int(self._api.exec_inspect(self._id).get("ExitCode") or 0)
        except (NotFound, APIError) as error:
            message = "the container is gone"
            raise ConnectionError(message) from error

    def _exactly(self, size: int, deadline: float | None) -> bytes:
        data = b""
        while len(data) < size:
            more = self._some(size - len(data), deadline)
            if not more:
                return b""
            data += more
        return data

    def _some(self, size: int, deadline: float | None) -> bytes:
        wait = None if deadline is None else max(0.0, deadline - time.monotonic())
        if not select.select([self._socket], [], [], wait)[0]:
            message = "the command did not end in time"
            raise TimeoutError(message)
        try:
            return bytes(self._socket.recv(size))
        except ConnectionResetError:
            return b""
