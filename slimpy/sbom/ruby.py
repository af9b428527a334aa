"""Ruby gems: the ``.gemspec`` files that RubyGems writes at installation."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from slimpy.image.tree import join, name, parent
from slimpy.model import Entry, FileType, ImagePath
from slimpy.sbom.package import Ecosystem, Package
from slimpy.sbom.reading import Reading, plain

_FIELD = re.compile(r"""^\s*\w+\.(name|version)\s*=\s*["']([^"'\n]{1,200})["']""", re.MULTILINE)
_LICENCES = re.compile(r"""^\s*\w+\.licenses\s*=\s*\[([^\]]{0,500})\]""", re.MULTILINE)
_WORD = re.compile(r"""["']([^"']+)["']""")
_STUB = re.compile(r"^# stub: (\S+) (\S+) (\S+)", re.MULTILINE)


def descriptions(entries: Iterable[Entry]) -> Iterator[Entry]:
    """The specifications of installed gems, those that come with Ruby included."""
    for entry in entries:
        if entry.type is FileType.FILE and entry.path.endswith(".gemspec"):
            above = parent(entry.path)
            if name(above) == "specifications" or above.endswith("/specifications/default"):
                yield entry


def packages(reading: Reading, entries: Iterable[Entry]) -> Iterator[Package]:
    """The gems that these files describe; nothing of them is evaluated."""
    for entry in entries:
        text = reading.data(entry, "a gemspec").decode("utf-8", "replace")
        said = {key: plain(value) for key, value in reversed(_FIELD.findall(text))}
        stub = _STUB.search(text)
        title = plain(stub[1]) if stub else said.get("name", "")
        version = plain(stub[2]) if stub else said.get("version", "")
        if not title or not version:
            reading.trouble("a gemspec has no name or version")
            continue
        licences = _LICENCES.search(text)
        yield Package(
            Ecosystem.RUBY,
            title,
            version,
            entry.path,
            licence=plain(" AND ".join(_WORD.findall(licences[1]))) if licences else "",
            files=_files(reading, entry),
            metadata=frozenset((entry.path,)),
        )


def _files(reading: Reading, entry: Entry) -> frozenset[ImagePath] | None:
    top = parent(parent(entry.path))
    directory = join(top, f"gems/{name(entry.path).removesuffix('.gemspec')}")
    if name(parent(entry.path)) == "default" or directory not in reading.tree:
        return None
    below = reading.tree.below(directory)
    return frozenset(e.path for e in below if e.type is not FileType.DIRECTORY)
