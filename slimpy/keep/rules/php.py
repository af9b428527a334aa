"""PHP's settings and extensions, Composer's autoload, and what kept code includes."""

from __future__ import annotations

import re
from collections.abc import Iterator

from slimpy.image.tree import name, parent
from slimpy.keep.programs import Head
from slimpy.keep.rules.php_autoload import Autoloaders
from slimpy.keep.rules.php_settings import Extensions, kind_of, settings
from slimpy.keep.rules.php_sources import Include, classes, includes
from slimpy.keep.rules.reach import Reach, beside, files_below, is_directory, is_file
from slimpy.keep.rules.sysdata_locale import all_character_sets
from slimpy.keep.scene import Finding, Scene, Want
from slimpy.keep.turn import Finder
from slimpy.model import Entry, ImagePath, Reason, Rule

_SOURCE = re.compile(r"\.(php\d?|phtml|inc|module|install|theme|engine|profile)$")
_SETTINGS = re.compile(r"/(php[\d.]*/|conf\.d/|mods-available/).*\.ini$|/php\.ini$")
_SCRIPT = re.compile(rb"#![^\n]{0,200}\bphp")
_CONVERTS = re.compile(r"\biconv(_\w+)?\s{0,8}\(|\bconvert\.iconv\.")
_PACKAGE = re.compile(r"^(?P<package>.*/vendor/(?!composer/|bin/)[^/]+/[^/]+)/")

INCLUDE_PATH = ("/usr/share/php", "/usr/share/pear", "/usr/local/lib/php", "/usr/share/php8")
"""Where PEAR and distributions put libraries."""


DATA = (
    *("Resources/views", "Resources/translations", "Resources/config", "Resources/data"),
    *("templates", "translations", "resources", "lang", "config", "data"),
)
"""Directories of packages that frameworks read from by convention."""

LARGEST_DATA = 8 << 20
"""A directory that code names is kept up to this weight (bytes)."""


def finder(scene: Scene) -> Finder:
    """The rule for one decision."""
    return PhpRuntime(scene)


class PhpRuntime(Reach):
    """Follows includes and names of classes from file to file."""

    rule = Rule.PHP

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._autoloaders = Autoloaders(scene)
        self._extensions = Extensions(scene)
        self._packages: set[str] = set()
        self._converted = False

    def is_runtime(self, head: Head) -> bool:
        """A PHP program, or PHP as a module of a web server."""
        return head.is_elf and bool(kind_of(name(head.entry.path)))

    def is_source(self, path: ImagePath) -> bool:
        """PHP code by its suffix, and PHP's settings."""
        return _SOURCE.search(path) is not None or _SETTINGS.search(path) is not None

    def is_script(self, head: Head) -> bool:
        """A program without a suffix."""
        return _SCRIPT.match(head.data) is not None or head.data.startswith(b"<?php")

    def started(self, head: Head) -> Iterator[Finding]:
        """The settings of this program."""
        by = head.entry.path
        yield from self.wants(settings(self.scene, kind_of(name(by))), by, "settings of PHP")

    def visit(self, entry: Entry, text: str) -> Iterator[Finding]:
        """What one file refers to, and its package when it is the first file of it."""
        path = entry.path
        if not text:
            return
        if path.endswith(".ini"):
            found = self._extensions.named_in(text)
            yield from self.wants(found, path, "enabled extension, or a file that is named")
            return
        if _CONVERTS.search(text):
            yield from self._character_sets(entry)
        yield from self._composer(path)
        if "/vendor/composer/" in path:
            return
        for include in dict.fromkeys(includes(text)):
            yield from self._include(path, include)
        if not self._autoloaders.is_empty:
            for named in sorted(classes(text)):
                yield from self.wants(self._autoloaders.find(named), path, f"class {named}")

    def _character_sets(self, entry: Entry) -> Iterator[Finding]:
        """The C library's converters: PHP's own extension opens those that the code names."""
        if not self._converted:
            self._converted = True
            for want in all_character_sets(self.scene, Head(entry, b"")):
                yield Want(want.path, Reason(self.rule, entry.path, "converts character sets"))

    def _composer(self, path: ImagePath) -> Iterator[Finding]:
        """Generated files of the autoloader that is in use, and data of a package in use."""
        if path.endswith("/vendor/autoload.php"):
            directory = f"{parent(path)}/composer"
            for entry in files_below(self.scene, directory, deep=False):
                if entry.path.endswith((".php", "/installed.json")):
                    yield Want(entry.path, Reason(self.rule, path, "Composer's autoloader"))
        match = _PACKAGE.match(path)
        if match is None or match["package"] in self._packages:
            return
        self._packages.add(match["package"])
        for data in DATA:
            for source in (match["package"], f"{match['package']}/src"):
                directory = f"{source}/{data}"
                for entry in files_below(self.scene, directory, most_bytes=LARGEST_DATA):
                    yield Want(entry.path, Reason(self.rule, path, "data of the package"))

    def _include(self, path: ImagePath, include: Include) -> Iterator[Finding]:
        detail = f"includes {include.path}"
        if include.here:
            targets = [beside(parent(path), include.path)]
        elif include.path.startswith("/"):
            targets = [beside("/", include.path)]
        else:
            places = (parent(path), self.scene.image.workdir, *INCLUDE_PATH)
            targets = [beside(place, include.path) for place in places]
        for target in targets:
            if include.prefix:
                whole = target + ("/" if include.path.endswith("/") else "")
                yield from self._beginning(path, whole, detail)
            elif is_file(self.scene, target):
                yield from self.wants((target,), path, detail)
            elif include.here and not path.startswith(f"{target}/"):
                yield from self._directory(path, target, detail)

    def _beginning(self, path: ImagePath, begin: str, detail: str) -> Iterator[Finding]:
        """Everything that a path which is completed at run time could mean."""
        directory, _, start = begin.rpartition("/")
        if directory.count("/") < 2 or not is_directory(self.scene, directory):
            return
        deep = not path.startswith(f"{directory}/") or name(path) == "autoload.php"
        for entry in files_below(self.scene, directory, most_bytes=LARGEST_DATA, deep=deep):
            if entry.path.removeprefix(f"{directory}/").startswith(start):
                yield Want(entry.path, Reason(self.rule, path, detail))

    def _directory(self, path: ImagePath, directory: str, detail: str) -> Iterator[Finding]:
        if directory.count("/") < 2:
            return
        for entry in files_below(self.scene, directory, most_bytes=LARGEST_DATA):
            yield Want(entry.path, Reason(self.rule, path, detail))
