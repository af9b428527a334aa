"""The owner's end of a container's keeper (`slimpy.engine.embedded.inside.keeper`)."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from slimpy import proc
from slimpy.engine.embedded.namespaces import Mapping as Users
from slimpy.engine.embedded.namespaces import command_in, python
from slimpy.errors import EngineLostError

_MODULE = "slimpy.engine.embedded.inside.keeper"
_ANSWER_SECONDS = 60.0
_END_SECONDS = 10.0
_ANSWER = 1 << 20
_PAUSE = 0.01


class RefusedError(Exception):
    """The keeper could not do it: ``errno`` and why."""

    def __init__(self, number: int, why: str) -> None:
        super().__init__(why)
        self.errno = number
        self.why = why


class Keeper:
    """One container's keeper; requests come from any thread, one at a time."""

    def __init__(self, users: Users, streams: tuple[int, int, int]) -> None:
        """Start it; the streams are those of the container's first process.

        Raises:
            ProgramError: Python itself cannot be started again.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(_ANSWER_SECONDS)
        self._control = ours
        self._lock = threading.Lock()
        self._exits: dict[int, int] = {}
        self.init = 0
        try:
            argv = command_in(users, python(_MODULE, str(theirs.fileno())))
            self._process = proc.start(argv, streams=streams, passed=(theirs.fileno(),))
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()

    def make(self, spec: Mapping[str, Any]) -> None:
        """Make the namespaces, the file system and a first process that waits for `start`."""
        self.init = self._ask({"do": "make", **spec})[0]["init"]

    def start(self) -> None:
        """Let the first process become its program."""
        self._ask({"do": "start"})

    def spawn(self, spec: Mapping[str, Any], streams: Sequence[int]) -> int:
        """Start one more process; what tells it apart."""
        return int(self._ask({"do": "spawn", **spec}, streams)[0]["process"])

    def exit_code(self, process: int) -> int | None:
        """The exit code of a process that ended (128 and the signal's number if it was killed)."""
        if process not in self._exits:
            found, _ = self._ask({"do": "poll"})
            self._exits.update({int(pid): code for pid, code in found.items()})
        return self._exits.get(process)

    def wait(self, process: int, seconds: float) -> int | None:
        """Wait until a process ends; None if it did not in so many seconds."""
        deadline = time.monotonic() + seconds
        while (code := self.exit_code(process)) is None and time.monotonic() < deadline:
            time.sleep(_PAUSE)
        return code

    def kill(self, process: int, number: int) -> None:
        """Send a signal; one that came too late is no error."""
        with contextlib.suppress(RefusedError):
            self._ask({"do": "kill", "process": process, "signal": number})

    def connect(self, port: int) -> socket.socket:
        """A connection to a port of the container."""
        _, (fd,) = self._ask({"do": "connect", "port": port})
        return socket.socket(fileno=fd)

    def read(self, path: str) -> int:
        """A descriptor of a regular file of the container."""
        return self._ask({"do": "read", "path": path})[1][0]

    def put(self, path: str, source: int) -> None:
        """Write a file of the container from a descriptor."""
        self._ask({"do": "put", "path": path}, (source,))

    def identities(self) -> list[tuple[int, int, int, str]]:
        """(pid inside, uid, gid, name) of the processes now alive."""
        found: Any = self._ask({"do": "identities"})[0]
        return [(pid, uid, gid, name) for pid, uid, gid, name in found]

    def close(self) -> None:
        """End the container and all that runs in it."""
        self._control.close()
        proc.end(self._process, _END_SECONDS)

    def _ask(self, request: Mapping[str, Any], fds: Sequence[int] = ()) -> tuple[Any, list[int]]:
        with self._lock:
            try:
                socket.send_fds(self._control, [json.dumps(request).encode()], list(fds))
                data, given, _, _ = socket.recv_fds(self._control, _ANSWER, 4)
            except OSError as error:
                raise _lost() from error
        if not data:
            raise _lost()
        answer = json.loads(data)
        if isinstance(answer, dict) and "error" in answer:
            raise RefusedError(int(answer.get("errno") or 0), str(answer["error"]))
        for fd in given:
            os.set_inheritable(fd, False)
        return answer, given


def _lost() -> EngineLostError:
    message = "The process that looks after a container ended."
    return EngineLostError(message, hint="Was it killed, or out of memory? Run the command again.")
