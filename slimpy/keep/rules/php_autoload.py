"""Composer's autoloaders in an image: from the name of a class to its file.

Read from the files that Composer writes (vendor/composer/autoload_*.php); the lines of their arrays
are matched, nothing is run. Rules: PSR-4 and PSR-0 of PHP-FIG, and "Autoload" in Composer's
documentation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from slimpy.image.tree import parent
from slimpy.keep.rules.reach import is_file, text_of
from slimpy.keep.scene import Scene
from slimpy.model import ImagePath

LARGEST_MAP = 16 << 20
"""How much of one generated file is read, in bytes."""

_MOST_AUTOLOADERS = 50
_MARK = "/composer/autoload_psr4.php"
_KEY = re.compile(r"^\s{0,20}'((?:[^'\\\n]|\\\\){0,300})'\s?=>")
_PLACE = re.compile(r"\$(vendorDir|baseDir)(?: \. '([^'\n]{0,500})')?")


@dataclass(slots=True)
class Autoloaders:
    """All class maps and prefixes of an image, together: an image seldom has two that clash."""

    scene: Scene
    _files: dict[str, list[str]] = field(default_factory=dict)
    _prefixes: dict[str, list[str]] = field(default_factory=dict)
    _old_prefixes: dict[str, list[str]] = field(default_factory=dict)
    _read: bool = False

    def find(self, name: str) -> Iterator[str]:
        """The files that may define a class."""
        if not self._read:
            self._load()
        yield from self._files.get(name, ())
        yield from self._by_prefix(name)

    @property
    def is_empty(self) -> bool:
        """Whether the image has no autoloader of Composer's."""
        if not self._read:
            self._load()
        return not (self._files or self._prefixes or self._old_prefixes)

    def _by_prefix(self, name: str) -> Iterator[str]:
        at = len(name)
        while (at := name.rfind("\\", 0, at)) >= 0:
            prefix, rest = name[: at + 1], name[at + 1 :].replace("\\", "/")
            for place in self._prefixes.get(prefix, ()):
                if is_file(self.scene, path := f"{place}/{rest}.php"):
                    yield path
        if self._old_prefixes:
            whole = name.replace("\\", "/").replace("_", "/")
            for prefix, places in self._old_prefixes.items():
                if name.startswith(prefix):
                    for place in places:
                        if is_file(self.scene, path := f"{place}/{whole}.php"):
                            yield path

    def _load(self) -> None:
        self._read = True
        found = [entry.path for entry in self.scene.tree if entry.path.endswith(_MARK)]
        homes = [parent(path) for path in found[:_MOST_AUTOLOADERS]]
        tables = (
            ("autoload_psr4.php", self._prefixes),
            ("autoload_namespaces.php", self._old_prefixes),
            ("autoload_classmap.php", self._files),
        )
        self.scene.contents.fetch(
            [ImagePath(f"{home}/{file}") for home in homes for file, _ in tables]
        )
        for home in homes:
            for file, table in tables:
                self._load_table(home, file, table)

    def _load_table(self, home: ImagePath, file: str, table: dict[str, list[str]]) -> None:
        vendor = parent(home)
        bases = {"vendorDir": vendor, "baseDir": parent(vendor)}
        for line in text_of(self.scene, ImagePath(f"{home}/{file}"), LARGEST_MAP).split("\n"):
            key = _KEY.match(line)
            if key is None:
                continue
            name = key[1].replace("\\\\", "\\")
            for base, path in _PLACE.findall(line[key.end() :]):
                place = f"{bases[base].rstrip('/')}{path}".rstrip("/")
                table.setdefault(name, []).append(place)
