"""What kept Node packages can require, and their data.

A package's files are reached from those that are kept: by literals that name them, by computed
names (then the whole directory that the name begins with), through package.json. Libraries are
reached by the names that reached code asks for, and all that the app declares for production.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from slimpy.image.tree import join, name, parent
from slimpy.keep.programs import Head
from slimpy.keep.rules import node_sources as sources
from slimpy.keep.rules.node_native import is_foreign, native_files
from slimpy.keep.rules.node_packages import SHARED, Package, Packages, split
from slimpy.keep.rules.reach import Reach, beside, files_below, is_directory, is_unneeded
from slimpy.keep.scene import Finding, Scene, Want, is_within
from slimpy.keep.turn import Finder
from slimpy.model import ROOT, Entry, FileType, ImagePath, Reason, Rule

_RUNTIME = re.compile(r"(node|nodejs|bun|deno|libnode\.so(\.\d+)?)")
_SOURCE = re.compile(r"\.([cm]?[jt]s|jsx|tsx)$")
_SCRIPT = re.compile(rb"#![^\n]{0,200}\b(node|nodejs|bun|deno)\b")

_LOADABLE = (".js", ".cjs", ".mjs", ".json", ".node", ".ts", ".jsx", ".tsx", ".wasm")

INSTALLERS = frozenset({"npm", "yarn", "corepack", "pnpm"})
"""Programs that install packages: of these only what ran is kept."""

OUTPUT = frozenset({".next", ".output", ".nuxt", ".svelte-kit", "dist", "build"})
"""Directories of build outputs beside an app's package.json, which servers load from lazily."""

LARGEST_DATA = 8 << 20
"""A directory of a package that its code names is kept up to this weight (bytes)."""

LARGEST_OUTPUT = 256 << 20
"""A build output is kept up to this weight (bytes)."""


def finder(scene: Scene) -> Finder:
    """The rule for one decision."""
    return NodeReach(scene)


