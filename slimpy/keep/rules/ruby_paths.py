"""Where Ruby looks for code in an image: library directories and gems."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from slimpy.image.tree import name, parent
from slimpy.keep.rules.reach import is_file
from slimpy.keep.scene import Scene
from slimpy.model import FileType, ImagePath

_ROOT = re.compile(r"/(?:site_ruby|vendor_ruby|(?:ruby|site_ruby|vendor_ruby)/\d+\.\d+\.\d+)$")
_MACHINE = re.compile(r"[\w.]+-linux[\w-]*|[\w.]+-linux")
_GEM = re.compile(
    r"(?P<name>[A-Za-z0-9][\w.-]*?)-(?P<version>\d[\w.]*|[0-9a-f]{7,40})(?:-[\w.-]+)?"
)
_IN_GEM = re.compile(r"^(?P<gem>.*?/gems/[^/]+)/(?:lib|app|ext|bin|exe|config)/")

_SUFFIXES = (".rb", ".so", "")


@dataclass(frozen=True, slots=True)
class Gem:
    """An installed gem; ``base`` holds its specification and extensions."""

    name: str
    directory: ImagePath
    base: ImagePath

    @property
    def full_name(self) -> str:
        """The name with its version, as directories and specifications are called."""
        return name(self.directory)

    @property
    def library(self) -> str:
        """The directory of its code."""
        return f"{self.directory}/lib"


@dataclass(slots=True)
class LoadPath:
    """Every place in an image where ``require`` may find a feature."""

    scene: Scene
    roots: tuple[ImagePath, ...] = field(init=False)
    gems: dict[ImagePath, Gem] = field(init=False)
    _used: frozenset[ImagePath] = field(init=False)
    _extensions: dict[str, list[ImagePath]] = field(init=False, default_factory=dict)
    _specifications: dict[str, list[ImagePath]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        roots = []
        self.gems = {}
        for entry in self.scene.tree:
            path = entry.path
            if entry.type is FileType.DIRECTORY:
                if _is_root(path):
                    roots.append(path)
                elif name(parent(path)) == "gems":
                    self._add_gem(path)
                elif "/extensions/" in path and _GEM.fullmatch(name(path)):
                    self._extensions.setdefault(name(path), []).append(path)
            elif path.endswith(".gemspec") and "/specifications/" in path:
                found = _GEM.fullmatch(name(path).removesuffix(".gemspec"))
                if found is not None:
                    self._specifications.setdefault(found["name"], []).append(path)
        self.roots = tuple(roots)
        self._used = frozenset(_used_gems(self.scene) & self.gems.keys())

    def gem_of(self, path: str) -> Gem | None:
        """The gem that a path lies in."""
        at = path.rfind("/gems/")
        while at >= 0:
            end = path.find("/", at + 6)
            gem = self.gems.get(ImagePath(path[:end] if end >= 0 else path))
            if gem is not None:
                return gem
            at = path.rfind("/gems/", 0, at)
        return None

    def is_library(self, path: str) -> bool:
        """Whether a path is installed code, not the app's own."""
        return self.gem_of(path) is not None or self.root_of(path) is not None

    def root_of(self, path: str) -> ImagePath | None:
        """The innermost library directory that a path lies in."""
        found = [root for root in self.roots if path.startswith(f"{root}/")]
        return max(found, key=len, default=None)

    def find(self, feature: str) -> list[str]:
        """The files that a feature can mean.

        Gems that the run used come before those that only are installed; of several the image's
        RubyGems would take one that this cannot know, so all are meant.
        """
        found = [path for root in self.roots if (path := self._at(root, feature))]
        found += self._in_gems(feature, used=True)
        return found or list(self._in_gems(feature, used=False))

    def directories(self, prefix: str) -> Iterator[str]:
        """The directories in which features lie whose names begin so."""
        directory = prefix.rpartition("/")[0]
        if not directory:
            return
        places = (*self.roots, *(gem.library for gem in self.gems.values() if self._is_used(gem)))
        for place in places:
            if self.scene.tree.get(f"{place}/{directory}") is not None:
                yield f"{place}/{directory}"

    def extensions(self, gem: Gem) -> list[ImagePath]:
        """The directories of a gem's compiled parts."""
        return self._extensions.get(gem.full_name, [])

    def specifications(self, name: str) -> list[ImagePath]:
        """The gemspecs of all installed versions of a gem."""
        return self._specifications.get(name, [])

    def _in_gems(self, feature: str, *, used: bool) -> Iterator[str]:
        for gem in self.gems.values():
            if self._is_used(gem) is used and (path := self._at(gem.library, feature)):
                yield path

    def _is_used(self, gem: Gem) -> bool:
        return gem.directory in self._used

    def _at(self, place: str, feature: str) -> str | None:
        for suffix in _SUFFIXES:
            path = f"{place}/{feature}{suffix}"
            if is_file(self.scene, path):
                return path
        return None

    def _add_gem(self, path: ImagePath) -> None:
        found = _GEM.fullmatch(name(path))
        base = parent(parent(path))
        if found is not None and (name(base) == "bundler" or self._has_specifications(base)):
            self.gems[path] = Gem(found["name"], path, base)

    def _has_specifications(self, base: ImagePath) -> bool:
        return self.scene.tree.get(f"{base}/specifications") is not None


def _is_root(path: ImagePath) -> bool:
    if _ROOT.search(path):
        return True
    return _MACHINE.fullmatch(name(path)) is not None and _ROOT.search(parent(path)) is not None


def _used_gems(scene: Scene) -> set[ImagePath]:
    found = set()
    for event in scene.trace.activity.events:
        if event.error is None and "/gems/" in event.path:
            real = scene.walk(event.path).real
            match = _IN_GEM.match(real or "")
            if match is not None:
                found.add(ImagePath(match["gem"]))
    return found
