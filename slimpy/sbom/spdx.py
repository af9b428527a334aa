"""SPDX 2.3 in JSON, of the same inventory; the same image gives the same bytes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec

from slimpy import __version__
from slimpy.sbom.components import Component, Inventory
from slimpy.sbom.cyclonedx import serial
from slimpy.sbom.licences import is_expression

_NONE = "NOASSERTION"
_ROOT = "SPDXRef-Image"
_DOCUMENT = "SPDXRef-DOCUMENT"


def encode(inventory: Inventory) -> str:
    """The document, with a line break at its end.

    Its time is that of the image: SPDX wants one, and a clock would change every document.
    """
    moment = datetime.fromtimestamp(min(max(inventory.created, 0), 253_402_300_799), UTC)
    packages = [_root(inventory), *_packages(inventory)]
    document: dict[str, Any] = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": _DOCUMENT,
        "name": inventory.reference,
        "documentNamespace": f"urn:uuid:{serial(inventory, 'spdx')}",
        "creationInfo": {
            "created": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "creators": [f"Tool: slimpy-{__version__}"],
        },
        "packages": packages,
        "relationships": list(_relationships(packages)),
    }
    if inventory.warnings:
        document["comment"] = "\n".join(inventory.warnings)
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"


def _root(inventory: Inventory) -> dict[str, Any]:
    return {
        "SPDXID": _ROOT,
        "name": inventory.reference,
        "versionInfo": inventory.image,
        "primaryPackagePurpose": "CONTAINER",
        **_unsaid(),
    }


def _unsaid() -> dict[str, Any]:
    return {
        "downloadLocation": _NONE,
        "filesAnalyzed": False,
        "licenseConcluded": _NONE,
        "copyrightText": _NONE,
    }


def _packages(inventory: Inventory) -> Iterator[dict[str, Any]]:
    distro = inventory.distribution
    if distro.id:
        yield {
            "SPDXID": "SPDXRef-OperatingSystem",
            "name": distro.id,
            **({"versionInfo": distro.version} if distro.version else {}),
            "primaryPackagePurpose": "OPERATING-SYSTEM",
            **_unsaid(),
        }
    for number, item in enumerate(inventory.components, 1):
        yield _package(item, number)


def _package(item: Component, number: int) -> dict[str, Any]:
    out: dict[str, Any] = {
        "SPDXID": f"SPDXRef-Package-{number}",
        "name": item.name,
        **_unsaid(),
        "licenseDeclared": item.licence if is_expression(item.licence) else _NONE,
        "primaryPackagePurpose": "LIBRARY",
        "sourceInfo": f"named by {item.evidence}",
        "externalRefs": [
            {
                "referenceCategory": "PACKAGE-MANAGER",
                "referenceType": "purl",
                "referenceLocator": item.purl,
            }
        ],
    }
    if item.version:
        out["versionInfo"] = item.version
    if item.licence and out["licenseDeclared"] == _NONE:
        out["licenseComments"] = item.licence
    if item.source and (item.source, item.source_version) != (item.name, item.version):
        out["sourceInfo"] += f"; built from {item.source} {item.source_version}"
    if item.state:
        out["comment"] = f"in the slim image: {item.state.value}"
    return out


def _relationships(packages: list[dict[str, Any]]) -> Iterator[dict[str, str]]:
    yield _relationship(_DOCUMENT, "DESCRIBES", _ROOT)
    for package in packages[1:]:
        yield _relationship(_ROOT, "CONTAINS", package["SPDXID"])


def _relationship(one: str, kind: str, other: str) -> dict[str, str]:
    return {"spdxElementId": one, "relationshipType": kind, "relatedSpdxElement": other}
