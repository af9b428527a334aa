"""The packages of an image whose layers stream past once: which files to note on the way, and what
these tell.

Nothing is known yet of links when a file streams past, so that databases are wanted by the ends of
their paths; which of them count is decided when all layers are there. Jars and programs would have
to be held whole, so they are not searched.
"""

from __future__ import annotations

import errno
import io
from collections.abc import Iterable, Iterator, Mapping
from typing import BinaryIO

from slimpy.image.contents import Contents, Member
from slimpy.image.tree import Tree, name, parent
from slimpy.model import ROOT, Entry, FileType, ImagePath
from slimpy.sbom import catalogue, node, php, python, rpm, ruby, system
from slimpy.sbom.package import Catalogue
from slimpy.sbom.reading import LARGEST

HEAD = 4096
"""Bytes of a file that describes one package: its name and version come first."""
LARGEST_DOCUMENT = 256 << 10
"""Bytes of a package.json, which is read whole."""

_DATABASES = (
    *("/dpkg/status", "/apk/db/installed", "/rpmdb.sqlite", "/Packages.db"),
    "/os-release",
)
_DIRECTORIES = ("status.d", "os.release.d")
_UNREAD = ("/Packages", *(f"/rpmdb.sqlite{ending}" for ending in rpm.JOURNALS))
"""Ends of paths of which it matters only that they are there."""
_READERS = ((python, HEAD), (ruby, HEAD), (node, LARGEST_DOCUMENT), (php, LARGEST))
_DESCRIBED = ("METADATA", "PKG-INFO", ".egg-info", ".gemspec", "package.json", "installed.json")
"""Ends of paths that these are asked about."""


def tells(path: str) -> bool:
    """Whether a regular file at this path may name packages, or the distribution."""
    return bool(_most(path)) or path.endswith(_UNREAD)


def wanted(path: str, size: int) -> int:
    """How many bytes of a regular file are needed; 0 for none, also where it is far too large.

    Args:
        path: where a layer has it.
        size: in bytes.
    """
    most = _most(path)
    return min(size, most) if most == HEAD or size <= most else 0


def survey(entries: Iterable[Entry], texts: Mapping[ImagePath, bytes]) -> Catalogue:
    """The packages of an image.

    Args:
        entries: what is in it; only links and files for which `tells` is true are looked at.
        texts: what was noted of them; one that is not there ends in a warning.
    """
    return catalogue.survey(Tree(_looked_at(entries, texts)), _Noted(texts), whole=())


def _most(path: str) -> int:
    """The most bytes of a file that are read; 0 where it tells nothing."""
    if path.endswith(_DATABASES):
        return LARGEST
    above = parent(ImagePath(path))
    if name(above) in _DIRECTORIES:
        return 0 if path.endswith(system.SUMS) else LARGEST
    if not path.endswith(_DESCRIBED):
        return 0
    entry = Entry(ImagePath(path), FileType.FILE)
    fits = (most for reader, most in _READERS if any(reader.descriptions((entry,))))
    return next(fits, 0)


def _looked_at(entries: Iterable[Entry], texts: Mapping[ImagePath, bytes]) -> Iterator[Entry]:
    found = {
        entry.path: entry
        for entry in entries
        if entry.type is FileType.LINK or (entry.type is FileType.FILE and tells(entry.path))
    }
    for path, entry in found.items():
        if any(above in found for above in _above(path)):
            continue  # layers can put something below what is no directory
        size = len(texts[path]) if path in texts else entry.size
        yield Entry(path, entry.type, size=size, target=entry.target)


def _above(path: ImagePath) -> Iterator[ImagePath]:
    while (path := parent(path)) != ROOT:
        yield path


class _Noted(Contents):
    """What was noted, as contents of an image."""

    def __init__(self, texts: Mapping[ImagePath, bytes]) -> None:
        self._texts = texts

    def fetch(self, paths: Iterable[ImagePath]) -> None:
        """Nothing more can be had."""

    def open(self, path: ImagePath) -> BinaryIO:
        """See Contents.open."""
        return io.BytesIO(self.read(path))

    def read(self, path: ImagePath, limit: int | None = None) -> bytes:
        """See Contents.read.

        Raises:
            FileNotFoundError: it was not noted, as it was too large.
        """
        if path not in self._texts and limit != 0:
            raise FileNotFoundError(errno.ENOENT, "not noted", path)
        return self._texts.get(path, b"")[:limit]

    def member(self, path: ImagePath) -> Member:
        """See Contents.member."""
        return Member(len(self.read(path)))
