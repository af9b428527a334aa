"""An AppArmor profile for one slim image: what it reads, runs, writes and speaks, and no more.

Rules name real paths, because the kernel checks where a link leads, see apparmor.d(5). A directory
all of whose files are kept is one rule; others are told file by file, so that a file that comes
into the container later is not readable just because of its place.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from probes.files.details import UNKNOWN
from probes.model import Activity, Operation, Trace
from slimpy.harden.arguments import RESOLVER
from slimpy.harden.ownership import runtime_path
from slimpy.harden.writable import Writables
from slimpy.image.links import resolve
from slimpy.image.tree import Tree, order, parent
from slimpy.model import ROOT, FileType, ImagePath, KeepSet, Rule, encoded

_PLAIN = re.compile(rb"[A-Za-z0-9/._+=:~%-]+")
_MAPPED = re.compile(r"\.(?:so|node|jnilib)(?:\.|$)")
_LIBRARIES = frozenset({Rule.LIBRARY, Rule.LOADER})
_PROGRAMS = frozenset({Rule.LOADER, Rule.INTERPRETER, Rule.SCRIPT, Rule.CONFIG})
_FEW = 8
_FAMILY = re.compile(r"AF_[A-Z0-9]+")
_NETWORKS = frozenset(
    f"AF_{name}" for name in ("ALG", "BLUETOOTH", "CAN", "INET", "INET6", "NETLINK", "PACKET")
)
"""Families that every parser of profiles knows by name; another one opens all of them."""

_HEAD = """\
  # Locales, time zones, the loader's cache, /dev/null and the like: what any dynamically linked
  # program asks for before its own code runs. Of the image's files it opens none for writing.
  include <abstractions/base>
"""

_SIGNALS = """\
  # Stopping a container: engine and runtime are unconfined, or have profiles of these names.
  signal (receive) peer=unconfined,
  signal (receive) peer=runc,
  signal (receive) peer=crun,
  signal (send, receive) peer=@{profile_name},
  # Reading about each other in /proc is allowed, controlling each other is not.
  ptrace (read, readby) peer=@{profile_name},
  deny ptrace (trace),
