"""What slimpy needs of a place where containers run. One contract; every engine passes the same
tests.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from probes.model import Activity, Target
from slimpy.image.oci import ImageSource
from slimpy.model import Image, ImagePath

HOST = "host"
"""The network of the machine itself: ports of the app are its own."""
ALONE = "none"
"""No network at all."""


@dataclass(frozen=True, slots=True)
class Confinement:
    """Under which restrictions a container runs; the defaults are the engine's own.

    ``seccomp`` is a profile in Docker's JSON form. ``capabilities`` of None are the engine's
    default set, else exactly these. ``tmpfs`` maps a path to mount options; ``volumes`` are paths
    on which a new volume starts as a copy of what the image has there.
    """

    seccomp: str | None = None
    no_new_privileges: bool = False
    capabilities: tuple[str, ...] | None = None
    read_only: bool = False
    tmpfs: Mapping[str, str] = field(default_factory=dict)
    volumes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RunSpec:
    """How to start a container.

    ``traced`` wraps the entrypoint with the tracer. ``ports`` are TCP ports published on loopback.
    ``network`` is one of the engine's, `HOST` or `ALONE`; empty: one of its own, with published
    ports. ``entrypoint`` and ``command`` of None mean the image's own. ``environment`` is added to
    the image's. ``user`` overrides USER. ``files`` are put in before the start.
    """

    traced: bool
    ports: tuple[int, ...] = ()
    network: str = ""
    entrypoint: tuple[str, ...] | None = None
    command: tuple[str, ...] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None
    confinement: Confinement = field(default_factory=Confinement)
    stdin: bytes | None = None
    files: tuple[tuple[str, bytes], ...] = ()


class Container(Target, Protocol):
    """A created container of ours: a probe's target, and what the pipeline needs besides."""

    def start(self) -> None:
        """Let the entrypoint run."""

    def wait(self, timeout: float) -> int | None:
        """Wait until it ends; its exit code, or None when ``timeout`` seconds have passed."""

    def stop(self, timeout: float) -> int | None:
        """Send the image's STOPSIGNAL, wait up to ``timeout`` seconds, then kill. The exit code."""

    def output(self) -> tuple[bytes, bytes]:
        """What it wrote to stdout and stderr so far (each cut at a bound)."""

    def read_file(self, path: str) -> bytes | None:
        """A small file of the running or ended container, None if it is not there."""

    def identities(self) -> tuple[tuple[int, int], ...]:
        """(uid, gid) of the processes now alive, PID 1 first; empty where this cannot be told."""

    def activity(self) -> Activity:
        """What the tracer saw (after the end); an empty, complete Activity where it was not
        traced.
        """


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One step that made an image, as its builder wrote it down: hostile texts, nothing cleaned.

    ``size`` in bytes of the layer's files; ``empty`` tells that the step made no layer. None where
    the engine does not tell.
    """

    created_by: str
    comment: str = ""
    created: str = ""
    size: int | None = None
    empty: bool | None = None


class Workspace(Protocol):
    """One image under work: a pristine, never started container of it that serves listing and
    contents.
    """

    image: Image
    container_time: int  # when the engine made the pristine container, in seconds of its clock
    notes: tuple[str, ...]  # what it cannot do here, in sentences
    only_root: bool  # nothing can run as another user

    def listing(self) -> Iterator[bytes]:
        """The raw listing of every path (format: ``slimpy.image.listing``), in chunks."""

    def archive(self, paths: Sequence[ImagePath]) -> Iterator[bytes]:
        """A tar stream (PAX, xattrs, numeric owners, no recursion) of exactly these paths, in
        chunks.
        """

    def run(self, spec: RunSpec, image: Image | None = None) -> AbstractContextManager[Container]:
        """A created, not yet started container of the image (or of another, the slim one); removed
        at the end.
        """


class Engine(Protocol):
    """A place where containers run."""

    name: str

    @property
    def architecture(self) -> str:
        """Of the machine that its containers run on, as images name it; empty where unknown."""

    def names(self) -> tuple[str, ...]:
        """The names of the images in its store, each with its tag, sorted."""

    def inspect(self, reference: str, *, pull: bool = True) -> Image:
        """The image behind a name, tag, digest or ID; pulled if missing and ``pull``.

        Raises:
            ImageNotFoundError, PlatformError, EngineUnavailableError
        """

    def history(self, image: Image) -> tuple[HistoryEntry, ...]:
        """The steps that made an image, the first one first; no layer is read for it. Empty where
        nothing is known of them.
        """

    def workspace(self, image: Image) -> AbstractContextManager[Workspace]:
        """Prepare tracing and reading of an image; everything made for it is removed at the end."""

    def import_image(self, source: ImageSource) -> AbstractContextManager[Image]:
        """An image from outside (an archive, a layout, a registry) in the engine's store.

        It is there until the end at least. What was put there for this only is taken away again;
        an engine that keeps a bounded store of its own may leave it. The image's ``reference`` and
        ``tags`` are the source's, its ``id`` is the digest of the source's configuration. An image
        that is there already is not fetched again.

        Raises:
            SourceError: the source is damaged, or the engine refuses what it holds.
            PlatformError: the engine cannot run it; found out before its layers are read.
            DiskFullError, EngineLostError
        """

    def load(self, archive: Path, tag: str) -> Image:
        """Load a docker-archive; it is tagged ``tag``."""

    def tag(self, image: Image, tag: str) -> None:
        """Give an image one more name."""

    def remove_tag(self, tag: str) -> None:
        """Take a name away; the image goes with its last one. No error if it is not there."""

    def close(self) -> None:
        """Give up what the connection holds."""
