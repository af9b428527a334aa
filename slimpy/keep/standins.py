"""Where an empty file may stand in for one that only its name was seen of."""

from __future__ import annotations

import re

from slimpy.image.tree import Tree, name, parent
from slimpy.model import Entry, FileType, ImagePath

_PROGRAMS = re.compile(
    r"/(usr/)?(local/)?(s?bin|libexec|lib(32|64|x32)?(/[\w.]+-linux-[\w.]+)?)", re.ASCII
)
"""Directories of programs, and those that the dynamic loader searches by default (ld.so(8))."""

_LIBRARIES = re.compile(r"/(node_modules|perl[\d.]*|perl-base|ruby|gems)(/|$)", re.ASCII)
"""Trees that a language runtime loads from by name."""

_MODULE_DIRECTORIES = frozenset({"site-packages", "dist-packages", "lib-dynload"})

_MODULE = re.compile(r"\.(py[co]?|pm|rb|jar|class|beam|node|so(\.[\d.]+)?|(dist|egg)-info)$")
"""Names that show that a runtime loads code from the directory they are in."""

SECRETS = frozenset({"/etc/ssl/private", "/etc/pki/tls/private"})
"""Where distributions put private keys: being listed is no reason to ship what is in them."""


def is_program_directory(path: ImagePath) -> bool:
    """Whether programs or the loader's libraries live in this real directory."""
    return _PROGRAMS.fullmatch(path) is not None


class StandIns:
    """Tells where empty stand-ins are welcome.

    Where code is searched by name they are not: an empty file would turn a clean "not found" into a
    broken module or "file too short", and an empty directory into a package that imports.
    """

    __slots__ = ("_known", "_tree")

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._known: dict[ImagePath, bool] = {}

    def welcome_in(self, directory: ImagePath) -> bool:
        """Whether names in this real directory may be shown by empty files and directories."""
        known = self._known.get(directory)
        if known is None:
            known = self._known[directory] = not self._holds_code(directory)
        return known

    def welcome(self, entry: Entry) -> bool:
        """Whether this entry may be shown by its name alone.

        A directory is then empty and a file has no bytes; an empty program is refused, because
        shells run it as a script that does nothing and succeeds.
        """
        if entry.type is FileType.FILE and entry.mode & 0o111:
            return False
        return self.welcome_in(parent(entry.path))

    def _holds_code(self, directory: ImagePath) -> bool:
        if is_program_directory(directory) or _LIBRARIES.search(directory):
            return True
        if name(directory) in _MODULE_DIRECTORIES:
            return True
        return any(
            _MODULE.search(entry.path) or name(entry.path) == "__pycache__"
            for entry in self._tree.children(directory)
        )
