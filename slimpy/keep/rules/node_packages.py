"""Node's packages in an image: what package.json says, and where a module name leads.

After the algorithms in Node's documentation: "Modules: CommonJS modules", all together, and
"Modules: ECMAScript modules", resolution algorithm specification.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from slimpy.image.tree import join, parent
from slimpy.keep.rules.node_sources import Kind
from slimpy.keep.rules.reach import beside, is_directory, is_file, text_of
from slimpy.keep.scene import Scene, is_within
from slimpy.model import ROOT, FileType, ImagePath

LARGEST_MANIFEST = 1 << 20
"""A larger package.json (bytes) is not read."""

MOST_MANIFESTS = 16 << 20
"""How much of package.json files (bytes) is fetched in advance."""

_SUFFIXES = ("", ".js", ".json", ".node", ".cjs", ".mjs")
_TYPESCRIPT = (".ts", ".tsx", ".mts", ".cts", ".jsx")
_OUTPUT_SUFFIX = re.compile(r"\.([cm]?)js$")

SHARED = ("/usr/share/nodejs", "/usr/lib/nodejs", "/usr/share/javascript")
"""Where Debian's packages are; its Node looks there last."""

_GLOBAL = (*SHARED[:2], "/usr/local/lib/node_modules", "/usr/lib/node_modules")
_CONDITIONS: Mapping[Kind, frozenset[str]] = {
    "require": frozenset({"node", "node-addons", "module-sync", "require", "default"}),
    "import": frozenset({"node", "node-addons", "module-sync", "import", "default"}),
}
_INSTALLED = re.compile(r"/(?:node_modules|share/nodejs)/(?:@[^/]+/)?[^/]+/package\.json$")
_INSTALLERS = re.compile(r"/(?:node_modules|share/nodejs)/(?:npm|corepack|yarn|pnpm)/")
_DEEPEST = 16
"""Nested conditions of ``exports`` are followed so deep."""


@dataclass(frozen=True, slots=True)
class Package:
    """What one package.json says; empty where it says nothing usable."""

    directory: ImagePath
    name: str = ""
    main: str = ""
    is_module: bool = False
    exports: Any = None
    imports: Any = None
    needs: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    peers: tuple[str, ...] = ()
    development: frozenset[str] = frozenset()  # needed for development only

    @property
    def names(self) -> frozenset[str]:
        """Every package that this one says it may ask for."""
        return frozenset((*self.needs, *self.optional, *self.peers))

    @property
    def manifest(self) -> ImagePath:
        """The path of the package.json."""
        return join(self.directory, "package.json")


def split(specifier: str) -> tuple[str, str]:
    """A specifier's package and the sub-path in it: ``@a/b/c`` is (``@a/b``, ``./c``)."""
    parts = specifier.split("/")
    count = 2 if specifier.startswith("@") else 1
    rest = "/".join(parts[count:])
    return "/".join(parts[:count]), f"./{rest}" if rest else "."


