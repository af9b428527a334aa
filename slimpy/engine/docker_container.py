"""One container of ours at a Docker Engine: a probe's target, traced or not."""

from __future__ import annotations

import contextlib
import io
import posixpath
import socket
import tarfile
import threading
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import requests
from docker.errors import APIError, DockerException, NotFound

from probes.files import strace
from probes.files.recorder import merge
from probes.model import Activity, CommandAnswer, Listener, TraceWarning, lines_of
from slimpy.engine import toolbox
from slimpy.engine.docker_errors import explained, translated
from slimpy.engine.docker_streams import STDERR, STDOUT, Exec, close_stream
from slimpy.engine.interrupts import INTERRUPTS
from slimpy.engine.protocol import HOST, RunSpec
from slimpy.engine.tracestream import TraceStream, answer, recorder_for
from slimpy.errors import ContainerStartError, EngineLostError
from slimpy.model import Image

if TYPE_CHECKING:
    from slimpy.engine.docker_workspace import DockerWorkspace

OUTPUT_LIMIT = 8 << 20
"""Bytes of a command's output that are kept, per stream."""
FILE_LIMIT = 64 << 20
"""Bytes of an output file that are read back."""
ALONE_SECONDS = 3.0
"""How long an app that was asked to stop may have no process but one before its tracer goes."""
_TAIL_SECONDS = 10.0


