"""Applications of the Erlang runtime in use, with those that they need, and releases.

An application's modules are loaded one by one when they are first called, so of an application in
use all modules and its private files are kept; documentation, sources and headers are not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from slimpy.image.tree import name, parent
from slimpy.keep.programs import Head
from slimpy.keep.rules.erlang_beam import LARGEST_MODULE, imported_modules
from slimpy.keep.rules.reach import Reach, files_below, is_unneeded
from slimpy.keep.scene import Finding, Scene, Want
from slimpy.keep.turn import Finder
from slimpy.model import Entry, FileType, ImagePath, Reason, Rule

_RUNTIME = re.compile(r"beam(\.smp|\.[\w.]+)?")
_APPLICATION = re.compile(r"^(?P<home>.*/(?P<name>[a-z]\w*)(?:-[\w.+-]+)?)/(?:ebin|priv)/")
_HOME = re.compile(r"^.*/(?P<name>[a-z]\w*)(?:-\d[\w.+-]*)?$")
_LISTS = re.compile(
    r"\{\s{0,40}(?:included_|optional_)?applications\s{0,40},\s{0,40}\[([^\]]{0,20000})\]"
)
_ATOM = re.compile(r"'?([a-z][\w@]{0,200})'?")
_OF_RELEASE = re.compile(r"\{\s{0,40}'?([a-z]\w{0,200})'?\s{0,40},\s{0,40}\"")
_RELEASES = re.compile(r"^(?P<releases>.*/releases)/")
_PROGRAMS = frozenset(
    {"beam.smp", "epmd", "erl_child_setup", "erlexec", "heart", "inet_gethost", "erl", "run_erl"}
)

LARGEST_RELEASE = 64 << 20
"""The descriptions of releases are kept up to this weight (bytes)."""


def finder(scene: Scene) -> Finder:
    """The rule for one decision."""
    return ErlangRuntime(scene)


class ErlangRuntime(Reach):
    """Follows applications to applications, by .app and .rel files and by imports."""

    rule = Rule.ERLANG

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._seen: set[str] = set()
        self._homes: dict[str, list[ImagePath]] | None = None
        self._modules: dict[str, list[ImagePath]] = {}

    def is_runtime(self, head: Head) -> bool:
        """The virtual machine."""
        return head.is_elf and _RUNTIME.fullmatch(name(head.entry.path)) is not None

    def is_source(self, path: ImagePath) -> bool:
        """Descriptions of applications and of releases."""
        return path.endswith((".app", ".rel"))

    def started(self, head: Head) -> Iterator[Finding]:
        """Programs beside the virtual machine, and boot scripts of its installation."""
        by = head.entry.path
        directory = parent(by)
        programs = (f"{directory}/{program}" for program in sorted(_PROGRAMS))
        yield from self.wants(programs, by, "program of the Erlang runtime")
        root = parent(parent(directory))
        for entry in files_below(self.scene, f"{root}/bin", deep=False):
            if entry.path.endswith(".boot"):
                yield Want(entry.path, Reason(self.rule, by, "boot script"))

    def visit(self, entry: Entry, text: str) -> Iterator[Finding]:
        """What one file belongs to, and what it needs."""
        path = entry.path
        match = _APPLICATION.match(path)
        if match is not None:
            yield from self._application(match["home"], path)
        if path.endswith(".app"):
            for listed in _LISTS.findall(text):
                yield from self._named(_ATOM.findall(listed), path, "needed application")
        elif path.endswith(".rel"):
            yield from self._named(_OF_RELEASE.findall(text), path, "application of the release")
        elif path.endswith(".beam") and not self._is_of_runtime(path):
            yield from self._imports(path)
        release = _RELEASES.match(path)
        if release is not None and release["releases"] not in self._seen:
            self._seen.add(release["releases"])
            for inside in files_below(
                self.scene, release["releases"], skip=_is_archive, most_bytes=LARGEST_RELEASE
            ):
                yield Want(inside.path, Reason(self.rule, path, "description of the release"))

    def _application(self, home: str, by: ImagePath) -> Iterator[Finding]:
        if home in self._seen:
            return
        self._seen.add(home)
        for part in ("ebin", "priv"):
            for entry in files_below(self.scene, f"{home}/{part}", skip=_is_left_over):
                yield Want(entry.path, Reason(self.rule, by, "part of an application in use"))

    def _named(self, names: list[str], by: ImagePath, detail: str) -> Iterator[Finding]:
        for wanted in dict.fromkeys(names):
            for home in self._index().get(wanted, ()):
                yield from self.wants((f"{home}/ebin/{wanted}.app",), by, f"{detail} {wanted}")

    def _imports(self, path: ImagePath) -> Iterator[Finding]:
        self._index()
        try:
            data = self.scene.contents.read(path, LARGEST_MODULE)
        except FileNotFoundError:
            return
        for module in sorted(imported_modules(data)):
            yield from self.wants(self._modules.get(module, ()), path, f"calls {module}")

    def _is_of_runtime(self, path: ImagePath) -> bool:
        """Whether a module is of Erlang itself: those name others only to support them."""
        library, found, _ = path.partition("/lib/erlang/lib/")
        return bool(found) and self.scene.tree.get(f"{library}/lib/erlang") is not None

    def _index(self) -> dict[str, list[ImagePath]]:
        """Applications by name, and their modules, over the whole image."""
        if self._homes is None:
            self._homes = {}
            for entry in self.scene.tree:
                if entry.type is not FileType.DIRECTORY or not entry.path.endswith("/ebin"):
                    continue
                match = _HOME.match(parent(entry.path))
                if match is not None:
                    self._homes.setdefault(match["name"], []).append(parent(entry.path))
                for module in self.scene.tree.children(entry.path):
                    if module.path.endswith(".beam"):
                        base = name(module.path).removesuffix(".beam")
                        self._modules.setdefault(base, []).append(module.path)
        return self._homes


def _is_archive(entry: Entry) -> bool:
    return entry.path.endswith((".tar.gz", ".tar", ".zip"))


def _is_left_over(entry: Entry) -> bool:
    return is_unneeded(entry) or name(entry.path) in ("obj", "Makefile")
