"""Which package of the distribution owns a path, by the databases that lie in the image."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from probes.model import TraceWarning
from slimpy.image.contents import Contents
from slimpy.image.links import resolve
from slimpy.image.tree import Tree, name
from slimpy.model import Entry, FileType, ImagePath, decoded
from slimpy.sbom import rpm
from slimpy.sbom.package import UNNAMED
from slimpy.sbom.reading import Reading

MOST_BYTES = 256 << 20
"""How much of all package databases is read together, in bytes; a full desktop system has 60 MB."""

_DPKG = "/var/lib/dpkg/status"
_DPKG_LISTS = "/var/lib/dpkg/info"
_DISTROLESS = "/var/lib/dpkg/status.d"
_APK = ("/lib/apk/db/installed", "/usr/lib/apk/db/installed")
_DIVERSIONS = "/var/lib/dpkg/diversions"

_UNREAD = "an rpm database cannot be read: the owners of its files are unknown"
_TOO_LARGE = "a package database is too large to be read: the owners of its files are unknown"


@dataclass(frozen=True, slots=True)
class Ownership:
    """Owner (``name version``) of each path that a package installed, and what could not be told.

    Directories have no owner: most belong to many packages.
    """

    owners: Mapping[ImagePath, str]
    warnings: tuple[TraceWarning, ...] = ()


def owners(tree: Tree, contents: Contents) -> Mapping[ImagePath, str]:
    """The package that owns each path; paths without an owner are left out."""
    return survey(tree, contents).owners


def survey(tree: Tree, contents: Contents) -> Ownership:
    """Read the databases of dpkg (also distroless's ``status.d``), apk and rpm, in one fetch."""
    return _Survey(tree, contents).result()


def databases(tree: Tree, contents: Contents) -> tuple[ImagePath, ...]:
    """The files that `survey` reads, so that they can be fetched together with others."""
    return tuple(entry.path for entry in _Survey(tree, contents).databases())


class _Survey:
    def __init__(self, tree: Tree, contents: Contents) -> None:
        self._tree = tree
        self._contents = contents
        self._reading = Reading(tree, contents)
        self._directories: dict[str, ImagePath | None] = {}
        self._owners: dict[ImagePath, str] = {}
        self._left = MOST_BYTES
        self._too_large = 0

    def result(self) -> Ownership:
        files = self.databases()
        self._contents.fetch([entry.path for entry in files])
        self._dpkg()
        self._distroless()
        self._apk()
        warnings = [] if self._rpm() else [TraceWarning("packages", _UNREAD)]
        if self._too_large:
            warnings.append(TraceWarning("packages", _TOO_LARGE, self._too_large))
        return Ownership(MappingProxyType(self._owners), tuple(warnings))

    def databases(self) -> list[Entry]:
        """What will be read, cut at the bound."""
        single = [self._file(path) for path in (_DPKG, _DIVERSIONS, *_APK)]
        lists = [e for e in self._files_in(_DPKG_LISTS) if e.path.endswith(".list")]
        found, total = [], 0
        others = (*self._files_in(_DISTROLESS), *rpm.databases(self._reading))
        for entry in (*single, *lists, *others):
            if entry is not None and total + entry.size <= MOST_BYTES:
                total += entry.size
                found.append(entry)
        return found

    def _dpkg(self) -> None:
        versions: dict[str, str] = {}
        for stanza in _stanzas(
            self._lines(self._file(_DPKG)), ("Package", "Version", "Architecture")
        ):
            package, version = stanza.get("Package", ""), stanza.get("Version", "")
            versions[package] = version
            versions[f"{package}:{stanza.get('Architecture', '')}"] = version
        diverted = self._diversions()
        for entry in self._files_in(_DPKG_LISTS):
            if entry.path.endswith(".list"):
                package = name(entry.path).removesuffix(".list")
                name_, version = package.partition(":")[0], versions.get(package, "")
                listed = self._lines(entry)
                if diverted:
                    listed = (_diverted(path, name_, diverted) for path in listed)
                self._own(listed, f"{name_} {version}".strip())

    def _diversions(self) -> dict[str, tuple[str, str]]:
        """Path -> where it was moved, and the package for which it was not (dpkg-divert(1))."""
        lines = list(self._lines(self._file(_DIVERSIONS)))
        return {
            path: (to, by)
            for path, to, by in zip(lines[::3], lines[1::3], lines[2::3], strict=False)
        }

    def _rpm(self) -> bool:
        """Whether all its databases could be read."""
        for package in rpm.packages(self._reading, UNNAMED):
            owner = f"{package.name} {package.version}"
            for path in sorted(package.files or ()):
                self._owners.setdefault(path, owner)
        return not self._reading.warnings()

    def _distroless(self) -> None:
        for entry in self._files_in(_DISTROLESS):
            if entry.path.endswith(".md5sums"):
                continue
            stanza = next(_stanzas(self._lines(entry), ("Package", "Version")), {})
            owner = f"{stanza.get('Package', name(entry.path))} {stanza.get('Version', '')}".strip()
            sums = self._tree.get(f"{entry.path}.md5sums")
            # Each line is a digest, two spaces and a path without its leading slash.
            self._own((f"/{line.partition('  ')[2]}" for line in self._lines(sums)), owner)
            self._own((entry.path,), owner)

    def _apk(self) -> None:
        for database in _APK:
            owner = directory = package = ""
            for line in self._lines(self._file(database)):
                key, _, value = line.partition(":")
                match key:
                    case "":
                        owner = directory = package = ""
                    case "P":
                        owner = package = value
                    case "V":
                        owner = f"{package} {value}"
                    case "F":
                        directory = value
                    case "R":
                        self._own((f"/{directory}/{value}",), owner)

    def _own(self, paths: Iterable[str], owner: str) -> None:
        listed = list(paths)
        # A list names directories too, and one of them can be a link in the image: /lib.
        directories = {path.rpartition("/")[0] for path in listed}
        for path in listed:
            entry = None if path in directories else self._at(path)
            if entry is not None and entry.type is not FileType.DIRECTORY:
                self._owners.setdefault(entry.path, owner)

    def _at(self, path: str) -> Entry | None:
        """The entry that is meant: a database may say ``/lib/x`` for what is ``/usr/lib/x``."""
        entry = self._tree.get(path)
        if entry is not None or not path.startswith("/"):
            return entry
        directory, _, last = path.rpartition("/")
        if directory not in self._directories:
            self._directories[directory] = resolve(self._tree, directory or "/").real
        real = self._directories[directory]
        return None if real is None else self._tree.get(f"{real.rstrip('/')}/{last}")

    def _file(self, path: str) -> Entry | None:
        real = resolve(self._tree, path).real
        entry = None if real is None else self._tree.get(real)
        return entry if entry is not None and entry.type is FileType.FILE else None

    def _files_in(self, directory: str) -> tuple[Entry, ...]:
        real = resolve(self._tree, directory).real
        if real is None:
            return ()
        return tuple(e for e in self._tree.children(real) if e.type is FileType.FILE)

    def _lines(self, entry: Entry | None) -> Iterator[str]:
        if entry is None or entry.type is not FileType.FILE:
            return
        if entry.size > self._left:
            self._too_large += 1
            return
        self._left -= entry.size
        try:
            data = self._contents.read(entry.path, entry.size)
        except FileNotFoundError:
            return
        for line in data.split(b"\n"):
            yield decoded(line)


def _diverted(path: str, package: str, diversions: Mapping[str, tuple[str, str]]) -> str:
    """Where a package's file lies after all."""
    to, by = diversions.get(path, (path, package))
    return path if by == package else to


def _stanzas(lines: Iterable[str], keys: Iterable[str]) -> Iterator[dict[str, str]]:
    """The wanted fields of each paragraph of a Debian control file (deb822(5))."""
    prefixes = {f"{key}:": key for key in keys}
    stanza: dict[str, str] = {}
    for line in lines:
        if not line.strip():
            if stanza:
                yield stanza
            stanza = {}
            continue
        head, colon, value = line.partition(":")
        key = prefixes.get(head + colon)
        if key is not None:
            stanza[key] = value.strip()
    if stanza:
        yield stanza
