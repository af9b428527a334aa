"""The workspace of one image at a Docker Engine: toolbox volume, pristine container, traced and
untraced runs.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Iterator, Sequence
from typing import Any

from docker.errors import APIError, NotFound

from probes.files import strace
from slimpy.engine import toolbox
from slimpy.engine.docker_container import DockerContainer
from slimpy.engine.docker_errors import engine_lost, explained, translated
from slimpy.engine.docker_streams import STDERR, STDOUT, Exec
from slimpy.engine.interrupts import INTERRUPTS
from slimpy.engine.protocol import ALONE, HOST, RunSpec
from slimpy.engine.session import Session
from slimpy.engine.traits import DOCKER, Traits
from slimpy.errors import (
    ContainerStartError,
    EngineLostError,
    PackError,
    PlatformError,
    UsageError,
)
from slimpy.image import listing
from slimpy.model import Image, ImagePath, encoded, epoch

ENGINE_FILES = ("/etc/hosts", "/etc/hostname", "/etc/resolv.conf")
"""Files that Docker mounts over the image's own in every running container."""
PRUNED = ("/proc", "/sys", "/dev", toolbox.DIRECTORY, *ENGINE_FILES)
"""What a listing leaves out: the runtime's own places, and ours."""
_LOG = {"type": "json-file", "config": {"max-size": "32m", "max-file": "1"}}
TAR = (
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
"""How GNU tar is asked for members."""
_NO_HEALTHCHECK = {"test": ["NONE"]}
_FOREIGN = "exec format error"
_SILENCE = 300.0
"""Seconds without a byte after which a tool that reads the image is given up."""


class DockerWorkspace:
    """See Workspace. One volume holds the toolbox; one sleeping container serves listing, contents
    and trace pipes.
    """

    notes: tuple[str, ...] = ()
    only_root: bool = False

    def __init__(self, client: Any, image: Image, session: Session, traits: Traits) -> None:
        self.image = image
        self._client = client
        self._traits = traits
        self._session = session
        self._numbers = itertools.count()
        self._volume = ""
        self._pristine = ""
        self._made: tuple[str, ...] = ()  # by the engine, in the pristine container
        self._readers: set[Exec] = set()
        self.container_time = 0

    @classmethod
    @contextlib.contextmanager
    def open(
        cls, client: Any, image: Image, session: Session, traits: Traits = DOCKER
    ) -> Iterator[DockerWorkspace]:
        """Create it; the session removes what it leaves.

        Raises:
            ContainerStartError: the engine makes no container of this image.
            EngineLostError
        """
        workspace = cls(client, image, session, traits)
        try:
            with translated("preparing the toolbox", refusals=True):
                with INTERRUPTS.deferred():
                    workspace._volume = client.api.create_volume(labels=session.labels)["Name"]
                with INTERRUPTS.deferred():
                    workspace._pristine = workspace._create_pristine()
                workspace._made = workspace._traits.made_by_mounts(client, workspace._pristine)
                workspace._start_pristine()
        except APIError as error:
            raise _not_created(image, error) from error
        try:
            yield workspace
        finally:
            # An engine waits long for a program whose output nobody reads before it removes it.
            for reader in workspace._readers:
                reader.close()

    def _create_pristine(self) -> str:
        api = self._client.api
        created = api.create_container(
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
        )
        return str(created["Id"])

    def _start_pristine(self) -> None:
        api = self._client.api
        api.put_archive(self._pristine, toolbox.DIRECTORY, toolbox.archive())
        try:
            api.start(self._pristine)
        except APIError as error:
            name, why = self.image.reference, explained(error)
            message = f"slimpy's tools cannot run in a container of {name}: {why}."
            if _FOREIGN in str(error).lower():
                hint = "Run slimpy on a machine of the architecture that the engine's has."
                raise PlatformError(message, hint=hint) from error
            hint = "Is the image's configuration in order?"
            raise ContainerStartError(message, hint=hint) from error
        self.container_time = epoch(api.inspect_container(self._pristine)["Created"])

    def listing(self) -> Iterator[bytes]:
        """See Workspace.listing."""
        own = (*self._made, *self._traits.paths(self._client, self._pristine))
        found = self._tool("find", *listing.find_arguments((*PRUNED, *own)))
        return self._traits.listing(found)

    def archive(self, paths: Sequence[ImagePath]) -> Iterator[bytes]:
        """See Workspace.archive."""
        names = b"".join(b"." + encoded(path) + b"\0" for path in paths)
        return self._tool("tar", *TAR, "--null", "--files-from=-", stdin=names)

    def _tool(self, name: str, *arguments: str, stdin: bytes = b"") -> Iterator[bytes]:
        """Run a tool in the pristine container and yield its output; a failure comes after it."""
        complaints, doing = b"", "reading the image"
        with self._started(toolbox.tool(name, *arguments), stdin=bool(stdin)) as process:
            self._readers.add(process)
            if stdin:
                threading.Thread(target=process.send, args=(stdin,), daemon=True).start()
            try:
                for stream, data in process.frames(silence=_SILENCE):
                    if stream == STDOUT:
                        yield data
                    elif stream == STDERR:
                        complaints = (complaints + data)[-4000:]
                code = process.exit_code()
            except (TimeoutError, ConnectionError) as error:
                raise engine_lost(doing) from error
        self._readers.discard(process)
        if code not in (0, 1):
            message = f"Reading the image failed: {name} ended with exit code {code}."
            lines = tuple(
                line.decode("utf-8", "backslashreplace") for line in complaints.splitlines()[-5:]
            )
            raise PackError(message, details=lines)

    def _started(self, argv: Sequence[str], *, stdin: bool = False) -> Exec:
        try:
            return Exec(self._client, self._pristine, argv, user="0", stdin=stdin)
        except ConnectionError as error:
            message = "The container that slimpy reads the image from does not run any more."
            hint = "Was the engine cleaned up meanwhile? Run the command again."
            raise EngineLostError(message, hint=hint) from error

    def open_pipe(self) -> tuple[str, Exec]:
        """A new FIFO in the volume, as (path in any container that has it, running reader in the
        pristine one).
        """
        name = f"pipe/{next(self._numbers)}"
        with translated("making a pipe"):
            self._client.api.put_archive(self._pristine, toolbox.DIRECTORY, toolbox.pipe(name))
        path = f"{toolbox.DIRECTORY}/{name}"
        return path, self._started(toolbox.tool("cat", path))

    @contextlib.contextmanager
    def run(self, spec: RunSpec, image: Image | None = None) -> Iterator[DockerContainer]:
        """See Workspace.run."""
        image = image or self.image
        if not any(command_line(spec, image)):
            message = f"The image {image.reference} has neither ENTRYPOINT nor CMD."
            raise ContainerStartError(message, hint="Say what to run: --run 'PROGRAM ARGUMENTS'")
        with contextlib.ExitStack() as stack:
            pipe = self.open_pipe() if spec.traced else None
            if pipe:
                stack.callback(pipe[1].close)
            security = stack.enter_context(self._traits.security(spec.confinement))
            with INTERRUPTS.deferred():
                container = self._create(spec, image, pipe[0] if pipe else "", security)
                run = DockerContainer(self._client, container, image, spec, self, pipe)
                stack.callback(run.remove)
            yield run

    def _create(self, spec: RunSpec, image: Image, pipe: str, security: list[str]) -> str:
        api = self._client.api
        entrypoint, command = command_line(spec, image)
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
        self._check_network(spec.network)
        published = () if spec.network in (HOST, ALONE) else spec.ports
        try:
            with translated("creating a container", refusals=True):
                tmpfs, volumes = self._traits.temporary(
                    self._client, spec.confinement, self._session.labels
                )
                created = api.create_container(
                    image.id,
                    entrypoint=list(entrypoint) or None,
                    command=list(command) or None,
                    user=spec.user,
                    environment=environment,
                    labels=self._session.labels,
                    healthcheck=_NO_HEALTHCHECK,
                    ports=list(published),
                    volumes=list(spec.confinement.volumes),
                    stdin_open=spec.stdin is not None,
                    host_config=api.create_host_config(
                        binds=[*binds, *volumes],
                        tmpfs=tmpfs,
                        port_bindings=dict.fromkeys(published, ("127.0.0.1", None)),
                        network_mode=spec.network or None,
                        log_config=_LOG,
                        security_opt=security,
                        **_restrictions(spec),
                    ),
                )
        except APIError as error:
            raise _not_created(image, error) from error
        return str(created["Id"])

    def _check_network(self, name: str) -> None:
        """Find out whether the engine has a network.

        Raises:
            UsageError: it has not.
        """
        if name in ("", HOST, ALONE):
            return
        try:
            self._client.api.inspect_network(name)
        except NotFound as error:
            message = f"The engine has no network {name}."
            raise UsageError(message, hint="See: docker network ls") from error

    def _cleared(self, image: Image | None = None) -> dict[str, str]:
        """The image's variables that would change our tools, emptied."""
        present = (image or self.image).environment
        return {name: "" for name in toolbox.CLEARED if name in present}


def _restrictions(spec: RunSpec) -> dict[str, Any]:
    """A confinement as the Engine API has it; a traced run gets SYS_PTRACE besides."""
    wanted = spec.confinement
    return {
        "cap_add": [*(wanted.capabilities or ()), *(["SYS_PTRACE"] if spec.traced else [])],
        "cap_drop": ["ALL"] if wanted.capabilities is not None else [],
        "read_only": wanted.read_only,
    }


def _not_created(image: Image, error: APIError) -> ContainerStartError:
    message = f"The engine cannot create a container of {image.reference}: {explained(error)}."
    return ContainerStartError(message, hint="Is the image's configuration in order?")


def command_line(spec: RunSpec, image: Image) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Entrypoint and command by Docker's rules: a new entrypoint drops the image's CMD."""
    if spec.entrypoint is not None:
        return spec.entrypoint, spec.command or ()
    return image.entrypoint, image.command if spec.command is None else spec.command
