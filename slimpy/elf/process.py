"""Loads one program or library as its loader would, to see which files that takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from slimpy.elf.facts import ElfFacts
from slimpy.elf.files import ElfFiles
from slimpy.elf.loader import Libc
from slimpy.elf.search import Hit, Loaded, Place, Search
from slimpy.image.tree import Tree
from slimpy.model import ImagePath

BY_GLIBC = "dlopen'ed by glibc"
MAXIMUM_OBJECTS = 4096
"""Files in one process; big programs have some hundreds."""

_UNWINDING = frozenset({"pthread_exit", "pthread_cancel", "backtrace"})


def implicit_libraries(facts: ElfFacts) -> tuple[str, ...]:
    """Libraries that glibc opens by itself for what a file imports, never named by DT_NEEDED.

    libgcc_s unwinds the stack when a thread ends early, and for backtrace(3)
    (sysdeps/gnu/unwind-resume.c and misc/unwind-link.c); without it glibc aborts the process.
    """
    return ("libgcc_s.so.1",) if facts.imports & _UNWINDING else ()


@dataclass(frozen=True, slots=True)
class Want:
    """A name that a loaded file asks for. An ``optional`` one that is not found is no loss."""

    needer: Loaded
    name: str
    detail: str
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Edge:
    """``hit`` was loaded, or found loaded already, for what ``needer`` wants."""

    needer: ImagePath
    detail: str
    hit: Hit


class Process:
    """One simulated start. `advance` loads one level; between levels, files can be fetched at once.

    ``preload`` are names loaded before all others, each with the words that say who asks for it.
    """

    def __init__(
        self,
        main: Loaded,
        search: Search,
        tree: Tree,
        files: ElfFiles,
        preload: Iterable[tuple[str, str]] = (),
    ) -> None:
        self.main = main
        self.search = search
        self.objects: dict[object, Loaded] = {}
        self.edges: list[Edge] = []
        self.missing: list[Want] = []
        self.passed_over: list[Hit] = []
        self.crowded = False  # more files than MAXIMUM_OBJECTS: the rest was not looked for
        self._tree = tree
        self._files = files
        self._names: dict[str, list[Hit]] = {}
        self._later: list[Want] = []
        self._register(Hit(main.opened, main.real), main)
        self._register_loader()
        self._wants = [Want(main, name, why, optional=True) for name, why in preload]
        self._wants += self._wanted_by(main)

    def wanted(self) -> Iterator[ImagePath]:
        """The files that the next level will most likely open."""
        for want in self._wants:
            name = self.search.name(want.name, want.needer)
            if name not in self._names and not self.search.is_loader(name):
                group = next(self.search.candidates(name, want.needer, self.main), ())
                yield from (hit.real for hit in group)

    def advance(self) -> bool:
        """Load the next level. False when nothing is left to load."""
        level: list[Loaded] = []
        for want in self._wants:
            level.extend(self._load(want))
        self._wants = [want for loaded in level for want in self._wanted_by(loaded)]
        if not self._wants:
            self._wants, self._later = self._later, []
        return bool(self._wants)

    def retry(self, places: Iterable[Place]) -> bool:
        """Look for what is missing in further places, such as the DT_RPATH of a program.

        True if something was found, whose own needs `advance` then loads.
        """
        places = tuple(places)
        missing, self.missing = self.missing, []
        level: list[Loaded] = []
        for want in missing:
            name = self.search.name(want.name, want.needer)
            groups = self.search.finder.groups(name, places) if "/" not in name else ()
            level.extend(self._choose(want, name, groups))
        self._wants = [want for loaded in level for want in self._wanted_by(loaded)]
        return len(self.missing) < len(missing)

    def _wanted_by(self, loaded: Loaded) -> list[Want]:
        """What a file asks for at its start; what it will ask for later is put aside."""
        facts = loaded.facts
        glibc = self.search.loader.libc is Libc.GLIBC
        if glibc:
            self._later += [
                Want(loaded, name, BY_GLIBC, optional=True) for name in implicit_libraries(facts)
            ]
        for hint in facts.dlopen:
            if hint.priority != "suggested":
                why = f"dlopen'ed for {hint.feature or 'itself'}"
                self._later += [Want(loaded, name, why, optional=True) for name in hint.sonames]
        wants = [Want(loaded, name, name) for name in facts.needed]
        if glibc:
            wants += [Want(loaded, name, name, optional=True) for name in facts.auxiliary]
        return wants

    def _load(self, want: Want) -> list[Loaded]:
        """Find one name, among what is loaded or in the image; what is newly loaded."""
        name = self.search.name(want.name, want.needer)
        known = self._names.get(name)
        if known is None and self.search.is_loader(name):
            known = self._names.get(self.search.loader.interpreter, [])
        if known is not None:
            self.edges += [Edge(want.needer.real, want.detail, hit) for hit in known]
            return []
        return self._choose(want, name, self.search.candidates(name, want.needer, self.main))

    def _choose(self, want: Want, name: str, groups: Iterable[tuple[Hit, ...]]) -> list[Loaded]:
        """Take the first file of the right ABI, and every variant that comes before it."""
        found: list[Hit] = []
        for group in groups:
            found += [hit for hit in group if self._fits(hit)]
            if any(not hit.variant and self._files.get(hit.real) for hit in found):
                break
        if not found and not want.optional:
            self.missing.append(want)
        return [new for hit in found for new in self._take(want, name, hit)]

    def _fits(self, hit: Hit) -> bool:
        """Whether the loader would map the file; a damaged one is kept besides what comes next."""
        facts = self._files.get(hit.real)
        if facts is not None:
            return facts.abi == self.main.facts.abi and facts.loadable
        self.passed_over.append(hit)
        return self._files.damage(hit.real) is not None

    def _take(self, want: Want, name: str, hit: Hit) -> list[Loaded]:
        self.edges.append(Edge(want.needer.real, want.detail, hit))
        self._names.setdefault(name, []).append(hit)
        facts = self._files.get(hit.real)
        if facts is None or self._identity(hit.real) in self.objects:
            return []
        if len(self.objects) >= MAXIMUM_OBJECTS:
            self.crowded = True
            return []
        loaded = Loaded(hit.opened, hit.real, facts, want.needer)
        self._register(hit, loaded)
        return [loaded]

    def _register(self, hit: Hit, loaded: Loaded) -> None:
        """Remember a file under the names by which it will be recognised.

        glibc knows a file by its DT_SONAME and its path, musl by neither: only by the name that it
        was searched for, and by its inode.
        """
        self.objects[self._identity(hit.real)] = loaded
        if self.search.loader.libc is Libc.GLIBC:
            for name in (loaded.facts.soname, hit.opened):
                known = self._names.setdefault(name, []) if name else []
                if hit not in known:
                    known.append(hit)

    def _register_loader(self) -> None:
        loader = self.search.loader
        place = loader.place
        facts = self._files.get(place.real) if place.real else None
        if place.real is None or facts is None:
            return
        hit = Hit(loader.interpreter, place.real, place.links)
        self._names[loader.interpreter] = [hit]
        if self._identity(place.real) not in self.objects:
            self._register(hit, Loaded(loader.interpreter, place.real, facts, self.main))

    def _identity(self, path: ImagePath) -> object:
        """Hard links of one file are one object to a loader."""
        entry = self._tree.get(path)
        return entry.inode if entry is not None and entry.inode else path