@dataclass(slots=True)
class Packages:
    """The packages of an image, each read once."""

    scene: Scene
    _known: dict[ImagePath, Package | None] = field(default_factory=dict)
    _roots: dict[ImagePath, Package | None] = field(default_factory=dict)

    def at(self, directory: ImagePath) -> Package | None:
        """The package whose package.json is in this real directory."""
        if directory not in self._known:
            self._known[directory] = self._read(directory)
        return self._known[directory]

    def of(self, path: ImagePath) -> Package | None:
        """The package that a file belongs to.

        A package.json without a name, deeper in a package, only says what its modules are.
        """
        directory = parent(path)
        passed = []
        found: Package | None = None
        while directory not in self._roots:
            passed.append(directory)
            found = self.at(directory)
            above = parent(directory)
            in_modules = above.endswith("/node_modules") or (
                parent(above).endswith("/node_modules") and "/@" in above
            )
            if directory == ROOT or in_modules or (found is not None and found.name):
                break
            directory = above
        else:
            found = self._roots[directory]
        self._roots.update(dict.fromkeys(passed, found))
        return found

    def app_of(self, path: ImagePath) -> Package | None:
        """The package that is no library and holds this file, perhaps through node_modules."""
        outer, found, _ = path.partition("/node_modules/")
        if path.startswith(SHARED) or "/lib/node_modules/" in path:
            return None
        return self.of(ImagePath(f"{outer or '/'}/x") if found else path)

    def manifests(self, path: ImagePath, package: Package) -> Iterator[ImagePath]:
        """Every package.json from a file up to its package: the nearest says how to read it."""
        directory = parent(path)
        while len(directory) >= len(package.directory):
            if is_file(self.scene, join(directory, "package.json")):
                yield join(directory, "package.json")
            if directory == ROOT:
                break
            directory = parent(directory)

    def locate(self, name: str, directory: ImagePath) -> str | None:
        """The directory of the package ``name`` as modules in ``directory`` find it."""
        way = [directory, *reversed(list(self.scene.tree.parents(directory)))]
        places = [
            join(above, "node_modules") for above in way if not above.endswith("/node_modules")
        ]
        extra = self.scene.image.environment.get("NODE_PATH", "").split(":")
        for place in (*places, *extra, *_GLOBAL):
            candidate = f"{place}/{name}"
            if self.scene.tree.get(place) is not None and is_directory(self.scene, candidate):
                return candidate
        return None

    def resolve(self, specifier: str, directory: ImagePath, kind: Kind) -> str | None:
        """The file that a module in ``directory`` gets for a package's name, or None."""
        package = self.of(join(directory, "x"))
        if specifier.startswith("#"):
            return None if package is None else self._imported(package, specifier, kind)
        wanted, subpath = split(specifier)
        place = self.locate(wanted, directory)
        if place is None:
            if package is not None and package.name == wanted:
                return self.inside(package, package.directory, subpath, kind)
            return None
        entry = self.scene.entry(place)
        found = self.at(entry.path) if entry is not None else None
        return self.inside(found, place, subpath, kind)

    def inside(self, package: Package | None, place: str, subpath: str, kind: Kind) -> str | None:
        """The file for a sub-path (``.`` or ``./x``) of a package that is found at ``place``."""
        if package is not None and package.exports is not None:
            target = _exported(package.exports, subpath, _CONDITIONS[kind])
            path = beside(place, target or "")
            if target is not None and is_within(path, place) and is_file(self.scene, path):
                return path
        path = beside(place, subpath)
        return self.file_or_directory(path) if is_within(path, place) else None

    def file_or_directory(self, path: str) -> str | None:
        """What ``require`` of a path gives: the file, with a suffix added, or an index."""
        found = self.file(path)
        if found is not None or not is_directory(self.scene, path):
            return found
        entry = self.scene.entry(path)
        package = self.at(entry.path) if entry is not None else None
        if package is not None and package.main:
            main = beside(path, package.main)
            if is_within(main, path):
                found = self.file(main) or self.file(f"{main}/index")
        return found or self.file(f"{path}/index")

    def file(self, path: str) -> str | None:
        """A file by its path or with one of Node's suffixes; TypeScript where it runs as it is."""
        for suffix in (*_SUFFIXES, *_TYPESCRIPT):
            if is_file(self.scene, path + suffix):
                return path + suffix
        source = _OUTPUT_SUFFIX.sub(r".\1ts", path)
        return source if source != path and is_file(self.scene, source) else None

    def _imported(self, package: Package, specifier: str, kind: Kind) -> str | None:
        if not isinstance(package.imports, dict):
            return None
        target = _matched(package.imports, specifier, _CONDITIONS[kind], 0)
        if target is None:
            return None
        if target.startswith("./"):
            path = beside(package.directory, target)
            return path if is_file(self.scene, path) else None
        if target.startswith("#"):
            return None
        return self.resolve(target, package.directory, kind)

    def _fetch_manifests(self) -> None:
        """One batch for all manifests of installed packages: most are asked for, one by one."""
        found = []
        left = MOST_MANIFESTS
        for entry in self.scene.tree:
            path = entry.path
            if _INSTALLED.search(path) and not _INSTALLERS.search(path):
                left -= entry.size
                if left < 0:
                    break
                found.append(path)
        self.scene.contents.fetch(found)

    def _read(self, directory: ImagePath) -> Package | None:
        if not self._known:
            self._fetch_manifests()
        path = self.scene.walk(join(directory, "package.json")).real
        entry = None if path is None else self.scene.tree.get(path)
        if entry is None or entry.type is not FileType.FILE or entry.size > LARGEST_MANIFEST:
            return None
        try:
            value = json.loads(text_of(self.scene, entry.path, LARGEST_MANIFEST))
        except (ValueError, RecursionError):
            return Package(directory)
        return _package(directory, value) if isinstance(value, dict) else Package(directory)


def _package(directory: ImagePath, value: Mapping[str, Any]) -> Package:
    needs = _names(value.get("dependencies"))
    optional = _names(value.get("optionalDependencies"))
    return Package(
        directory,
        name=_text(value.get("name")),
        main=_text(value.get("main")),
        is_module=value.get("type") == "module",
        exports=value.get("exports"),
        imports=value.get("imports"),
        needs=needs,
        optional=optional,
        peers=_names(value.get("peerDependencies")),
        development=frozenset(_names(value.get("devDependencies"))) - {*needs, *optional},
    )


def _names(value: object) -> tuple[str, ...]:
    return tuple(sorted(map(str, value)))[:5000] if isinstance(value, dict) else ()


def _text(value: object) -> str:
    return value if isinstance(value, str) and len(value) < 1000 and "\0" not in value else ""


def _exported(exports: Any, subpath: str, conditions: frozenset[str]) -> str | None:
    is_map = isinstance(exports, dict) and any(str(key).startswith(".") for key in exports)
    if is_map:
        return _matched(exports, subpath, conditions, 0)
    return _target(exports, conditions, 0) if subpath == "." else None


def _matched(table: Any, key: str, conditions: frozenset[str], depth: int) -> str | None:
    """The target for a key of ``exports`` or ``imports``; the longest pattern wins."""
    if key in table:
        return _target(table[key], conditions, depth)
    best, inserted = "", ""
    for pattern in table:
        head, star, tail = str(pattern).partition("*")
        if pattern.endswith("/") and key.startswith(pattern):  # folder mappings of old
            head, star, tail = pattern, "*", ""
        fits = star and key.startswith(head) and key.endswith(tail)
        if fits and len(key) >= len(head) + len(tail) and len(head) > len(best.partition("*")[0]):
            best, inserted = pattern, key[len(head) : len(key) - len(tail)]
    if not best:
        return None
    target = _target(table[best], conditions, depth)
    if target is None:
        return None
    return target.replace("*", inserted)[:4000] if "*" in best else target + inserted


def _target(value: Any, conditions: frozenset[str], depth: int) -> str | None:
    if depth > _DEEPEST:
        return None
    if isinstance(value, str):
        return _text(value) or None
    choices: list[Any] = []
    if isinstance(value, list):
        choices = value[:50]
    elif isinstance(value, dict):
        choices = [choice for name, choice in value.items() if name in conditions]
    for choice in choices:
        found = _target(choice, conditions, depth + 1)
        if found is not None:
            return found
    return None
