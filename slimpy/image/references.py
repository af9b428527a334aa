"""Where an image is, as the user writes it: the names of containers-transports(5).

A plain name is one in the engine's own store. Everything else says where in front: a file, a
directory, a registry, or the store of a certain engine.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from slimpy.errors import UsageError
from slimpy.image import tags
from slimpy.settings import checked_reference, checked_tag


class Transport(StrEnum):
    """By what way an image comes or goes; the value is what stands before the colon."""

    STORE = "store"  # the engine's own; a plain name
    DOCKER_ARCHIVE = "docker-archive"
    OCI = "oci"
    OCI_ARCHIVE = "oci-archive"
    REGISTRY = "docker"
    DOCKER_DAEMON = "docker-daemon"
    PODMAN = "podman"


FILES = frozenset((Transport.DOCKER_ARCHIVE, Transport.OCI, Transport.OCI_ARCHIVE))
"""Those that name a path of this machine."""
ENGINES = frozenset((Transport.DOCKER_DAEMON, Transport.PODMAN))
"""Those that name the store of a certain engine."""

_FORMS = {
    Transport.DOCKER_ARCHIVE: "docker-archive:FILE[:NAME[:TAG]]",
    Transport.OCI: "oci:DIR[:TAG]",
    Transport.OCI_ARCHIVE: "oci-archive:FILE[:TAG]",
    Transport.REGISTRY: "docker://NAME[:TAG|@DIGEST]",
    Transport.DOCKER_DAEMON: "docker-daemon:NAME[:TAG]",
    Transport.PODMAN: "podman:NAME[:TAG]",
}
_ELSEWHERE = {
    "containers-storage": "Podman's store is reached through Podman: podman:NAME.",
    "ostree": "",
    "sif": "",
    "tarball": "",
    "atomic": "",
}
"""Transports of other tools, each with what to write instead."""
_UNREAD = frozenset(("dir", "docker", "http", "https", "oci-layout"))
"""What looks like a transport only where a path or two slashes follow; else it is an image."""
_LABEL = re.compile(r"[A-Za-z0-9]+(?:(?:[-._:@+/]|--|__)[A-Za-z0-9]+)*")
"""Values of ``org.opencontainers.image.ref.name`` (OCI image specification, "Annotations")."""
_POSITION = re.compile(r"@[0-9]{1,8}")
_LONGEST_LABEL = 255
_NOT_IN_NAMES = re.compile(r"[^a-z0-9]+")
_SUFFIXES = re.compile(r"(?:\.(?:tar|oci|docker|tgz|txz|tbz2?|gz|bz2|xz))+\Z", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Reference:
    """Where an image is or goes.

    ``text`` is what the user wrote. ``path`` is the file or directory of a transport that names
    one. ``name`` is the image's name; within a file it may be empty (the only one there), the label
    of a layout, or ``@N``.
    """

    transport: Transport
    text: str
    name: str = ""
    path: Path = Path()

    @property
    def suggested(self) -> str:
        """A plain name for this image, from which names of results are made."""
        if self.transport not in FILES:
            return self.name
        stem = _as_name(_SUFFIXES.sub("", self.path.name) or self.path.resolve().name)
        if not self.name or self.name.startswith("@"):
            return stem
        whole = ":" in self.name or "/" in self.name
        if (whole or self.transport is Transport.DOCKER_ARCHIVE) and tags.is_named(self.name):
            return self.name
        label = re.sub(r"[^A-Za-z0-9_.-]+", "-", self.name).lstrip(".-")[:128]
        return f"{stem}:{label}" if label else stem

    def called(self, names: tuple[str, ...]) -> str:
        """The name for results once the image is known, with the names that it carries itself."""
        said = self.transport is Transport.DOCKER_ARCHIVE or ":" in self.name or "/" in self.name
        if self.transport in FILES and names and not (said and tags.is_named(self.name)):
            return names[0]
        return self.suggested


def parse(text: str) -> Reference:
    """An image to read.

    Raises:
        UsageError: it is no reference; the message says what is wrong, the hint how it is written.
    """
    scheme, rest = _scheme(text)
    if scheme is None:
        return Reference(Transport.STORE, text, checked_reference(text))
    if scheme in FILES:
        return _file(scheme, text, rest)
    if scheme is Transport.REGISTRY:
        rest = rest.removeprefix("//")
    name = _checked_name(scheme, text, rest)
    return Reference(scheme, text, name)


def parse_destination(text: str) -> Reference:
    """A place to write an image to; a digest or a position cannot be asked for.

    Raises:
        UsageError: it is none; see `parse`.
    """
    scheme, _ = _scheme(text)
    if scheme is None:
        message = f"{text!r} says no place to write to."
        raise UsageError(
            message, hint=f"Write one of: {', '.join(_FORMS.values())}; or --tag for a name."
        )
    found = parse(text)
    if scheme in FILES:
        if found.name.startswith("@"):
            message = f"{text!r}: an output has a name, no position."
            raise UsageError(message, hint=f"Write {_FORMS[scheme]}.")
        return found
    if "@" in found.name:
        message = f"{text!r}: the digest of an output comes of it; it cannot be chosen."
        raise UsageError(message, hint="Give it a tag.")
    return Reference(scheme, text, checked_tag(found.name))


def _scheme(text: str) -> tuple[Transport | None, str]:
    """The transport and what follows its colon; None for a plain name."""
    if not text or text != text.strip() or not text.isprintable():
        message = f"{text!r} is not the name or ID of an image."
        raise UsageError(message, hint="Give a name such as team/app:1.0, or oci:DIR.")
    scheme, colon, rest = text.partition(":")
    if not colon:
        return None, text
    if scheme == Transport.REGISTRY and rest.startswith("//"):
        return Transport.REGISTRY, rest
    if scheme in _ELSEWHERE or (scheme in _UNREAD and rest.startswith(("/", "."))):
        message = f"{scheme}: is a way to images that slimpy does not go."
        also = _ELSEWHERE.get(scheme) or f"It goes: {', '.join(_FORMS.values())}."
        raise UsageError(message, hint=also)
    if scheme in (*FILES, *ENGINES):
        return Transport(scheme), rest
    return None, text


def _file(scheme: Transport, text: str, rest: str) -> Reference:
    """Path and name. The path ends at the first colon after which a name can stand, so a path may
    hold colons (``C:/images/app.tar``) where what follows them is no name.
    """
    form = f"Write {_FORMS[scheme]}."
    path, name = rest, ""
    for colon in (place for place, char in enumerate(rest) if char == ":"):
        if colon and _is_label(scheme, rest[colon + 1 :]):
            path, name = rest[:colon], rest[colon + 1 :]
            break
    if not path or path.startswith((":", "//")):
        message = f"{text!r} names no {'directory' if scheme is Transport.OCI else 'file'}."
        raise UsageError(message, hint=form)
    if path.endswith(":"):
        message = f"{text!r} ends in a colon, where a name or nothing belongs."
        raise UsageError(message, hint=form)
    if path.endswith("/") and scheme is not Transport.OCI:
        message = f"{text!r} names a directory, but {scheme} is a file."
        raise UsageError(message, hint=f"{form} A directory is oci:DIR.")
    return Reference(scheme, text, name, Path(path))


def _is_label(scheme: Transport, text: str) -> bool:
    if _POSITION.fullmatch(text):
        return True
    if scheme is Transport.DOCKER_ARCHIVE:
        return tags.is_named(text)
    return len(text) <= _LONGEST_LABEL and _LABEL.fullmatch(text) is not None


def _checked_name(scheme: Transport, text: str, name: str) -> str:
    is_id = name.startswith("sha256:") and scheme in ENGINES
    try:
        if is_id:
            return checked_reference(name)
        repository = name.partition("@")[0]
        checked_tag(repository)
        return checked_reference(name) if "@" in name else checked_tag(name)
    except UsageError as error:
        message = f"{text!r} does not name an image."
        raise UsageError(message, hint=f"Write {_FORMS[scheme]}.") from error


def _as_name(stem: str) -> str:
    """A file's name as a valid repository, for results that are called after it."""
    name = _NOT_IN_NAMES.sub("-", posixpath.basename(stem).lower()).strip("-")
    return name[:100].strip("-") or "image"
