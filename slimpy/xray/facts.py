"""What `slim xray` tells of an image: one versioned document. All texts are safe to show."""

from __future__ import annotations

from dataclasses import dataclass

from slimpy.xray.leftovers import Leftover
from slimpy.xray.software import Package

SCHEMA = 1
"""Version of the document; it grows when a field changes its meaning or goes."""


@dataclass(frozen=True, slots=True)
class PathFacts:
    """A path, the bytes that matter here, and what there is to say of it."""

    path: str
    bytes: int
    note: str


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Files with the same contents: bytes of one, how many, bytes of all but one, the paths (20 at
    most), the sha256.
    """

    bytes: int
    count: int
    extra: int
    paths: tuple[str, ...]
    sha256: str


@dataclass(frozen=True, slots=True)
class LayerFacts:
    """A layer, counted from 1, and its instruction, empty where nobody knows.

    ``stored_bytes`` is its blob as it is stored (perhaps compressed), ``bytes`` that of its files,
    ``wasted_bytes`` what of those no longer shows; then how many paths it adds, changes, removes.
    """

    number: int
    diff_id: str
    blob: str
    stored_bytes: int
    bytes: int
    wasted_bytes: int
    added: int
    changed: int
    removed: int
    instruction: str
    arguments: str
    created: str


@dataclass(frozen=True, slots=True)
class SecretFacts:
    """A secret, its value masked. ``weight`` is high, medium or low; ``line`` is 0 where it has
    none; ``where`` is the layer, the configuration or the history.
    """

    kind: str
    weight: str
    path: str
    line: int
    where: str
    masked: str


@dataclass(frozen=True, slots=True)
class UserFacts:
    """An account; ``password`` is none, locked, set or empty."""

    name: str
    uid: int
    shell: str
    login: bool
    password: str


@dataclass(frozen=True, slots=True)
class XRay:
    """An image. Sizes are in bytes of files: ``total_bytes`` of all layers, ``visible_bytes`` of
    what a container sees, ``wasted_bytes`` the difference; ``efficiency`` is between 0 and 1.
    """

    reference: str
    digest: str
    config_digest: str
    tags: tuple[str, ...]
    platform: str
    created: str
    stored_bytes: int
    total_bytes: int
    visible_bytes: int
    files: int
    wasted_bytes: int
    efficiency: float
    layers: tuple[LayerFacts, ...]
    dockerfile: tuple[str, ...]
    wasted: tuple[PathFacts, ...]
    wasted_paths: int
    duplicates: tuple[Duplicate, ...]
    duplicate_contents: int
    duplicate_bytes: int
    leftovers: tuple[Leftover, ...]
    biggest: tuple[PathFacts, ...]
    setuid: tuple[PathFacts, ...]
    setgid: tuple[PathFacts, ...]
    capabilities: tuple[PathFacts, ...]
    world_writable: tuple[PathFacts, ...]
    user: str
    root: bool
    users: tuple[UserFacts, ...]
    system: str
    packages: tuple[Package, ...]
    shells: tuple[str, ...]
    compilers: tuple[str, ...]
    managers: tuple[str, ...]
    tools: tuple[str, ...]
    secrets: tuple[SecretFacts, ...]
    warnings: tuple[str, ...]
