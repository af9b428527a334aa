"""Whose the files of an image are: a package's, a language runtime's, or the app's own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property

from slimpy.image.tree import name, parent
from slimpy.keep.rules.apptree_junk import is_junk, is_junk_directory
from slimpy.keep.scene import Scene, is_within
from slimpy.model import ROOT, Entry, FileType, ImagePath

DOCUMENT_ROOTS = frozenset({"/srv", "/var/www"})
"""Shared directories that an app can also fill itself (FHS 3.0, 3.17; Debian's web servers)."""

SHARED = frozenset(
    {
        *("/", "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/lib32", "/lib64", "/libx32"),
        *("/media", "/mnt", "/opt", "/proc", "/run", "/sbin", "/srv", "/sys", "/tmp", "/var"),
        *(f"/var/{part}" for part in ("backups", "cache", "lib", "local", "lock", "log", "mail")),
        *(f"/var/{part}" for part in ("opt", "run", "spool", "tmp", "www")),
        *(
            f"{top}{part}"
            for top in ("/usr", "/usr/local")
            for part in ("", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/libexec")
        ),
        *(
            f"{top}/{part}"
            for top in ("/usr", "/usr/local")
            for part in ("share", "src", "include", "games", "etc", "man")
        ),
    }
)
"""Directories that belong to everybody (hier(7), FHS 3.0): never an app's as a whole."""

_CLOSED = (
    *("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/boot", "/dev", "/proc", "/sys"),
    *("/tmp", "/run", "/etc", "/nix", "/snap", "/var/cache", "/var/log", "/var/tmp", "/var/run"),
    *("/var/lock", "/var/mail", "/var/spool", "/var/backups", "/usr/bin", "/usr/sbin"),
    *("/usr/include", "/usr/games", "/usr/lib32", "/usr/lib64", "/usr/libx32"),
    *("/usr/local/include", "/usr/local/man", "/usr/share/doc", "/usr/share/man"),
)
"""Where no directory is an app's: programs, libraries, settings, and what does not last."""

_PACKAGED = ("/usr", "/var/lib")
"""Where a directory is the app's only if nothing in it came with a package ..."""

_OPEN = ("/usr/local", "/usr/src")
"""... but for these, which packages leave alone (FHS 3.0, 4.9)."""

_FOREIGN_NAMES = frozenset(
    {
        *("node_modules", "site-packages", "dist-packages", "perl5", ".nvm", ".pyenv", ".rbenv"),
        *(".cargo", ".rustup", ".gem", ".bundle", ".m2", ".gradle", ".nuget", ".dotnet", ".asdf"),
        *(".sdkman", ".composer", ".virtualenvs", "miniconda3", "anaconda3"),
    }
)
_RUNTIMES = (
    *("python", "python3", "node", "ruby", "perl", "php", "java", "erl", "elixir", "go", "cargo"),
    *("rustc", "R", "julia", "swift"),
)
_VENV_PARTS = frozenset({"bin", "lib", "lib64", "include", "share", "Scripts"})
_LIBRARY_MARKS = (
    ("os.py", "encodings"),  # Python's standard library
    ("gems", "specifications"),  # a gem home
    ("autoload.php", "composer"),  # Composer's vendor directory
    ("extensions", "build"),  # PHP's extension directory
    ("shared", "host"),  # .NET
    ("conda-meta",),
    ("release", "lib", "bin", "legal"),  # a Java runtime
    ("rbconfig.rb",),
    ("erts", "releases"),
)


class Places:
    """Tells what of an image is the app's own, by who owns what and by where it lies.

    The history of an image is not at hand, so a path counts as the app's own if no package lists
    it, and it lies neither in a system directory nor in what a language's own tools install.
    """

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._tree = scene.tree
        self._foreign: dict[ImagePath, bool] = {ROOT: False}

    @cached_property
    def are_known(self) -> bool:
        """Whether a package database was read whole: else a system directory says nothing."""
        ownership = self._scene.ownership()
        return bool(ownership.owners) and not ownership.warnings

    @cached_property
    def _packaged(self) -> frozenset[ImagePath]:
        """Directories that hold, at any depth, something of a package."""
        found: set[ImagePath] = set()
        for path in self._scene.ownership().owners:
            directory = parent(path)
            while directory not in found:
                found.add(directory)
                directory = parent(directory)
        return frozenset(found)

    def is_packaged(self, path: ImagePath) -> bool:
        """Whether a package owns the path."""
        return path in self._scene.ownership().owners

    def is_mixed(self, directory: ImagePath) -> bool:
        """Whether a directory holds, at any depth, something of a package."""
        return directory in self._packaged

    def is_own(self, entry: Entry) -> bool:
        """Whether the entry is the app's, or at least nobody else's."""
        if self.is_packaged(entry.path) or self.is_foreign(parent(entry.path)):
            return False
        if _below(entry.path, _OPEN) or not _below(entry.path, ("/usr", *_SYSTEM_TOPS)):
            return True
        return self.are_known

    def is_own_directory(self, directory: ImagePath) -> bool:
        """Whether a directory is the app's, or in one that is."""
        root = self.root_of(directory)
        return root is not None and not self._is_shared_with_packages(directory)

    def _is_shared_with_packages(self, directory: ImagePath) -> bool:
        return self.is_mixed(directory) and self._needs_purity(directory)

    def root_of(self, directory: ImagePath) -> ImagePath | None:
        """The topmost directory around (or at) this one that is the app's as a whole."""
        if directory in DOCUMENT_ROOTS:
            return directory
        if self.is_foreign(directory) or _below(directory, _CLOSED):
            return None
        for above in (*self._tree.parents(directory), directory):
            if above in SHARED or (self._needs_purity(above) and not self._is_pure(above)):
                continue
            return above
        return None

    def _needs_purity(self, directory: ImagePath) -> bool:
        return _below(directory, _PACKAGED) and not _below(directory, _OPEN)

    def _is_pure(self, directory: ImagePath) -> bool:
        known = self.are_known or not _below(directory, ("/usr",))
        return known and directory not in self._packaged

    def is_foreign(self, directory: ImagePath) -> bool:
        """Whether a directory is, or lies in, what a language's tools installed."""
        waiting = []
        while directory not in self._foreign:
            waiting.append(directory)
            directory = parent(directory)
        for below in reversed(waiting):
            self._foreign[below] = self._foreign[parent(below)] or self._is_library(below)
        return self._foreign[waiting[0] if waiting else directory]

    def _is_library(self, directory: ImagePath) -> bool:
        base, above = name(directory), parent(directory)
        if base in _FOREIGN_NAMES or (base == "bundle" and name(above) == "vendor"):
            return True
        if base in _VENV_PARTS and f"{above}/pyvenv.cfg" in self._tree:
            return True
        if directory in SHARED:
            return False
        if any(self._has(directory, marks) for marks in _LIBRARY_MARKS):
            return True
        return any(f"{directory}/bin/{runtime}" in self._tree for runtime in _RUNTIMES) and (
            f"{directory}/pyvenv.cfg" not in self._tree
        )

    def _has(self, directory: ImagePath, marks: Iterable[str]) -> bool:
        return all(f"{directory}/{mark}" in self._tree for mark in marks)

    def own_below(self, directory: ImagePath, *, junk: bool = False) -> Iterator[Entry]:
        """What is the app's own in a directory at any depth, without what no run needs.

        Directories only where nothing is in them. ``junk`` gives also what no run needs.
        """
        waiting = [directory]
        while waiting:
            here = waiting.pop()
            siblings = self._tree.children(here)
            for entry in siblings:
                if entry.type is FileType.DIRECTORY:
                    if self.is_foreign(entry.path) or self._scene.is_ignored(entry.path):
                        continue
                    if not junk and is_junk_directory(self._tree, entry):
                        continue
                    waiting.append(entry.path)
                    if self._tree.children(entry.path):
                        continue
                elif self.is_packaged(entry.path) or (not junk and is_junk(self._tree, entry)):
                    continue
                yield entry


_SYSTEM_TOPS = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")


def _below(path: ImagePath, tops: Iterable[str]) -> bool:
    return any(is_within(path, top) for top in tops)
