"""What the probes did not reach, and what of that ships: the risk that is left."""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from probes.model import Operation, Plan
from slimpy.image.tree import name
from slimpy.keep.coverage_routes import Route, probe_lines, routes
from slimpy.keep.rules.apptree_places import Places
from slimpy.keep.rules.shell_syntax import LARGEST_SCRIPT, parse
from slimpy.keep.scene import Scene, is_within
from slimpy.model import Entry, FileType, ImagePath, KeepSet, display

MOST_PACKAGES = 200
"""Packages that are listed, those of which most was removed first."""

MOST_EXAMPLES = 20
MOST_SCRIPTS = 100
MOST_SCRIPT_BYTES = 4 << 20  # of all scripts together

_USES = frozenset({Operation.OPEN, Operation.EXEC})

_DISTRIBUTION = re.compile(
    r"/(?:site|dist)-packages/(?P<python>[^/]+)|/node_modules/(?P<node>(?:@[^/]+/)?[^/]+)"
    r"|/gems/(?P<ruby>[^/]+)/|/vendor/(?P<php>[^/]+/[^/]+)/"
)
_DIST_INFO = re.compile(r"(?P<name>.+?)(-[^-]+)?\.(dist|egg)-info")
_CACHED = re.compile(r"(?P<above>.*)/__pycache__/(?P<stem>[^/]+)\.cpython-\d+(\.opt-\d)?\.pyc")

BUILTINS = frozenset(
    {
        *(".", ":", "[", "alias", "bg", "bind", "break", "builtin", "caller", "cd"),
        *("command", "compgen", "complete", "compopt", "continue", "declare", "dirs"),
        *("disown", "echo", "enable", "eval", "exec", "exit", "export", "false", "fc"),
        *("fg", "getopts", "hash", "help", "history", "jobs", "kill", "let", "local"),
        *("logout", "mapfile", "popd", "printf", "pushd", "pwd", "read", "readarray"),
        *("readonly", "return", "set", "shift", "shopt", "source", "suspend", "test"),
        *("times", "trap", "true", "type", "typeset", "ulimit", "umask", "unalias"),
        *("unset", "wait"),
    }
)
"""Commands that shells carry out themselves (bash(1), dash(1)): no program runs for them."""

_LANGUAGES = (
    ("Python", (".py",)),
    ("JavaScript", (".js", ".cjs", ".mjs")),
    ("Ruby", (".rb",)),
    ("PHP", (".php",)),
    ("Perl", (".pm", ".pl")),
)


@dataclass(frozen=True, slots=True)
class PackageShare:
    """How much of a package the run used.

    ``kind`` is ``system``, ``python``, ``node``, ``ruby`` or ``php``. Counts are of regular files;
    ``touched`` ones were opened or run, ``removed_bytes`` is what the removed ones weigh.
    """

    name: str
    kind: str
    touched: int
    kept: int
    removed: int
    removed_bytes: int


@dataclass(frozen=True, slots=True)
class CodeShare:
    """Source files of one language: kept ones, those of them that ran, and removed ones.

    ``own_idle`` counts the app's own files that ship and never ran; ``examples`` are some of them.
    """

    language: str
    kept: int
    ran: int
    removed: int
    own_idle: int
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class IdleCommands:
    """Commands that a shell script names and the run never started, of those the image has."""

    script: str
    kept: tuple[str, ...]
    removed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Coverage:
    """What of the image the probes did not reach.

    ``routes`` were found in answers or code and never asked for; ``probe_these`` are lines for the
    ``http:`` list of a probe file.
    """

    packages: tuple[PackageShare, ...] = ()
    code: tuple[CodeShare, ...] = ()
    commands: tuple[IdleCommands, ...] = ()
    routes_called: int = 0
    routes: tuple[Route, ...] = ()
    probe_these: tuple[str, ...] = ()


def coverage(
    scene: Scene, keep: KeepSet, owners: Mapping[ImagePath, str], plan: Plan | None = None
) -> Coverage:
    """Measure what was not reached. Reads texts of the app's own that ship anyway, and no others.

    Args:
        owners: path -> package, of `slimpy.sbom.owners`.
        plan: what was asked; without it only the names of the exchanges tell.
    """
    used = frozenset(_used(scene))
    places = Places(scene)
    kept = tuple(_kept_files(scene, keep))
    own = [entry for entry in kept if places.is_own(entry)]
    settings = [e for e in kept if is_within(e.path, "/etc") and not places.is_own(e)]
    found = routes(scene, (*own, *settings), plan)
    return Coverage(
        packages=_packages(scene, keep, owners, used),
        code=tuple(_code(scene, keep, used, places)),
        commands=tuple(_commands(scene, keep, own)),
        routes_called=found.called,
        routes=found.missed,
        probe_these=probe_lines(found.missed),
    )


def _used(scene: Scene) -> Iterator[ImagePath]:
    """Files that were opened or run, and the sources of what was loaded compiled."""
    for event in scene.trace.activity.events:
        if event.error is not None or event.operation not in _USES:
            continue
        entry = scene.entry(event.final or event.path)
        if entry is None or entry.type is not FileType.FILE:
            continue
        yield entry.path
        cached = _CACHED.fullmatch(entry.path)
        if cached:
            yield ImagePath(f"{cached['above']}/{cached['stem']}.py")


def _kept_files(scene: Scene, keep: KeepSet) -> Iterator[Entry]:
    for entry in scene.tree:
        if entry.type is FileType.FILE and _ships(keep, entry.path):
            yield entry


