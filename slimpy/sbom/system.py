"""Packages of the distribution: dpkg, distroless's ``status.d`` and apk."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from slimpy.image.tree import name
from slimpy.model import Entry, FileType, ImagePath, decoded
from slimpy.sbom import owners, rpm
from slimpy.sbom.package import Distribution, Ecosystem, Package
from slimpy.sbom.paragraphs import fields, paragraphs
from slimpy.sbom.reading import Reading, plain

STATUS = "/var/lib/dpkg/status"
STATUS_D = "/var/lib/dpkg/status.d"
INFO = "/var/lib/dpkg/info"
APK = ("/lib/apk/db/installed", "/usr/lib/apk/db/installed")
OS_RELEASE = ("/etc/os-release", "/usr/lib/os-release")
SUMS = ".md5sums"

_SOURCE = re.compile(r"([^\s(]+)\s*(?:\(([^)]*)\))?")
_INSTALLED = re.compile(r"(?:install|hold) \S+ (?:installed|triggers-\S+|unpacked|half-\S+)")


def distribution(reading: Reading) -> Distribution:
    """What os-release(5) of the image says."""
    entry = next(filter(None, map(reading.file, OS_RELEASE)), None)
    data = reading.data(entry, "os-release")[:65536]
    pairs = (line.partition("=") for line in data.decode("utf-8", "replace").splitlines())
    said = {key.strip(): plain(value.strip().strip("\"'")) for key, _, value in pairs}
    name = said.get("PRETTY_NAME", "")
    return Distribution(said.get("ID", ""), said.get("VERSION_ID", ""), name)


def packages(reading: Reading, distro: Distribution) -> Iterator[Package]:
    """Every package that the databases call installed, with its files."""
    owned = _owned(reading)
    listed = frozenset(name(entry.path).removesuffix(".list") for entry in reading.files_in(INFO))
    for entry, lines in _dpkg_paragraphs(reading):
        found = _debian(entry, lines, distro, owned, listed)
        if found is not None:
            yield found
    for path in APK:
        entry_ = reading.file(path)
        if entry_ is None:
            continue
        for lines in paragraphs(reading.data(entry_, "apk's database")):
            found = _alpine(entry_, lines, distro, owned)
            if found is not None:
                yield found


def databases(reading: Reading) -> Iterator[Entry]:
    """All that `packages` and `distribution` read, and what goes with it into a slim image."""
    for path in owners.databases(reading.tree, reading.contents):
        yield reading.tree.get(path) or Entry(path, FileType.FILE)
    found = (*map(reading.file, (*OS_RELEASE, STATUS)), *rpm.databases(reading))
    yield from filter(None, found)
    yield from (entry for entry in reading.files_in(INFO) if entry.path.endswith(SUMS))


def status_files(reading: Reading) -> tuple[Entry, ...]:
    """The descriptions in ``status.d``, which has one file of them for each package."""
    return tuple(e for e in reading.files_in(STATUS_D) if not e.path.endswith(SUMS))


def is_installed(said: Mapping[str, str]) -> bool:
    """Whether a paragraph of dpkg's status means a package that is there."""
    status = said.get("status")
    return status is None or _INSTALLED.fullmatch(status) is not None


def _owned(reading: Reading) -> dict[str, frozenset[ImagePath]]:
    """Files by ``name version``."""
    found: dict[str, set[ImagePath]] = {}
    for path, owner in owners.survey(reading.tree, reading.contents).owners.items():
        found.setdefault(owner, set()).add(path)
    return {owner: frozenset(paths) for owner, paths in found.items()}


def _dpkg_paragraphs(reading: Reading) -> Iterator[tuple[Entry, list[bytes]]]:
    entry = reading.file(STATUS)
    if entry is not None:
        for lines in paragraphs(reading.data(entry, "dpkg's status")):
            yield entry, lines
    files = status_files(reading)
    reading.fetch(files)
    for entry in files:
        for lines in paragraphs(reading.data(entry, "a file of dpkg's status.d")):
            yield entry, lines


def _debian(
    entry: Entry,
    lines: list[bytes],
    distro: Distribution,
    owned: Mapping[str, frozenset[ImagePath]],
    listed: frozenset[str],
) -> Package | None:
    said = fields(lines)
    title, version = plain(said.get("package")), plain(said.get("version"))
    if not title or not version or not is_installed(said):
        return None
    source = _SOURCE.match(plain(said.get("source")))
    files = owned.get(f"{said['package']} {said['version']}")
    lists = {said["package"], f"{said['package']}:{said.get('architecture')}"}
    if files is None and lists & listed:
        files = frozenset()  # a package of directories only
    described = {entry.path, ImagePath(f"{entry.path}{SUMS}")}
    return Package(
        Ecosystem.DEB,
        title,
        version,
        entry.path,
        namespace=distro.id or "debian",
        source=source[1] if source else title,
        source_version=(source[2] if source else "") or version,
        architecture=plain(said.get("architecture")),
        distro=_distro(distro),
        files=None if files is None else files - described,
    )


def _alpine(
    entry: Entry,
    lines: list[bytes],
    distro: Distribution,
    owned: Mapping[str, frozenset[ImagePath]],
) -> Package | None:
    said: dict[str, str] = {}
    for line in lines:
        key, _, value = decoded(line).partition(":")
        said.setdefault(key, value)
    title, version = plain(said.get("P")), plain(said.get("V"))
    if not title or not version:
        return None
    return Package(
        Ecosystem.APK,
        title,
        version,
        entry.path,
        namespace=distro.id or "alpine",
        source=plain(said.get("o")) or title,
        source_version=version,
        licence=plain(said.get("L")),
        architecture=plain(said.get("A")),
        distro=_distro(distro),
        files=owned.get(f"{said['P']} {said['V']}", frozenset()),
    )


def _distro(distro: Distribution) -> str:
    return "-".join(filter(None, (distro.id, distro.version)))
