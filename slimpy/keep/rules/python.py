"""What kept Python code can import, and the data and metadata of the packages it is in."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from slimpy.image.tree import name, parent
from slimpy.keep.programs import Head
from slimpy.keep.rules import python_source
from slimpy.keep.rules.python_data import PackageData
from slimpy.keep.rules.python_metadata import Distribution, distributions
from slimpy.keep.rules.python_modules import Module, Modules, version_of
from slimpy.keep.rules.python_source import Import, Source
from slimpy.keep.scene import Finding, Scene, Want, is_within
from slimpy.keep.turn import Finder, Turn
from slimpy.model import ROOT, FileType, ImagePath, Reason, Rule, display

WHOLE_PACKAGE = 1 << 20
"""Sources (bytes) of a package named in a setting, up to which all its modules are kept."""

READ_AHEAD = 2 << 20
"""Sources (bytes) of one directory that are read together with the first that is wanted."""

MOST_SCANNED = 64 << 20
"""Bytes of extension modules that are searched for names, all together ..."""

MOST_OF_ONE = 16 << 20
"""... and of one of them."""

MOST_LINES = 1000
"""Lines of a ``.pth`` file."""

LONGEST_COMMAND = 16 << 10
"""Characters of a command line that is taken apart."""

DEVELOPMENT = frozenset(
    (
        *("test", "unittest", "doctest", "pdb", "bdb", "pydoc", "idlelib", "lib2to3", "tkinter"),
        *("turtle", "turtledemo", "ensurepip", "venv", "distutils", "setuptools", "pkg_resources"),
        *("pip", "wheel", "pytest", "_pytest", "nose", "mypy", "sphinx", "IPython", "Cython"),
        *(
            "hypothesis",
            "cProfile",
            "profile",
            "pstats",
            "trace",
            "tracemalloc",
            "this",
            "antigravity",
        ),
    )
)
"""Modules for people who write software: libraries mention them for cases that no service meets."""

CORE = (
    *("_compat_pickle", "_strptime", "abc", "ast", "codecs", "collections.abc", "copyreg"),
    *("encodings", "functools", "importlib.abc", "importlib.resources", "inspect", "io"),
    *("linecache", "locale", "numbers", "operator", "os", "re", "runpy", "site", "stat", "struct"),
    *("threading", "tokenize", "traceback", "types", "typing", "warnings", "weakref", "zoneinfo"),
)
"""Modules that the interpreter itself imports, some late (CPython, PyImport_ImportModule)."""

_PYTHON = re.compile(r"(?:lib)?(?:python|pypy)\d?[\d.]*t?(?:\.so[\d.]*)?")
_DOTTED = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)+(?::[\w.()]+)?")
_PREFIX = re.compile(r"([^\W\d]\w*(?:\.[^\W\d]\w*)*)\.(?:[%{].*)?")
_RELATIVE = re.compile(r"\.[^\W\d]\w*(?:\.[^\W\d]\w*)*")
_BEGINNING = re.compile(r"(\w{7,40}_)(?:[%{].*)?")
_IN_BINARY = re.compile(rb"(?<=\0)[A-Za-z_]\w{1,60}(?:\.[A-Za-z_]\w{0,60}){0,8}(?=\0)")
_SHELL_MODULE = re.compile(
    rb"\bpython[\d.]{0,6} {1,4}(?:-[A-Za-z]{1,4} {1,4}){0,4}-m {0,4}([\w.]{1,120})"
)


@dataclass(frozen=True, slots=True)
class _Name:
    """A dotted name that a file has for something, and how sure it is that it is imported.

    ``weak`` names are constants: they count if their outermost package is in use.
    """

    text: str
    version: str
    weak: bool
    by: ImagePath
    opens: bool = False  # the whole package, if it leads to one


class PythonReach:
    """The import graph from all kept Python code, and what belongs to the packages in it."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._modules = Modules(scene)
        self._data = PackageData(scene, self._modules)
        self._read: set[ImagePath] = set()
        self._wanted: set[ImagePath] = set()
        self._queue: list[ImagePath] = []
        self._names: dict[tuple[str, str, bool, bool], _Name] = {}
        self._tops: set[str] = set()
        self._in_use: set[tuple[ImagePath, str]] = set()
        self._sleeping: dict[str, list[_Name]] = {}
        self._sites: dict[ImagePath, list[Distribution]] = {}
        self._points: list[tuple[ImagePath, str, str]] = []
        self._strings: set[str] = set()
        self._listed: set[ImagePath] | None = None
        self._scanned = 0
        self._started = False

    def __call__(self, turn: Turn) -> Iterable[Finding]:
        """Wants for all that the fresh files lead to, closed under import."""
        for head in turn.files:
            yield from self._start(head)
        if not (self._queue or self._modules.roots):
            return
        if not self._started:
            self._started = True
            yield from self._configuration()
        while self._queue:
            yield from self._close()
            yield from self._metadata()
        yield from self._data.findings(turn.draft)

    def _start(self, head: Head) -> Iterator[Finding]:
        path = head.entry.path
        base = name(path)
        if base.endswith((".py", ".so")) or (base.endswith(".pyc") and not _is_cached(path)):
            self._push(path)
        elif head.is_elf and _PYTHON.fullmatch(base):
            self._push(path)
        elif head.is_script and b"python" in head.data:
            self._push(path)
        elif head.is_script:
            yield from self._shell(head)
        elif base.endswith(".pth"):
            yield from self._path_file(path)

    def _push(self, path: ImagePath) -> None:
        if path not in self._read:
            self._read.add(path)
            self._queue.append(path)

    def _close(self) -> Iterator[Finding]:
        """Work off the queue: each round reads in one go what the last one found."""
        while self._queue:
            batch, self._queue = sorted(self._queue), []
            for path in batch:
                yield from self._reach(path)
            self._scene.contents.fetch(self._ahead(batch))
            for path in batch:
                yield from self._parse(path)

    def _ahead(self, batch: Iterable[ImagePath]) -> list[ImagePath]:
        """The batch and the sources beside: they are next, and a batch costs more than a file."""
        found = dict.fromkeys(batch)
        for directory in sorted({parent(path) for path in found}):
            total = 0
            for entry in self._scene.tree.children(directory):
                if entry.type is FileType.FILE and entry.path.endswith(".py"):
                    total += entry.size
                    if total > READ_AHEAD:
                        break
                    found[entry.path] = None
        return list(found)

    def _reach(self, path: ImagePath) -> Iterator[Finding]:
        """Take note of where a file is: the roots around it, its package."""
        if path.endswith(".so") and not self._is_module(path):
            return
        if not path.endswith((".py", ".pyc", ".so")):
            return
        for root in (*self._modules.roots_of(path), *self._configured_roots(path)):
            yield from self._search(root)
        home = self._modules.home(path)
        self._data.reach(parent(path), home, path)
        top = name(home).partition(".")[0]
        self._in_use.add((parent(home), top))
        if top not in self._tops:
            self._tops.add(top)
            for sleeper in self._sleeping.pop(top, ()):
                yield from self._resolve(sleeper)

    def _is_module(self, path: ImagePath) -> bool:
        directory = parent(path)
        return (
            self._modules.is_installed(path)
            or self._modules.is_library(path)
            or "__init__" in self._modules.folder(directory).code
            or directory in self._modules.roots
        )

    def _configured_roots(self, path: ImagePath) -> Iterator[str]:
        """Directories that the image's settings or the run's listings make a search path."""
        if self._modules.is_library(path) or self._modules.is_installed(path):
            return
        environment = self._scene.image.environment.get("PYTHONPATH", "").split(":")
        workdir = self._scene.image.workdir
        for directory in (workdir, *environment):
            if directory.startswith("/") and directory != ROOT and is_within(path, directory):
                yield directory
        if self._listed is None:
            self._listed = {
                ImagePath(event.path.rstrip("/"))
                for event in self._scene.trace.activity.events
                if event.operation == "list" and event.error is None
            }
        here = parent(path)
        while here != ROOT:
            if here in self._listed and "__init__" not in self._modules.folder(here).code:
                yield here
            here = parent(here)

    def _parse(self, path: ImagePath) -> Iterator[Finding]:
        base = name(path)
        if _PYTHON.fullmatch(base):
            for text in CORE:
                yield from self._note(_Name(text, _python_version(base), False, path))
            return
        if path.endswith(".so"):
            yield from self._binary(path)
            return
        try:
            data = self._scene.contents.read(path, python_source.LONGEST_SOURCE)
        except FileNotFoundError:
            return
        if base.endswith(".pyc"):
            source = python_source.read_compiled(data)
        else:
            main = base == "__main__.py" or not base.endswith(".py") or self._is_own(path)
            source = python_source.read(data, main=main)
        yield from self._source(path, source)

    def _is_own(self, path: ImagePath) -> bool:
        """Whether nobody installed the file: it is the app's."""
        return not (self._modules.is_installed(path) or self._modules.is_library(path))

    def _source(self, path: ImagePath, source: Source) -> Iterator[Finding]:
        own = self._is_own(path)
        version = version_of(path)
        directory = parent(path)
        self._data.note(self._modules.home(path), source.strings, own=own)
        self._strings |= source.strings
        for statement in source.imports:
            yield from self._import(path, statement, version, own)
        if source.siblings:
            yield from self._open(directory, version, path)
        for text in sorted(source.strings):
            if "." in text and _DOTTED.fullmatch(text):
                text = text.partition(":")[0]
                yield from self._note(_Name(text, version, True, path, opens=own))
            elif own and text.isidentifier():
                yield from self._note(_Name(text, version, True, path, opens=True))
            elif source.computes:
                yield from self._computed(path, text, version)
        if source.lazy and name(path).startswith("__init__."):
            for text in sorted(source.strings & self._modules.folder(directory).code.keys()):
                module = self._modules.within(directory, (text,), version)
                yield from self._take(module, path, "named in its package")

    def _computed(self, path: ImagePath, text: str, version: str) -> Iterator[Finding]:
        """Modules that a name can lead to that is put together from ``text`` and something."""
        if found := _PREFIX.fullmatch(text):
            yield from self._note(_Name(found[1], version, True, path, opens=True))
        elif text.startswith(".") and _RELATIVE.fullmatch(text):
            module = self._modules.within(parent(path), text[1:].split("."), version)
            yield from self._take(module, path, "named in its package")
        elif found := _BEGINNING.fullmatch(text):
            for stem, files in self._modules.folder(parent(path)).code.items():
                if stem.startswith(found[1]):
                    yield from self._take(Module(tuple(files), None, 1), path, "a computed name")

    def _import(
        self, path: ImagePath, statement: Import, version: str, own: bool
    ) -> Iterator[Finding]:
        if not statement.level:
            top = statement.module.partition(".")[0]
            if top in DEVELOPMENT and not (own and path.endswith(".py")):
                yield from self._note(_Name(statement.module, version, True, path))
                return
            yield from self._note(_Name(statement.module, version, False, path))
            for each in statement.names:
                if each != "*":
                    yield from self._note(_Name(f"{statement.module}.{each}", version, False, path))
            return
        base = parent(path)
        for _ in range(statement.level - 1):
            base = parent(base)
        parts = statement.module.split(".") if statement.module else []
        yield from self._take(self._modules.within(base, parts, version), path, "imported")
        for each in statement.names:
            yield from self._take(
                self._modules.within(base, (*parts, each), version), path, "imported"
            )

    def _note(self, new: _Name) -> Iterator[Finding]:
        key = (new.text, new.version, new.weak, new.opens)
        if key in self._names:
            return
        top = new.text.partition(".")[0]
        self._names[key] = new
        if new.weak and top not in self._tops:
            self._sleeping.setdefault(top, []).append(new)
        else:
            yield from self._resolve(new)

    def _resolve(self, known: _Name, root: ImagePath | None = None) -> Iterator[Finding]:
        parts = known.text.count(".") + 1
        if known.weak and known.text.partition(".")[0] not in self._tops:
            return
        roots = None if root is None else (root,)
        for module in self._modules.find(known.text, known.version, roots):
            # A constant that is the name of a package alone, or ends elsewhere, may be anything.
            if known.weak and module.depth < min(parts, 2):
                continue
            if known.weak and parts - module.depth > 2:
                continue
            yield from self._take(module, known.by, f"import of {display(known.text)}")
            if known.opens and module.package is not None and module.depth == parts:
                yield from self._open(module.package, known.version, known.by)

    def _take(self, module: Module, by: ImagePath, detail: str) -> Iterator[Finding]:
        for path in module.files:
            if path not in self._wanted:
                self._wanted.add(path)
                yield Want(path, Reason(Rule.PYTHON, by, detail))
                entry = self._scene.entry(path)
                if entry is not None and entry.type is FileType.FILE:
                    self._push(entry.path)

    def _open(self, package: ImagePath, version: str, by: ImagePath) -> Iterator[Finding]:
        """All modules of a package, or of a large one those directly in it."""
        if package in self._modules.roots:
            return
        below = list(self._modules.below(package))
        sizes = [self._size(path) for path in below]
        if sum(sizes) > WHOLE_PACKAGE:
            folder = self._modules.folder(package)
            starts = (self._modules.start_of(inner, version) for inner in folder.folders.values())
            groups = (*folder.code.values(), *starts)
            below = [path for group in groups for path in group]
        module = Module(tuple(below), None, 1)
        yield from self._take(module, by, "a package that is loaded by name")

    def _size(self, path: ImagePath) -> int:
        entry = self._scene.entry(path)
        return entry.size if entry is not None and path.endswith(".py") else 0

    def _binary(self, path: ImagePath) -> Iterator[Finding]:
        """Modules that an extension module, or Python itself, imports by constant names."""
        entry = self._scene.tree.get(path)
        if entry is None or self._scanned >= MOST_SCANNED:
            return
        try:
            data = self._scene.contents.read(path, MOST_OF_ONE)
        except FileNotFoundError:
            return
        self._scanned += len(data)
        within_library = self._modules.is_library(path)
        version = version_of(path)
        for word in sorted(set(_IN_BINARY.findall(data))):
            text = word.decode("ascii")
            if "." in text:
                yield from self._note(_Name(text, version, True, path))
            elif within_library:
                yield from self._note(_Name(text, version, False, path))

    def _metadata(self) -> Iterator[Finding]:
        """Metadata of distributions in use, and plugins that others announce for code in use."""
        for root in self._modules.roots:
            if name(root) in ("site-packages", "dist-packages") and root not in self._sites:
                found = distributions(self._scene, root)
                self._sites[root] = list(found)
                self._points += [(root, *point) for item in found for point in item.points]
        for site, waiting in self._sites.items():
            still = []
            for item in waiting:
                if not self._is_used(site, item):
                    still.append(item)
                    continue
                for path in item.metadata:
                    yield Want(path, Reason(Rule.PYTHON, site, "metadata of a package in use"))
            self._sites[site] = still
        yield from self._plugins()

    def _plugins(self) -> Iterator[Finding]:
        """Modules that distributions announce for a group that kept code asks for by name."""
        still = []
        for site, group, module in self._points:
            if group in self._strings:
                yield from self._note(_Name(module, version_of(site), False, site))
            else:
                still.append((site, group, module))
        self._points = still

    def _is_used(self, site: ImagePath, item: Distribution) -> bool:
        return any((site, top) in self._in_use for top in item.tops)

    def _path_file(self, path: ImagePath) -> Iterator[Finding]:
        """Search paths and imports of a ``.pth`` file (docs.python.org, module site)."""
        if not self._modules.is_installed(path):
            return
        for line in self._scene.text(path).splitlines()[:MOST_LINES]:
            line = line.strip()
            if line.startswith(("import ", "import\t")):
                for statement in python_source.read(line.encode("utf-8", "replace")).imports:
                    yield from self._import(path, statement, version_of(path), own=False)
            elif line and not line.startswith("#"):
                target = line if line.startswith("/") else f"{parent(path)}/{line}"
                yield from self._search(target)

    def _search(self, directory: str) -> Iterator[Finding]:
        root = self._modules.add(directory)
        if root is not None:
            for known in list(self._names.values()):
                yield from self._resolve(known, root)

    def _shell(self, head: Head) -> Iterator[Finding]:
        """``python -m MODULE`` in a kept script of another language."""
        path = head.entry.path
        data = self._scene.text(path).encode("utf-8", "replace")
        for found in _SHELL_MODULE.finditer(data):
            yield from self._run_module(found[1].decode("ascii", "replace"), path)

    def _run_module(self, dotted: str, by: ImagePath) -> Iterator[Finding]:
        yield from self._note(_Name(dotted, "", False, by))
        yield from self._note(_Name(f"{dotted}.__main__", "", False, by))

    def _configuration(self) -> Iterator[Finding]:
        """Modules in the image's own commands and environment."""
        image = self._scene.image
        check = image.healthcheck
        argv = [*image.entrypoint, *image.command, *(check.argv if check else ())]
        for text in argv:
            yield from self._shell_text(text)
        for option, value in zip(argv, argv[1:], strict=False):
            if option == "-m":
                yield from self._run_module(value, ROOT)
            elif option == "-c":
                yield from self._source(self._workfile(), python_source.read(_bytes(value)))
        for value in (*argv, *image.environment.values()):
            if _DOTTED.fullmatch(value):
                yield from self._note(_Name(value.partition(":")[0], "", True, ROOT, opens=True))

    def _shell_text(self, text: str) -> Iterator[Finding]:
        try:
            words = shlex.split(text) if " " in text and len(text) < LONGEST_COMMAND else []
        except ValueError:
            return
        for option, value in zip(words, words[1:], strict=False):
            if option == "-m":
                yield from self._run_module(value, ROOT)
            elif option == "-c":
                yield from self._source(self._workfile(), python_source.read(_bytes(value)))

    def _workfile(self) -> ImagePath:
        """Where code on a command line is thought to be: in the working directory."""
        return ImagePath(f"{self._scene.image.workdir.rstrip('/')}/-c")


def _is_cached(path: ImagePath) -> bool:
    return name(parent(path)) == "__pycache__"


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _python_version(base: str) -> str:
    """The version in ``python3.11`` or ``libpython3.11.so.1.0``; empty where there is none."""
    found = re.search(r"\d+\.\d+", base)
    return found[0] if found else ""


def finder(scene: Scene) -> Finder:
    """The rule at work on one image."""
    return PythonReach(scene)
