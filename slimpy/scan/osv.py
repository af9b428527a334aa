"""A directory of OSV records: JSON files, and zip archives of them as OSV publishes them.

The form and how a version is judged: the OSV schema, 1.7.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cmp_to_key, partial
from pathlib import Path
from typing import Any

import msgspec

from slimpy.errors import UsageError
from slimpy.model import display
from slimpy.sbom.components import Component, Inventory
from slimpy.sbom.package import Distribution, Ecosystem, normal_name
from slimpy.scan.known import Known, Match, Severity, name_of, severity_of, severity_of_vector
from slimpy.scan.versions import compare

LARGEST_RECORD = 16 << 20
MOST_RECORDS = 2_000_000
_MOST_EVENTS = 10_000

_NAMES = {
    "PyPI": Ecosystem.PYTHON,
    "npm": Ecosystem.NODE,
    "Go": Ecosystem.GO,
    "Maven": Ecosystem.JAVA,
    "RubyGems": Ecosystem.RUBY,
    "Packagist": Ecosystem.PHP,
    "crates.io": Ecosystem.RUST,
}
_DISTRIBUTIONS = {
    "Debian": (Ecosystem.DEB, "debian"),
    "Ubuntu": (Ecosystem.DEB, "ubuntu"),
    "Alpine": (Ecosystem.APK, "alpine"),
}


class _Package(msgspec.Struct, frozen=True):
    ecosystem: str = ""
    name: str = ""


class _Range(msgspec.Struct, frozen=True):
    type: str = ""
    events: tuple[dict[str, str], ...] = ()


class _Score(msgspec.Struct, frozen=True):
    type: str = ""
    score: str = ""


class _Affected(msgspec.Struct, frozen=True):
    package: _Package = _Package()
    ranges: tuple[_Range, ...] = ()
    versions: tuple[str, ...] = ()
    severity: tuple[_Score, ...] = ()
    ecosystem_specific: Any = None
    database_specific: Any = None


class _Record(msgspec.Struct, frozen=True):
    id: str
    aliases: tuple[str, ...] = ()
    upstream: tuple[str, ...] = ()
    withdrawn: str | None = None
    severity: tuple[_Score, ...] = ()
    affected: tuple[_Affected, ...] = ()
    database_specific: Any = None


_decoder = msgspec.json.Decoder(_Record)


def known(directory: Path, inventory: Inventory) -> Known:
    """What the records say of the packages of an inventory.

    Raises:
        UsageError: the directory cannot be read, or has no records.
    """
    judging = _Judging(inventory)
    count = 0
    for data in _records(directory, judging):
        if data is None:
            continue
        count += 1
        if count > MOST_RECORDS:
            judging.trouble(f"more than {MOST_RECORDS:,} records: the rest is not read")
            break
        try:
            record = _decoder.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            judging.trouble("a record is damaged")
            continue
        judging.judge(record)
    if not count:
        message = f"There are no OSV records in {display(str(directory))}."
        raise UsageError(message, hint="Name a directory of their JSON files or zip archives.")
    return judging.result(f"OSV, {count:,} records")


def _records(directory: Path, judging: _Judging) -> Iterator[bytes | None]:
    if not directory.is_dir():
        message = f"{display(str(directory))} is no directory."
        raise UsageError(message, hint="Name a directory of OSV's JSON files or zip archives.")
    for path in sorted(directory.rglob("*")):
        if path.suffix not in (".json", ".zip") or not path.is_file():
            continue
        try:
            if path.suffix == ".zip":
                yield from _zipped(path, judging)
            elif path.stat().st_size <= LARGEST_RECORD:
                yield path.read_bytes()
            else:
                judging.trouble("a record is too large to be read")
        except OSError:
            judging.trouble("a file cannot be read")


def _zipped(path: Path, judging: _Judging) -> Iterator[bytes | None]:
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                if not member.filename.endswith(".json"):
                    continue
                if member.file_size > LARGEST_RECORD:
                    judging.trouble("a record is too large to be read")
                    continue
                with archive.open(member) as file:
                    yield file.read(LARGEST_RECORD)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError):
        judging.trouble("a zip archive is damaged")


@dataclass(slots=True)
class _Judging:
    """Records against the packages, one by one."""

    inventory: Inventory
    matches: dict[tuple[str, int], Match] = field(default_factory=dict)
    covered: set[Ecosystem] = field(default_factory=set)
    unjudged: dict[tuple[str, str], None] = field(default_factory=dict)
    troubles: dict[str, int] = field(default_factory=dict)
    by_name: dict[tuple[Ecosystem, str], list[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for number, item in enumerate(self.inventory.components):
            self.by_name.setdefault((item.ecosystem, _own_name(item)), []).append(number)

    def trouble(self, text: str) -> None:
        self.troubles[text] = self.troubles.get(text, 0) + 1

    def result(self, source: str) -> Known:
        return Known(
            source=source,
            matches=tuple(self.matches.values()),
            covered=frozenset(self.covered),
            unjudged=tuple(self.unjudged),
            warnings=tuple(f"{text} ({n:,} times)" for text, n in sorted(self.troubles.items())),
        )

    def judge(self, record: _Record) -> None:
        for affected in record.affected:
            ecosystem = _ecosystem(affected.package.ecosystem, self.inventory.distribution)
            if ecosystem is None:
                continue
            self.covered.add(ecosystem)
            if record.withdrawn:
                continue
            wanted = (ecosystem, normal_name(ecosystem, affected.package.name))
            for number in self.by_name.get(wanted, ()):
                self._one(record, affected, number)

    def _one(self, record: _Record, affected: _Affected, number: int) -> None:
        item = self.inventory.components[number]
        version = _own_version(item)
        is_affected, fixed = judged(item.ecosystem, version, affected)
        name = name_of(record.id, (*record.aliases, *record.upstream))
        if is_affected is None:
            why = f"{name}: version {version} cannot be placed"
            self.unjudged[(item.purl, display(why[:300]))] = None
        elif is_affected:
            found = Match(
                name, _severity(record, affected), item, item.name, item.version, display(fixed)
            )
            old = self.matches.get((name, number))
            if old is None or _rank(found) < _rank(old):
                self.matches[(name, number)] = found


def _rank(match: Match) -> tuple[int, bool]:
    return list(Severity).index(match.severity), not match.fixed


def _own_name(item: Component) -> str:
    """The name that records use: distributions' are of the source package."""
    if item.ecosystem in (Ecosystem.DEB, Ecosystem.APK):
        return item.source or item.name
    return normal_name(item.ecosystem, item.name)


