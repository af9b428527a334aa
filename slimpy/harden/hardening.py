"""One proven set of restrictions, from which every form of deployment is written."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from slimpy.harden.writable import Writable
from slimpy.model import Account, Image, Profile

_LONGEST = 40
"""Characters of a name; a Kubernetes label takes 63, and forms add a word or two to it."""


@dataclass(frozen=True, slots=True)
class Hardening:
    """How a slim image is to be run.

    ``image`` is the name under which it is deployed, ``original`` that of the image it was made
    from, ``config`` the slim image itself (HEALTHCHECK, VOLUME). ``apparmor`` is the profile's
    text, empty for none; ``apparmor_state`` says whether it was loaded where the bundle was proven.
    ``ports`` are the TCP ports that answered.
    """

    image: str
    original: str
    config: Image
    profile: Profile
    account: Account
    capabilities: tuple[str, ...] = ()
    no_new_privileges: bool = True
    read_only: bool = True
    writable: tuple[Writable, ...] = ()
    ports: tuple[int, ...] = ()
    apparmor: str = ""
    apparmor_state: str = "not loaded here"

    @property
    def name(self) -> str:
        """What the app is called in the forms."""
        return object_name(self.image)

    @property
    def apparmor_name(self) -> str:
        """The name of the AppArmor profile."""
        return profile_name(self.image)

    @property
    def volumes(self) -> tuple[Writable, ...]:
        """The writable places that are to last."""
        return tuple(place for place in self.writable if place.kind == "volume")

    @property
    def temporary(self) -> tuple[Writable, ...]:
        """The writable places that start empty each time."""
        return tuple(place for place in self.writable if place.kind == "tmpfs")

    def shortfalls(self) -> tuple[str, ...]:
        """What keeps it from being as strict as it could be, in sentences; empty at best."""
        found = []
        if self.account.is_root:
            found.append(f"It runs as root: {self.account.why}")
        if self.capabilities:
            found.append(f"It keeps capabilities: {', '.join(self.capabilities)}.")
        if not self.no_new_privileges:
            found.append("Its programs may gain privileges: no-new-privileges is off.")
        if not self.read_only:
            found.append("Its root file system is writable.")
        return tuple(found)


def object_name(reference: str) -> str:
    """A name for containers, services and Kubernetes objects (RFC 1123 label), out of an image's.

    The repository's last part without ``.slim``; one that had to be cut ends in a few characters of
    a digest, so that two of them stay apart.
    """
    last = reference.partition("@")[0].rpartition("/")[2].partition(":")[0]
    plain = re.sub(r"[^a-z0-9]+", "-", last.lower().removesuffix(".slim")).strip("-")
    if not plain or len(plain) > _LONGEST or not plain[0].isalpha():
        digest = hashlib.sha256(reference.encode("utf-8", "surrogateescape")).hexdigest()[:8]
        plain = f"app-{plain}"[: _LONGEST - 9].strip("-") + f"-{digest}"
    return plain


def profile_name(reference: str) -> str:
    """The name of an image's AppArmor profile."""
    return f"slimpy-{object_name(reference)}"


def volume_name(place: Writable) -> str:
    """A name for what is mounted at a place: plain characters of its path, with a digest where
    another path could come to the same.
    """
    plain = re.sub(r"[^a-z0-9]+", "-", place.path.lower()).strip("-")
    if f"/{plain.replace('-', '/')}" == place.path and len(plain) <= _LONGEST:
        return plain
    digest = hashlib.sha256(place.path.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    return f"{plain[:_LONGEST]}-{digest}".strip("-")
