"""Names of images in registries: ``HOST[:PORT]/PATH[:TAG][@DIGEST]``, as Docker completes them.

Source: the grammar of the distribution project's reference package.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, replace

from slimpy.errors import UsageError
from slimpy.model import display

HUB = "docker.io"
"""The registry of names that say none."""

_HUB_ALIASES = frozenset(("index.docker.io", "registry-1.docker.io"))
_HUB_HOST = "registry-1.docker.io"
_OFFICIAL = "library"
_PART = re.compile(r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_HOST = re.compile(
    rf"(?P<name>{_LABEL}(?:\.{_LABEL})*|\[[0-9a-fA-F:]+\])(?::(?P<port>[0-9]{{1,5}}))?"
)
_LONGEST = 255  # characters of the path
_HINT = "Give one such as registry.example:5000/team/app:1.0."


@dataclass(frozen=True, slots=True)
class RepositoryName:
    """Where images are, and which one: ``digest`` goes before ``tag``; both may be empty."""

    registry: str  # "docker.io", or a host with its port where it has one
    path: str  # "library/debian"
    tag: str = ""
    digest: str = ""

    @classmethod
    def parse(cls, text: str) -> RepositoryName:
        """The name that a user wrote, with or without ``docker://`` before it.

        Raises:
            UsageError: no registry can have an image of that name.
        """
        rest, at, digest = text.removeprefix("docker://").partition("@")
        head, colon, tag = rest.rpartition(":")
        if not colon or "/" in tag or tag.endswith("]"):
            head, colon, tag = rest, "", ""
        registry, path = _registry_and_path(head)
        wrong = _complaint(registry, path)
        if colon and not _TAG.fullmatch(tag):
            wrong = "its tag is not valid"
        if at and not _DIGEST.fullmatch(digest):
            wrong = "its digest is not sha256: and 64 hexadecimal digits"
        if wrong:
            message = f"{display(text)!r} is no name of an image in a registry: {wrong}."
            raise UsageError(message, hint=_HINT)
        return cls(registry, path, tag, digest)

    @property
    def version(self) -> str:
        """What the registry is asked for: the digest, the tag, or ``latest``."""
        return self.digest or self.tag or "latest"

    @property
    def host(self) -> str:
        """The host that answers for the registry, with its port where the name has one."""
        return _HUB_HOST if self.registry == HUB else self.registry

    @property
    def repository(self) -> str:
        """The name without tag and digest."""
        return f"{self.registry}/{self.path}"

    def at(self, digest: str) -> RepositoryName:
        """The same repository, and what has this digest there."""
        return replace(self, tag="", digest=digest)

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag or not self.digest else ""
        tag = ":latest" if tag == ":" else tag
        return f"{self.repository}{tag}" + (f"@{self.digest}" if self.digest else "")


def is_loopback(host: str) -> bool:
    """Whether a host, with or without a port, is this machine by its name or address."""
    name = host_only(host)
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def host_only(host: str) -> str:
    """A host without its port, and an address without its brackets."""
    found = _HOST.fullmatch(host)
    return (found["name"] if found else host).strip("[]").lower()


def _registry_and_path(name: str) -> tuple[str, str]:
    first, slash, rest = name.partition("/")
    is_host = bool(slash) and ("." in first or ":" in first or first == "localhost")
    registry, path = (first.lower(), rest) if is_host else (HUB, name)
    if registry in _HUB_ALIASES:
        registry = HUB
    if registry == HUB and "/" not in path:
        path = f"{_OFFICIAL}/{path}"
    return registry, path


def _complaint(registry: str, path: str) -> str:
    host = _HOST.fullmatch(registry)
    if host is None or not 0 < int(host["port"] or 443) < 65536:
        return "its registry is no host"
    if len(path) > _LONGEST or not all(_PART.fullmatch(part) for part in path.split("/")):
        return "its repository may only have lower-case letters, digits, and . _ - between them"
    return ""