def _own_version(item: Component) -> str:
    if item.ecosystem in (Ecosystem.DEB, Ecosystem.APK):
        return item.source_version or item.version
    return item.version.removeprefix("v") if item.ecosystem is Ecosystem.GO else item.version


def _ecosystem(text: str, distro: Distribution) -> Ecosystem | None:
    """The ecosystem of a record, if it is one of this image's; a release has to be the same."""
    name, _, release = text.partition(":")
    if name in _NAMES:
        return _NAMES[name]
    if name not in _DISTRIBUTIONS:
        return None
    ecosystem, own = _DISTRIBUTIONS[name]
    if own != distro.id:
        return None
    if not release:
        return ecosystem
    release = release.removeprefix("v").removesuffix(":LTS")
    mine = distro.version
    if name == "Alpine":
        mine = ".".join(mine.split(".")[:2])
    elif name == "Debian":
        mine = mine.partition(".")[0]
    return ecosystem if release == mine else None


def judged(ecosystem: Ecosystem, version: str, affected: _Affected) -> tuple[bool | None, str]:
    """Whether a version is affected (None: cannot be told), and the next one that is not."""
    if version and version in affected.versions:
        ranges = [_in_range(ecosystem, version, one) for one in affected.ranges if _is_of_use(one)]
        return True, next((fixed for _, fixed in ranges if fixed), "")
    outcomes = [_in_range(ecosystem, version, one) for one in affected.ranges if _is_of_use(one)]
    for is_in, fixed in outcomes:
        if is_in:
            return True, fixed
    if any(compare(ecosystem, version, one) == 0 for one in affected.versions):
        return True, ""
    if not version or any(is_in is None for is_in, _ in outcomes):
        return None, ""
    # With neither ranges nor versions a record says nothing that could be decided here.
    return (False if outcomes or affected.versions else None), ""


def _is_of_use(one: _Range) -> bool:
    return one.type in ("ECOSYSTEM", "SEMVER")


def _in_range(ecosystem: Ecosystem, version: str, one: _Range) -> tuple[bool | None, str]:
    events = [(kind, at) for event in one.events[:_MOST_EVENTS] for kind, at in event.items()]
    try:
        events.sort(key=cmp_to_key(partial(_order, ecosystem)))
        inside, fixed = False, ""
        for kind, at in events:
            place = _placed(ecosystem, version, at)
            if kind == "introduced" and place >= 0:
                inside, fixed = True, ""
            elif kind == "fixed":
                if place >= 0:
                    inside = False
                elif inside and not fixed:
                    fixed = at
            elif (kind == "last_affected" and place > 0) or (kind == "limit" and place >= 0):
                inside = False
    except ValueError:
        return None, ""
    return inside, fixed


def _order(ecosystem: Ecosystem, a: tuple[str, str], b: tuple[str, str]) -> int:
    place = 0 if a[1] == b[1] else -_placed(ecosystem, b[1], a[1])
    # A fix at the version at which something else begins comes first.
    return place or (a[0] == "introduced") - (b[0] == "introduced")


def _placed(ecosystem: Ecosystem, version: str, at: str) -> int:
    """The order of a version and that of an event; ``0`` is before all versions."""
    if at == "0":
        return 0 if version == "0" else 1
    if version == "0":
        return -1
    found = compare(ecosystem, version, at)
    if found is None:
        raise ValueError(at)
    return found


def _severity(record: _Record, affected: _Affected) -> Severity:
    for specific in (affected.ecosystem_specific, affected.database_specific):
        for key in ("urgency", "severity"):
            word = specific.get(key) if isinstance(specific, Mapping) else None
            if (found := severity_of(word)) is not Severity.UNKNOWN:
                return found
    scores = [*affected.severity, *record.severity]
    found_ = [severity_of_vector(s.score) for s in scores if s.type == "CVSS_V3"]
    found_ += [severity_of(s.score) for s in scores if s.type in ("Ubuntu", "Debian")]
    for found in found_:
        if found is not Severity.UNKNOWN:
            return found
    said = record.database_specific
    return severity_of(said.get("severity") if isinstance(said, Mapping) else None)
