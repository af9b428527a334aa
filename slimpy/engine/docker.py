"""Docker's Engine API as an Engine: images in and out, and the workspace of one image."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
from docker.errors import APIError, DockerException, ImageNotFound

from slimpy.engine import toolbox
from slimpy.engine.docker_errors import load_failed, pull_reason, translated
from slimpy.engine.docker_workspace import DockerWorkspace
from slimpy.engine.session import LABEL, TEMPORARY_REPOSITORY, Session
from slimpy.errors import (
    EngineUnavailableError,
    ImageNotFoundError,
    PlatformError,
    UsageError,
)
from slimpy.model import Image

_RUNS_ON = {"amd64": ("amd64", "386"), "arm64": ("arm64", "arm")}
"""Architectures of images that an engine of an architecture runs without emulation."""
_TIMEOUT = 120.0


class DockerEngine:
    """A Docker Engine (or Podman's Docker-compatible socket), API version negotiated."""

    name = "docker"

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
            client = docker.from_env(version="auto", timeout=_TIMEOUT)
            engine = cls(client)
        except (DockerException, OSError) as error:
            message, hint = _unavailable(error)
            raise EngineUnavailableError(message, hint=hint) from error
        engine.sweep()
        return engine

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def inspect(self, reference: str, *, pull: bool = True) -> Image:
        """See Engine.inspect."""
        try:
            with translated(f"looking up the image {reference}"):
                attributes = self._client.api.inspect_image(reference)
        except ImageNotFound:
            if not pull:
                raise _not_found(reference, "") from None
            attributes = self._pull(reference)
        image = _image(reference, attributes)
        self._check_platform(image)
        return image

    def _pull(self, reference: str) -> Any:
        if reference.startswith("sha256:") or reference == "":
            raise _not_found(reference, "")
        repository, tag = docker.utils.parse_repository_tag(reference)
        try:
            self._client.images.pull(repository, tag=tag or "latest")
            return self._client.api.inspect_image(reference)
        except (APIError, DockerException) as error:
            raise _not_found(reference, pull_reason(error)) from error

    def _check_platform(self, image: Image) -> None:
        if image.os != "linux":
            message = (
                f"The image {image.reference} is for {image.os}; slimpy traces Linux programs only."
            )
            raise PlatformError(message, hint="Use a linux image.")
        runs = _RUNS_ON.get(self.architecture, (self.architecture,))
        if image.architecture not in runs:
            message = (
                f"The image {image.reference} is for {image.architecture}, but the engine's is "
                f"{self.architecture}, so it cannot be run and traced there."
            )
            hint = (
                f"Use an engine on {image.architecture}, or pull the image for {self.architecture}."
            )
            raise PlatformError(message, hint=hint)

    @contextlib.contextmanager
    def workspace(self, image: Image) -> Iterator[DockerWorkspace]:
        """See Engine.workspace."""
        toolbox.collect()
        with contextlib.ExitStack() as stack:
            session = stack.enter_context(Session.open(self._client))
            yield stack.enter_context(DockerWorkspace.open(self._client, image, session))

    def load(self, archive: Path, tag: str) -> Image:
        """See Engine.load."""
        with translated("loading the slim image"), archive.open("rb") as file:
            for message in self._client.api.load_image(file, quiet=True):
                if "error" in message:
                    raise load_failed(str(message["error"]))
        return self.inspect(tag, pull=False)

    def tag(self, image: Image, tag: str) -> None:
        """See Engine.tag."""
        repository, _, name = (
            tag.rpartition(":") if ":" in tag.rpartition("/")[2] else (tag, "", "latest")
        )
        try:
            with translated(f"tagging {tag}"):
                self._client.api.tag(image.id, repository, name)
        except APIError as error:
            message = f"The name {tag} cannot be given to the slim image: {error.explanation}."
            raise UsageError(message, hint="Choose another with --tag.") from error

    def remove_tag(self, tag: str) -> None:
        """See Engine.remove_tag."""
        with contextlib.suppress(ImageNotFound), translated(f"removing {tag}"):
            self._client.api.remove_image(tag, force=False, noprune=False)

    def sweep(self) -> None:
        """Remove containers, volumes and temporary tags of slimpy processes of this host that are
        gone.
        """
        with contextlib.suppress(DockerException):
            for item in self._client.api.containers(all=True, filters={"label": LABEL}):
                if Session.is_dead(item.get("Labels") or {}):
                    self._client.api.remove_container(item["Id"], force=True, v=True)
            for item in self._client.api.volumes(filters={"label": LABEL}).get("Volumes") or ():
                if Session.is_dead(item.get("Labels") or {}):
                    self._client.api.remove_volume(item["Name"])
            for item in self._client.api.images(name=TEMPORARY_REPOSITORY):
                for tag in item.get("RepoTags") or ():
                    if Session.is_dead_tag(tag):
                        self.remove_tag(tag)


def _unavailable(error: Exception) -> tuple[str, str]:
    text = str(error)
    if "Permission denied" in text:
        message = (
            "The Docker Engine's socket exists, but this user may not use it (permission denied)."
        )
        return (
            message,
            "Run as root, or join the docker group: sudo usermod -aG docker $USER (then log in).",
        )
    message = "No Docker Engine answers: its socket is missing, or nothing listens there."
    return (
        message,
        "Start Docker (sudo systemctl start docker, or dockerd), or set DOCKER_HOST to an engine.",
    )


def _not_found(reference: str, why: str) -> ImageNotFoundError:
    reason = f", and pulling it failed: {why}" if why else ""
    message = f"The image {reference} is not in the engine's store{reason}."
    return ImageNotFoundError(message, hint="Check the name with: docker images")


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
    )