class NodeReach(Reach):
    """Follows modules from file to file, and packages from package.json to package.json."""

    rule = Rule.NODE

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._packages = Packages(scene)
        self._seen: set[ImagePath] = set()  # directories of packages
        self._outputs: set[ImagePath] = set()

    def is_runtime(self, head: Head) -> bool:
        """A Node, Bun or Deno program, or Node as a library."""
        return head.is_elf and _RUNTIME.fullmatch(name(head.entry.path)) is not None

    def is_source(self, path: ImagePath) -> bool:
        """JavaScript, and TypeScript without mere declarations."""
        return _SOURCE.search(path) is not None and not path.endswith((".d.ts", ".d.mts", ".d.cts"))

    def is_script(self, head: Head) -> bool:
        """A program without a suffix."""
        return head.is_script and _SCRIPT.match(head.data) is not None

    def started(self, head: Head) -> Iterable[Finding]:
        """Data of ICU where the environment names it."""
        directory = self.scene.image.environment.get("NODE_ICU_DATA", "")
        if directory.startswith("/") and is_directory(self.scene, directory):
            for entry in files_below(self.scene, directory, deep=False):
                if entry.path.endswith(".dat"):
                    yield from self.wants((entry.path,), head.entry.path, "NODE_ICU_DATA")

    def visit(self, entry: Entry, text: str) -> Iterator[Finding]:
        """What one file refers to, and its package when it is the first file of it."""
        package = self._packages.of(entry.path)
        if package is None:
            if text:
                yield from self._modules(entry.path, None, text)
            return
        if package.name in INSTALLERS:
            return
        if text or entry.path.endswith((".node", "/package.json")):
            manifests = self._packages.manifests(entry.path, package)
            yield from self.wants(manifests, entry.path, "package.json of what is loaded")
            yield from self._package(package, entry.path)
        if text:
            yield from self._near(entry.path, package, text)
            yield from self._modules(entry.path, package, text)

    def _package(self, package: Package, by: ImagePath) -> Iterator[Finding]:
        is_app = not _is_library(package.directory)
        if is_app:
            yield from self._output(package, by)
        if package.directory in self._seen:
            return
        self._seen.add(package.directory)
        for directory in _native_places(package.directory, is_app=is_app):
            natives = native_files(self.scene, directory)
            yield from self.wants(natives, package.manifest, "native part of the package")
        for dependency in package.optional:
            if not is_foreign(self.scene, dependency):
                yield from self._dependency(package, dependency, "optional dependency")
        if is_app:
            for dependency in package.needs:
                yield from self._dependency(package, dependency, "dependency of the app")

    def _dependency(self, package: Package, dependency: str, detail: str) -> Iterator[Finding]:
        place = self._packages.locate(dependency, package.directory)
        if place is None:
            return
        by = package.manifest
        yield from self.wants((f"{place}/package.json",), by, f"{detail} {dependency}")
        kinds: tuple[sources.Kind, ...] = ("require", "import")
        for kind in reversed(kinds) if package.is_module else kinds:
            path = self._packages.resolve(dependency, package.directory, kind)
            if path is not None:
                yield from self.wants((path,), by, f"{detail} {dependency}")
                return

    def _modules(self, path: ImagePath, package: Package | None, text: str) -> Iterator[Finding]:
        """Packages that are asked for by name."""
        asked = set(sources.bare(text))
        if package is not None:
            names = package.names & sources.literals(text)
            if sources.is_computed(text) and _is_library(package.directory):
                names |= set(package.needs)
            asked.update((other, "require") for other in names)
        for specifier, kind in sorted(asked):
            if self._is_for_development(specifier, path, package):
                continue
            found = self._packages.resolve(specifier, parent(path), kind)
            if found is None:
                continue
            yield Want(found, Reason(self.rule, path, f"{kind} of {specifier}"))
            place = self._packages.locate(split(specifier)[0], parent(path))
            if place is not None:
                yield from self.wants((f"{place}/package.json",), path, f"{kind} of {specifier}")

    def _is_for_development(self, specifier: str, path: ImagePath, package: Package | None) -> bool:
        """Whether the app declares a name for development only, and this package does not need it.

        Linters and test runners are named in optional code of many packages.
        """
        wanted = split(specifier)[0]
        if package is not None and wanted in package.needs:
            return False
        app = self._packages.app_of(path)
        return app is not None and wanted in app.development

    def _near(self, path: ImagePath, package: Package, text: str) -> Iterator[Finding]:
        """Files and directories of the package that are named relative to the file."""
        here = parent(path)
        for item in sorted(set(sources.near(text)), key=lambda item: (item.path, item.prefix)):
            target = beside(here, item.path)
            if not is_within(target, package.directory):
                found = None if item.prefix else self._packages.file_or_directory(target)
                if found is not None and found.endswith(_LOADABLE):
                    yield Want(found, Reason(self.rule, path, f"relative path {item.path}"))
            elif item.prefix:
                yield from self._beginning(path, package, item.path)
            elif found := self._packages.file_or_directory(target):
                yield Want(found, Reason(self.rule, path, f"relative path {item.path}"))
            elif target not in (here, package.directory) and not is_within(here, target):
                yield from self._data(path, target)

    def _beginning(self, path: ImagePath, package: Package, begin: str) -> Iterator[Finding]:
        """Everything that a path which is completed at run time could mean."""
        directory, _, start = f"{parent(path)}/{begin}".rpartition("/")
        directory = beside(directory, ".")
        if not is_directory(self.scene, directory):
            return
        deep = not is_within(package.directory, directory) and not is_within(path, directory)
        reason = Reason(self.rule, path, f"a path that begins with {begin}")
        for entry in files_below(
            self.scene, directory, skip=_is_no_data, most_bytes=LARGEST_DATA, deep=deep
        ):
            relative = entry.path.removeprefix(directory).lstrip("/")
            if relative.startswith(start):
                yield Want(entry.path, reason)

    def _data(self, path: ImagePath, directory: str) -> Iterator[Finding]:
        reason = Reason(self.rule, path, "a directory of the package that is named")
        for entry in files_below(self.scene, directory, skip=_is_no_data, most_bytes=LARGEST_DATA):
            yield Want(entry.path, reason)

    def _output(self, package: Package, path: ImagePath) -> Iterator[Finding]:
        """The rest of a build output of which something is kept."""
        first = path.removeprefix(package.directory).lstrip("/").partition("/")[0]
        directory = ImagePath(f"{package.directory.rstrip('/')}/{first}")
        if first not in OUTPUT or directory in self._outputs:
            return
        self._outputs.add(directory)
        reason = Reason(self.rule, path, "build output of the app")
        skip = _is_no_output
        for entry in files_below(self.scene, directory, skip=skip, most_bytes=LARGEST_OUTPUT):
            yield Want(entry.path, reason)


def _is_library(directory: ImagePath) -> bool:
    return "/node_modules/" in directory or directory.startswith(SHARED)


def _native_places(directory: ImagePath, *, is_app: bool) -> tuple[ImagePath, ...]:
    """Where a package has native parts: an app's directory may hold much else, or be the root."""
    if not is_app:
        return (directory,)
    names = ("build", "prebuilds", "native", "addon", "bindings") if directory != ROOT else ()
    return tuple(join(directory, inside) for inside in names)


def _is_no_data(entry: Entry) -> bool:
    return is_unneeded(entry) or name(entry.path) == "node_modules"


def _is_no_output(entry: Entry) -> bool:
    if entry.type is FileType.DIRECTORY:
        # Next's cache is of the build, and made again where a server needs one.
        return entry.path.endswith("/.next/cache")
    return entry.path.endswith((".map", ".d.ts", ".tsbuildinfo"))
