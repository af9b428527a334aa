"""Java libraries: the coordinates in jars, and in jars inside of jars."""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from slimpy.image.tree import name
from slimpy.model import Entry, FileType, ImagePath
from slimpy.sbom.package import Ecosystem, Package
from slimpy.sbom.reading import Reading, plain

ENDINGS = (".jar", ".war", ".ear")
MOST_MEMBERS = 100_000
LARGEST_MEMBER = 1 << 20
LARGEST_INNER = 128 << 20
MOST_INNER = 512 << 20
DEEPEST = 3

_NAMED = re.compile(r"(.+?)-(\d[\w.+-]*)\.(?:jar|war|ear)$")
_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    OSError,
    EOFError,
    RuntimeError,
    NotImplementedError,
    ValueError,
)


def archives(entries: Iterable[Entry]) -> Iterator[Entry]:
    """Jars by their names."""
    for entry in entries:
        if entry.type is FileType.FILE and entry.path.endswith(ENDINGS) and entry.size:
            yield entry


def packages(reading: Reading, entries: Iterable[Entry]) -> Iterator[Package]:
    """The libraries in these jars; a jar ships whole or not at all."""
    jars = _Jars(reading)
    for entry in entries:
        with reading.contents.open(entry.path) as file:
            yield from jars.inside(file, entry.path, name(entry.path), 1)


class _Jars:
    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._left = MOST_INNER

    def inside(self, file: BinaryIO, path: ImagePath, title: str, depth: int) -> Iterator[Package]:
        found: list[tuple[str, str, str]] = []
        inner: list[tuple[str, bytes]] = []
        try:
            with zipfile.ZipFile(file) as jar:
                members = jar.infolist()
                if len(members) > MOST_MEMBERS:
                    self._reading.trouble("a jar has too many members to be read")
                    return
                found = list(_coordinates(jar, members)) or list(_manifest(jar, title))
                inner = self._nested(jar, members, depth)
        except _DAMAGED:
            self._reading.trouble("a jar is damaged")
        for title_, version, licence in found:
            yield Package(
                Ecosystem.JAVA,
                title_,
                version,
                path,
                licence=licence,
                files=frozenset((path,)),
            )
        for below, data in inner:
            yield from self.inside(io.BytesIO(data), path, below, depth + 1)

    def _nested(
        self, jar: zipfile.ZipFile, members: list[zipfile.ZipInfo], depth: int
    ) -> list[tuple[str, bytes]]:
        found = []
        for member in members:
            if not member.filename.endswith(ENDINGS):
                continue
            size = member.file_size
            if depth >= DEEPEST or size > LARGEST_INNER or size > self._left:
                self._reading.trouble("a jar inside of a jar is too deep or too large to be read")
                continue
            self._left -= size
            found.append((member.filename.rpartition("/")[2], _read(jar, member, size)))
        return found


def _read(jar: zipfile.ZipFile, member: zipfile.ZipInfo, limit: int) -> bytes:
    with jar.open(member) as file:
        return file.read(limit)


def _coordinates(
    jar: zipfile.ZipFile, members: list[zipfile.ZipInfo]
) -> Iterator[tuple[str, str, str]]:
    """``group:artifact`` and version of each ``pom.properties``."""
    for member in members:
        place = member.filename
        if not (place.startswith("META-INF/maven/") and place.endswith("/pom.properties")):
            continue
        said = _properties(_read(jar, member, LARGEST_MEMBER), b"=")
        group, artifact = plain(said.get("groupid")), plain(said.get("artifactid"))
        version = plain(said.get("version"))
        if group and artifact and version:
            yield f"{group}:{artifact}", version, ""


def _manifest(jar: zipfile.ZipFile, title: str) -> Iterator[tuple[str, str, str]]:
    """What the manifest and the file's name say, where no coordinates are in it."""
    try:
        data = _read(jar, jar.getinfo("META-INF/MANIFEST.MF"), LARGEST_MEMBER)
    except KeyError:
        data = b""
    said = _properties(data.replace(b"\r\n", b"\n").replace(b"\n ", b""), b":")
    named = _NAMED.match(title)
    artifact = named[1] if named else title.rpartition(".")[0]
    version = (
        (named[2] if named else "")
        or said.get("implementation-version")
        or said.get("bundle-version", "")
    )
    group = said.get("implementation-vendor-id", "")
    if plain(artifact) and plain(version):
        yield f"{plain(group)}:{plain(artifact)}", plain(version), plain(said.get("bundle-license"))


def _properties(data: bytes, separator: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in data.splitlines():
        key, middle, value = line.partition(separator)
        if middle and not key.startswith((b"#", b" ")):
            text = value.strip().decode("utf-8", "replace")
            found.setdefault(key.strip().decode("utf-8", "replace").lower(), text)
    return found
