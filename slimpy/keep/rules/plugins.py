"""Shared objects that kept programs load by name: named in their constants, or beside one that
the run loaded.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, field

from probes.model import Operation
from slimpy.image.tree import name, parent
from slimpy.keep.draft import Draft
from slimpy.keep.programs import Head, Libraries
from slimpy.keep.rules.plugins_names import Constants, LibraryNames, constants, is_default
from slimpy.keep.scene import Finding, Scene, Want, is_within
from slimpy.keep.turn import Finder, Turn
from slimpy.model import Entry, FileType, ImagePath, Reason, Rule

LARGEST = 48 << 20
"""Bytes of one ELF file that are searched for names."""

MOST_SEARCHED = 256 << 20
"""Bytes of all ELF files that are searched."""

SIBLINGS = 8 << 20
"""Bytes of a directory's plugins, up to which all are kept if the run loaded one."""

NAMED = 1 << 20
"""The same if the run loaded none, but a kept file names the directory."""

BRINGS = 8 << 20
"""Bytes of libraries that one plugin may bring along and that nothing else needs."""

CONFIGURATION = 64 << 10
"""Bytes of a file below /etc that is searched for names of plugins."""

OPENERS = frozenset({"dlopen", "dlmopen", "lt_dlopen", "lt_dlopenext", "g_module_open"})
"""Functions that load a library by name."""

_SHARED = re.compile(r".+\.so(?:\.\d+)*")
_TOKEN = re.compile(r"[\w.+-]+\.(?:so|la)\b[\d.]*")
_RENAMED = re.compile(r"-[0-9a-f]{6,16}\.so")
"""Tools that bundle libraries put a digest into their names and leave the old name in the file."""

_LANGUAGES = re.compile(
    r"/(?:(?:python|pypy|ruby|perl|php|lua|guile|tcl|erlang|node)-?\d*[\d.]*|site-packages"
    r"|dist-packages|lib-dynload|node_modules|gems|jvm|java|gconv|perl5|dotnet|R|ocaml)(?:/|$)"
)
"""Directories of which other rules know better what is loaded."""


@dataclass(slots=True)
class _Directory:
    """A directory of plugins; ``limit`` in bytes, ``waiting`` are those not wanted so far."""

    path: ImagePath
    by: str
    limit: int
    total: int
    waiting: list[Entry] = field(default_factory=list)


