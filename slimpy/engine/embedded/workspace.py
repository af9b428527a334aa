"""The workspace of one image on the embedded engine: one container that sleeps serves listing and
contents, others are its runs.
"""

from __future__ import annotations

import contextlib
import itertools
import secrets
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from probes.files import strace
from slimpy.engine import toolbox
from slimpy.engine.docker_workspace import PRUNED, TAR, command_line
from slimpy.engine.embedded import capabilities
from slimpy.engine.embedded.container import EmbeddedContainer, Spawned
from slimpy.engine.embedded.namespaces import SINGLE_NOTE, Kind, Mapping
from slimpy.engine.embedded.runs import remove
from slimpy.engine.embedded.store import LayerStore
from slimpy.engine.embedded.streams import Fifo
from slimpy.engine.interrupts import INTERRUPTS
from slimpy.engine.protocol import ALONE, HOST, Confinement, RunSpec
from slimpy.errors import ContainerStartError, EngineLostError, PackError, UsageError
from slimpy.image import listing
from slimpy.model import Image, ImagePath, encoded

_SILENCE = 300.0


class EmbeddedWorkspace:
    """See Workspace."""

    def __init__(self, image: Image, store: LayerStore, users: Mapping, directory: Path) -> None:
        self.image = image
        self.users = users
        self.container_time = 0
        self.only_root = users.kind is Kind.SINGLE
        self.notes: tuple[str, ...] = (SINGLE_NOTE,) if self.only_root else ()
        self._store = store
        self._directory = directory
        self._toolbox = directory / "toolbox"
        self._numbers = itertools.count()
        self._pristine: EmbeddedContainer | None = None

    @contextlib.contextmanager
    def opened(self) -> Iterator[EmbeddedWorkspace]:
        """Unpack the toolbox, and have the pristine container run.

        Raises:
            ContainerStartError: no container of this image can be made.
        """
        toolbox.install(self._toolbox)
        self.container_time = int(time.time())
        spec = RunSpec(
            traced=False,
            entrypoint=toolbox.tool("sleep", "infinity"),
            command=(),
            user="0",
            confinement=Confinement(),
        )
        with self._run(spec, self.image, tools=True) as pristine:
            pristine.start()
            self._pristine = pristine
            yield self

    def listing(self) -> Iterator[bytes]:
        """See Workspace.listing."""
        return self._tool("find", *listing.find_arguments(PRUNED))

    def archive(self, paths: Sequence[ImagePath]) -> Iterator[bytes]:
        """See Workspace.archive."""
        names = b"".join(b"." + encoded(path) + b"\0" for path in paths)
        return self._tool("tar", *TAR, "--null", "--files-from=-", stdin=names)

    def _tool(self, name: str, *arguments: str, stdin: bytes = b"") -> Iterator[bytes]:
        assert self._pristine is not None
        keeper = self._pristine.keeper
        spec = {**self._pristine.rights, "argv": toolbox.tool(name, *arguments)}
        complaints = b""
        with Spawned(keeper, spec, stdin) as process:
            try:
                for number, data in process.frames(_SILENCE * 12):
                    if number == 1:
                        yield data
                    else:
                        complaints = (complaints + data)[-4000:]
                code = process.exit_code()
            except TimeoutError as error:
                message = "The embedded engine took too long to read the image."
                raise EngineLostError(message, hint="Run the command again.") from error
        if code not in (0, 1):
            message = f"Reading the image failed: {name} ended with exit code {code}."
            lines = complaints.decode("utf-8", "backslashreplace").splitlines()[-5:]
            raise PackError(message, details=tuple(lines))

    def open_pipe(self) -> tuple[str, Fifo]:
        """A new FIFO: its path in a container, and its reading end."""
        name = f"pipe/{next(self._numbers)}"
        return f"{toolbox.DIRECTORY}/{name}", Fifo(self._toolbox / name)

    @contextlib.contextmanager
    def run(self, spec: RunSpec, image: Image | None = None) -> Iterator[EmbeddedContainer]:
        """See Workspace.run."""
        image = image or self.image
        if spec.network not in ("", HOST, ALONE):
            message = f"The embedded engine has no network {spec.network}."
            raise UsageError(message, hint=f"It knows these only: {HOST}, {ALONE}.")
        if not any(command_line(spec, image)):
            message = f"The image {image.reference} has neither ENTRYPOINT nor CMD."
            raise ContainerStartError(message, hint="Say what to run: --run 'PROGRAM ARGUMENTS'")
        with self._run(spec, image, tools=spec.traced) as container:
            yield container

    @contextlib.contextmanager
    def _run(self, spec: RunSpec, image: Image, *, tools: bool) -> Iterator[EmbeddedContainer]:
        place = self._directory / f"container-{next(self._numbers)}"
        with contextlib.ExitStack() as stack:
            stack.enter_context(self._store.using(image))
            stack.callback(remove, place, self.users)
            path, fifo = self.open_pipe() if spec.traced else ("", None)
            if fifo is not None:
                stack.callback(fifo.close)
            with INTERRUPTS.deferred():
                made = self._specification(spec, image, place, path, tools=tools)
                container = EmbeddedContainer(image, spec, self, made)
                stack.callback(container.remove)
                container.make(fifo)
            yield container

    def _specification(
        self, spec: RunSpec, image: Image, place: Path, pipe: str, *, tools: bool
    ) -> dict[str, Any]:
        """What the keeper has to know."""
        wanted = spec.confinement
        entrypoint, command = command_line(spec, image)
        argv = (*entrypoint, *command)
        hostname = secrets.token_hex(6)
        environment = {**image.environment, **spec.environment}
        if tools:
            kept = {name: environment[name] for name in toolbox.CLEARED if name in environment}
            environment.update(dict.fromkeys(kept, ""))
            if spec.traced:
                passed = itertools.chain.from_iterable(
                    ("-E", f"{name}={value}") for name, value in kept.items()
                )
                argv = strace.command((*toolbox.strace(), *passed), pipe, argv)
        names = capabilities.DEFAULT if wanted.capabilities is None else wanted.capabilities
        more = ("SYS_PTRACE",) if spec.traced else ()
        return {
            "scratch": str(place),
            "lowers": _prepared(place, self._store.layers(image)),
            "files": _etc(place, hostname, host=spec.network == HOST),
            "userxattr": self.users.in_user_namespace,
            "single": self.users.kind is Kind.SINGLE,
            "toolbox": str(self._toolbox) if tools else "",
            "host_network": spec.network == HOST,
            "hostname": hostname,
            "read_only": wanted.read_only,
            "tmpfs": dict(wanted.tmpfs),
            "volumes": [*map(str, image.volumes), *wanted.volumes],
            "argv": argv,
            "environment": [("HOSTNAME", hostname), *environment.items()],
            "workdir": str(image.workdir),
            "user": image.user if spec.user is None else spec.user,
            "capabilities": capabilities.numbers((*names, *more)),
            "no_new_privileges": wanted.no_new_privileges,
            "seccomp": wanted.seccomp,
        }


