"""Where an image's Python modules are: roots of search paths, and names resolved in them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from slimpy.image.tree import name, parent
from slimpy.keep.scene import Scene
from slimpy.model import ROOT, Entry, FileType, ImagePath

LONGEST_NAME = 240
"""Characters of a dotted module name; more is no name."""

MOST_ROOTS = 64
"""Directories that are searched for modules."""

MOST_MODULES = 5000
"""Modules of one package that are looked at."""

TESTS = frozenset({"test", "tests", "testing", "conftest"})
"""Packages that are not loaded by name only because all beside them are."""

SUFFIXES = (".py", ".pyc", ".so")

_VERSION = re.compile(r"/(?:python|pypy)(\d+\.\d+)t?(?=/|$)")
_TAG = re.compile(r"\.(?:cpython-|pypy|cp)?(\d)(\d{1,2})t?(?=[-.])")
_STEM = re.compile(r"[\w-]+")  # no identifier: migrations are called 0001_initial
_SITES = frozenset({"site-packages", "dist-packages"})
_LIBRARY = re.compile(r"(.*/(?:lib|lib64|lib-python)/(?:python|pypy)?\d[\w.]*)(?:/.*)?")


def version_of(path: str) -> str:
    """The version of Python that a directory's name speaks of, such as ``3.11``; else empty."""
    found = _VERSION.findall(path)
    return found[-1] if found else ""


class Module(NamedTuple):
    """Files that one import runs, in order: packages' own first. ``package`` is the directory that
    the name leads to where it is a package, ``depth`` how many of the name's parts were found.
    """

    files: tuple[ImagePath, ...]
    package: ImagePath | None
    depth: int


@dataclass(slots=True)
class Folder:
    """The modules in one directory by name; paths may be links."""

    code: dict[str, list[ImagePath]] = field(default_factory=dict)
    folders: dict[str, ImagePath] = field(default_factory=dict)  # real paths


