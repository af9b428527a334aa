"""Names of images, ``[REGISTRY/]REPOSITORY:TAG``, in their long and in their short form."""

from __future__ import annotations

from slimpy.errors import UsageError
from slimpy.settings import checked_tag

_HOST = "docker.io"
_FOLDER = "library"
"""What engines put before a name that says no registry, and before one of a single part."""


def is_named(text: str) -> bool:
    """Whether an image can have that name."""
    try:
        checked_tag(text)
    except UsageError:
        return False
    return True


def normal(name: str) -> str:
    """The name with registry and tag, as containerd spells it."""
    name = checked_tag(name)
    first, slash, rest = name.partition("/")
    if not slash:
        return f"{_HOST}/{_FOLDER}/{name}"
    if first == "index.docker.io":
        return normal(f"{_HOST}/{rest}")
    if first == _HOST:
        return name if "/" in rest else f"{_HOST}/{_FOLDER}/{rest}"
    return name if _is_host(first) else f"{_HOST}/{name}"


def familiar(name: str) -> str:
    """The name as people write it: without the registry that is meant anyway."""
    return normal(name).removeprefix(f"{_HOST}/").removeprefix(f"{_FOLDER}/")


def split(name: str) -> tuple[str, str]:
    """Repository and tag, ``latest`` where there is none; a registry's port is no tag."""
    repository, _, version = checked_tag(name).rpartition(":")
    return repository, version


def _is_host(first: str) -> bool:
    return "." in first or ":" in first or first == "localhost"
