"""Where engines that speak Docker's API differ from Docker."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docker.errors import NotFound

from slimpy.engine.docker_errors import translated
from slimpy.engine.protocol import Confinement


@dataclass(frozen=True, slots=True)
class Traits:
    """Differences of one engine.

    ``mounted`` are paths that it puts into every running container, besides those that Docker
    does. ``adds_files`` says that it also writes files into a container's own layer, such as an
    account for the user. ``reads_seccomp`` says that it takes the path of a profile, not its text.
    ``owns_tmpfs`` says that a tmpfs takes an owner and a mode; else volumes of that type do.
    ``closed_root`` says that the root directory gets the mode 0555 where no layer says its mode.
    """

    mounted: tuple[str, ...] = ()
    adds_files: bool = False
    reads_seccomp: bool = False
    owns_tmpfs: bool = True
    closed_root: bool = False

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

    def made_by_mounts(self, client: Any, container: str) -> tuple[str, ...]:
        """Directories that the start of a container will add to hold what is mounted there.

        Args:
            client: the SDK's.
            container: one that was never started.
        """
        above = sorted({path.rpartition("/")[0] for path in self.mounted})
        return tuple(path for path in above if not _has(client, container, path))

    def listing(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """The listing of an image with the root directory as other engines have it: 0755."""
        first = next(chunks, b"")
        if self.closed_root and first.startswith(_CLOSED):
            first = _OPEN + first.removeprefix(_CLOSED)
        yield first
        yield from chunks

    def temporary(
        self, client: Any, wanted: Confinement, labels: Mapping[str, str]
    ) -> tuple[dict[str, str], list[str]]:
        """The temporary places of a confinement, as an engine's tmpfs and as binds of volumes.

        Args:
            client: the SDK's.
            labels: of what is created.
        """
        if self.owns_tmpfs:
            return dict(wanted.tmpfs), []
        binds = []
        for path, options in wanted.tmpfs.items():
            own = [item for item in options.split(",") if item.partition("=")[0] in _OF_TMPFS]
            rest = [item for item in options.split(",") if item not in own]
            volume = client.api.create_volume(
                driver="local",
                driver_opts={"type": "tmpfs", "device": "tmpfs", "o": ",".join(own)},
                labels=dict(labels),
            )
            binds.append(f"{volume['Name']}:{path}:{','.join((*rest, 'nocopy'))}")
        return {}, binds

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


def _has(client: Any, container: str, path: str) -> bool:
    try:
        client.api.get_archive(container, path)[0].close()
    except NotFound:
        return False
    return True


_CLOSED, _OPEN = b"d\x00555\x00", b"d\x00755\x00"  # type and mode of the first path, the root
_OF_TMPFS = ("uid", "gid", "mode")
_ADDED = 1  # "Kind" of a path that the image does not have

DOCKER = Traits()
PODMAN = Traits(
    mounted=("/run/.containerenv", "/run/secrets"),
    adds_files=True,
    reads_seccomp=True,
    owns_tmpfs=False,
    closed_root=True,
)
