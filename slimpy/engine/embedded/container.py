"""One container of the embedded engine: a probe's target, traced or not."""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from probes.files import strace
from probes.files.recorder import merge
from probes.model import Activity, CommandAnswer, Listener, TraceWarning, lines_of
from slimpy.engine import toolbox
from slimpy.engine.docker_container import ALONE_SECONDS, FILE_LIMIT, OUTPUT_LIMIT
from slimpy.engine.embedded.client import Keeper, RefusedError
from slimpy.engine.embedded.forward import Forward
from slimpy.engine.embedded.namespaces import MORE_USERS, Kind
from slimpy.engine.embedded.streams import Captured, Fifo, readable
from slimpy.engine.interrupts import INTERRUPTS
from slimpy.engine.protocol import HOST, RunSpec
from slimpy.engine.tracestream import NOT_STARTED, TraceStream, answer, recorder_for
from slimpy.errors import ContainerStartError, EngineLostError
from slimpy.model import Image, display

if TYPE_CHECKING:
    from slimpy.engine.embedded.workspace import EmbeddedWorkspace

KILLED = 137
_TAIL_SECONDS = 10.0
_PAUSE = 0.05


class EmbeddedContainer:
    """See Container."""

    def __init__(
        self, image: Image, spec: RunSpec, workspace: EmbeddedWorkspace, made: Mapping[str, Any]
    ) -> None:
        self._image = image
        self._spec = spec
        self._workspace = workspace
        self._made = made  # what the keeper was told: rights, environment and user of processes
        self._warnings = [TraceWarning("engine", note) for note in workspace.notes]
        self._streams: list[TraceStream] = []
        self._forwards: dict[int, Forward] = {}
        self._started = False
        self._input = -1
        self._out, self._err = Captured(OUTPUT_LIMIT), Captured(OUTPUT_LIMIT)
        self.keeper = self._keep()

    def _keep(self) -> Keeper:
        if self._spec.stdin is None:
            stdin = os.open(os.devnull, os.O_RDONLY)
        else:
            stdin, self._input = os.pipe()
        try:
            return Keeper(self._workspace.users, (stdin, self._out.write, self._err.write))
        finally:
            os.close(stdin)
            self._out.started()
            self._err.started()

    def make(self, fifo: Fifo | None) -> None:
        """Make its file system; it does not run yet.

        Raises:
            ContainerStartError: the kernel refuses something that it needs.
        """
        if fifo is not None:
            self._streams.append(TraceStream(fifo, recorder_for(self._image)))
        try:
            self.keeper.make(self._made)
        except RefusedError as error:
            raise self._not_started(error) from error
        if not self._spec.network:
            self._forwards = {port: Forward(self.keeper, port) for port in self._spec.ports}

    @property
    def rights(self) -> Mapping[str, Any]:
        """What another process of ours in it needs to know."""
        return self._made

    def _not_started(self, error: RefusedError) -> ContainerStartError:
        name = display(self._image.reference)
        message = (
            f"The embedded engine could not start a container of {name}: {display(error.why)}."
        )
        alone = self._workspace.users.kind is Kind.SINGLE and error.why.startswith("user ")
        hint = MORE_USERS if alone else "Check ENTRYPOINT, CMD and USER of the image."
        return ContainerStartError(message, hint=hint)

    def start(self) -> None:
        """See Container.start."""
        for path, data in self._spec.files:
            with tempfile.TemporaryFile() as file:
                file.write(data)
                file.seek(0)
                self.keeper.put(path if path.startswith("/") else f"/{path}", file.fileno())
        try:
            self.keeper.start()
        except RefusedError as error:
            raise self._not_started(error) from error
        self._started = True
        if self._input >= 0:
            threading.Thread(target=self._send_input, daemon=True).start()

    def _send_input(self) -> None:
        _write_all(self._input, self._spec.stdin or b"")
        self._input = -1

    def address(self, port: int) -> tuple[str, int] | None:
        """See Target.address."""
        if self._spec.network == HOST:
            return "127.0.0.1", port
        forward = self._forwards.get(port)
        return forward.address if forward else None

    def listeners(self) -> frozenset[Listener] | None:
        """See Target.listeners: known from the trace as it grows."""
        return self._streams[0].recorder.listeners() if self._streams else None

    def exit_code(self) -> int | None:
        """See Target.exit_code."""
        return self.keeper.exit_code(self.keeper.init) if self._started else None

    def wait(self, timeout: float) -> int | None:
        """See Container.wait."""
        deadline = time.monotonic() + timeout
        while (code := self.exit_code()) is None and time.monotonic() < deadline:
            INTERRUPTS.check()
            time.sleep(_PAUSE / 2)
        if code is not None:
            self._out.settle(ALONE_SECONDS)
            self._err.settle(ALONE_SECONDS)
        return code

    def execute(
        self, argv: Sequence[str], *, stdin: bytes = b"", user: str = "",
        environment: Mapping[str, str] | None = None, timeout: float = 60.0, during: str = "",
    ) -> CommandAnswer:  # fmt: skip
        """See Target.execute: in a traced container the command runs under a tracer of its own."""
        if self.exit_code() is not None:
            message = "the container is not running"
            raise ConnectionError(message)
        command = tuple(argv)
        if self._streams:
            path, fifo = self._workspace.open_pipe()
            self._streams.append(TraceStream(fifo, recorder_for(self._image), during))
            command = tuple(strace.command(toolbox.strace(), path, command))
        spec = {
            **self._made,
            "argv": command,
            "user": user or self._made["user"],
            "environment": [*self._made["environment"], *(environment or {}).items()],
        }
        try:
            code, out, err = spawned(self.keeper, spec, stdin, timeout)
        except RefusedError as error:
            return CommandAnswer(NOT_STARTED, b"", f"{error.why}\n".encode())
        return answer(code, out, err)

    def log_tail(self, lines: int = 20) -> tuple[str, ...]:
        """See Target.log_tail."""
        return tuple(lines_of(self._out.tail + self._err.tail))[-lines:]

    def mark(self, during: str) -> None:
        """See Target.mark."""
        if self._streams:
            self._streams[0].recorder.mark(during)

    def stop(self, timeout: float) -> int | None:
        """See Container.stop."""
        if not self._started:
            return None
        self.keeper.kill(self.keeper.init, signal_number(self._image.config.get("StopSignal")))
        first = min(ALONE_SECONDS, timeout / 2) if self._streams else timeout
        code = self.wait(first)
        if code is None and self._streams and len(self.identities()) == 1:
            # A program that waits for all of its children waits for the tracer, too.
            self._warnings.append(
                TraceWarning("tracer-ended", "the app did not end before its tracer did")
            )
            self._end_tracers()
            code = self.wait(ALONE_SECONDS)
        if code is None:
            code = self.wait(timeout - first)
        if code is None:
            self.keeper.kill(self.keeper.init, signal.SIGKILL)
            code = self.wait(_TAIL_SECONDS)
        return code

    def _end_tracers(self) -> None:
        rights = {"no_new_privileges": False, "seccomp": None, "user": "0"}
        spec = {**self._made, **rights, "argv": toolbox.end_tracers(), "workdir": "/"}
        with contextlib.suppress(RefusedError, TimeoutError, ConnectionError):
            spawned(self.keeper, spec, b"", ALONE_SECONDS)

    def output(self) -> tuple[bytes, bytes]:
        """See Container.output."""
        return self._out.head, self._err.head

    def read_file(self, path: str) -> bytes | None:
        """See Container.read_file."""
        try:
            file = self.keeper.read(path if path.startswith("/") else f"/{path}")
        except (RefusedError, EngineLostError):
            return None
        with os.fdopen(file, "rb") as opened:
            return opened.read(FILE_LIMIT)

    def identities(self) -> tuple[tuple[int, int], ...]:
        """See Container.identities; our own tools are left out."""
        try:
            found = self.keeper.identities()
        except (RefusedError, EngineLostError):
            return ()
        own = ("ld.so", toolbox.TRACER)
        return tuple((uid, gid) for _, uid, gid, name in found if name not in own)

    def activity(self) -> Activity:
        """See Container.activity."""
        deadline = time.monotonic() + _TAIL_SECONDS
        seen = [stream.finish(max(0.0, deadline - time.monotonic())) for stream in self._streams]
        return merge((*seen, Activity(warnings=tuple(self._warnings))))

    def remove(self) -> None:
        """End it, and all that runs in it."""
        with INTERRUPTS.deferred():
            for forward in self._forwards.values():
                forward.close()
            if self._input >= 0 and not self._started:
                os.close(self._input)
            self.keeper.close()


