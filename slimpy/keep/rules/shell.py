"""What kept shell scripts name: commands, scripts that they source, and files, in every branch."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from probes.model import Operation, TraceWarning
from slimpy.image.tree import name, parent
from slimpy.keep.programs import Head
from slimpy.keep.rules import shell_paths
from slimpy.keep.rules.shell_meaning import SHELLS, Meaning, runners
from slimpy.keep.rules.shell_syntax import LARGEST_SCRIPT, Command, Script, parse
from slimpy.keep.rules.shell_values import UNKNOWN, Values
from slimpy.keep.scene import Finding, Scene, Want, is_within
from slimpy.keep.turn import Finder, Turn
from slimpy.model import FileType, ImagePath, Reason, Rule, display, encoded

MOST_SCRIPTS = 1024
"""Scripts and strings of shell code that are read for one image."""

MOST_ROUNDS = 8  # strings of shell code within strings of shell code

_SHELL_LINE = re.compile(
    rb"#![ \t]*[^ \t\n]*/(?:env[ \t]+(?:-S[ \t]*)?)?(?:[^ \t\n]*/)?"
    rb"(?:busybox[ \t]+)?(?:sh|bash|dash|ash|ksh\d*|mksh|zsh)(?![\w.-])"
)
_SHELL_SUFFIXES = (".sh", ".bash", ".ash", ".dash", ".ksh", ".bashrc", ".profile")

_PACKAGED = (
    *("/usr/bin", "/usr/sbin", "/usr/lib", "/usr/lib64", "/usr/libexec", "/usr/share"),
    *("/bin", "/sbin", "/lib", "/lib64", "/etc"),
)
"""Where packages put scripts: those run only if something starts them."""

_STARTING = frozenset({Rule.CONFIG, Rule.COMMAND, Rule.INCLUDE, Rule.REPAIR})
"""Rules that keep a script because something is to run it."""


def finder(scene: Scene) -> Finder:
    """The rule for one decision."""
    return _Scripts(scene)


@dataclass(slots=True)
class _Read:
    """A script that was read. ``path`` stands for ``$0``, ``by`` is who names what is in it."""

    path: str
    by: str
    script: Script
    texts: set[str] = field(default_factory=set)


class _Scripts:
    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        workdir = scene.image.workdir.rstrip("/") or "/"
        self._values = Values(scene.image.environment, workdir, scene.command)
        self._waiting: dict[ImagePath, Head] = {}
        self._started = _started(scene)
        self._sourced: set[ImagePath] = set()
        self._read: list[_Read] = []
        self._done: set[ImagePath] = set()
        self._asked: set[tuple[str, str]] = set()
        self._stale = False
        self._configured()

    def __call__(self, turn: Turn) -> Iterable[Finding]:
        for head in turn.files:
            if not head.is_elf:
                self._waiting[head.entry.path] = head
        for _ in range(MOST_ROUNDS):
            for path in [path for path in self._waiting if self._is_alive(turn, path)]:
                yield from self._parse(self._waiting.pop(path).entry.path)
            if not self._stale:
                return
            self._stale = False
            yield from self._wants()

    def _configured(self) -> None:
        """ENTRYPOINT, CMD and HEALTHCHECK are command lines too."""
        image = self._scene.image
        health = image.healthcheck
        for what, argv in (
            ("ENTRYPOINT and CMD", (*image.entrypoint, *image.command)),
            ("CMD", image.command),
            ("HEALTHCHECK", health.argv if health is not None else ()),
        ):
            words = tuple((argument.replace(UNKNOWN, ""),) for argument in argv)
            script = Script(commands=(Command(words),) if words else (), words=words)
            self._add(_Read("", what, script))

    def _is_alive(self, turn: Turn, path: ImagePath) -> bool:
        """Whether a kept file is a shell script that something runs or sources."""
        head = self._waiting[path]
        if path in self._sourced:
            return True
        if head.data.startswith(b"#!"):
            if not _SHELL_LINE.match(head.data):
                return False
        elif not path.endswith(_SHELL_SUFFIXES):
            return False
        if path in self._started or not any(is_within(path, top) for top in _PACKAGED):
            return True
        return not _STARTING.isdisjoint(turn.draft.rules(path))

    def _parse(self, path: ImagePath) -> Iterator[Finding]:
        if path in self._done or len(self._read) >= MOST_SCRIPTS:
            return
        self._done.add(path)
        try:
            source = self._scene.contents.read(path, LARGEST_SCRIPT)
        except FileNotFoundError:
            return
        script = parse(source)
        if script.damaged:
            text = f"{display(path)} could not be understood in full as a shell script"
            yield TraceWarning("shell", text)
        self._add(_Read(path, path, script))

    def _add(self, read: _Read) -> None:
        self._read.append(read)
        self._values.add(read.script.assignments, read.path)
        self._stale = True

    def _wants(self) -> Iterator[Finding]:
        """All that the scripts name by now: one script's variables are used in others."""
        functions = {name for read in self._read for name in read.script.functions}
        starters = {name for read in self._read for name in runners(read.script)}
        for read in tuple(self._read):
            meaning = Meaning(functions, starters)
            for command in read.script.commands:
                words = [self._values.expand(word, read.path) for word in command.words]
                meaning.look(words)
            bases = self._bases(meaning.found.directories)
            yield from self._programs(read, meaning.found.programs, bases)
            yield from self._scripts(read, meaning.found.scripts, bases)
            yield from self._files(read, bases)
            for text in sorted(meaning.found.texts - read.texts):
                self._nested(read, text)

    def _nested(self, read: _Read, text: str) -> None:
        """Shell code in a string of a script, read as a script of its own."""
        read.texts.add(text)
        if text.strip() and len(self._read) < MOST_SCRIPTS:
            # What is not known is put back as a variable that nobody sets.
            code = encoded(text.replace(UNKNOWN, "${_}"))
            self._add(_Read(read.path, read.by, parse(code)))

    def _bases(self, directories: Iterable[str]) -> tuple[str, ...]:
        """Where relative words may lead: the working directory, and what is changed into."""
        changed = sorted(path for path in directories if path.startswith("/"))
        return tuple(dict.fromkeys((self._scene.image.workdir.rstrip("/"), *changed[:16])))

    def _programs(
        self, read: _Read, names: Iterable[str], bases: tuple[str, ...]
    ) -> Iterator[Want]:
        added = self._values.search_path()
        for word in sorted(names):
            for path in self._candidates(word, bases, added):
                if (entry := self._scene.entry(path)) is not None:
                    self._started.add(entry.path)
                yield from self._want(path, read, f"starts {display(name(ImagePath(path)))}")

    def _candidates(
        self, word: str, bases: tuple[str, ...], added: tuple[str, ...]
    ) -> Iterator[str]:
        if UNKNOWN in word:
            # A directory that is not known: by PATH is the best guess.
            word = word.rpartition("/")[2]
            if UNKNOWN in word:
                return
        if word.startswith("/"):
            places = [word]
        elif "/" in word:
            places = [f"{base}/{word}" for base in bases]
        else:
            found = self._scene.command(word)
            places = [*([found] if found else []), *(f"{directory}/{word}" for directory in added)]
        for path in places:
            entry = self._scene.entry(path)
            if entry is not None and entry.type is FileType.FILE and entry.mode & 0o111:
                yield path

    def _scripts(
        self, read: _Read, words: Iterable[str], bases: tuple[str, ...]
    ) -> Iterator[Finding]:
        for word in sorted(words):
            places = tuple(_places(word, bases, read.path))
            found = [path for place in places for path in shell_paths.named(self._scene, place)]
            if not found and "/" not in word and (path := self._scene.command(word)):
                found = [path]
            for path in found:
                entry = self._scene.entry(path)
                if entry is None or entry.type is not FileType.FILE:
                    continue
                # Of all that a pattern matches, what has another suffix is something else.
                base = name(entry.path)
                if path in (word, *places) or "." not in base or base.endswith(_SHELL_SUFFIXES):
                    self._sourced.add(entry.path)
                yield from self._want(path, read, "sources it")

    def _files(self, read: _Read, bases: tuple[str, ...]) -> Iterator[Want]:
        for word in read.script.words:
            for value in self._values.expand(word, read.path):
                for place in _places(value, bases, read.path):
                    for path in shell_paths.named(self._scene, place):
                        yield from self._want(path, read, "names it")

    def _want(self, path: str, read: _Read, how: str) -> Iterator[Want]:
        if (path, read.by) not in self._asked:
            self._asked.add((path, read.by))
            yield Want(path, Reason(Rule.SHELL, read.by, f"{display(read.by)} {how}"))


def _places(value: str, bases: tuple[str, ...], script: str) -> Iterator[str]:
    """Absolute paths that a word may mean; ``--option=PATH`` means what is behind the sign."""
    if value.startswith("-") or ("=" in value and not value.startswith("/")):
        value = value.partition("=")[2]
    if not value or len(value) > 4096:
        return
    if value.startswith("/"):
        yield value
    elif not value.startswith((UNKNOWN, "-", "*", "~")):
        yield from (f"{base}/{value}" for base in bases if base)
        if value.startswith(("./", "../")):
            yield f"{parent(ImagePath(script))}/{value}"


def _started(scene: Scene) -> set[ImagePath]:
    """Files that the run started, or that a shell opened."""
    found = set()
    for event in scene.trace.activity.events:
        if event.error is not None:
            continue
        opened = event.operation is Operation.OPEN and (
            name(ImagePath(event.executable)) in SHELLS or event.executable == event.path
        )
        if opened or event.operation is Operation.EXEC:
            entry = scene.entry(event.path)
            if entry is not None and entry.type is FileType.FILE:
                found.add(entry.path)
    return found
