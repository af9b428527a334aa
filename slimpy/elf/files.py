"""The ELF facts of an image's files, each file read once."""

from __future__ import annotations

from collections.abc import Iterable

from probes.model import TraceWarning
from slimpy.elf import facts
from slimpy.elf.facts import DamagedElfError, ElfFacts
from slimpy.image.contents import Contents
from slimpy.image.tree import Tree
from slimpy.model import FileType, ImagePath, display

_SMALLEST = 52  # bytes of a 32-bit ELF header


class ElfFiles:
    """Facts on demand. Damage is a warning, never an error: the file is kept as it is.

    One instance can serve many closures of the same image.
    """

    def __init__(self, tree: Tree, contents: Contents) -> None:
        self._tree = tree
        self._contents = contents
        self._facts: dict[ImagePath, ElfFacts | None] = {}
        self._damaged: dict[ImagePath, TraceWarning] = {}

    def prefetch(self, paths: Iterable[ImagePath]) -> None:
        """Make files available in one go; what is known already is not fetched again."""
        wanted = dict.fromkeys(path for path in paths if path not in self._facts)
        wanted = dict.fromkeys(path for path in wanted if self._may_be_elf(path))
        if wanted:
            self._contents.fetch(wanted)

    def get(self, path: ImagePath) -> ElfFacts | None:
        """The facts of a real path; None where it is no ELF file or a damaged one."""
        if path not in self._facts:
            self._facts[path] = self._read(path) if self._may_be_elf(path) else None
        return self._facts[path]

    def damage(self, path: ImagePath) -> TraceWarning | None:
        """The warning about a file that `get` could not read, if there is one."""
        return self._damaged.get(path)

    def _may_be_elf(self, path: ImagePath) -> bool:
        entry = self._tree.get(path)
        return entry is not None and entry.type is FileType.FILE and entry.size >= _SMALLEST

    def _read(self, path: ImagePath) -> ElfFacts | None:
        try:
            with self._contents.open(path) as file:
                return facts.read(file)
        except DamagedElfError as error:
            text = f"{display(path)} is a damaged ELF file, kept as it is: {display(str(error))}"
            self._damaged[path] = TraceWarning("elf-damaged", text)
        except FileNotFoundError:
            text = f"{display(path)} is in the listing but its contents are not in the image"
            self._damaged[path] = TraceWarning("elf-unreadable", text)
        return None