def spawned(
    keeper: Keeper, spec: Mapping[str, Any], stdin: bytes, timeout: float
) -> tuple[int, bytes, bytes]:
    """Run one more process to its end: exit code, output, errors.

    Raises:
        RefusedError: it could not be started.
        TimeoutError: it did not end in time; it is killed.
    """
    with Spawned(keeper, spec, stdin) as process:
        output = {1: bytearray(), 2: bytearray()}
        for number, data in process.frames(timeout):
            kept = output[number]
            kept += data[: OUTPUT_LIMIT - len(kept)]
        code = process.exit_code()
    return code, bytes(output[1]), bytes(output[2])


class Spawned:
    """A process beside the first one; iterate over `frames`, then ask for its exit code."""

    def __init__(self, keeper: Keeper, spec: Mapping[str, Any], stdin: bytes = b"") -> None:
        self._keeper = keeper
        self._pipes = {}
        inner = [os.open(os.devnull, os.O_RDONLY)] if not stdin else []
        source = -1
        if stdin:
            read, source = os.pipe()
            inner.append(read)
        for number in (1, 2):
            read, write = os.pipe()
            self._pipes[number] = read
            inner.append(write)
        try:
            self.process = keeper.spawn(spec, inner)
        except BaseException:
            self.close()
            if source >= 0:
                os.close(source)
            raise
        finally:
            for fd in inner:
                os.close(fd)
        if source >= 0:
            threading.Thread(target=_write_all, args=(source, stdin), daemon=True).start()

    def __enter__(self) -> Spawned:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Read no more."""
        for fd in self._pipes.values():
            os.close(fd)
        self._pipes.clear()

    def frames(self, timeout: float) -> Any:
        """(1 for output or 2 for errors, bytes) as they come; ``timeout`` seconds of life.

        Raises:
            TimeoutError: it did not end in time; it is killed.
        """
        deadline = time.monotonic() + timeout
        numbers = {fd: number for number, fd in self._pipes.items()}
        ended = False
        while numbers:
            left = deadline - time.monotonic()
            if left <= 0:
                self._keeper.kill(self.process, signal.SIGKILL)
                message = "the command did not end in time"
                raise TimeoutError(message)
            found = readable(list(numbers), min(left, _PAUSE))
            for fd in found:
                data = os.read(fd, 1 << 16)
                if data:
                    yield numbers[fd], data
                else:
                    del numbers[fd]
            if not found:
                # What it left running in the background may hold its output open.
                if ended:
                    return
                ended = self._keeper.exit_code(self.process) is not None

    def exit_code(self) -> int:
        """Its exit code, once the output has ended.

        Raises:
            TimeoutError: it lives on.
        """
        code = self._keeper.wait(self.process, 5.0)
        if code is None:
            message = "the command did not end with its output"
            raise TimeoutError(message)
        return code


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    with contextlib.suppress(OSError):
        while view:
            view = view[os.write(fd, view) :]
    os.close(fd)


def signal_number(name: object) -> int:
    """What STOPSIGNAL means: a number, or a name with or without SIG; SIGTERM if it is neither."""
    text = str(name or "SIGTERM").upper()
    if text.isdigit():
        return int(text)
    base, _, more = text.removeprefix("SIG").partition("+")
    try:
        number = int(signal.Signals[f"SIG{base}"])
    except KeyError:
        return int(signal.SIGTERM)
    return number + int(more) if more.isdigit() else number
