"""Where engines that speak Docker's API differ from Docker."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slimpy.engine.docker_errors import translated
from slimpy.engine.protocol import Confinement


@dataclass(frozen=True, slots=True)
class Traits:
    """Differences of one engine.

    ``mounted`` are paths that it puts into every running container, besides those that Docker
    does. ``adds_files`` says that it also writes files into a container's own layer, such as an
    account for the user. ``reads_seccomp`` says that it takes the path of a profile, not its text.
    """

    mounted: tuple[str, ...] = ()
    adds_files: bool = False
    reads_seccomp: bool = False

    def paths(self, client: Any, container: str) -> tuple[str, ...]:
        """What a running container of ours has that is not of its image.

        Args:
            client: the SDK's.
        """
        if not self.adds_files:
            return self.mounted
        with translated("asking what the engine added"):
            changes = client.api.diff(container) or ()
        added = (str(item["Path"]) for item in changes if item.get("Kind") == _ADDED)
        return (*self.mounted, *added)

    @contextlib.contextmanager
    def security(self, wanted: Confinement) -> Iterator[list[str]]:
        """The options of a confinement, valid while its container lives."""
        options = ["no-new-privileges"] if wanted.no_new_privileges else []
        if wanted.seccomp is None or not self.reads_seccomp:
            text = [f"seccomp={wanted.seccomp}"] if wanted.seccomp is not None else []
            yield [*text, *options]
            return
        # The engine is on this machine: its published ports are reached on 127.0.0.1 too.
        with tempfile.NamedTemporaryFile("w", prefix="slimpy-seccomp-", suffix=".json") as file:
            file.write(wanted.seccomp)
            file.flush()
            Path(file.name).chmod(0o644)
            yield [f"seccomp={file.name}", *options]


_ADDED = 1  # "Kind" of a path that the image does not have

DOCKER = Traits()
PODMAN = Traits(mounted=("/run/.containerenv", "/run/secrets"), adds_files=True, reads_seccomp=True)
