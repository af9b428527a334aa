"""Programs that kept programs start by name, as far as the name is a constant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from probes.model import Operation
from slimpy.image.tree import name, parent
from slimpy.keep.programs import Head
from slimpy.keep.rules import commands_binary, commands_source
from slimpy.keep.rules.commands_words import is_build_tool
from slimpy.keep.scene import Finding, Scene, Want
from slimpy.keep.turn import Finder, Turn
from slimpy.model import Entry, FileType, ImagePath, Reason, Rule, display

MOST_BYTES = 512 << 20
"""How much of all files is searched, in bytes."""

LARGEST_DATA = 16 << 20
"""Bytes of the data of a package that is kept because a program names its directory."""

LARGEST_LINKED = 4 << 20
"""Bytes of a directory that belongs to such data because a link in it leads there."""

MOST_DATA = 4000  # paths of such data

_LOOKED_AT = frozenset({Rule.TOUCHED, Rule.LISTED, Rule.LINK})

_COMMON_DIRECTORIES = frozenset({"/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin"})


def finder(scene: Scene) -> Finder:
    """The rule for one decision."""
    return _Commands(scene)


class _Commands:
    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._left = MOST_BYTES
        self._asked: set[tuple[str, ImagePath]] = set()
        known = ((word, scene.command(word)) for word in commands_binary.HELPERS)
        self._used = _used(scene)
        self._waiting: dict[ImagePath, Head] = {}
        self._helpers = tuple((word, path) for word, path in known if path is not None)

    def __call__(self, turn: Turn) -> Iterable[Finding]:
        self._waiting.update({head.entry.path: head for head in turn.files})
        for path in [path for path in self._waiting if self._is_in_use(path, turn)]:
            yield from self._search(self._waiting.pop(path), turn)

    def _is_in_use(self, path: ImagePath, turn: Turn) -> bool:
        """Whether a file was started or opened, or is kept for more than having been looked at."""
        return path in self._used or not turn.draft.rules(path) <= _LOOKED_AT

    def _search(self, head: Head, turn: Turn) -> Iterator[Finding]:
        if head.is_elf:
            found = self._elf(head, turn)
        elif head.data.startswith((b"PK\x03\x04", b"\xca\xfe\xba\xbe")):
            found = self._java(head)
        else:
            found = self._text(head)
        for path in found:
            entry = self._scene.entry(path)
            if entry is not None and entry.path != head.entry.path:
                yield from self._want(path, head.entry.path)

    def _elf(self, head: Head, turn: Turn) -> Iterator[str]:
        facts = turn.libraries.facts(head.entry.path)
        if facts is None or not facts.loadable:
            return
        if not commands_binary.SHELL_USERS.isdisjoint(facts.imports):
            yield "/bin/sh"
        starts = not commands_binary.STARTERS.isdisjoint(facts.imports)
        fresh = head.entry.path not in self._used
        if not (starts or facts.static or fresh):
            return
        if not self._afford(head, commands_binary.LARGEST):
            return
        data = self._read(head, commands_binary.LARGEST)
        if fresh:
            yield from self._data(data)
        if not (starts or facts.static):
            return
        for path in commands_binary.paths(data):
            if self._is_program(path) and not is_build_tool(name(ImagePath(path))):
                yield path
        if starts:
            yield from self._beside(head.entry.path, data)
        if not commands_binary.SEARCHERS.isdisjoint(facts.imports):
            yield from (path for word, path in self._helpers if commands_binary.holds(data, word))

    def _data(self, data: bytes) -> Iterator[str]:
        """What a program that never ran, or its library, would read: its package's data."""
        for directory in commands_binary.data_directories(data):
            real = self._scene.walk(directory).real
            if real is None:
                continue
            inside, total = [], 0
            for entry in self._linked(real):
                if "/man/" in entry.path or "/doc/" in entry.path:
                    continue
                total += entry.size if entry.type is FileType.FILE else 0
                inside.append(entry.path)
                if total > LARGEST_DATA or len(inside) > MOST_DATA:
                    break
            else:
                yield from (directory, *inside)

    def _linked(self, top: ImagePath) -> Iterator[Entry]:
        """Everything in a directory, and in small ones that links in it lead to."""
        waiting, seen = [top], {top}
        while waiting:
            for entry in self._scene.tree.below(waiting.pop()):
                yield entry
                end = self._scene.entry(entry.path) if entry.type is FileType.LINK else None
                if end is not None and end.type is FileType.DIRECTORY and end.path not in seen:
                    seen.add(end.path)
                    if self._weight(end.path) <= LARGEST_LINKED:
                        waiting.append(end.path)

    def _weight(self, directory: ImagePath) -> int:
        """Bytes of the files in a directory, and of those that links in it lead to."""
        ends = (self._scene.entry(entry.path) for entry in self._scene.tree.below(directory))
        return sum(e.size for e in ends if e is not None and e.type is FileType.FILE)

    def _beside(self, path: ImagePath, data: bytes) -> Iterator[str]:
        """Programs of the same directory by their names alone, where it is one for few programs."""
        directory = parent(path)
        if directory in _COMMON_DIRECTORIES:
            return
        for entry in self._scene.tree.children(directory)[:512]:
            if self._is_program(entry.path) and commands_binary.holds(data, name(entry.path)):
                yield entry.path

    def _java(self, head: Head) -> Iterator[str]:
        if not self._afford(head, commands_binary.LARGEST_JAR):
            return
        data = self._read(head, commands_binary.LARGEST_JAR)
        for word in commands_binary.java_names(data):
            yield from self._by_name(word)

    def _text(self, head: Head) -> Iterator[str]:
        language = commands_source.language(head.entry.path, head.data)
        if language is None or not self._afford(head, commands_source.LARGEST):
            return
        for word in commands_source.names(self._read(head, commands_source.LARGEST), language):
            yield from self._by_name(word)

    def _by_name(self, word: str) -> Iterator[str]:
        found = self._scene.command(word) if word else None
        if found is not None:
            yield found

    def _is_program(self, path: str) -> bool:
        entry = self._scene.entry(path)
        if entry is None or entry.type is not FileType.FILE or not entry.mode & 0o111:
            return False
        return ".so" not in name(entry.path)

    def _afford(self, head: Head, largest: int) -> bool:
        """Whether a file is searched: none that is too large, nor more when much was read."""
        if head.entry.size > min(largest, self._left):
            return False
        self._left -= head.entry.size
        return True

    def _read(self, head: Head, largest: int) -> bytes:
        try:
            return self._scene.contents.read(head.entry.path, largest)
        except FileNotFoundError:
            return b""

    def _want(self, path: str, by: ImagePath) -> Iterator[Want]:
        if (path, by) not in self._asked:
            self._asked.add((path, by))
            yield Want(path, Reason(Rule.COMMAND, by, f"{display(by)} names it"))


def _used(scene: Scene) -> frozenset[ImagePath]:
    """Files that the run started or opened: what those read of their data was seen."""
    found = set()
    for event in scene.trace.activity.events:
        if event.error is None and event.operation in (Operation.EXEC, Operation.OPEN):
            entry = scene.entry(event.path)
            if entry is not None and entry.type is FileType.FILE:
                found.add(entry.path)
    return frozenset(found)
