"""The workspace of one image at a Docker Engine: toolbox volume, pristine container, traced and
untraced runs.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

from docker.errors import APIError

from probes.files import strace
from slimpy.engine import toolbox
from slimpy.engine.docker_container import DockerContainer
from slimpy.engine.docker_errors import translated
from slimpy.engine.docker_streams import STDERR, STDOUT, Exec
from slimpy.engine.protocol import RunSpec
from slimpy.engine.session import Session
from slimpy.errors import ContainerStartError, EngineLostError, PackError
from slimpy.image import listing
from slimpy.model import Image, ImagePath, encoded, epoch

ENGINE_FILES = ("/etc/hosts", "/etc/hostname", "/etc/resolv.conf")
"""Files that Docker mounts over the image's own in every running container."""
_PRUNED = ("/proc", "/sys", "/dev", toolbox.DIRECTORY, *ENGINE_FILES)
_LOG = {"type": "json-file", "config": {"max-size": "32m", "max-file": "1"}}
_TAR = (
    "--create",
    "--directory=/",
    "--format=posix",
    "--xattrs",
    "--xattrs-include=*",
    "--numeric-owner",
    "--sparse",
    "--no-recursion",
    "--ignore-failed-read",
)
_NO_HEALTHCHECK = {"test": ["NONE"]}


class DockerWorkspace:
    """See Workspace. One volume holds the toolbox; one sleeping container serves listing, contents
    and trace pipes.
    """

    def __init__(self, client: Any, image: Image, session: Session) -> None:
        self.image = image
        self._client = client
        self._session = session
        self._numbers = itertools.count()
        self._volume = ""
        self._pristine = ""
        self.container_time = 0

    @classmethod
    @contextlib.contextmanager
    def open(cls, client: Any, image: Image, session: Session) -> Iterator[DockerWorkspace]:
        """Create it; the session removes what it leaves."""
        workspace = cls(client, image, session)
        with translated("preparing the toolbox"):
            workspace._volume = client.api.create_volume(labels=session.labels)["Name"]
            workspace._prepare()
        yield workspace

    def _prepare(self) -> None:
        api = self._client.api
        self._pristine = api.create_container(
            self.image.id,
            entrypoint=list(toolbox.tool("sleep", "infinity")),
            user="0",
            working_dir="/",
            environment=self._cleared(),
            labels=self._session.labels,
            healthcheck=_NO_HEALTHCHECK,
            host_config=api.create_host_config(
                binds=[f"{self._volume}:{toolbox.DIRECTORY}:rw"],
                network_mode="none",
                log_config={"type": "none"},
            ),
        )["Id"]
        api.put_archive(self._pristine, toolbox.DIRECTORY, toolbox.archive())
        try:
            api.start(self._pristine)
        except APIError as error:
            message = (
                f"slimpy's tools cannot run in a container of this image: {error.explanation}."
            )
            raise EngineLostError(
                message, hint="Is the engine's machine of this machine's architecture?"
            ) from error
        self.container_time = epoch(api.inspect_container(self._pristine)["Created"])

    def listing(self) -> Iterator[bytes]:
        """See Workspace.listing."""
        return self._tool("find", *listing.find_arguments(_PRUNED))

    def archive(self, paths: Sequence[ImagePath]) -> Iterator[bytes]:
        """See Workspace.archive."""
        name = f"list/{next(self._numbers)}"
        names = b"".join(b"." + encoded(path) + b"\0" for path in paths)
        self._put({name: names})
        names_from = ("--null", f"--files-from={toolbox.DIRECTORY}/{name}")
        return self._tool("tar", *_TAR, *names_from)

    def _tool(self, name: str, *arguments: str) -> Iterator[bytes]:
        """Run a tool in the pristine container and yield its output; a failure comes after it."""
        complaints = b""
        with Exec(
            self._client, self._pristine, toolbox.tool(name, *arguments), user="0"
        ) as process:
            for stream, data in process.frames():
                if stream == STDOUT:
                    yield data
                elif stream == STDERR:
                    complaints = (complaints + data)[-4000:]
            code = process.exit_code()
        if code not in (0, 1):
            message = f"Reading the image failed: {name} ended with exit code {code}."
            lines = tuple(
                line.decode("utf-8", "backslashreplace") for line in complaints.splitlines()[-5:]
            )
            raise PackError(message, details=lines)

    def _put(self, files: dict[str, bytes], *, pipes: Sequence[str] = ()) -> None:
        with translated("handing a list to the toolbox"):
            self._client.api.put_archive(
                self._pristine, toolbox.DIRECTORY, toolbox.small_archive(files, pipes=pipes)
            )

    def open_pipe(self) -> tuple[str, Exec]:
        """A new FIFO in the volume, as (path in any container that has it, running reader in the
        pristine one).
        """
        name = f"pipe/{next(self._numbers)}"
        self._put({}, pipes=[name])
        path = f"{toolbox.DIRECTORY}/{name}"
        return path, Exec(self._client, self._pristine, toolbox.tool("cat", path), user="0")

    @contextlib.contextmanager
    def run(self, spec: RunSpec, image: Image | None = None) -> Iterator[DockerContainer]:
        """See Workspace.run."""
        image = image or self.image
        pipe = self.open_pipe() if spec.traced else None
        try:
            container = self._create(spec, image, pipe[0] if pipe else "")
        except APIError as error:
            message = (
                f"The engine cannot create a container of {image.reference}: {error.explanation}."
            )
            raise ContainerStartError(message) from error
        run = DockerContainer(self._client, container, image, spec, self, pipe)
        try:
            yield run
        finally:
            run.remove()

    def _create(self, spec: RunSpec, image: Image, pipe: str) -> str:
        api = self._client.api
        entrypoint, command = _command_line(spec, image)
        environment = dict(spec.environment)
        binds: list[str] = []
        if spec.traced:
            kept = {**image.environment, **environment}
            environment.update(self._cleared(image))
            passed = itertools.chain.from_iterable(
                ("-E", f"{name}={kept[name]}") for name in toolbox.CLEARED if name in kept
            )
            wrapped = strace.command((*toolbox.strace(), *passed), pipe, (*entrypoint, *command))
            entrypoint, command = tuple(wrapped), ()
            binds = [f"{self._volume}:{toolbox.DIRECTORY}:ro"]
        options = [f"seccomp={spec.seccomp}"] if spec.seccomp is not None else []
        options += ["no-new-privileges"] if spec.no_new_privileges else []
        with translated("creating a container"):
            created = api.create_container(
                image.id,
                entrypoint=list(entrypoint) or None,
                command=list(command) or None,
                user=spec.user,
                environment=environment,
                labels=self._session.labels,
                healthcheck=_NO_HEALTHCHECK,
                ports=list(spec.ports),
                stdin_open=spec.stdin is not None,
                host_config=api.create_host_config(
                    binds=binds,
                    port_bindings=dict.fromkeys(spec.ports, ("127.0.0.1", None)),
                    cap_add=["SYS_PTRACE"] if spec.traced else None,
                    security_opt=options,
                    log_config=_LOG,
                ),
            )
        return str(created["Id"])

    def _cleared(self, image: Image | None = None) -> dict[str, str]:
        """The image's variables that would change our tools, emptied."""
        present = (image or self.image).environment
        return {name: "" for name in toolbox.CLEARED if name in present}


def _command_line(spec: RunSpec, image: Image) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Entrypoint and command by Docker's rules: a new entrypoint drops the image's CMD."""
    if spec.entrypoint is not None:
        return spec.entrypoint, spec.command or ()
    return image.entrypoint, image.command if spec.command is None else spec.command
