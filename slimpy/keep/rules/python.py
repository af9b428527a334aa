"""What kept Python code can import, and the data and metadata of the packages it is in.

Sources that were reached and did not run ship without their compiled twin: that is half the size,
and costs about 2 ms a module, once in a process that imports it after all. Twins that the run
used ship: they are valid only beside a source of the same time and size (PEP 3147).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cached_property

from probes.model import Operation
from slimpy.image.tree import name, parent
from slimpy.keep.programs import Head
from slimpy.keep.rules import python_binary, python_commands, python_source
from slimpy.keep.rules.plugins_names import LibraryNames
from slimpy.keep.rules.python_data import PackageData
from slimpy.keep.rules.python_graph import Graph, Name
from slimpy.keep.rules.python_metadata import Distribution, distributions
from slimpy.keep.rules.python_modules import Modules, version_of
from slimpy.keep.rules.python_source import Import, Source
from slimpy.keep.scene import Finding, Scene, Want, is_within
from slimpy.keep.turn import Finder, Turn
from slimpy.model import ROOT, FileType, ImagePath, Reason, Rule

READ_AHEAD = 2 << 20
"""Sources (bytes) of one package or directory that are read together with the first wanted."""

MOST_SCANNED = 64 << 20
"""Bytes of extension modules that are searched for names, all together."""

MOST_LINES = 1000
"""Lines of a ``.pth`` file."""

MOST_LEVELS = 32
"""Leading dots of a relative import."""

DEVELOPMENT = frozenset(
    (
        *("test", "unittest", "doctest", "pdb", "bdb", "pydoc", "idlelib", "lib2to3", "tkinter"),
        *("turtle", "turtledemo", "ensurepip", "venv", "distutils", "setuptools", "pkg_resources"),
        *("pip", "wheel", "pytest", "_pytest", "nose", "mypy", "sphinx", "IPython", "Cython"),
        *("hypothesis", "cProfile", "profile", "pstats", "trace", "tracemalloc", "pydoc_data"),
        *("readline", "rlcompleter", "curses"),
    )
)
"""Modules for people who write software, or sit at a terminal. Libraries mention
them for cases that no service meets.