def _prepared(place: Path, layers: Sequence[Path]) -> list[str]:
    """The directories of an overlay; layers get short names, as the mount option is bounded."""
    for name in ("upper", "work", "root", "memory", "l"):
        (place / name).mkdir(parents=True, exist_ok=True)
    if not layers:
        (place / "l" / "0").mkdir()
        return ["l/0"]
    for number, layer in enumerate(layers):
        (place / "l" / str(number)).symlink_to(layer)
    return [f"l/{number}" for number in range(len(layers))]


def _etc(place: Path, hostname: str, *, host: bool) -> dict[str, str]:
    """The files that engines show over the image's own: path in the container -> path here.

    Args:
        host: the container shares this machine's network, and so what it knows of names.
    """
    from slimpy.engine.embedded.inside.keeper import ADDRESS

    texts = {
        "hosts": f"127.0.0.1\tlocalhost\n::1\tlocalhost\n{ADDRESS}\t{hostname}\n",
        "hostname": f"{hostname}\n",
        "resolv.conf": "# no network beyond this container\n",
    }
    if host:
        for name in ("hosts", "resolv.conf"):
            with contextlib.suppress(OSError):
                texts[name] = Path("/etc", name).read_text(encoding="utf-8", errors="replace")
    for name, text in texts.items():
        (place / name).write_text(text, encoding="utf-8")
        (place / name).chmod(0o644)
    return {f"/etc/{name}": str(place / name) for name in texts}
