"""Exchanges on disk, so that what does not change is observed once."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from probes.model import Answer, CommandAnswer, Exchange, HttpAnswer, NoAnswer, Page, Plan
from slimpy.model import Image

VERSION = 1
"""Of the form on disk, and of the way of observing."""

_ANSWERS: Mapping[str, type[Answer]] = {
    kind.__name__: kind for kind in (HttpAnswer, CommandAnswer, NoAnswer)
}


def encode(exchanges: Sequence[Exchange]) -> bytes:
    """Exchanges as JSON."""
    items = []
    for item in exchanges:
        kinds = [type(answer).__name__ for answer in (item.answer, item.again)]
        items.append({**msgspec.to_builtins(item), "kinds": kinds})
    return msgspec.json.encode(items)


def decode(data: bytes) -> tuple[Exchange, ...]:
    """The inverse of `encode`."""
    return tuple(map(_decoded, msgspec.json.decode(data, type=list[dict[str, Any]])))


def _decoded(item: dict[str, Any]) -> Exchange:
    answer, again = (
        None if item[field] is None else msgspec.convert(item[field], _ANSWERS[kind])
        for field, kind in zip(("answer", "again"), item.pop("kinds"), strict=True)
    )
    page = None if item["page"] is None else msgspec.convert(item["page"], Page)
    captured = tuple((str(name), str(value)) for name, value in item["captured"])
    changed = {"answer": answer, "again": again, "page": page, "captured": captured}
    return Exchange(**{**item, "unmet": tuple(item["unmet"]), **changed})


def cache_file(image: Image, plan: Plan) -> Path:
    """Where the fat image's answers to a plan are kept between runs."""
    top = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    digest = hashlib.sha256(f"{VERSION} {image.id} {plan!r}".encode()).hexdigest()
    return top / "slimpy-benchmarks" / "survival" / f"{digest[:32]}.json"