Only the app's own code, and modules that cannot be imported without, bring them in.
"""

LDCONFIG = "/sbin/ldconfig"
"""What ctypes.util.find_library asks on Linux."""

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
_BEGINNING = re.compile(r"(\w{7,40}_|\w{2,40}_(?=[%{]))(?:[%{].*)?")


class PythonReach:
    """The import graph from all kept Python code, and what belongs to the packages in it."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._modules = Modules(scene)
        self._graph = Graph(scene, self._modules)
        self._data = PackageData(scene, self._modules)
        self._shared = LibraryNames(scene)
        self._looked_up: set[str] = set()
        self._sites: dict[ImagePath, list[Distribution]] = {}
        self._points: list[tuple[ImagePath, str, str]] = []
        self._strings: set[str] = set()
        self._ahead_of: set[ImagePath] = set()
        self._scanned = 0
        self._started = False

    def __call__(self, turn: Turn) -> Iterable[Finding]:
        """Wants for all that the fresh files lead to, closed under import."""
        for head in turn.files:
            yield from self._start(head)
            if head.is_elf:
                yield from self._libraries(self._shared.note(head.entry))
        for entry in turn.fresh:
            # An empty file has no first bytes to show, but __init__.py often is one.
            if entry.type is FileType.FILE and not entry.size and _is_code(entry.path):
                self._graph.push(entry.path)
        if not (self._graph.is_waiting or self._modules.roots):
            return
        if not self._started:
            self._started = True
            yield from self._configuration()
        while self._graph.is_waiting:
            yield from self._close()
            yield from self._metadata()
        yield from self._data.findings(turn.draft)

    def _start(self, head: Head) -> Iterator[Finding]:
        path = head.entry.path
        base = name(path)
        if _is_code(path) or (head.is_elf and _PYTHON.fullmatch(base)):
            self._graph.push(path)
        elif base.endswith(".pth"):
            yield from self._path_file(path)
        elif head.is_script and b"python" in head.data:
            self._graph.push(path)
        elif head.is_script:
            for module in python_commands.modules_run(self._scene.text(path)):
                yield from self._run(module, path)

    def _close(self) -> Iterator[Finding]:
        """Work off the queue: each round reads in one go what the last one found."""
        while batch := self._graph.take():
            for path in batch:
                yield from self._reach(path)
            self._scene.contents.fetch(self._ahead(batch))
            for path in batch:
                yield from self._read(path)

    def _ahead(self, batch: Iterable[ImagePath]) -> list[ImagePath]:
        """The batch and what is next to be read: a batch costs more than its files do."""
        found = dict.fromkeys(batch)
        homes = {self._modules.home(path) for path in found if self._modules.is_installed(path)}
        for home in sorted(homes - self._ahead_of):
            found.update(dict.fromkeys(self._sources(self._modules.below(home))))
        for directory in sorted({parent(path) for path in found} - self._ahead_of):
            beside = (child.path for child in self._scene.tree.children(directory))
            found.update(dict.fromkeys(self._sources(beside)))
            self._ahead_of.add(directory)
        self._ahead_of |= homes
        return list(found)

    def _sources(self, paths: Iterable[ImagePath]) -> Iterator[ImagePath]:
        """The source files among paths, up to READ_AHEAD."""
        total = 0
        for path in paths:
            entry = self._scene.tree.get(path)
            if entry is None or entry.type is not FileType.FILE or not path.endswith(".py"):
                continue
            total += entry.size
            if total > READ_AHEAD:
                return
            yield path

    def _reach(self, path: ImagePath) -> Iterator[Finding]:
        """Take note of where a file is: the roots around it, and its package."""
        if not _is_code(path) or (path.endswith(".so") and not self._is_module(path)):
            return
        for root in (*self._modules.roots_of(path), *self._configured_roots(path)):
            yield from self._graph.search(root)
        home = self._modules.home(path)
        self._data.reach(parent(path), home, path)
        yield from self._graph.use(home)

    def _is_module(self, path: ImagePath) -> bool:
        """Whether a shared object lies where Python would look for modules."""
        return not self._is_own(path) or "__init__" in self._modules.folder(parent(path)).code

    def _is_own(self, path: ImagePath) -> bool:
        """Whether nobody installed the file: it is the app's."""
        return not (self._modules.is_installed(path) or self._modules.is_library(path))

    def _configured_roots(self, path: ImagePath) -> Iterator[str]:
        """Directories that the image's settings or the run's listings make a search path."""
        if not self._is_own(path):
            return
        environment = self._scene.image.environment.get("PYTHONPATH", "").split(":")
        for directory in (self._scene.image.workdir, *environment):
            if directory.startswith("/") and directory != ROOT and is_within(path, directory):
                yield directory
        here = parent(path)
        while here != ROOT:
            if here in self._listed and "__init__" not in self._modules.folder(here).code:
                yield here
            here = parent(here)

    @cached_property
    def _listed(self) -> frozenset[str]:
        """Directories that the run listed: Python lists those that it searches for modules."""
        return frozenset(
            event.path.rstrip("/")
            for event in self._scene.trace.activity.events
            if event.operation is Operation.LIST and event.error is None
        )

    def _read(self, path: ImagePath) -> Iterator[Finding]:
        base = name(path)
        if _PYTHON.fullmatch(base):
            found = re.search(r"\d+\.\d+", base)
            for text in CORE:
                yield from self._graph.follow(Name(text, found[0] if found else "", path))
            return
        try:
            data = self._scene.contents.read(path, python_binary.LARGEST)
        except FileNotFoundError:
            return
        if base.endswith(".so"):
            yield from self._extension(path, data)
        elif base.endswith(".pyc"):
            yield from self._source(path, python_binary.read_compiled(data))
        else:
            main = base == "__main__.py" or self._is_own(path)
            yield from self._source(path, python_source.read(data, main=main))

    def _source(self, path: ImagePath, source: Source) -> Iterator[Finding]:
        own, version, directory = self._is_own(path), version_of(path), parent(path)
        is_library = self._modules.is_library(path)
        self._data.note(self._modules.home(path), source.strings, own=own)
        self._strings |= source.strings
        if not is_library:
            yield from self._foreign(path, source)
        for statement in source.imports:
            yield from self._import(path, statement, version)
        if source.siblings:
            yield from self._graph.open(directory, version, path)
        for text in sorted(source.strings):
            if "." in text and _DOTTED.fullmatch(text):
                if is_library and not source.computes:
                    continue  # a table: of modules' old names, of what is in the documentation
                dotted = text.partition(":")[0]
                yield from self._graph.follow(Name(dotted, version, path, weak=True, opens=own))
            elif own and text.isidentifier():
                yield from self._graph.follow(Name(text, version, path, weak=True, opens=True))
            elif source.computes:
                yield from self._computed(path, text, version)
        if source.lazy and name(path).startswith("__init__."):
            for text in sorted(source.strings & self._modules.folder(directory).code.keys()):
                yield from self._graph.follow_within(directory, (text,), version, path)

    def _foreign(self, path: ImagePath, source: Source) -> Iterator[Finding]:
        """Shared objects that code loads with ctypes or cffi."""
        named = sorted(text for text in source.strings if text.startswith("lib") and ".so" in text)
        yield from self._libraries(self._shared.ask(named, path))
        looked_up = {f"lib{base}.so" for base in source.libraries}
        self._looked_up |= looked_up
        yield from self._libraries(self._shared.ask(sorted(looked_up), path, any_version=True))

    def _libraries(self, found: Iterable[tuple[str, ImagePath]]) -> Iterator[Want]:
        for library, by in found:
            yield Want(library, Reason(Rule.PYTHON, by, "names a library"))
            is_asked = f"{library.rpartition('/')[2].partition('.so')[0]}.so" in self._looked_up
            if is_asked and self._scene.entry(LDCONFIG) is not None:
                yield Want(LDCONFIG, Reason(Rule.PYTHON, by, "asks where libraries are"))

    def _import(self, path: ImagePath, statement: Import, version: str) -> Iterator[Finding]:
        module = statement.module
        if statement.level:
            base = parent(path)
            for _ in range(min(statement.level, MOST_LEVELS) - 1):
                base = parent(base)
            parts = tuple(module.split(".")) if module else ()
            for tail in ((), *((each,) for each in statement.names)):
                yield from self._graph.follow_within(base, (*parts, *tail), version, path)
            return
        is_aside = module.partition(".")[0] in DEVELOPMENT
        is_app = path.endswith(".py") and self._is_own(path)
        weak = is_aside and not is_app and (statement.late or not path.endswith(".py"))
        yield from self._graph.follow(Name(module, version, path, weak))
        for each in () if weak else statement.names:
            if each != "*":
                yield from self._graph.follow(Name(f"{module}.{each}", version, path))

    def _computed(self, path: ImagePath, text: str, version: str) -> Iterator[Finding]:
        """Modules that a name can lead to that is put together from ``text`` and something."""
        if found := _PREFIX.fullmatch(text):
            yield from self._graph.follow(Name(found[1], version, path, weak=True, begins=True))
        elif _RELATIVE.fullmatch(text):
            parts = text[1:].split(".")
            yield from self._graph.follow_within(parent(path), parts, version, path)
        elif found := _BEGINNING.fullmatch(text):
            yield from self._graph.follow_beginning(parent(path), found[1], path)

    def _extension(self, path: ImagePath, data: bytes) -> Iterator[Finding]:
        """Modules that an extension module imports by constant names."""
        if self._scanned >= MOST_SCANNED or not self._is_module(path):
            return
        self._scanned += len(data)
        version = version_of(path)
        for text in python_binary.words(data):
            if "." in text or self._modules.is_library(path):
                weak = "." in text
                yield from self._graph.follow(Name(text, version, path, weak=weak))
        if not self._modules.is_library(path) and self._modules.home(path) != path:
            directory = parent(path)
            stems = self._modules.folder(directory).code.keys()
            for stem in python_binary.neighbours(data, stems):
                yield from self._graph.follow_within(directory, (stem,), version, path)

    def _metadata(self) -> Iterator[Finding]:
        """Metadata of distributions in use, and plugins that others announce for code in use."""
        for root in self._modules.roots:
            if self._modules.is_site(root) and root not in self._sites:
                found = distributions(self._scene, root)
                self._sites[root] = list(found)
                self._points += [(root, *point) for item in found for point in item.points]
        for site, waiting in self._sites.items():
            reason = Reason(Rule.PYTHON, site, "metadata of a package in use")
            used = [i for i in waiting if any((site, t) in self._graph.in_use for t in i.tops)]
            for item in used:
                waiting.remove(item)
                yield from (Want(path, reason) for path in item.metadata)
        called = [point for point in self._points if point[1] in self._strings]
        self._points = [point for point in self._points if point[1] not in self._strings]
        for site, _, module in called:
            yield from self._graph.follow(Name(module, version_of(site), site))

    def _path_file(self, path: ImagePath) -> Iterator[Finding]:
        """Search paths and imports of a ``.pth`` file (docs.python.org, module site)."""
        if not self._modules.is_installed(path):
            return
        for line in self._scene.text(path).splitlines()[:MOST_LINES]:
            line = line.strip()
            if line.startswith(("import ", "import\t")):
                for statement in python_source.read(_bytes(line)).imports:
                    yield from self._import(path, statement, version_of(path))
            elif line and not line.startswith("#"):
                target = line if line.startswith("/") else f"{parent(path)}/{line}"
                yield from self._graph.search(target)

    def _configuration(self) -> Iterator[Finding]:
        """Modules in the image's own commands and environment."""
        image = self._scene.image
        check = image.healthcheck
        argv = (*image.entrypoint, *image.command, *(check.argv if check else ()))
        here = ImagePath(f"{image.workdir.rstrip('/')}/-c")
        for option, value in python_commands.options(argv):
            if option == "-m":
                yield from self._run(value, here)
            else:
                yield from self._source(here, python_source.read(_bytes(value), main=True))
        for value in (*argv, *image.environment.values()):
            if _DOTTED.fullmatch(value):
                dotted = value.partition(":")[0]
                yield from self._graph.follow(Name(dotted, "", here, weak=True, opens=True))

    def _run(self, module: str, by: ImagePath) -> Iterator[Finding]:
        """What ``python -m`` runs."""
        yield from self._graph.follow(Name(module, "", by))
        yield from self._graph.follow(Name(f"{module}.__main__", "", by))


def _is_code(path: ImagePath) -> bool:
    """Whether a file is a module by its name; a cached one is none without its source."""
    if path.endswith(".pyc"):
        return name(parent(path)) != "__pycache__"
    return path.endswith((".py", ".so"))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def finder(scene: Scene) -> Finder:
    """The rule at work on one image."""
    return PythonReach(scene)
