"""The import graph: what the dotted names of kept Python code lead to, as more becomes known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from slimpy.image.tree import name, parent
from slimpy.keep.rules.python_modules import Modules
from slimpy.keep.scene import Scene, Want
from slimpy.model import FileType, ImagePath, Reason, Rule, display

WHOLE_PACKAGE = 1 << 20
"""Sources (bytes) of a package that is loaded by name, up to which all its modules are kept."""

MOST_BEHIND = 2
"""Parts of a dotted constant behind the module: a class and a method."""

MOST_NAMES = 200_000
"""Dotted names that are followed in one image."""


@dataclass(frozen=True, slots=True)
class Name:
    """A dotted name that the file ``by`` has for something.

    ``weak`` names are constants, not imports: they count if their outermost package is in use.
    ``opens`` means the whole package, if the name leads to one that is not of the standard library;
    ``begins`` that it is the beginning of computed names, so any module in that package is meant.
    ``version`` is that of Python.
    """

    text: str
    version: str
    by: ImagePath
    weak: bool = False
    opens: bool = False
    begins: bool = False


class Graph:
    """Follows names. A name that leads nowhere yet is tried again in each root that is found."""

    def __init__(self, scene: Scene, modules: Modules) -> None:
        self._scene = scene
        self._modules = modules
        self._names: dict[tuple[str, str, bool, bool, bool], Name] = {}
        self._tops: set[str] = set()
        self._sleeping: dict[str, list[Name]] = {}
        self._wanted: set[ImagePath] = set()
        self._queued: set[ImagePath] = set()
        self._queue: list[ImagePath] = []
        self.in_use: set[tuple[ImagePath, str]] = set()

    def push(self, path: ImagePath) -> None:
        """Queue a real file to be read, once."""
        if path not in self._queued:
            self._queued.add(path)
            self._queue.append(path)

    def take(self) -> tuple[ImagePath, ...]:
        """The files that wait to be read, sorted; they do not wait any more."""
        waiting, self._queue = tuple(sorted(self._queue)), []
        return waiting

    @property
    def is_waiting(self) -> bool:
        """Whether files wait to be read."""
        return bool(self._queue)

    def search(self, directory: str) -> Iterator[Want]:
        """Make a directory a root, and look there for all names so far."""
        root = self._modules.add(directory)
        if root is not None:
            for known in tuple(self._names.values()):
                yield from self._resolve(known, (root,))

    def use(self, home: ImagePath) -> Iterator[Want]:
        """Take note that something of a distribution is kept: constants that name it count now."""
        top = name(home).partition(".")[0]
        self.in_use.add((parent(home), top))
        if top not in self._tops:
            self._tops.add(top)
            for sleeper in self._sleeping.pop(top, ()):
                yield from self._resolve(sleeper)

    def follow(self, new: Name) -> Iterator[Want]:
        """What a name leads to; later roots and packages may add to it."""
        key = (new.text, new.version, new.weak, new.opens, new.begins)
        if key in self._names or len(self._names) >= MOST_NAMES:
            return
        self._names[key] = new
        top = new.text.partition(".")[0]
        if new.weak and top not in self._tops:
            self._sleeping.setdefault(top, []).append(new)
        else:
            yield from self._resolve(new)

    def follow_within(
        self, directory: ImagePath, parts: Iterable[str], version: str, by: ImagePath
    ) -> Iterator[Want]:
        """What a relative name leads to."""
        module = self._modules.within(directory, parts, version)
        yield from self._keep(module.files, by, "imported as a neighbour")

    def follow_beginning(self, directory: ImagePath, start: str, by: ImagePath) -> Iterator[Want]:
        """The modules of a directory whose names begin so."""
        for stem, files in self._modules.folder(directory).code.items():
            if stem.startswith(start):
                yield from self._keep(files, by, f"import of {display(start)}...")

    def open(self, package: ImagePath, version: str, by: ImagePath) -> Iterator[Want]:
        """All modules of a package, or of a large one those directly in it."""
        if package in self._modules.roots:
            return
        below = list(self._modules.below(package))
        if sum(self._size(path) for path in below) > WHOLE_PACKAGE:
            folder = self._modules.folder(package)
            starts = (self._modules.start_of(inner, version) for inner in folder.folders.values())
            below = [path for group in (*folder.code.values(), *starts) for path in group]
        yield from self._keep(below, by, "in a package whose modules are loaded by name")

    def _resolve(self, known: Name, roots: Iterable[ImagePath] | None = None) -> Iterator[Want]:
        top, *rest = known.text.split(".")
        parts = 1 + len(rest)
        if known.weak and top not in self._tops:
            return
        for module in self._modules.find(known.text, known.version, roots):
            if known.weak and not min(parts, 2) <= module.depth >= parts - MOST_BEHIND:
                continue
            yield from self._keep(module.files, known.by, f"import of {display(known.text)}")
            if module.package is None or module.depth != parts:
                continue
            is_library = bool(module.files) and self._modules.is_library(module.files[0])
            if known.begins or (known.opens and not is_library):
                yield from self.open(module.package, known.version, known.by)

    def _keep(self, paths: Iterable[ImagePath], by: ImagePath, detail: str) -> Iterator[Want]:
        for path in paths:
            if path in self._wanted:
                continue
            self._wanted.add(path)
            yield Want(path, Reason(Rule.PYTHON, by, detail))
            entry = self._scene.entry(path)
            if entry is not None and entry.type is FileType.FILE:
                self.push(entry.path)

    def _size(self, path: ImagePath) -> int:
        entry = self._scene.entry(path)
        return entry.size if entry is not None and path.endswith(".py") else 0
