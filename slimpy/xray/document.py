"""The result as one versioned JSON document."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from slimpy.model import display
from slimpy.xray.facts import SCHEMA, XRay
from slimpy.xray.judge import Judgement
from slimpy.xray.stack import Stack


def encode(
    version: str,
    found: XRay,
    judgements: Iterable[Judgement] = (),
    *,
    paths: Stack | None = None,
) -> bytes:
    """The document.

    Args:
        version: of slimpy.
        judgements: of the thresholds that were given.
        paths: with it, every path that every layer adds, changes or removes is listed, too.
    """
    document = {
        "schema": SCHEMA,
        "version": version,
        "image": found,
        "thresholds": list(judgements),
    }
    if paths is not None:
        document["changes"] = [
            [
                {
                    "path": display(item.path),
                    "change": item.kind.value,
                    "type": item.type.value,
                    "bytes": item.size,
                    **({"same_contents": True} if item.same else {}),
                }
                for item in layer
            ]
            for layer in paths.changes
        ]
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"