class Modules:
    """Resolves names in the roots found so far.

    Every root that fits is asked, not the first only: which comes first depends on start-up code,
    and a namespace package has parts in many.
    """

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._folders: dict[ImagePath, Folder] = {}
        self._versions: dict[ImagePath, str] = {}

    @property
    def roots(self) -> tuple[ImagePath, ...]:
        """The directories that are searched, in the order in which they were found."""
        return tuple(self._versions)

    def add(self, path: str) -> ImagePath | None:
        """Search a directory from now on; its real path if it is a new one."""
        entry = self._scene.entry(path)
        if entry is None or entry.type is not FileType.DIRECTORY or entry.path == ROOT:
            return None
        if entry.path in self._versions or len(self._versions) >= MOST_ROOTS:
            return None
        self._versions[entry.path] = version_of(entry.path)
        return entry.path

    def roots_of(self, path: ImagePath) -> Iterator[ImagePath]:
        """The roots that a kept source file lets one guess, inner ones first."""
        here = parent(path)
        for above in self._upwards(here):
            if name(above) in _SITES:
                yield above
                return
        library = self._library(path)
        if library is not None:
            yield library
            yield ImagePath(f"{library}/lib-dynload")
            return
        while here != ROOT and "__init__" in self.folder(here).code:
            here = parent(here)
        yield here

    def is_site(self, directory: ImagePath) -> bool:
        """Whether a directory is one in which distributions are installed."""
        return name(directory) in _SITES

    def is_library(self, path: ImagePath) -> bool:
        """Whether a file belongs to a standard library."""
        return not any(name(above) in _SITES for above in self._upwards(parent(path))) and (
            self._library(path) is not None
        )

    def is_installed(self, path: ImagePath) -> bool:
        """Whether a file lies where distributions are installed."""
        return any(name(above) in _SITES for above in self._upwards(parent(path)))

    def home(self, path: ImagePath) -> ImagePath:
        """What a file is installed with: its outermost package, or the file itself."""
        inner = path
        for above in self._upwards(parent(path)):
            if name(above) in _SITES:
                return inner
            inner = above
        library = self._library(path)
        if library is not None:
            return ImagePath(f"{library}/{path[len(library) + 1 :].partition('/')[0]}")
        here = parent(path)
        inner = path
        while here != ROOT and "__init__" in self.folder(here).code:
            inner, here = here, parent(here)
        return inner

    def find(
        self, dotted: str, version: str = "", roots: Iterable[ImagePath] | None = None
    ) -> Iterator[Module]:
        """What an absolute name leads to, as far as it leads, in every root of this version."""
        parts = dotted.split(".") if len(dotted) <= LONGEST_NAME else []
        if not parts or not all(parts):
            return
        for root in tuple(self._versions) if roots is None else roots:
            its = self._versions[root]
            if not version or not its or its == version:
                module = self.within(root, parts, version or its)
                if module.depth:
                    yield module

    def within(self, root: ImagePath, parts: Iterable[str], version: str = "") -> Module:
        """What a name leads to from a directory."""
        files: list[ImagePath] = []
        package: ImagePath | None = root
        depth = 0
        for part in parts:
            if package is None:
                break
            here = self.folder(package)
            below = here.folders.get(part)
            code = _fitting(here.code.get(part, ()), version)
            start = [] if below is None else self.start_of(below, version)
            if start or (below is not None and not code):
                files.extend(start)
                package = below
            elif code:
                files.extend(code)
                package = None
            else:
                break
            depth += 1
        return Module(tuple(files), package, depth)

    def start_of(self, package: ImagePath, version: str = "") -> list[ImagePath]:
        """The files that importing a package runs; none for a namespace package."""
        return _fitting(self.folder(package).code.get("__init__", ()), version)

    def folder(self, directory: ImagePath) -> Folder:
        """The modules and folders in a directory."""
        known = self._folders.get(directory)
        if known is None:
            known = self._folders[directory] = Folder()
            for child in self._scene.tree.children(directory):
                self._sort_in(known, child)
        return known

    def below(self, package: ImagePath) -> Iterator[ImagePath]:
        """All modules in a package and its packages, tests left out."""
        stack, count = [package], 0
        while stack and count < MOST_MODULES:
            folder = self.folder(stack.pop())
            for paths in folder.code.values():
                count += 1
                yield from paths
            stack.extend(d for base, d in folder.folders.items() if base not in TESTS)

    def _sort_in(self, folder: Folder, child: Entry) -> None:
        end = self._scene.entry(child.path) if child.type is FileType.LINK else child
        base = name(child.path)
        if end is None:
            return
        if end.type is FileType.DIRECTORY:
            if base.isidentifier() and base != "__pycache__":
                folder.folders[base] = end.path
        elif end.type is FileType.FILE and base.endswith(SUFFIXES):
            stem = base.partition(".")[0]
            if _STEM.fullmatch(stem):
                folder.code.setdefault(stem, []).append(child.path)

    def _library(self, path: ImagePath) -> ImagePath | None:
        """The standard library that a path is in: a directory of lib, by its landmark ``os.py``."""
        found = _LIBRARY.fullmatch(parent(path))
        if found is None:
            return None
        library = ImagePath(found[1])
        return library if "os" in self.folder(library).code else None

    def _upwards(self, directory: ImagePath) -> Iterator[ImagePath]:
        while directory != ROOT:
            yield directory
            directory = parent(directory)


def _fitting(paths: Iterable[ImagePath], version: str) -> list[ImagePath]:
    """The files of one module: its source or what stands in for it, extensions of this version."""
    found = [path for path in paths if not path.endswith(".so") or _is_for(path, version)]
    if any(path.endswith(".py") for path in found):
        return [path for path in found if not path.endswith(".pyc")]
    return found


def _is_for(path: ImagePath, version: str) -> bool:
    tag = _TAG.search(name(path))
    return tag is None or not version or f"{tag[1]}.{tag[2]}" == version
