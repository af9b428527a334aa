"""PHP packages: Composer's ``vendor/composer/installed.json``."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from slimpy.image.tree import parent
from slimpy.model import Entry, FileType, ImagePath
from slimpy.sbom.package import Ecosystem, Package
from slimpy.sbom.reading import Reading, plain


def descriptions(entries: Iterable[Entry]) -> Iterator[Entry]:
    """Composer's lists of what it installed."""
    for entry in entries:
        if entry.type is FileType.FILE and entry.path.endswith("/composer/installed.json"):
            yield entry


def packages(reading: Reading, entries: Iterable[Entry]) -> Iterator[Package]:
    """The packages of these lists, of Composer 1 (a list) and 2 (an object)."""
    for entry in entries:
        try:
            said = msgspec.json.decode(reading.data(entry, "Composer's installed.json"))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            reading.trouble("Composer's installed.json cannot be understood")
            continue
        listed = said.get("packages") if isinstance(said, dict) else said
        for item in listed if isinstance(listed, list) else ():
            found = _package(reading, entry, item)
            if found is not None:
                yield found


def _package(reading: Reading, entry: Entry, item: Any) -> Package | None:
    title = plain(item.get("name")) if isinstance(item, dict) else ""
    version = plain(item.get("version")) if isinstance(item, dict) else ""
    if not title or not version:
        reading.trouble("a package of Composer's has no name or version")
        return None
    licences = item.get("license")
    place = item.get("install-path")
    base = parent(entry.path)
    directory = place if isinstance(place, str) else f"../{title}"
    below = reading.tree.below(ImagePath(posixpath.normpath(posixpath.join(base, directory))))
    files = frozenset(e.path for e in below if e.type is not FileType.DIRECTORY)
    return Package(
        Ecosystem.PHP,
        title,
        version.removeprefix("v"),
        entry.path,
        licence=plain(" OR ".join(map(plain, licences))) if isinstance(licences, list) else "",
        files=files or None,
    )