class Plugins:
    """The rule on one image. What a plugin would bring along counts only while it is not kept, so
    directories are looked at again in every turn.
    """

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._names = LibraryNames(scene)
        self._searched = 0
        self._directories: dict[tuple[ImagePath, int], _Directory] = {}
        self._configured: set[str] = set()
        self._started = False

    def __call__(self, turn: Turn) -> Iterable[Finding]:
        """Wants for what the fresh files name, and for plugins beside those that were loaded."""
        if not self._started:
            self._started = True
            for path in self._plugins_opened(turn):
                self._watch(parent(path), path, SIBLINGS)
        for head in turn.files:
            if head.is_elf:
                yield from self._elf(head, turn.libraries)
            elif is_within(head.entry.path, "/etc") and head.entry.size <= CONFIGURATION:
                self._configured.update(_TOKEN.findall(self._scene.text(head.entry.path)))
        chosen = [(d, plugins) for d in self._directories.values() if (plugins := self._chosen(d))]
        self._scene.contents.fetch([entry.path for _, plugins in chosen for entry in plugins])
        for directory, plugins in chosen:
            yield from self._siblings(directory, plugins, turn)

    def _plugins_opened(self, turn: Turn) -> Iterator[ImagePath]:
        """Shared objects that the run opened and that no ELF file of the run needs by name."""
        opened = {
            entry.path
            for event in self._scene.trace.activity.events
            if event.operation is Operation.OPEN and event.error is None and ".so" in event.path
            if (entry := self._scene.entry(event.path)) is not None
        }
        elf_files = [head.entry.path for head in turn.files if head.is_elf]
        facts = {path: known for path in elf_files if (known := turn.libraries.facts(path))}
        needed = {base for known in facts.values() for base in (*known.needed, *known.auxiliary)}
        for path in sorted(opened & facts.keys()):
            if name(path) not in needed and facts[path].soname not in needed:
                yield path

    def _elf(self, head: Head, libraries: Libraries) -> Iterator[Finding]:
        path = head.entry.path
        for found, by in self._names.note(head.entry):
            yield _want(found, by, "names a library")
        facts = libraries.facts(path)
        if facts is None or not facts.imports & OPENERS:
            return
        named = self._constants(head.entry)
        linked = {_RENAMED.sub(".so", needed) for needed in facts.needed}
        is_bundled = _RENAMED.search(name(path)) is not None
        asked = [base for base in named.libraries if not is_bundled and base not in linked]
        for found, by in self._names.ask(asked, path):
            yield _want(found, by, "names a library")
        for text in named.paths:
            entry = self._scene.entry(text)
            is_file = entry is not None and entry.type is FileType.FILE
            if is_file and text != facts.interpreter:
                yield _want(text, path, "names a shared object")
        for text in named.directories:
            entry = self._scene.entry(text)
            if entry is not None and entry.type is FileType.DIRECTORY:
                self._watch(entry.path, path, NAMED)

    def _constants(self, entry: Entry) -> Constants:
        if entry.size > LARGEST or self._searched + entry.size > MOST_SEARCHED:
            return Constants()
        self._searched += entry.size
        try:
            return constants(self._scene.contents.read(entry.path, LARGEST))
        except FileNotFoundError:
            return Constants()

    def _watch(self, directory: ImagePath, by: ImagePath, limit: int) -> None:
        if is_default(directory) or _LANGUAGES.search(directory):
            return
        if (directory, limit) in self._directories:
            return
        plugins = [
            child
            for child in self._scene.tree.children(directory)
            if child.type is FileType.FILE and _SHARED.fullmatch(name(child.path))
        ]
        total = sum(child.size for child in plugins)
        found = _Directory(directory, by, limit, total, plugins)
        self._directories[directory, limit] = found

    def _chosen(self, directory: _Directory) -> list[Entry]:
        """The waiting plugins of a small directory; of a large one those named in configuration."""
        if directory.total <= directory.limit:
            return directory.waiting
        if directory.limit == NAMED:
            return []
        return [entry for entry in directory.waiting if name(entry.path) in self._configured]

    def _siblings(
        self, directory: _Directory, chosen: Iterable[Entry], turn: Turn
    ) -> Iterator[Finding]:
        brings = min(BRINGS, directory.limit)
        wanted = [e for e in chosen if self._brings(e, turn.libraries, turn.draft) <= brings]
        loaded = directory.limit == SIBLINGS
        reason = "beside a plugin that was loaded" if loaded else "in a directory that it names"
        for entry in wanted:
            yield _want(entry.path, directory.by, reason)
            yield from self._described(entry, turn.draft)
        directory.waiting = [entry for entry in directory.waiting if entry not in wanted]

    def _described(self, plugin: Entry, kept: Container[ImagePath]) -> Iterator[Finding]:
        """libtool's description of a plugin, where those of others were read."""
        directory = parent(plugin.path)
        path = ImagePath(f"{directory}/{name(plugin.path).partition('.so')[0]}.la")
        others = self._scene.tree.children(directory)
        if path in self._scene.tree and any(
            other.path in kept for other in others if other.path.endswith(".la")
        ):
            yield _want(path, plugin.path, "describes a plugin")

    def _brings(self, plugin: Entry, libraries: Libraries, draft: Draft) -> int:
        """Bytes of libraries that a plugin needs and that are not kept; the first level only."""
        facts = libraries.facts(plugin.path)
        if facts is None or not facts.loadable:
            return BRINGS + 1
        total = 0
        for needed in facts.needed:
            places = (f"{directory}/{needed}" for directory in self._names.directories)
            entry = next((e for place in places if (e := self._scene.entry(place))), None)
            if entry is not None and not draft.is_whole(entry.path):
                total += entry.size
        return total


def _want(path: str, by: str, detail: str) -> Want:
    return Want(path, Reason(Rule.PLUGIN, by, detail))


def finder(scene: Scene) -> Finder:
    """The rule at work on one image."""
    return Plugins(scene)
