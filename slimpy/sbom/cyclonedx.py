"""CycloneDX 1.6 in JSON: the form in which a build leaves its packages, and reads them again.

The same image gives the same bytes: there is no clock in it, and the serial number comes of the
image's ID. Written without a library because every build writes two of these; the tests hold it
against the published schema.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec

from slimpy import __version__
from slimpy.model import display
from slimpy.sbom.components import Component, Inventory
from slimpy.sbom.licences import is_expression
from slimpy.sbom.package import Distribution, Ecosystem, State

FAT = "sbom.fat.cdx.json"
SLIM = "sbom.slim.cdx.json"
"""Names in a report's directory."""

LARGEST = 256 << 20
"""Bytes of a document that is read."""

_SPACE = uuid.UUID("6f2a0a5e-3f2b-5d0c-9a43-2d0f4c0b7a11")
_PREFIX = "slimpy:"


def encode(inventory: Inventory) -> str:
    """The document, with a line break at its end."""
    bom: dict[str, Any] = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial(inventory, 'cyclonedx')}",
        "version": 1,
        "metadata": _metadata(inventory),
        "components": list(_components(inventory)),
    }
    return msgspec.json.format(msgspec.json.encode(bom), indent=2).decode() + "\n"


def serial(inventory: Inventory, form: str) -> uuid.UUID:
    """A number of its own for each image, build and form, always the same."""
    said = repr((form, inventory.image, inventory.of_build, inventory.components))
    return uuid.uuid5(_SPACE, said)


def _metadata(inventory: Inventory) -> dict[str, Any]:
    properties = [("created", str(inventory.created))]
    properties += (("warning", text) for text in inventory.warnings)
    return {
        "tools": {
            "components": [{"type": "application", "name": "slimpy", "version": __version__}]
        },
        "component": {
            "type": "container",
            "bom-ref": inventory.image,
            "name": inventory.reference,
            "version": inventory.image,
        },
        "properties": _properties(properties),
    }


def _properties(pairs: list[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"name": _PREFIX + key, "value": value} for key, value in pairs if value]


def _components(inventory: Inventory) -> Iterator[dict[str, Any]]:
    distro = inventory.distribution
    if distro.id:
        yield {
            "type": "operating-system",
            "bom-ref": f"os:{distro.id}",
            "name": distro.id,
            **({"version": distro.version} if distro.version else {}),
            **({"description": distro.name} if distro.name else {}),
        }
    seen: Counter[str] = Counter()
    for item in inventory.components:
        seen[item.purl] += 1
        number = seen[item.purl]
        yield _component(item, item.purl if number == 1 else f"{item.purl}#{number}")


def _component(item: Component, reference: str) -> dict[str, Any]:
    out: dict[str, Any] = {"type": "library", "bom-ref": reference, "name": item.name}
    if item.group:
        out["group"] = item.group
    if item.version:
        out["version"] = item.version
    if item.licence and is_expression(item.licence):
        out["licenses"] = [{"expression": item.licence}]
    elif item.licence:
        out["licenses"] = [{"license": {"name": item.licence}}]
    out["purl"] = item.purl
    pairs = [
        ("state", item.state.value if item.state else ""),
        ("ecosystem", item.ecosystem.value),
        ("source", item.source),
        ("source-version", item.source_version),
        ("files", str(item.files) if item.files >= 0 else ""),
        ("files-kept", str(item.kept) if item.kept >= 0 else ""),
    ]
    out["properties"] = _properties(pairs)
    out["evidence"] = {"occurrences": [{"location": item.evidence}]}
    return out


class _Property(msgspec.Struct, frozen=True):
    name: str
    value: str = ""


class _Place(msgspec.Struct, frozen=True):
    location: str = ""


class _Evidence(msgspec.Struct, frozen=True):
    occurrences: tuple[_Place, ...] = ()


class _Licence(msgspec.Struct, frozen=True):
    name: str = ""


class _Choice(msgspec.Struct, frozen=True):
    expression: str = ""
    license: _Licence = _Licence()


class _Read(msgspec.Struct, frozen=True):
    type: str
    name: str
    version: str = ""
    group: str = ""
    description: str = ""
    purl: str = ""
    licenses: tuple[_Choice, ...] = ()
    properties: tuple[_Property, ...] = ()
    evidence: _Evidence = _Evidence()


class _ReadMetadata(msgspec.Struct, frozen=True):
    component: _Read
    properties: tuple[_Property, ...] = ()


class _Document(msgspec.Struct, frozen=True):
    metadata: _ReadMetadata
    components: tuple[_Read, ...]


def decode(data: bytes) -> Inventory:
    """A document that `encode` wrote.

    Raises:
        ValueError: it is none.
    """
    try:
        bom = msgspec.json.decode(data, type=_Document)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError(str(error)) from error
    said = _said(bom.metadata.properties)
    system = next((item for item in bom.components if item.type == "operating-system"), None)
    return Inventory(
        reference=display(bom.metadata.component.name),
        image=display(bom.metadata.component.version),
        components=tuple(map(_of_read, (i for i in bom.components if i.type == "library"))),
        distribution=Distribution(system.name, system.version, system.description)
        if system
        else Distribution(),
        created=_number(said, "created"),
        warnings=tuple(
            display(item.value)
            for item in bom.metadata.properties
            if item.name == f"{_PREFIX}warning"
        ),
    )


def _said(properties: tuple[_Property, ...]) -> dict[str, str]:
    return {item.name.removeprefix(_PREFIX): display(item.value) for item in properties}


def _number(said: dict[str, str], key: str) -> int:
    text = said.get(key, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else -1


def _of_read(item: _Read) -> Component:
    said = _said(item.properties)
    licence = item.licenses[0] if item.licenses else _Choice()
    places = item.evidence.occurrences
    return Component(
        ecosystem=Ecosystem(said.get("ecosystem", "")),
        name=display(item.name),
        version=display(item.version),
        purl=display(item.purl),
        evidence=display(places[0].location) if places else "",
        group=display(item.group),
        source=said.get("source", ""),
        source_version=said.get("source-version", ""),
        licence=display(licence.expression or licence.license.name),
        files=_number(said, "files"),
        kept=_number(said, "files-kept"),
        state=State(said["state"]) if "state" in said else None,
    )
