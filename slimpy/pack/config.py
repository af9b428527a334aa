"""The slim image's OCI configuration: what the original says of its run, and our own layer."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from slimpy.model import Account, Image, Layer

EPOCH = "1970-01-01T00:00:00Z"

KEPT = (
    "ArgsEscaped",
    "Cmd",
    "Entrypoint",
    "Env",
    "ExposedPorts",
    "Healthcheck",
    "Labels",
    "OnBuild",
    "Shell",
    "StopSignal",
    "StopTimeout",
    "Volumes",
    "WorkingDir",
)
"""Keys that say how the image runs: ``config`` of the OCI image specification, Docker's additions.

The rest of an engine's answer (Hostname, Tty, AttachStdin, Image, ...) is about a container.
"""


def slim_config(
    image: Image,
    layer: Layer,
    account: Account,
    labels: Mapping[str, str],
    *,
    ports: Sequence[int] = (),
) -> dict[str, Any]:
    """The OCI image configuration of the slim image.

    Args:
        image: the original; its run-time settings, platform and creation time are taken over.
        layer: the only layer.
        account: whom the slim image runs as.
        labels: added to the image's own, and win over them.
        ports: TCP ports seen answering, added to EXPOSE.
    """
    config = {key: image.config[key] for key in KEPT if image.config.get(key)}
    exposed = {**config.get("ExposedPorts", {}), **{f"{port}/tcp": {} for port in ports}}
    if exposed:
        config["ExposedPorts"] = exposed
    merged = {**config.get("Labels", {}), **labels}
    if merged:
        config["Labels"] = merged
    if account.user:
        config["User"] = account.user
    created = image.created or EPOCH
    document: dict[str, Any] = {
        "architecture": image.architecture,
        "config": config,
        "created": created,
        "history": [{"created": created, "created_by": "slimpy", "comment": "one layer"}],
        "os": image.os,
        "rootfs": {"type": "layers", "diff_ids": [layer.diff_id]},
    }
    if image.variant:
        document["variant"] = image.variant
    return document


def serialised(document: Mapping[str, Any]) -> bytes:
    """The document as JSON that depends on its values only: sorted keys, no spaces, ASCII."""
    return json.dumps(_plain(document), sort_keys=True, separators=(",", ":")).encode()


def _plain(value: object) -> object:
    """Read-only mappings and tuples as the dicts and lists that JSON knows."""
    match value:
        case Mapping():
            return {str(key): _plain(item) for key, item in value.items()}
        case str() | bytes():
            return value
        case Iterable():
            return [_plain(item) for item in value]
    return value