class DockerContainer:
    """See Container."""

    def __init__(
        self, client: Any, container: str, image: Image, spec: RunSpec, workspace: DockerWorkspace,
        pipe: tuple[str, Exec] | None,
    ) -> None:  # fmt: skip
        self.id = container
        self._client = client
        self._image = image
        self._spec = spec
        self._workspace = workspace
        self._streams: list[TraceStream] = []
        self._warnings: list[TraceWarning] = []
        self._input: Any = None
        if pipe:
            self._streams.append(TraceStream(pipe[1], recorder_for(self._image)))

    def start(self) -> None:
        """See Container.start."""
        api = self._client.api
        try:
            with translated("starting a container", refusals=True):
                if self._spec.files:
                    api.put_archive(self.id, "/", _files_archive(self._spec.files))
                if self._spec.stdin is not None:
                    self._input = api.attach_socket(self.id, params={"stdin": 1, "stream": 1})
                api.start(self.id)
        except APIError as error:
            raise self._start_error(error) from error
        except EngineLostError as error:
            # What the runtime cannot start, such as a missing program, is a server error too.
            if isinstance(error.__cause__, APIError):
                raise self._start_error(error.__cause__) from error
            raise
        if self._input is not None:
            threading.Thread(target=self._send_input, daemon=True).start()

    def _start_error(self, error: APIError) -> ContainerStartError:
        name = self._image.reference
        message = f"The engine could not start a container of {name}: {explained(error)}."
        return ContainerStartError(message, hint="Check ENTRYPOINT, CMD and USER of the image.")

    def _send_input(self) -> None:
        stream = getattr(self._input, "_sock", self._input)
        with contextlib.suppress(OSError):
            stream.sendall(self._spec.stdin)
        with contextlib.suppress(OSError):
            stream.shutdown(socket.SHUT_WR)

    def _inspect(self) -> Any:
        with translated("looking at a container"):
            return self._client.api.inspect_container(self.id)

    def address(self, port: int) -> tuple[str, int] | None:
        """See Target.address."""
        if self._spec.network == HOST:
            return "127.0.0.1", port
        bindings = (self._inspect()["NetworkSettings"].get("Ports") or {}).get(f"{port}/tcp") or ()
        for binding in bindings:
            return "127.0.0.1", int(binding["HostPort"])
        return None

    def listeners(self) -> frozenset[Listener] | None:
        """See Target.listeners: known from the trace as it grows."""
        if not self._streams:
            return None
        return self._streams[0].recorder.listeners()

    def exit_code(self) -> int | None:
        """See Target.exit_code."""
        state = self._inspect()["State"]
        if state.get("Running") or state.get("Status") == "created":
            return None
        return int(state.get("ExitCode") or 0)

    def wait(self, timeout: float) -> int | None:
        """See Container.wait."""
        with contextlib.suppress(requests.RequestException, DockerException):
            self._client.api.wait(self.id, timeout=max(timeout, 0.1))
        return self.exit_code()

    def execute(
        self, argv: Sequence[str], *, stdin: bytes = b"", user: str = "",
        environment: Mapping[str, str] | None = None, timeout: float = 60.0, during: str = "",
    ) -> CommandAnswer:  # fmt: skip
        """See Target.execute: in a traced container the command runs under a tracer of its own."""
        command = tuple(argv)
        if self._streams:
            path, reader = self._workspace.open_pipe()
            stream = TraceStream(reader, recorder_for(self._image), during)
            self._streams.append(stream)
            command = tuple(strace.command(toolbox.strace(), path, command))
        with Exec(
            self._client, self.id, command, user=user, environment=environment, stdin=bool(stdin)
        ) as process:
            if stdin:
                threading.Thread(target=process.send, args=(stdin,), daemon=True).start()
            output = {STDOUT: bytearray(), STDERR: bytearray()}
            for number, data in process.frames(timeout):
                kept = output.setdefault(number, bytearray())
                kept += data[: OUTPUT_LIMIT - len(kept)]
            code = process.exit_code()
        return answer(code, bytes(output[STDOUT]), bytes(output[STDERR]))

    def log_tail(self, lines: int = 20) -> tuple[str, ...]:
        """See Target.log_tail."""
        try:
            with translated("reading the app's log"):
                data = self._client.api.logs(self.id, stdout=True, stderr=True, tail=lines)
        except EngineLostError:
            return ()
        return tuple(lines_of(data))[-lines:]

    def mark(self, during: str) -> None:
        """See Target.mark."""
        if self._streams:
            self._streams[0].recorder.mark(during)

    def stop(self, timeout: float) -> int | None:
        """See Container.stop."""
        if self._streams:
            timeout -= self._stop_with_tracer(timeout)
        with translated("stopping the app"):
            self._client.api.stop(self.id, timeout=max(1, round(timeout)))
        return self.exit_code()

    def _stop_with_tracer(self, timeout: float) -> float:
        """Ask a traced app to stop; the seconds that this took.

        A tracer is a child of PID 1. A program that ends only when it has no child left would wait
        for it for ever, so the tracer goes once PID 1 is alone.
        """
        began = time.monotonic()
        signal = str(self._image.config.get("StopSignal") or "SIGTERM")
        with contextlib.suppress(APIError), translated("stopping the app", refusals=True):
            self._client.api.kill(self.id, signal=signal)
        if self.wait(min(ALONE_SECONDS, timeout / 2)) is None and len(self.identities()) == 1:
            self._warnings.append(
                TraceWarning("tracer-ended", "the app did not end before its tracer did")
            )
            self._end_tracers()
            self.wait(ALONE_SECONDS)
        return time.monotonic() - began

    def _end_tracers(self) -> None:
        with (
            contextlib.suppress(ConnectionError, TimeoutError),
            Exec(self._client, self.id, toolbox.end_tracers(), user="0") as process,
        ):
            tuple(process.frames(ALONE_SECONDS))

    def output(self) -> tuple[bytes, bytes]:
        """See Container.output."""
        with translated("reading a container's output"):
            logs = self._client.api.logs
            parts = [
                _bounded(logs(self.id, stdout=out, stderr=not out, stream=True, follow=False))
                for out in (True, False)
            ]
        return parts[0], parts[1]

    def read_file(self, path: str) -> bytes | None:
        """See Container.read_file."""
        try:
            with translated(f"reading {path}", refusals=True):
                chunks, _ = self._client.api.get_archive(self.id, path)
                data = _bounded(chunks, FILE_LIMIT)
        except APIError:
            return None
        except EngineLostError as error:
            if isinstance(error.__cause__, NotFound):
                return None
            raise
        with contextlib.suppress(tarfile.TarError), tarfile.open(fileobj=io.BytesIO(data)) as tar:
            for member in tar:
                if member.isfile() and (file := tar.extractfile(member)):
                    return file.read()
        return None

    def identities(self) -> tuple[tuple[int, int], ...]:
        """See Container.identities: read from /proc with the toolbox, as root, so that any process
        can be seen.
        """
        if not self._streams:
            return ()
        cat = toolbox.tool("cat")
        where = ("/proc", "-maxdepth", "2", "-path", "/proc/[0-9]*/status")
        argv = toolbox.tool("find", *where, "-exec", *cat, "{}", "+")
        try:
            with Exec(self._client, self.id, argv, user="0") as process:
                data = b"".join(data for number, data in process.frames(10.0) if number == STDOUT)
        except (ConnectionError, TimeoutError):
            return ()
        return _identities(data.decode("utf-8", "replace"))

    def activity(self) -> Activity:
        """See Container.activity."""
        deadline = time.monotonic() + _TAIL_SECONDS
        seen = [stream.finish(max(0.0, deadline - time.monotonic())) for stream in self._streams]
        return merge((*seen, Activity(warnings=tuple(self._warnings))))

    def remove(self) -> None:
        """Remove the container with its anonymous volumes."""
        with contextlib.suppress(DockerException, requests.RequestException):
            if self._input is not None:
                close_stream(self._input)
        with INTERRUPTS.deferred():
            for _ in range(3):
                try:
                    self._client.api.remove_container(self.id, force=True, v=True)
                except NotFound:
                    return
                except (DockerException, requests.RequestException):
                    continue
                return


def _identities(text: str) -> tuple[tuple[int, int], ...]:
    """(uid, gid) per process out of /proc/N/status texts; our own tools are left out."""
    found: list[tuple[int, tuple[int, int]]] = []
    name, pid, uid = "", 0, 0
    for line in text.splitlines():
        key, _, value = line.partition(":")
        fields = value.split()
        match key:
            case "Name":
                name = value.strip()
            case "Pid":
                pid = int(fields[0])
            case "Uid":
                uid = int(fields[1])
            case "Gid" if name not in ("ld.so", toolbox.TRACER):
                found.append((pid, (uid, int(fields[1]))))
    return tuple(identity for _, identity in sorted(found))


def _files_archive(files: Sequence[tuple[str, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path, data in files:
            info = tarfile.TarInfo(posixpath.normpath(path).lstrip("/"))
            info.size, info.mode, info.mtime = len(data), 0o644, int(time.time())
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def _bounded(chunks: Any, limit: int = OUTPUT_LIMIT) -> bytes:
    data = bytearray()
    for chunk in chunks:
        data += chunk[: limit - len(data)]
        if len(data) >= limit:
            break
    return bytes(data)
