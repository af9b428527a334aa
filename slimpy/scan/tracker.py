"""Debian's security tracker: the JSON file that it publishes for all releases."""

from __future__ import annotations

from pathlib import Path

import msgspec

from slimpy.errors import UsageError
from slimpy.model import display
from slimpy.sbom.components import Component, Inventory
from slimpy.sbom.package import Ecosystem
from slimpy.scan import files
from slimpy.scan.known import Known, Match, name_of, severity_of
from slimpy.scan.versions import compare

RELEASES = {
    "8": "jessie",
    "9": "stretch",
    "10": "buster",
    "11": "bullseye",
    "12": "bookworm",
    "13": "trixie",
    "14": "forky",
}


class _State(msgspec.Struct, frozen=True):
    status: str = ""
    fixed_version: str = ""
    urgency: str = ""


class _Entry(msgspec.Struct, frozen=True):
    releases: dict[str, _State] = {}  # msgspec makes a new one for each


def known(path: Path, inventory: Inventory) -> Known:
    """What the tracker says of the Debian packages of an inventory.

    Raises:
        UsageError: the file is no such data, or the image is of no release that it is for.
    """
    distro = inventory.distribution
    release = RELEASES.get(distro.version.partition(".")[0])
    if distro.id != "debian" or release is None:
        said = " ".join(filter(None, (distro.id, distro.version))) or "nothing known"
        message = f"Debian's data is for its releases, and the image is of {display(said)}."
        raise UsageError(message, hint="Use --osv with the data of its distribution.")
    data = files.read(path, dict[str, dict[str, _Entry]], "data of Debian's security tracker")
    if not any(release in entry.releases for one in data.values() for entry in one.values()):
        message = f"{display(str(path))} says nothing of Debian {release}."
        raise UsageError(message, hint="Is it the tracker's JSON of all releases?")
    found, unjudged = [], []
    for item in inventory.components:
        if item.ecosystem is not Ecosystem.DEB:
            continue
        for name, entry in sorted(data.get(item.source or item.name, {}).items()):
            state = entry.releases.get(release)
            if state is None:
                continue
            verdict = _is_affected(item, state)
            if verdict is None:
                unjudged.append(
                    (item.purl, display(f"{name}: {state.status or 'no status'}"[:200]))
                )
            elif verdict:
                own = item.source_version or item.version
                fixed = state.fixed_version if state.status == "resolved" else ""
                severity = severity_of(state.urgency)
                found.append(Match(name_of(name), severity, item, item.name, own, display(fixed)))
    return Known(
        f"Debian's security tracker, {release}",
        tuple(found),
        frozenset((Ecosystem.DEB,)),
        tuple(unjudged),
    )


def _is_affected(item: Component, state: _State) -> bool | None:
    """Whether the package has it; None where the tracker does not know, or no version tells."""
    match state.status:
        case "open":
            return True
        case "resolved" if state.fixed_version == "0":
            return False
        case "resolved":
            place = compare(Ecosystem.DEB, item.source_version or item.version, state.fixed_version)
            return None if place is None else place < 0
    return None
