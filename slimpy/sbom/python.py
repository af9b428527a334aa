"""Python distributions: ``dist-info`` and ``egg-info``, with the files that RECORD lists."""

from __future__ import annotations

import csv
import posixpath
from collections.abc import Iterable, Iterator
from email.parser import HeaderParser

from slimpy.image.tree import Tree, join, name, parent
from slimpy.model import Entry, FileType, ImagePath, decoded
from slimpy.sbom.package import Ecosystem, Package
from slimpy.sbom.reading import Reading, plain, real_files

RECORD = "RECORD"
_METADATA = {".dist-info": "METADATA", ".egg-info": "PKG-INFO"}


def descriptions(entries: Iterable[Entry]) -> Iterator[Entry]:
    """The files that describe a distribution."""
    for entry in entries:
        if entry.type is not FileType.FILE:
            continue
        directory = parent(entry.path)
        for ending, wanted in _METADATA.items():
            inside = directory.endswith(ending) and name(entry.path) == wanted
            if inside or (ending == ".egg-info" and entry.path.endswith(ending)):
                yield entry


def records(tree: Tree, entries: Iterable[Entry]) -> Iterator[Entry]:
    """The lists of files beside these descriptions."""
    for entry in entries:
        record = tree.get(join(parent(entry.path), RECORD))
        if record is not None:
            yield record


def packages(reading: Reading, entries: Iterable[Entry]) -> Iterator[Package]:
    """The distributions that these files describe."""
    for entry in entries:
        data = reading.data(entry, "a Python distribution's METADATA")
        said = HeaderParser().parsestr(header(data).decode("utf-8", "replace"))
        title, version = plain(said.get("Name")), plain(said.get("Version"))
        if not title or not version:
            reading.trouble("a Python distribution has no name or version")
            continue
        licence = plain(said.get("License-Expression")) or plain(said.get("License"))
        files, own = _files(reading, entry)
        yield Package(
            Ecosystem.PYTHON,
            title,
            version,
            entry.path,
            licence=licence,
            files=files,
            metadata=own,
        )


def header(metadata: bytes) -> bytes:
    """The fields of a METADATA file, without the description below them."""
    return metadata.replace(b"\r\n", b"\n").partition(b"\n\n")[0].rstrip(b"\n") + b"\n"


def record_target(directory: ImagePath, line: str) -> ImagePath | None:
    """The path that a line of RECORD names; ``directory`` is where the dist-info lies in."""
    try:
        row = next(csv.reader([line]), [])
    except csv.Error:
        return None
    if not row or not row[0]:
        return None
    return ImagePath(posixpath.normpath(posixpath.join(directory, row[0])))


def _files(
    reading: Reading, entry: Entry
) -> tuple[frozenset[ImagePath] | None, frozenset[ImagePath]]:
    inside = parent(entry.path)
    if not inside.endswith(tuple(_METADATA)):
        return None, frozenset((entry.path,))
    own = frozenset(e.path for e in reading.tree.below(inside) if e.type is not FileType.DIRECTORY)
    record = reading.tree.get(join(inside, RECORD))
    if record is None:
        return None, own
    lines = decoded(reading.data(record, "a Python distribution's RECORD")).splitlines()
    base = parent(inside)
    paths = (record_target(base, line) for line in lines)
    return real_files(reading.tree, filter(None, paths)) - own, own
