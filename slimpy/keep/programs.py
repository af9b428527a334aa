"""What kept programs and scripts need to be started: loaders, libraries, interpreters."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from probes.model import TraceWarning
from slimpy.elf.closure import Closure, closure
from slimpy.elf.facts import ElfFacts
from slimpy.elf.files import ElfFiles
from slimpy.keep.draft import Draft
from slimpy.keep.scene import Finding, Scene, Want
from slimpy.model import Entry, FileType, ImagePath, Reason, Rule, display
from slimpy.sbom.owners import databases

LONGEST_LINE = 256
"""How much of a script's first line the kernel reads, in bytes (BINPRM_BUF_SIZE, binfmts.h)."""

_ENV_WITH_VALUE = frozenset({"-u", "--unset", "-C", "--chdir", "-P"})


@dataclass(frozen=True, slots=True)
class Head:
    """A kept regular file with its first bytes."""

    entry: Entry
    data: bytes

    @property
    def is_elf(self) -> bool:
        """Whether it starts as ELF files do."""
        return self.data.startswith(b"\x7fELF")

    @property
    def is_script(self) -> bool:
        """Whether the kernel would start it through an interpreter."""
        return self.data.startswith(b"#!") and bool(self.entry.mode & 0o111)


def heads(scene: Scene, draft: Draft, fresh: Iterable[Entry]) -> tuple[Head, ...]:
    """The first bytes of all fresh files, fetched together: they will be packed anyway."""
    files = [
        entry
        for entry in fresh
        if entry.type is FileType.FILE and entry.size and draft.is_whole(entry.path)
    ]
    scene.contents.fetch([entry.path for entry in files])
    return tuple(_heads(scene, draft, files))


def read_ahead(scene: Scene, draft: Draft) -> None:
    """Fetch, in one go, all files that are kept whole so far and the package databases."""
    kept = (
        entry.path
        for entry in scene.tree
        if entry.type is FileType.FILE and entry.size and draft.is_whole(entry.path)
    )
    scene.contents.fetch((*kept, *databases(scene.tree, scene.contents)))


def _heads(scene: Scene, draft: Draft, files: Iterable[Entry]) -> Iterator[Head]:
    for entry in files:
        try:
            yield Head(entry, scene.contents.read(entry.path, LONGEST_LINE))
        except FileNotFoundError:
            text = "files of the image's listing could not be read; what they need is unknown"
            draft.absorb((TraceWarning("unreadable", text),))


class Libraries:
    """Loaders and libraries of the kept ELF files.

    How a plugin finds its libraries depends on the programs around it, so every answer is about all
    files noted so far. What an answer itself added is not asked about again: it was loaded there.
    """

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._known = ElfFiles(scene.tree, scene.contents)
        self._noted: set[ImagePath] = set()
        self._asked: frozenset[ImagePath] = frozenset()
        self._found = Closure({})

    def note(self, files: Iterable[Head]) -> None:
        """Take fresh files into account."""
        self._noted.update(
            head.entry.path
            for head in files
            if head.is_elf and head.entry.path not in self._found.needed
        )

    def facts(self, path: ImagePath) -> ElfFacts | None:
        """What a kept file says of itself; None where it is no ELF file or a damaged one."""
        return self._known.get(path)

    def is_static(self, path: ImagePath) -> bool:
        """Whether a kept file is a program that brings all its libraries within itself."""
        facts = self._known.get(path)
        return facts is not None and facts.static

    def needed(self) -> Iterable[Want]:
        """Wants of all files noted; none if no file was noted since they were asked for."""
        if self._asked == self._noted:
            return
        self._asked = frozenset(self._noted)
        self._found = closure(
            self._scene.tree,
            self._scene.contents,
            self._asked,
            environment=self._scene.image.environment,
            workdir=self._scene.image.workdir,
            known=self._known,
        )
        for path, reasons in self._found.needed.items():
            yield from (Want(path, reason, follow=False) for reason in reasons)

    def warnings(self) -> Iterable[TraceWarning]:
        """What the last answer could not find or read."""
        yield from self._found.warnings
        for lost in self._found.missing:
            text = f"{display(lost.by)} asks for {display(lost.name)}, which the image lacks"
            yield TraceWarning("library", text)


def interpreters(scene: Scene, files: Iterable[Head]) -> Iterable[Finding]:
    """Interpreters of the scripts among the fresh files; theirs come in the next round."""
    for head in files:
        if head.is_script:
            yield from _interpreter(scene, head)


def _interpreter(scene: Scene, head: Head) -> Iterable[Finding]:
    line = head.data[2:].partition(b"\n")[0].decode("utf-8", "surrogateescape").strip(" \t\r\0")
    program, _, argument = line.replace("\t", " ").partition(" ")
    if not program:
        return
    reason = Reason(Rule.INTERPRETER, head.entry.path, display(f"#!{line}"))
    yield _program(scene, head.entry.path, program, reason)
    if program.rpartition("/")[2] == "env" and (name := _env_command(argument.strip())):
        yield _program(scene, head.entry.path, name, reason)


def _program(scene: Scene, script: ImagePath, name: str, reason: Reason) -> Finding:
    path = scene.command(name)
    if path is not None:
        return Want(path, reason)
    text = f"{display(script)} asks for the interpreter {display(name)}, which the image lacks"
    return TraceWarning("interpreter", text)


def _env_command(argument: str) -> str:
    """The command in what ``env`` gets from a ``#!`` line, behind options and settings (env(1))."""
    try:
        words = shlex.split(argument.replace("--split-string=", "-S "))
    except ValueError:  # an open quote
        words = argument.split()
    waiting = iter(words)
    for word in waiting:
        if word in _ENV_WITH_VALUE:
            next(waiting, None)
        elif word.startswith("-S") and len(word) > 2:
            return word[2:]
        elif not word.startswith("-") and "=" not in word:
            return word
    return ""
