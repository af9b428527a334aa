"""The embedded engine: no daemon, no privilege, the images in a store of its own."""

from __future__ import annotations

import contextlib
import os
import platform
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from slimpy.engine import toolbox
from slimpy.engine.embedded import namespaces
from slimpy.engine.embedded.namespaces import Mapping
from slimpy.engine.embedded.runs import run_directory
from slimpy.engine.embedded.store import LayerStore
from slimpy.engine.embedded.workspace import EmbeddedWorkspace
from slimpy.engine.protocol import HistoryEntry
from slimpy.errors import ImageNotFoundError, PlatformError
from slimpy.image import platforms, references
from slimpy.image.archives import open_archive
from slimpy.image.oci import ImageSource
from slimpy.image.sources import open_source
from slimpy.model import Image, display

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


class EmbeddedEngine:
    """See Engine."""

    name = "embedded"

    def __init__(self, users: Mapping, store: LayerStore) -> None:
        self.users = users
        self.store = store

    @classmethod
    def connect(cls) -> EmbeddedEngine:
        """See what this machine allows, and open the store.

        Raises:
            EngineUnavailableError: this system does not let us make containers.
        """
        return cls(namespaces.mapping(), LayerStore.open())

    @property
    def architecture(self) -> str:
        """See Engine.architecture."""
        machine = platform.machine()
        return _ARCHITECTURES.get(machine, machine)

    def close(self) -> None:
        """Nothing is held between containers."""

    def names(self) -> tuple[str, ...]:
        """See Engine.names."""
        return tuple(sorted(name for record in self.store.records() for name in record.tags))

    def inspect(self, reference: str, *, pull: bool = True) -> Image:
        """See Engine.inspect."""
        image = self.store.find(reference)
        if image is None and pull and not reference.startswith("sha256:"):
            image = self._pulled(reference)
        if image is None:
            raise _not_found(reference, "")
        self._check_platform(image)
        return image

    def _pulled(self, reference: str) -> Image:
        from slimpy.errors import SlimError
        from slimpy.image.registry import Access

        access = Access.of_user(os.environ, os.getuid())
        try:
            name = references.parse(f"docker://{reference}")
            with open_source(name, access=access) as source:
                return self.store.add(source, (reference,))
        except SlimError as error:
            raise _not_found(reference, error.message) from error

    def _check_platform(self, image: Image) -> None:
        if image.os != "linux" or not platforms.runs_on(self.architecture, image.architecture):
            message = (
                f"The image {display(image.reference)} is for {image.os}/{image.architecture}, but"
                f" this machine is {self.architecture}, so it cannot be run and traced here."
            )
            raise PlatformError(message, hint="Use a machine of its kind, or another platform.")

    def history(self, image: Image) -> tuple[HistoryEntry, ...]:
        """See Engine.history."""
        return self.store.history(image)

    @contextlib.contextmanager
    def workspace(self, image: Image) -> Iterator[EmbeddedWorkspace]:
        """See Engine.workspace."""
        toolbox.collect()
        with run_directory(self.store.directory / "runs", self.users) as directory:
            workspace = EmbeddedWorkspace(image, self.store, self.users, directory)
            with workspace.opened():
                yield workspace

    @contextlib.contextmanager
    def import_image(self, source: ImageSource) -> Iterator[Image]:
        """See Engine.import_image; the layers stay in the store, within its bound."""
        from slimpy.engine.docker_import import image_of

        self._check_platform(image_of(source))
        image = self.store.add(source)
        with self.store.using(image):
            yield image

    def export(self, image: Image) -> AbstractContextManager[ImageSource]:
        """An image of the store as a source; see `rebuild.StoredSource`."""
        return self.store.source(image)

    def load(self, archive: Path, tag: str) -> Image:
        """See Engine.load."""
        with open_archive(archive) as sources:
            return self.store.add(sources[0], (tag,))

    def tag(self, image: Image, tag: str) -> None:
        """See Engine.tag."""
        self.store.tag(image, tag)

    def remove_tag(self, tag: str) -> None:
        """See Engine.remove_tag."""
        self.store.remove_tag(tag)


def _not_found(reference: str, why: str) -> ImageNotFoundError:
    reason = f": {why.rstrip('.')}" if why else ""
    message = f"The image {display(reference)} is not in the embedded engine's store{reason}."
    hint = "Name where it is: docker-daemon:NAME, docker-archive:FILE, oci:DIR. See: slim cache"
    return ImageNotFoundError(message, hint=hint)