def _ships(keep: KeepSet, path: ImagePath) -> bool:
    return path in keep and path not in keep.placeholders


def _packages(
    scene: Scene,
    keep: KeepSet,
    owners: Mapping[ImagePath, str],
    used: frozenset[ImagePath],
) -> tuple[PackageShare, ...]:
    counts: dict[tuple[str, str], Counter[str]] = {}
    for entry in scene.tree:
        if entry.type is not FileType.FILE:
            continue
        package = package_of(entry.path, owners)
        if package is None:
            continue
        count = counts.setdefault(package, Counter())
        count["touched"] += entry.path in used
        if _ships(keep, entry.path):
            count["kept"] += 1
        else:
            count["removed"] += 1
            count["bytes"] += entry.size
    shares = [
        PackageShare(
            display(base), kind, count["touched"], count["kept"], count["removed"], count["bytes"]
        )
        for (kind, base), count in counts.items()
        if count["touched"]
    ]
    shares.sort(key=lambda item: (-item.removed_bytes, item.kind, item.name))
    return tuple(shares[:MOST_PACKAGES])


def package_of(path: ImagePath, owners: Mapping[ImagePath, str]) -> tuple[str, str] | None:
    """Kind and name of what installed a file; a system package before a language's."""
    owner = owners.get(path)
    if owner is not None:
        return "system", owner.partition(" ")[0]
    # The last match is the innermost: packages nest.
    found = next(iter(deque(_DISTRIBUTION.finditer(path), maxlen=1)), None)
    if found is None or found.lastgroup is None:
        return None
    base = found[found.lastgroup]
    if found.lastgroup == "python":
        info = _DIST_INFO.fullmatch(base)
        base = (info["name"] if info else base.removesuffix(".py")).lower().replace("-", "_")
    return found.lastgroup, base


def _code(
    scene: Scene, keep: KeepSet, used: frozenset[ImagePath], places: Places
) -> Iterator[CodeShare]:
    language_of = {suffix: language for language, suffixes in _LANGUAGES for suffix in suffixes}
    counts: dict[str, Counter[str]] = {language: Counter() for language, _ in _LANGUAGES}
    idle: dict[str, list[ImagePath]] = {language: [] for language, _ in _LANGUAGES}
    for entry in scene.tree:
        base, dot, suffix = name(entry.path).rpartition(".")
        language = language_of.get(f"{dot}{suffix}") if base else None
        if language is None or entry.type is not FileType.FILE:
            continue
        is_kept = _ships(keep, entry.path)
        counts[language]["kept" if is_kept else "removed"] += 1
        counts[language]["ran"] += is_kept and entry.path in used
        if is_kept and entry.path not in used and entry.size and places.is_own(entry):
            idle[language].append(entry.path)
    for language, count in counts.items():
        if count["ran"]:
            examples = tuple(map(display, sorted(idle[language])[:MOST_EXAMPLES]))
            numbers = (count["kept"], count["ran"], count["removed"], len(idle[language]))
            yield CodeShare(language, *numbers, examples)


def _commands(scene: Scene, keep: KeepSet, own: Iterable[Entry]) -> Iterator[IdleCommands]:
    """Branches of the app's own shell scripts that were not taken, by the programs they name."""
    ran = {process.executable for process in scene.trace.activity.processes}
    for event in scene.trace.activity.events:
        if event.operation is Operation.EXEC and event.error is None:
            ran |= {event.path, event.final or event.path}
    left, scripts = MOST_SCRIPT_BYTES, 0
    for entry in sorted(own, key=lambda item: item.path):
        if not 0 < entry.size <= min(LARGEST_SCRIPT, left) or scripts >= MOST_SCRIPTS:
            continue
        if not (entry.mode & 0o111 or name(entry.path).endswith((".sh", ".bash"))):
            continue
        data = _read(scene, entry)
        if not _SHELL.match(data) and not name(entry.path).endswith((".sh", ".bash")):
            continue
        left -= len(data)
        scripts += 1
        idle = _idle(scene, data, ran)
        if idle:
            kept = tuple(display(base) for base, path in idle.items() if path in keep)
            removed = tuple(display(base) for base, path in idle.items() if path not in keep)
            yield IdleCommands(display(entry.path), kept, removed)


_SHELL = re.compile(rb"#![ \t]*\S{0,200}/(?:env[ \t]+(?:-S[ \t]*)?)?\S{0,200}?(?:ba|da|a|k|z)?sh\b")


def _idle(scene: Scene, data: bytes, ran: set[str]) -> Mapping[str, ImagePath]:
    """Command -> program that the image has for it, of those that never ran, sorted."""
    script = parse(data)
    found = {}
    for command in script.commands:
        word = command.words[0] if command.words else ()
        base = word[0] if len(word) == 1 else ""
        if not isinstance(base, str) or base in script.functions or base in BUILTINS:
            continue
        spelled = scene.command(base)
        entry = None if spelled is None else scene.entry(spelled)
        if entry is not None and spelled is not None and not {spelled, entry.path} & ran:
            # One program under many names has run under some of them at most.
            found[base] = scene.walk(spelled, follow=False).real or entry.path
    return dict(sorted(found.items()))


def _read(scene: Scene, entry: Entry) -> bytes:
    try:
        return scene.contents.read(entry.path, LARGEST_SCRIPT)
    except FileNotFoundError:
        return b""
