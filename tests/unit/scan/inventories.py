"""Inventories to scan."""

from __future__ import annotations

from slimpy.sbom.components import Component, Inventory
from slimpy.sbom.package import Distribution, Ecosystem, State

DEBIAN = Distribution("debian", "12", "Debian 12")


def package(
    ecosystem: Ecosystem, name: str, version: str, state: State | None = None, **more: str
) -> Component:
    """A package, named by a file of its own."""
    given = {"purl": f"pkg:{ecosystem}/{name}@{version}", "evidence": f"/db/{name}", **more}
    return Component(ecosystem, name, version, state=state, **given)


def inventory(*components: Component, distribution: Distribution = DEBIAN) -> Inventory:
    """An image of these packages."""
    return Inventory("team/app:1", "sha256:" + "5" * 64, components, distribution)


OPENSSL = package(
    Ecosystem.DEB, "libssl3", "3.0.11-1", State.PARTLY, source="openssl", source_version="3.0.11-1"
)
BINARY = package(
    Ecosystem.DEB, "openssl", "3.0.11-1", State.REMOVED, source="openssl", source_version="3.0.11-1"
)
PERL = package(Ecosystem.DEB, "perl-base", "5.36.0-7", State.REMOVED, source="perl")
FLASK = package(Ecosystem.PYTHON, "Flask", "2.0.1", State.KEPT)
SIX = package(Ecosystem.PYTHON, "six", "1.16.0", State.UNKNOWN)
JSON = package(Ecosystem.RUBY, "json", "2.0", State.KEPT)
ALL = inventory(OPENSSL, BINARY, PERL, FLASK, SIX, JSON)
