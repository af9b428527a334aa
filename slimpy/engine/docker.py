"""Docker's Engine API as an Engine: images in and out, and the workspace of one image."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import docker
from docker.errors import APIError, DockerException, ImageNotFound, NotFound

from slimpy.engine import session, toolbox
from slimpy.engine.docker_errors import (
    disk_full,
    explained,
    is_disk_full,
    load_failed,
    root_cause,
    translated,
)
from slimpy.engine.docker_export import exported
from slimpy.engine.docker_import import imported
from slimpy.engine.docker_workspace import DockerWorkspace
from slimpy.engine.interrupts import INTERRUPTS
from slimpy.engine.protocol import HistoryEntry
from slimpy.engine.session import Session
from slimpy.engine.traits import DOCKER
from slimpy.errors import (
    EngineLostError,
    EngineUnavailableError,
    ImageNotFoundError,
    PlatformError,
    UsageError,
)
from slimpy.image import platforms
from slimpy.image.oci import ImageSource
from slimpy.model import Image

_TIMEOUT = 120.0
"""Seconds that an engine at work may take for one answer."""
FIRST_TIMEOUT = 20.0
"""Seconds that an engine may take to say that it is there."""
_CHUNK = 1 << 20
_LATEST = 253_402_300_800  # seconds: the year 10000


class DockerEngine:
    """A Docker Engine (or Podman's Docker-compatible socket), API version negotiated."""

    name = "docker"
    traits = DOCKER

    def __init__(self, client: Any) -> None:
        self._client = client
        version = client.version()
        self.architecture = str(version.get("Arch") or "")
        self.version = str(version.get("Version") or "unknown")

    @classmethod
    def connect(cls) -> DockerEngine:
        """Connect as DOCKER_HOST or the current Docker context says; sweep what crashed runs left
        behind.

        Raises:
            EngineUnavailableError: nothing answers there.
        """
        try:
            client = docker.from_env(version="auto", timeout=FIRST_TIMEOUT)
            engine = cls(client)
        except (DockerException, OSError, ValueError) as error:
            raise _unavailable(error) from error
        engine.begin()
        return engine

    def begin(self) -> None:
        """Be patient from now on, and sweep what crashed runs left behind."""
        self._client.api.timeout = _TIMEOUT
        self.sweep()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def names(self) -> tuple[str, ...]:
        """See Engine.names."""
        with translated("listing the images"):
            found = self._client.api.images()
        names = {name for item in found for name in item.get("RepoTags") or ()}
        return tuple(sorted(names - {"<none>:<none>"}))

    def inspect(self, reference: str, *, pull: bool = True) -> Image:
        """See Engine.inspect."""
        try:
            with translated(f"looking up the image {reference}", refusals=True):
                attributes = self._client.api.inspect_image(reference)
        except ImageNotFound:
            if not pull:
                raise _not_found(reference, "") from None
            attributes = self._pull(reference)
        except APIError as error:
            raise _not_found(reference, explained(error)) from error
        image = _image(reference, attributes)
        self.check_platform(image)
        return image

    def _pull(self, reference: str) -> Any:
        if reference.startswith("sha256:") or reference == "":
            raise _not_found(reference, "")
        repository, tag = docker.utils.parse_repository_tag(reference)
        try:
            self._client.images.pull(repository, tag=tag or "latest")
            return self._client.api.inspect_image(reference)
        except (DockerException, OSError) as error:
            doing = f"pulling {reference}"
            if is_disk_full(error):
                raise disk_full(doing) from error
            raise _not_found(reference, f"pulling it failed: {explained(error)}") from error

    def check_platform(self, image: Image) -> None:
        """Find out whether this engine runs an image.

        Raises:
            PlatformError: it does not.
        """
        if image.os != "linux":
            message = (
                f"The image {image.reference} is for {image.os}; slimpy traces Linux programs only."
            )
            raise PlatformError(message, hint="Use a linux image.")
        if not platforms.runs_on(self.architecture, image.architecture):
            message = (
                f"The image {image.reference} is for {image.architecture}, but the engine's is "
                f"{self.architecture}, so it cannot be run and traced there."
            )
            hint = (
                f"Use an engine on {image.architecture}, or pull the image for {self.architecture}."
            )
            raise PlatformError(message, hint=hint)

    def history(self, image: Image) -> tuple[HistoryEntry, ...]:
        """See Engine.history."""
        with translated(f"reading the history of {image.reference}"):
            try:
                answers = self._client.api.history(image.id)
            except APIError:  # an engine may not have it; nothing depends on it
                return ()
        return tuple(map(_history_entry, reversed(answers or ())))

    @contextlib.contextmanager
    def workspace(self, image: Image) -> Iterator[DockerWorkspace]:
        """See Engine.workspace."""
        toolbox.collect()
        with contextlib.ExitStack() as stack:
            opened = stack.enter_context(Session.open(self._client))
            workspace = DockerWorkspace.open(self._client, image, opened, self.traits)
            yield stack.enter_context(workspace)

    def import_image(self, source: ImageSource) -> AbstractContextManager[Image]:
        """See Engine.import_image."""
        return imported(self, self._client, source)

    def export(self, image: Image) -> AbstractContextManager[ImageSource]:
        """An image of the store as a source; see `docker_export.exported`."""
        return exported(self._client, image)

    def load(self, archive: Path, tag: str) -> Image:
        """See Engine.load."""
        doing = "loading the slim image"
        # Once it has the whole archive, an engine gives it its name even if nobody waits for it.
        with translated(doing), archive.open("rb") as file, INTERRUPTS.deferred():
            for message in self._client.api.load_image(_chunks(file), quiet=True):
                if "error" in message:
                    raise load_failed(str(message["error"]))
        try:
            return self.inspect(tag, pull=False)
        except ImageNotFoundError as error:
            message = "The slim image was loaded, but the engine does not have it."
            hint = "Was the engine cleaned up meanwhile? Run the command again."
            raise EngineLostError(message, hint=hint) from error

    def tag(self, image: Image, tag: str) -> None:
        """See Engine.tag."""
        repository, _, name = (
            tag.rpartition(":") if ":" in tag.rpartition("/")[2] else (tag, "", "latest")
        )
        try:
            with translated(f"tagging {tag}", refusals=True):
                self._client.api.tag(image.id, repository, name)
        except APIError as error:
            message = f"The name {tag} cannot be given to the slim image: {explained(error)}."
            raise UsageError(message, hint="Choose another with --tag.") from error

    def remove_tag(self, tag: str) -> None:
        """See Engine.remove_tag."""
        with (
            INTERRUPTS.deferred(),
            translated(f"removing {tag}"),
            contextlib.suppress(NotFound),
        ):
            self._client.api.remove_image(tag, force=False, noprune=False)

    def sweep(self) -> None:
        """Remove what slimpy processes that are gone left behind; failures are no errors."""
        session.sweep(self._client, self.remove_tag)


def _unavailable(error: Exception) -> EngineUnavailableError:
    reason = root_cause(error) or explained(error)
    where = docker.utils.kwargs_from_env().get("base_url") or "its usual socket"
    message = f"No Docker Engine answers at {where}: {reason}."
    hint = (
        "Start Docker (sudo systemctl start docker, or dockerd), or set DOCKER_HOST to an engine."
    )
    if reason == os.strerror(errno.EACCES):
        message = f"This user may not use the Docker Engine at {where}: {reason}."
        hint = "Run as root, or join the docker group: sudo usermod -aG docker $USER (then log in)."
    return EngineUnavailableError(message, hint=hint)


def _not_found(reference: str, why: str) -> ImageNotFoundError:
    reason = f", and {why}" if why.startswith("pulling") else f": {why}" if why else ""
    message = f"The image {reference} is not in the engine's store{reason}."
    return ImageNotFoundError(message, hint="Check the name with: docker images")


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    while data := file.read(_CHUNK):
        INTERRUPTS.check()
        yield data


def _image(reference: str, attributes: Any) -> Image:
    return Image(
        reference=reference,
        id=attributes["Id"],
        architecture=attributes.get("Architecture") or "amd64",
        variant=attributes.get("Variant") or "",
        os=attributes.get("Os") or "linux",
        size=int(attributes.get("Size") or 0),
        created=attributes.get("Created") or "",
        config=attributes.get("Config") or {},
        tags=tuple(attributes.get("RepoTags") or ()),
        layers=tuple((attributes.get("RootFS") or {}).get("Layers") or ()),
    )


def _history_entry(answer: Any) -> HistoryEntry:
    return HistoryEntry(
        created_by=str(answer.get("CreatedBy") or ""),
        comment=str(answer.get("Comment") or ""),
        created=_moment(answer.get("Created")),
        size=int(answer.get("Size") or 0),
    )


def _moment(seconds: Any) -> str:
    """Seconds since the epoch in the form of RFC 3339; empty where they say nothing."""
    if not isinstance(seconds, int) or not 0 < seconds < _LATEST:
        return ""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
