"""PHP's ini files in an image, and the extensions that they name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from slimpy.image.tree import name
from slimpy.keep.rules.reach import is_file
from slimpy.keep.scene import Scene
from slimpy.model import FileType, ImagePath

_PROGRAM = re.compile(
    r"(?:lib|mod_)?php(?:-?(?P<kind>fpm|cgi|cli|dbg))?-?(?:\d+(?:\.\d+)?)?(?P<so>\.so)?"
)
_KINDS = {"fpm": "fpm", "cgi": "cgi", "dbg": "phpdbg", "cli": "cli", None: "cli"}
_VERSION = re.compile(r"\d+\.\d+")
_TOP = re.compile(r"php\d*(?:-fpm)?(?:\.d|\.conf|\.ini)?")
_MODULES = re.compile(r"/php\d*(?:/\d+\.\d+)?/(?:modules|\d{8})$|/no-debug-(?:non-)?zts-\d{8}$")
_EXTENSION = re.compile(
    r"^[ \t]{0,40}(?:zend_)?extension[ \t]{0,8}=[ \t]{0,8}[\"']?([\w./-]{1,200})", re.MULTILINE
)
_PATH = re.compile(
    r"^[ \t]{0,40}[\w.]{1,100}[ \t]{0,8}=[ \t]{0,8}[\"']?(/[\w./-]{1,300})", re.MULTILINE
)


def kind_of(base: str) -> str:
    """Which of PHP's programs a file name means, as Debian names their settings; else empty."""
    found = _PROGRAM.fullmatch(base)
    if found is None:
        return ""
    return "apache2" if found["so"] else _KINDS[found["kind"]]


def settings(scene: Scene, kind: str) -> Iterator[ImagePath]:
    """The ini and configuration files that a program of this kind reads.

    Debian has a directory for each version and kind; elsewhere all kinds share one.
    """
    for top in ("/etc", "/usr/local/etc"):
        for entry in scene.tree.children(ImagePath(top)):
            if not _TOP.fullmatch(name(entry.path)):
                continue
            if entry.type is FileType.FILE:
                yield entry.path
                continue
            yield from _plain(scene, entry.path, kind)
            for version in scene.tree.children(entry.path):
                if _VERSION.fullmatch(name(version.path)):
                    yield from _plain(scene, ImagePath(f"{version.path}/{kind}"), kind)


def _plain(scene: Scene, directory: ImagePath, kind: str) -> Iterator[ImagePath]:
    names = {"conf.d", *(("pool.d", "php-fpm.d") if kind == "fpm" else ())}
    for entry in scene.tree.children(directory):
        base = name(entry.path)
        if base in names or (base.endswith(".d") and base in names):
            yield from (inner.path for inner in scene.tree.children(entry.path))
        elif entry.type is not FileType.DIRECTORY and base.endswith((".ini", ".conf")):
            yield entry.path


@dataclass(slots=True)
class Extensions:
    """The directories of PHP's extensions."""

    scene: Scene
    _directories: tuple[ImagePath, ...] | None = field(default=None)

    def named_in(self, text: str) -> Iterator[str]:
        """The files of the extensions that an ini file enables, and other files that it names."""
        for value in _EXTENSION.findall(text):
            yield from self._find(value)
        for path in _PATH.findall(text):
            if is_file(self.scene, path):
                yield path

    def _find(self, value: str) -> Iterator[str]:
        if value.startswith("/"):
            yield value
            return
        for directory in self._all():
            for candidate in (value, f"{value}.so", f"php_{value}.so"):
                if is_file(self.scene, f"{directory}/{candidate}"):
                    yield f"{directory}/{candidate}"

    def _all(self) -> tuple[ImagePath, ...]:
        if self._directories is None:
            self._directories = tuple(
                entry.path
                for entry in self.scene.tree
                if entry.type is FileType.DIRECTORY and _MODULES.search(entry.path)
            )
        return self._directories
