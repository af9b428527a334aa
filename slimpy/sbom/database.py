"""The package databases of a slim image: true to what ships, valid for their own tools.

Scanners tell packages by these files. A database names the packages of which something ships, and
of those only the files that do. What the run itself read, or the user asked for, ships as it is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from probes.model import TraceWarning
from slimpy.image.contents import Contents
from slimpy.image.links import resolve
from slimpy.image.tree import Tree, join, name, parent
from slimpy.model import Entry, FileType, ImagePath, KeepSet, Reason, Rule, decoded
from slimpy.sbom import python, rpm, system
from slimpy.sbom.catalogue import state_of
from slimpy.sbom.package import Catalogue, Ecosystem, Package, State
from slimpy.sbom.paragraphs import fields, paragraphs
from slimpy.sbom.reading import Reading, plain
from slimpy.sbom.shipping import Shipping

DPKG = "/var/lib/dpkg"
_ALONGSIDE = ("arch", "info/format", "updates")
"""What dpkg-query needs beside its status: names of list files depend on the format."""

_IDENTITY = (
    *("/etc/os-release", "/etc/debian_version", "/etc/alpine-release"),
    *("/etc/redhat-release", "/etc/system-release", "/etc/centos-release", "/etc/fedora-release"),
    *("/etc/rocky-release", "/etc/almalinux-release", "/etc/oracle-release"),
)
_REPLACEABLE = frozenset(
    (Rule.PYTHON, Rule.NODE, Rule.RUBY, Rule.APP, Rule.SERVED, Rule.LISTED, Rule.DATABASE)
)
"""Rules that ask for a file because it lies there; the others know that it is read."""

_OF_A_DISTRIBUTION = frozenset((Ecosystem.DEB, Ecosystem.APK, Ecosystem.RPM))

_AS_IT_IS = (
    "a package database was used by the run or asked for, so it ships as it is: "
    "it also names what was removed"
)

_NO_RPM = (
    "an rpm database of an older form (Berkeley DB or ndb) is not reduced to what ships, so it is "
    "left out unless something else keeps it: scanners may not see rpm's packages"
)
_DAMAGED = (
    "an rpm database is damaged or too large, so it is left out unless something else keeps it: "
    "scanners may not see rpm's packages"
)


def with_database(tree: Tree, contents: Contents, keep: KeepSet, catalogue: Catalogue) -> KeepSet:
    """What ships, with a package database for it; a pure function of its arguments."""
    writing = _Writing(tree, contents, keep)
    present = _present(catalogue, keep)
    writing.python(present[Ecosystem.PYTHON])
    writing.described((*present[Ecosystem.NODE], *present[Ecosystem.RUBY]))
    if _OF_A_DISTRIBUTION & present.keys():
        writing.identity()
    # What ships from here on is that of packages, too: os-release belongs to one.
    present = _present(catalogue, writing.settled())
    writing.dpkg(present[Ecosystem.DEB])
    writing.apk(present[Ecosystem.APK])
    writing.rpm(present[Ecosystem.RPM])
    return writing.result()


def _present(catalogue: Catalogue, keep: KeepSet) -> defaultdict[Ecosystem, list[Package]]:
    """The packages of which some file ships."""
    found: defaultdict[Ecosystem, list[Package]] = defaultdict(list)
    for item in catalogue.packages:
        if state_of(item, keep) in (State.KEPT, State.PARTLY):
            found[item.ecosystem].append(item)
    return found


class _Writing:
    def __init__(self, tree: Tree, contents: Contents, keep: KeepSet) -> None:
        self._tree = tree
        self._keep = keep
        self._reading = Reading(tree, contents)
        self._ships = Shipping(tree, keep)
        self._reasons: dict[ImagePath, tuple[Reason, ...]] = {}
        self._new: dict[ImagePath, bytes] = {}
        self._left_alone = 0
        self._unreduced = 0
        self._damaged = 0

    def settled(self) -> KeepSet:
        """The keep set with what was added so far, which counts as shipping from now on."""
        self._keep = self._keep.widened(self._reasons)
        self._ships = Shipping(self._tree, self._keep)
        return self._keep

    def result(self) -> KeepSet:
        """The keep set with all that was added."""
        wider = self._keep.widened(self._reasons)
        counted = (
            (_AS_IT_IS, self._left_alone),
            (_NO_RPM, self._unreduced),
            (_DAMAGED, self._damaged),
        )
        warnings = (TraceWarning("packages", text, count) for text, count in counted if count)
        return replace(
            wider,
            rewritten={**wider.rewritten, **self._new},
            warnings=(*wider.warnings, *warnings),
        )

    def dpkg(self, present: list[Package]) -> None:
        """Debian's status and file lists, or those of distroless images."""
        status = self._reading.file(system.STATUS)
        if not present:
            return
        if status is not None and not self._is_free(status.path):
            self._left_alone += 1
            return
        known = {(item.name, item.version, item.architecture) for item in present}
        if status is not None:
            self._write(system.STATUS, self._status(status.path, known))
            for place in _ALONGSIDE:
                self._add(f"{DPKG}/{place}", "dpkg's tools need it")
        diversions = self._diversions()
        self._lists({item[0] for item in known}, diversions)
        self._status_d({item.evidence for item in present})

    def _status(self, path: ImagePath, known: set[tuple[str, str, str]]) -> bytes:
        data = self._reading.data(self._tree.get(path), "dpkg's status")
        out: list[bytes] = []
        for lines in paragraphs(data):
            said = fields(lines)
            keys = ("package", "version", "architecture")
            if (
                not system.is_installed(said)
                or tuple(plain(said.get(k)) for k in keys) not in known
            ):
                continue
            out += (line + b"\n" for line in self._conffiles(lines))
            out.append(b"\n")
        return b"".join(out)

    def _conffiles(self, lines: list[bytes]) -> Iterator[bytes]:
        """A paragraph without the configuration files that do not ship."""
        held: bytes | None = None
        inside = False
        for line in lines:
            if line[:1] not in (b" ", b"\t"):
                inside = line.lower().startswith(b"conffiles:")
                held = line if inside else None
                if not inside:
                    yield line
            elif not inside:
                yield line
            elif self._ships.whole(decoded(line.split()[0])):
                if held is not None:
                    yield held
                    held = None
                yield line

    def _diversions(self) -> dict[str, tuple[str, str]]:
        """What lies elsewhere because of other packages (dpkg-divert(1)): where, and whose file
        is in its place; the list of them ships with those of which either does.
        """
        entry = self._reading.file(f"{DPKG}/diversions")
        if entry is None:
            return {}
        lines = self._reading.data(entry, "dpkg's diversions").split(b"\n")
        found, kept = {}, b""
        for three in (lines[at : at + 3] for at in range(0, len(lines) - 2, 3)):
            old, new, package = map(decoded, three)
            found[old] = (new, package)
            if self._ships.has(old) or self._ships.has(new):
                kept += b"".join(line + b"\n" for line in three)
        if kept:
            self._write(f"{DPKG}/diversions", kept)
        return found

    def _lists(self, names: set[str], diversions: Mapping[str, tuple[str, str]]) -> None:
        for entry in self._reading.files_in(system.INFO):
            whole, _, kind = name(entry.path).rpartition(".")
            package = whole.partition(":")[0]
            if package not in names or kind not in ("list", "md5sums"):
                continue
            kept = []
            for line in self._reading.data(entry, "a list of dpkg's").split(b"\n"):
                path = decoded(line) if kind == "list" else _summed(line)
                new, owner = diversions.get(path, (path, package))
                real = path if owner == package else new
                ships = self._ships.has(real) if kind == "list" else self._as_it_was(real)
                if line and ships:
                    kept.append(line + b"\n")
            self._write(entry.path, b"".join(kept))

    def _as_it_was(self, path: str) -> bool:
        """Whether a file ships, and has the digest that a database says."""
        return self._ships.unchanged(path, self._new)

    def _status_d(self, evidence: set[ImagePath]) -> None:
        for entry in system.status_files(self._reading):
            if entry.path not in evidence:
                continue
            self._add(entry.path, "what a scanner tells the package by")
            sums = self._reading.file(f"{entry.path}{system.SUMS}")
            if sums is not None:
                data = self._reading.data(sums, "a list of dpkg's")
                kept = [
                    line for line in data.split(b"\n") if line and self._as_it_was(_summed(line))
                ]
                self._write(sums.path, b"".join(line + b"\n" for line in kept))

    def apk(self, present: list[Package]) -> None:
        """Alpine's list of what is installed."""
        for path in {item.evidence for item in present}:
            if not self._is_free(path):
                self._left_alone += 1
                continue
            known = {(item.name, item.version) for item in present if item.evidence == path}
            data = self._reading.data(self._tree.get(path), "apk's database")
            out: list[bytes] = []
            for lines in paragraphs(data):
                said = dict(reversed([(line[:2], line[2:]) for line in lines]))
                key = (plain(decoded(said.get(b"P:", b""))), plain(decoded(said.get(b"V:", b""))))
                if key in known:
                    out += (line + b"\n" for line in self._apk_files(lines))
                    out.append(b"\n")
            self._write(path, b"".join(out))

    def _apk_files(self, lines: list[bytes]) -> Iterator[bytes]:
        """A paragraph without the files and directories that do not ship (apk's FDB format)."""
        directory, path, shown = "", "", True
        held: list[bytes] = []  # a directory's own lines, until something in it ships
        for line in lines:
            match line[:2]:
                case b"F:":
                    directory, held = decoded(line[2:]), []
                    shown = self._ships.has(f"/{directory}")
                case b"M:":
                    shown = self._ships.has(f"/{directory}")
                case b"R:":
                    path = f"/{directory}/{decoded(line[2:])}"
                    shown = self._ships.whole(path)
                case b"a:":
                    pass  # it belongs to the line before
                case b"Z:":
                    shown = shown and self._as_it_was(path)
                case _:
                    shown = True
            if shown:
                yield from held
                held = []
                yield line
            elif line[:2] in (b"F:", b"M:"):
                held.append(line)

    def python(self, present: list[Package]) -> None:
        """METADATA's fields, and RECORD with the lines of what ships."""
        for item in present:
            entry = self._tree.get(item.evidence)
            if entry is None or entry.type is not FileType.FILE:
                continue
            if not self._ships.whole(item.evidence):
                data = self._reading.data(entry, "a Python distribution's METADATA")
                self._write(item.evidence, python.header(data))
        for item in present:
            directory = parent(item.evidence)
            record = self._reading.file(join(directory, python.RECORD))
            if record is not None and self._is_free(record.path):
                self._record(record.path, parent(directory))

    def _record(self, path: ImagePath, base: ImagePath) -> None:
        data = self._reading.data(self._tree.get(path), "a Python distribution's RECORD")
        kept = []
        for line in data.splitlines():
            target = python.record_target(base, decoded(line))
            if target is not None and (target == path or self._ships.unchanged(target, self._new)):
                kept.append(line + b"\n")
        self._write(path, b"".join(kept))

    def described(self, present: Iterable[Package]) -> None:
        """Descriptions that are small, and true of a part as of the whole."""
        for item in present:
            self._add(item.evidence, "what a scanner tells the package by")

    def rpm(self, present: list[Package]) -> None:
        """rpm's database in SQLite, with the headers of what ships; older forms are only told.

        A header names every file of its package, also those that do not ship: it is signed as a
        whole, so it is kept as it is. What is there of such a package is told by the report and
        the bill of materials (``partly``), and by ``rpm --verify`` (``missing``).
        """
        self._unreduced = rpm.irreducible(self._reading)
        places: dict[Entry, list[str]] = {}
        for path, entry in rpm.reducible(self._reading):
            places.setdefault(entry, []).append(path)
        for entry, paths in places.items():
            own = [item for item in present if item.evidence == entry.path]
            if not self._is_free(entry.path) or self._has_journal(entry.path):
                self._left_alone += 1
            elif entry.size:
                self._rpm(entry, paths, {(i.name, i.version, i.architecture) for i in own})

    def _rpm(self, entry: Entry, paths: list[str], known: set[tuple[str, str, str]]) -> None:
        data = self._reading.data(entry, "an rpm database")
        try:
            smaller = rpm.reduced(data, known)
        except ValueError:
            self._damaged += 1
            return
        if known:
            for path in paths:
                self._write(path, smaller)

    def _has_journal(self, path: ImagePath) -> bool:
        """Whether changes ship beside a database, which would be made to any that lies there."""
        return any(self._ships.whole(f"{path}{ending}") for ending in rpm.JOURNALS)

    def identity(self) -> None:
        """What scanners tell the distribution by."""
        for path in _IDENTITY:
            self._add(path, "a scanner asks it which distribution this is")

    def _is_free(self, path: ImagePath) -> bool:
        """Whether nothing depends on the contents that a file has in the original."""
        if not self._ships.whole(path):
            return True
        return all(reason.rule in _REPLACEABLE for reason in self._keep.reasons[path])

    def _add(self, path: str, why: str) -> None:
        """Let a path ship as it is, with the links on the way."""
        found = resolve(self._tree, path)
        if found.real is None:
            return
        for each in (*found.links, found.real):
            if not self._ships.whole(each):
                self._reasons[each] = (Reason(Rule.DATABASE, detail=why),)

    def _write(self, path: str, data: bytes) -> None:
        """Let a file ship with other contents."""
        real = resolve(self._tree, path).real
        if real is None or not self._is_free(real):
            return
        self._add(path, "what a scanner tells packages by, reduced to what ships")
        self._reasons.setdefault(real, (Reason(Rule.DATABASE, detail="reduced to what ships"),))
        self._new[real] = data


def _summed(line: bytes) -> str:
    """The path in a line of md5sum(1), which names it without its root."""
    return "/" + decoded(line.partition(b"  ")[2])