"""

_SYSTEM = """\
  # What an engine puts into every container.
  /etc/{hosts,hostname,resolv.conf,mtab} r,
  /dev/ r,
  /dev/{null,zero,full,random,urandom,tty,console,ptmx} rw,
  /dev/pts/{,**} rw,
  /dev/shm/{,**} rwkl,
  @{PROC}/ r,
  @{PROC}/** r,
  owner @{PROC}/@{pid}/** rw,
  /sys/{,**} r,
"""

_DENIED = """\
  # Never, whatever else is allowed: a deny rule goes before all others.
  deny mount,
  deny umount,
  deny pivot_root,
  deny @{PROC}/{kcore,kmem,mem,sysrq-trigger} rwklx,
  deny @{PROC}/{acpi,bus,fs,irq,scsi}/** wklx,
  deny @{PROC}/sys/** wklx,
  deny /sys/** wklx,
  deny /sys/firmware/** rwklx,
  deny /sys/kernel/{debug,security,tracing}/** rwklx,
"""


@dataclass(frozen=True, slots=True)
class Confined:
    """What a profile is made from; ``name`` is the profile's own, of plain characters."""

    name: str
    tree: Tree
    keep: KeepSet
    trace: Trace
    writables: Writables
    capabilities: tuple[str, ...] = ()


def text(confined: Confined) -> str:
    """The profile, for ``apparmor_parser``; ASCII whatever the paths are."""
    activity = confined.trace.activity
    body = "\n".join(
        (
            _HEAD,
            _section("Capabilities: none", _capabilities(confined.capabilities)),
            _section("Sockets: none", _networks(activity)),
            _SIGNALS,
            _SYSTEM,
            _section("Programs: none", _programs(confined)),
            _section("Files: none", _files(confined.tree, confined.keep)),
            _section("Directories listed: none", _listed(confined)),
            _section("Writable: nothing", _writable(confined.writables)),
            _DENIED,
        )
    )
    flags = "flags=(attach_disconnected,mediate_deleted)"
    return f"include <tunables/global>\n\nprofile {confined.name} {flags} {{\n{body}}}\n"


def quoted(path: str, suffix: str = "") -> str:
    """A path of an image as the profile language wants it, ``suffix`` being a pattern behind it.

    All but plain characters become octal escapes in double quotes, which stay literal even where
    the character is one of a pattern. Only for the question mark that does not hold (parser 3.0.8):
    it goes in as the pattern for any one character.
    """
    raw = encoded(path)
    if _PLAIN.fullmatch(raw):
        return path + suffix
    return f'"{"".join(map(_escaped, raw))}{suffix}"'


def _escaped(code: int) -> str:
    if _PLAIN.fullmatch(bytes((code,))) or code == ord("?"):
        return chr(code)
    return f"\\{code:03o}"


def _section(title: str, rules: Iterable[str]) -> str:
    """Rules under their title; the title's second half is for a section without any."""
    lines = [f"  {rule},\n" for rule in rules]
    return f"  # {title.partition(':')[0] if lines else title}\n{''.join(lines)}"


def _capabilities(names: Iterable[str]) -> Iterator[str]:
    return (f"capability {name.lower()}" for name in sorted(names))


def _networks(activity: Activity) -> Iterator[str]:
    """Rules for the families seen, and for what looking up a name takes besides."""
    uses = [use for use in activity.syscalls if use.name in ("socket", "socketpair")]
    if not uses:
        return
    facts = {fact for use in uses for fact in use.details or {UNKNOWN}}
    families = {fact for fact in facts if fact == UNKNOWN or _FAMILY.fullmatch(fact)}
    if families & {"AF_INET", "AF_INET6"}:
        families |= set(RESOLVER)
    if "AF_UNIX" in families or UNKNOWN in families:
        yield "unix"
    families.discard("AF_UNIX")
    if families <= _NETWORKS:
        yield from (f"network {name.removeprefix('AF_').lower()}" for name in sorted(families))
    else:
        yield "network"


def _programs(confined: Confined) -> Iterator[str]:
    """What the run started, and what kept scripts and the image's configuration start."""
    tree, keep = confined.tree, confined.keep
    started = {
        resolve(tree, event.path).real
        for event in confined.trace.activity.events
        if event.operation is Operation.EXEC and event.error is None
    }
    named = {
        path
        for path, reasons in keep.reasons.items()
        if any(reason.rule in _PROGRAMS for reason in reasons) and _is_program(tree, path)
    }
    found = {path for path in started if path is not None and path in keep} | named
    for path in sorted(found, key=order):
        yield f"{quoted(path)} mrix"


def _is_program(tree: Tree, path: ImagePath) -> bool:
    entry = tree.get(path)
    return entry is not None and entry.type is FileType.FILE and bool(entry.mode & 0o111)


def _files(tree: Tree, keep: KeepSet) -> Iterator[str]:
    """Read rules for all kept files, top down: whole directories, else their files."""
    kept = sorted((path for path in keep.reasons if _is_readable(tree, path)), key=order)
    whole = _whole(tree, kept)
    groups: dict[ImagePath, list[ImagePath]] = {}
    done: dict[ImagePath, str] = {}
    for path in kept:
        top = next((directory for directory in tree.parents(path) if directory in whole), None)
        if top is None:
            groups.setdefault(parent(path), []).append(path)
        else:
            rights = "mr" if _is_mapped(tree, keep, path) else "r"
            done[top] = max(rights, done.get(top, "r"), key=len)
    rules = [(top, f"{quoted(top, '/{,**}')} {rights}") for top, rights in done.items()]
    for directory, paths in groups.items():
        rules.extend((directory, rule) for rule in _of_directory(tree, keep, directory, paths))
    yield from (rule for _, rule in sorted(rules, key=lambda item: order(item[0])))


def _listed(confined: Confined) -> Iterator[str]:
    """Directories that the run opened: one without kept files has no rule among the files."""
    tree, keep = confined.tree, confined.keep
    opened = {
        resolve(tree, event.path).real
        for event in confined.trace.activity.events
        if event.operation in (Operation.LIST, Operation.OPEN) and event.error is None
    }
    for path in sorted((path for path in opened if path is not None and path in keep), key=order):
        entry = tree.get(path)
        if entry is not None and entry.type is FileType.DIRECTORY and not runtime_path(path):
            yield f"{quoted(path, '' if path == ROOT else '/')} r"


def _of_directory(
    tree: Tree, keep: KeepSet, directory: ImagePath, paths: list[ImagePath]
) -> Iterator[str]:
    mapped = {path for path in paths if _is_mapped(tree, keep, path)}
    if len(paths) > _FEW:
        base = "" if directory == ROOT else directory
        yield f"{quoted(base, '/{,*}')} {'mr' if mapped else 'r'}"
        return
    yield f"{quoted(directory, '' if directory == ROOT else '/')} r"
    yield from (f"{quoted(path)} {'mr' if path in mapped else 'r'}" for path in paths)


def _whole(tree: Tree, kept: Iterable[ImagePath]) -> frozenset[ImagePath]:
    """Directories of which every file, at any depth, is kept; never the root."""
    total: Counter[ImagePath] = Counter()
    for entry in tree:
        if _is_readable(tree, entry.path):
            total.update(tree.parents(entry.path))
    for path in kept:
        total.subtract(tree.parents(path))
    return frozenset(path for path, left in total.items() if left == 0 and path != ROOT)


def _is_readable(tree: Tree, path: ImagePath) -> bool:
    entry = tree.get(path)
    if entry is None or entry.type is FileType.DIRECTORY or runtime_path(path):
        return False
    return entry.type is not FileType.LINK


def _is_mapped(tree: Tree, keep: KeepSet, path: ImagePath) -> bool:
    """Whether a program may map it as code."""
    return (
        _is_program(tree, path)
        or bool(_MAPPED.search(path))
        or any(reason.rule in _LIBRARIES for reason in keep.reasons[path])
    )


def _writable(writables: Writables) -> Iterator[str]:
    """Mounted places whole; where nothing could be mounted, what is directly in the directory."""
    for place in writables.places:
        rights = "mrwklix" if place.executable else "rwkl"
        yield f"{quoted(place.path, '/')} rw"
        yield f"{quoted(place.path, '/**')} {rights}"
    for path in sorted(writables.impossible, key=order):
        yield f"{quoted('' if path == ROOT else path, '/*')} rwkl"
