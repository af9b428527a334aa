"""Whole packages of what ran: system packages, libraries of languages, standard libraries."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from probes.model import Operation, TraceWarning
from slimpy.image.tree import name, parent
from slimpy.keep.programs import LONGEST_LINE
from slimpy.keep.rules import wholepackages_layout as layout
from slimpy.keep.rules.shell_meaning import SHELLS
from slimpy.keep.scene import Finding, Scene, Want
from slimpy.keep.turn import Finder, Turn
from slimpy.model import Entry, FileType, ImagePath, Reason, Rule, decoded, display
from slimpy.sbom import owners

MANY_PROGRAMS = 6
"""Programs of a package that is a box of tools: of it only the tools that ran are kept."""

LARGEST_SCRIPT = 1 << 20  # bytes of an executable file that is looked at for its interpreter

LARGE_SHARE = 0.5  # of its programs, that ran: then it is one thing, and kept whole


def finder(scene: Scene) -> Finder:
    """The rule for one decision."""
    return _Packages(scene)


@dataclass(slots=True)
class _Package:
    files: list[ImagePath] = field(default_factory=list)
    used: set[ImagePath] = field(default_factory=set)


class _Packages:
    """What was opened or started does not change in a decision, so one turn tells everything."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._asked = False
        self._used = _used(scene)

    def __call__(self, _turn: Turn) -> Iterable[Finding]:
        if self._asked:
            return ()
        self._asked = True
        return self._all()

    def _all(self) -> Iterator[Finding]:
        survey = owners.survey(self._scene.tree, self._scene.contents)
        yield from self._system(survey)
        yield from self._libraries()

    def _system(self, survey: owners.Ownership) -> Iterator[Finding]:
        yield from (TraceWarning(w.code, w.text, w.count) for w in survey.warnings)
        found = _by_owner(survey, self._used)
        files = (path for package in found.values() for path in package.files)
        # All at once: every request to the engine takes its time.
        self._scene.contents.fetch([path for path in files if self._may_be_script(path)])
        for owner, package in sorted(found.items()):
            why = Reason(Rule.PACKAGE, owner, f"a part of {display(owner)}, of which something ran")
            for path in self._parts(package):
                yield Want(path, why, follow=False)

    def _parts(self, package: _Package) -> Iterator[ImagePath]:
        tools = [path for path in package.files if self._is_tool(path)]
        ran = package.used.intersection(tools)
        is_box = len(tools) > MANY_PROGRAMS and len(ran) < LARGE_SHARE * len(tools)
        left_out = frozenset(tools) - ran if is_box else frozenset()
        left_out |= self._foreign(path for path in package.files if path not in package.used)
        for path in package.files:
            # A link that is kept brings what it leads to.
            end = self._scene.walk(path).real
            if path not in left_out and end not in left_out and not layout.is_aside(path):
                yield path

    def _foreign(self, paths: Iterable[ImagePath]) -> frozenset[ImagePath]:
        """Scripts of runtimes that never ran: each would bring its whole runtime along."""
        found = set()
        for path in filter(self._may_be_script, paths):
            interpreter = self._interpreter(path)
            if interpreter and interpreter not in self._used and name(interpreter) not in SHELLS:
                found.add(path)
        return frozenset(found)

    def _may_be_script(self, path: ImagePath) -> bool:
        entry = self._scene.tree.get(path)
        if entry is None or entry.type is not FileType.FILE or not entry.mode & 0o111:
            return False
        return 2 < entry.size <= LARGEST_SCRIPT and not layout.is_aside(path)

    def _interpreter(self, path: ImagePath) -> ImagePath | Literal[""]:
        """The real path of a script's interpreter; empty where it is no script."""
        try:
            head = self._scene.contents.read(path, LONGEST_LINE)
        except FileNotFoundError:
            return ""
        if not head.startswith(b"#!"):
            return ""
        words = head[2:].partition(b"\n")[0].split()
        if len(words) > 1 and words[0].endswith(b"/env"):
            words = words[1:]
        program = self._scene.command(decoded(words[0])) if words else None
        entry = self._scene.entry(program) if program is not None else None
        return entry.path if entry is not None else ""

    def _is_tool(self, path: ImagePath) -> bool:
        entry = self._scene.tree.get(path)
        if entry is None or not layout.is_tool_directory(parent(path)):
            return False
        end = self._scene.entry(path) if entry.type is FileType.LINK else entry
        return end is not None and end.type is FileType.FILE and bool(end.mode & 0o111)

    def _libraries(self) -> Iterator[Want]:
        """Libraries of languages, and standard libraries that no package of the system owns."""
        roots: dict[ImagePath, str] = {}
        for path in self._used:
            for root, what in layout.libraries(path, self._scene):
                roots.setdefault(root, what)
        for root, what in sorted(roots.items()):
            why = Reason(Rule.PACKAGE, root, f"a part of {what}, of which something ran")
            for entry in self._below(root, what):
                yield Want(entry.path, why, follow=False)

    def _below(self, root: ImagePath, what: str) -> Iterator[Entry]:
        top = self._scene.tree.get(root)
        if top is None:
            return
        yield top
        skip: ImagePath | None = None
        for entry in self._scene.tree.below(root):
            if skip is not None and entry.path.startswith(f"{skip}/"):
                continue
            skip = None
            if entry.type is FileType.DIRECTORY and layout.is_left_out(entry.path, root, what):
                skip = entry.path
            elif not layout.is_aside(entry.path) and not name(entry.path).endswith(layout.ASIDE):
                yield entry


def _by_owner(survey: owners.Ownership, used: set[ImagePath]) -> dict[str, _Package]:
    """The packages of which something besides documentation was used."""
    wanted = {
        survey.owners[path] for path in used if path in survey.owners and not layout.is_aside(path)
    }
    found: dict[str, _Package] = {owner: _Package() for owner in wanted}
    for path, owner in survey.owners.items():
        package = found.get(owner)
        if package is not None:
            package.files.append(path)
            if path in used:
                package.used.add(path)
    for package in found.values():
        package.files.sort()
    return found


def _used(scene: Scene) -> set[ImagePath]:
    """Files that the run started or opened, under their real names and their links' names."""
    found: set[ImagePath] = set()
    for event in scene.trace.activity.events:
        if event.error is None and event.operation in (Operation.EXEC, Operation.OPEN):
            walked = scene.walk(event.path)
            entry = None if walked.real is None else scene.tree.get(walked.real)
            if entry is not None and entry.type is FileType.FILE:
                found.add(entry.path)
                found.update(walked.links)
    for process in scene.trace.activity.processes:
        entry = scene.entry(process.executable) if process.executable.startswith("/") else None
        if entry is not None and entry.type is FileType.FILE:
            found.add(entry.path)
    return found
