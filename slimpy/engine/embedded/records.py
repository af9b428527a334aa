"""What the embedded engine's store knows of its images, and how they are named."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from slimpy.engine.protocol import HistoryEntry
from slimpy.image import manifests
from slimpy.model import Image

_ID = re.compile(r"(?:sha256:)?([0-9a-f]{6,64})")


class Record(msgspec.Struct, frozen=True):
    """One image of the store. ``used`` is in seconds since the epoch, ``size`` in bytes."""

    id: str
    config: str  # the image's configuration, as it is
    layers: tuple[str, ...]  # diffIDs, the base first
    size: int
    tags: tuple[str, ...] = ()
    used: float = 0.0
    reference: str = ""
    skipped: tuple[str, ...] = ()  # what could not be unpacked, in sentences

    def image(self, reference: str = "") -> Image:
        """The image as the rest of slimpy knows it."""
        what = f"The configuration of {self.id}"
        data = self.config.encode()
        document = manifests.document(data, what)
        platform = manifests.platform_of(data, what)
        config, created = document.get("config"), document.get("created")
        return Image(
            reference=reference or self.reference or self.id,
            id=self.id,
            architecture=platform.architecture,
            variant=platform.variant,
            os=platform.os,
            size=self.size,
            created=created if isinstance(created, str) else "",
            config=config if isinstance(config, dict) else {},
            tags=self.tags,
            layers=self.layers,
        )


def steps(record: Record, sizes: Sequence[int]) -> tuple[HistoryEntry, ...]:
    """What the configuration says of the image's making.

    Args:
        sizes: bytes of each layer, the base first; told where there is a step for each.
    """
    document = manifests.document(record.config.encode(), f"The configuration of {record.id}")
    said = document.get("history")
    entries = [item for item in said if isinstance(item, dict)] if isinstance(said, list) else []
    filled = sum(item.get("empty_layer") is not True for item in entries)
    left = iter(sizes if filled == len(sizes) else ())
    return tuple(_step(item, left) for item in entries)


def _step(item: Mapping[str, Any], sizes: Iterator[int]) -> HistoryEntry:
    empty = item.get("empty_layer") is True
    return HistoryEntry(
        created_by=_text(item.get("created_by")),
        comment=_text(item.get("comment")),
        created=_text(item.get("created")),
        size=0 if empty else next(sizes, None),
        empty=empty,
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def replace_tags(record: Record, tags: Iterable[str]) -> Record:
    """The record with these names, each once."""
    return msgspec.structs.replace(record, tags=tuple(dict.fromkeys(map(with_tag, tags))))


def take_names(records: dict[str, Record], tags: Iterable[str]) -> None:
    """A name belongs to one image only."""
    taken = set(map(with_tag, tags))
    for identity, record in list(records.items()):
        if taken & set(record.tags):
            left = tuple(name for name in record.tags if name not in taken)
            records[identity] = msgspec.structs.replace(record, tags=left)


def with_tag(name: str) -> str:
    """The name with ``latest`` where it has no tag."""
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"


def found(records: Mapping[str, Record], reference: str) -> Record | None:
    """The image behind a name, or else an ID; six digits are enough where no other begins so."""
    name = with_tag(reference)
    for record in records.values():
        if name in record.tags:
            return record
    match = _ID.fullmatch(reference)
    digits = f"sha256:{match[1]}" if match else "-"
    fitting = [record for record in records.values() if record.id.startswith(digits)]
    return fitting[0] if len(fitting) == 1 else None
