"""Looks at an image in an engine, so that it can be compared with another one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from slimpy.engine.protocol import Engine
from slimpy.inventory import opened
from slimpy.model import ROOT, Entry, FileType, Image, display
from slimpy.report.difference import Side
from slimpy.report.tsv import escape
from slimpy.sbom import owners

if TYPE_CHECKING:
    from slimpy.image.registry.access import Access


def side_of(engine: Engine, reference: str, access: Access | None = None) -> Side:
    """An image as it is: paths, packages of its databases, configuration.

    Of a file the type, mode, owner, size and link target count, not its time. Contents are not
    read: two files of the same size are taken for the same.

    Raises:
        SlimError: the image cannot be used, or the engine failed.
    """
    with opened(engine, reference, access) as seen:
        image, tree = seen.image, seen.tree
        owned = owners.survey(tree, seen.contents)
        return Side(
            name=image.reference,
            size=image.size,
            files={escape(entry.path): _entry(entry) for entry in tree.below(ROOT)},
            settings=dict(_settings(image)),
            owners={escape(path): display(owner) for path, owner in owned.owners.items()},
            sizes={
                escape(entry.path): entry.size
                for entry in tree.below(ROOT)
                if entry.type is FileType.FILE
            },
        )


def _entry(entry: Entry) -> str:
    target = f" -> {escape(entry.target)}" if entry.target else ""
    size = f" {entry.size:,} bytes" if entry.type is FileType.FILE else ""
    kind = entry.type.name.lower()
    return f"{kind} {entry.mode:04o} {entry.uid}:{entry.gid}{size}{target}"


def _settings(image: Image) -> Iterator[tuple[str, str]]:
    yield "architecture", image.architecture
    yield "user", image.user or "root"
    yield "entrypoint", " ".join(image.entrypoint) or "none"
    yield "command", " ".join(image.command) or "none"
    yield "working directory", image.workdir
    yield "layers", str(len(image.layers))
    if image.healthcheck:
        yield "health check", " ".join(image.healthcheck.argv)
    yield from ((f"port {port}", "exposed") for port in image.exposed)
    yield from ((f"volume {path}", "declared") for path in image.volumes)
    yield from ((f"variable {name}", value or "empty") for name, value in image.environment.items())
