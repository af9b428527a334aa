"""Looks at an image in an engine for the packages in it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from slimpy.engine.acquire import acquired
from slimpy.engine.protocol import Engine
from slimpy.engine.session import scratch_directory
from slimpy.image import listing
from slimpy.image.contents import Contents
from slimpy.image.spool import Spool
from slimpy.image.tree import Tree
from slimpy.model import Image, epoch
from slimpy.sbom.catalogue import survey
from slimpy.sbom.components import Inventory, inventory

if TYPE_CHECKING:
    from slimpy.image.registry.access import Access


@dataclass(frozen=True, slots=True)
class Opened:
    """An image with its paths, and their contents for as long as it is open."""

    image: Image
    tree: Tree
    contents: Contents


@contextlib.contextmanager
def opened(engine: Engine, reference: str, access: Access | None = None) -> Iterator[Opened]:
    """An image as it is, without running it.

    Raises:
        SlimError: the image cannot be used, or the engine failed.
    """
    with contextlib.ExitStack() as stack:
        image = stack.enter_context(acquired(engine, reference, access=access))
        scratch = stack.enter_context(scratch_directory())
        workspace = stack.enter_context(engine.workspace(image))
        entries = listing.parse(workspace.listing())
        created = epoch(image.created)
        tree = Tree(
            listing.normalised(entries, container_time=workspace.container_time, created=created)
        )
        contents = stack.enter_context(Spool(workspace.archive, scratch, tree))
        yield Opened(image, tree, contents)


def inventory_of(engine: Engine, reference: str, access: Access | None = None) -> Inventory:
    """All packages of an image.

    Raises:
        SlimError: the image cannot be used, or the engine failed.
    """
    with opened(engine, reference, access) as seen:
        catalogue = survey(seen.tree, seen.contents)
        return inventory(catalogue, seen.image.reference, seen.image.id, created=seen.image.created)
