"""Where a loader would find a library in an image: glibc's rules (ld.so(8)) and musl's.

glibc (``_dl_map_object`` in elf/dl-load.c) asks in this order: DT_RPATH of the needing file, of
what loaded that, up to the program, unless the needing file has a DT_RUNPATH; LD_LIBRARY_PATH;
DT_RUNPATH of the needing file alone; the cache; the directories compiled into the loader, unless
the needing file has DF_1_NODEFLIB. A file's DT_RPATH counts for nothing beside its own DT_RUNPATH.

musl (``load_library`` in ldso/dynlink.c) asks LD_LIBRARY_PATH, then DT_RUNPATH or DT_RPATH of the
needing file and of all that loaded it, then its path file or ``/lib:/usr/local/lib:/usr/lib``.

Two deliberate differences, both towards keeping: of every directory the variants for all CPUs
count (``glibc-hwcaps/x86-64-v3``, the older ``haswell``, ``tls`` and so on), since nobody knows
where the image will run; and where the image has no loader cache, the directories of ld.so.conf
are asked last, although only ldconfig reads that file: an entrypoint may run ldconfig.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from slimpy.elf.facts import ElfFacts
from slimpy.elf.loader import Libc, Loader
from slimpy.image.links import Resolution, resolve
from slimpy.image.tree import Tree
from slimpy.model import ROOT, FileType, ImagePath

_TOKEN = re.compile(r"\$(?:\{(ORIGIN|LIB|PLATFORM)\}|(ORIGIN|LIB|PLATFORM)(?![A-Za-z0-9_]))")
_MUSL_TOKEN = re.compile(r"\$(?:\{ORIGIN\}|ORIGIN)")
_MUSL_RESERVED = re.compile(r"lib(?:c|pthread|rt|m|dl|util|xnet)\.")

# AT_PLATFORM as the kernel says it, and what glibc may put in its place (cpu_features.c).
_PLATFORMS = {
    "EM_X86_64": ("x86_64", "haswell", "xeon_phi"),
    "EM_386": ("i686", "i586", "i486", "i386"),
    "EM_AARCH64": ("aarch64",),
    "EM_ARM": ("v7l", "v6l", "v8l"),
    "EM_PPC64": tuple(f"power{number}" for number in range(7, 11)),
    "EM_S390": tuple(f"z{number}" for number in (10, 13, 14, 15, 16, 196)),
}
# Subdirectories that glibc before 2.37 tried for what a CPU can do; they may nest.
_LEGACY = (
    *("tls", "x86_64", "haswell", "avx512_1", "xeon_phi", "i386", "i486", "i586", "i686", "sse2"),
    *(
        "cmov",
        "acpi",
        "nosegneg",
        "atomics",
        "neon",
        "vfp",
        "half",
        "v6l",
        "v7l",
        "power7",
        "power8",
    ),
    *("power9", "z10", "z13", "z14", "z196", "zEC12"),
)
_LEGACY_DEPTH = 3


Place = tuple[str, ...]
"""One element of a search path: its directory, last, after those that only some CPUs look into."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A regular file that a loader would try to open.

    ``opened`` is the path as the loader spells it, ``real`` where it leads, ``links`` what it
    passes. A ``variant`` is only taken on some CPUs.
    """

    opened: str
    real: ImagePath
    links: tuple[ImagePath, ...] = ()
    variant: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """A file in a process. ``by`` is what first asked for it, None for the program itself."""

    opened: str
    real: ImagePath
    facts: ElfFacts
    by: Loaded | None = None

    @property
    def origin(self) -> str:
        """What ``$ORIGIN`` stands for: the directory in which it was found, links and all."""
        return self.opened.rpartition("/")[0] or "/"

    @property
    def chain(self) -> Iterator[Loaded]:
        """Itself, what loaded it, and so on up to the program."""
        here: Loaded | None = self
        while here is not None:
            yield here
            here = here.by


class Finder:
    """Looks files up in a tree, each directory and each path once."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._files: dict[str, Resolution | None] = {}
        self._directories: dict[str, tuple[str, ...]] = {}

    def file(self, path: str, *, variant: bool = False) -> Hit | None:
        """The regular file at a path, links followed."""
        if path not in self._files:
            self._files[path] = self._regular(path)
        found = self._files[path]
        if found is None or found.real is None:
            return None
        return Hit(path, found.real, found.links, variant)

    def _regular(self, path: str) -> Resolution | None:
        found = resolve(self._tree, path)
        entry = self._tree.get(found.real) if found.real else None
        return found if entry is not None and entry.type is FileType.FILE else None

    def groups(self, name: str, places: Iterable[Place]) -> Iterator[tuple[Hit, ...]]:
        """For each place that has the file, its variants and then the one for every CPU."""
        for place in places:
            found = [
                self.file(f"{directory}/{name}", variant=directory != place[-1])
                for alternative in place
                for directory in self._directories_at(alternative)
            ]
            if hits := tuple(hit for hit in found if hit is not None):
                yield hits

    def plain(self, name: str, directories: Iterable[str]) -> Iterator[tuple[Hit, ...]]:
        """The file in each directory that has it, without variants."""
        for directory in directories:
            if hit := self.file(f"{directory}/{name}"):
                yield (hit,)

    def _directories_at(self, directory: str) -> tuple[str, ...]:
        """The subdirectories for special CPUs that are there, then the directory; empty if none."""
        if directory not in self._directories:
            self._directories[directory] = tuple(self._variants(directory))
        return self._directories[directory]

    def _variants(self, directory: str) -> Iterator[str]:
        real = resolve(self._tree, f"{directory}/.").real
        if real is None:
            return
        capabilities = resolve(self._tree, f"{directory}/glibc-hwcaps/.").real
        for entry in reversed(self._tree.children(capabilities) if capabilities else ()):
            yield f"{directory}/glibc-hwcaps/{entry.path.rpartition('/')[2]}"
        yield from self._legacy(directory, real, _LEGACY_DEPTH)
        yield directory

    def _legacy(self, directory: str, real: ImagePath, depth: int) -> Iterator[str]:
        for name in _LEGACY if depth else ():
            entry = self._tree.get(f"{'' if real == ROOT else real}/{name}")
            if entry is not None and entry.type in (FileType.DIRECTORY, FileType.LINK):
                yield from self._legacy(f"{directory}/{name}", entry.path, depth - 1)
                yield f"{directory}/{name}"


@dataclass(frozen=True, slots=True)
class Search:
    """One loader's search in one environment.

    ``library_path`` is LD_LIBRARY_PATH, empty where it is not set or not heeded (set-user-ID);
    ``workdir`` is what relative paths start from.
    """

    finder: Finder
    loader: Loader
    library_path: str = ""
    workdir: str = field(default=ROOT)

    def name(self, text: str, needer: Loaded) -> str:
        """A DT_NEEDED name with its tokens expanded; musl expands none there."""
        if self.loader.libc is Libc.MUSL:
            return text
        return next(iter(self._expanded(text, needer)), text)

    def is_loader(self, name: str) -> bool:
        """Whether the name means the loader itself: in musl it is the whole libc."""
        return self.loader.libc is Libc.MUSL and (
            name == self.loader.interpreter or bool(_MUSL_RESERVED.match(name))
        )

    def candidates(self, name: str, needer: Loaded, main: Loaded) -> Iterator[tuple[Hit, ...]]:
        """Where the loader would look for a name, in order, one group for each place that has it.

        The last of a group is the one for every CPU, unless that is a variant too.
        """
        if "/" in name:
            hit = self.finder.file(self._absolute(name))
            if hit is not None:
                yield (hit,)
        elif self.loader.libc is Libc.MUSL:
            yield from self.finder.plain(name, self._musl_directories(needer))
        else:
            yield from self._glibc_candidates(name, needer, main)

    def rpaths(self, needer: Loaded, main: Loaded) -> Iterator[Place]:
        """Where DT_RPATH (musl: or DT_RUNPATH) sends the search for what ``needer`` needs."""
        if self.loader.libc is Libc.MUSL:
            yield from ((path,) for loaded in needer.chain for path in self._musl_rpath(loaded))
            return
        if needer.facts.runpath:
            return
        chain = list(needer.chain)
        for loaded in (*chain, *(() if main in chain else (main,))):
            if not loaded.facts.runpath:
                yield from self._places(loaded.facts.rpath, loaded)

    def _glibc_candidates(
        self, name: str, needer: Loaded, main: Loaded
    ) -> Iterator[tuple[Hit, ...]]:
        groups = self.finder.groups
        yield from groups(name, self.rpaths(needer, main))
        if self.library_path:
            parts = tuple(re.split("[:;]", self.library_path))
            yield from groups(name, self._places(parts, main))
        yield from groups(name, self._places(needer.facts.runpath, needer))
        yield from self._cached(name, needer)
        if "NODEFLIB" not in needer.facts.flags:
            yield from groups(name, ((path,) for path in self.loader.directories))
        yield from groups(name, ((path,) for path in self.loader.extra))

    def _cached(self, name: str, needer: Loaded) -> Iterator[tuple[Hit, ...]]:
        entries = self.loader.cache.lookup(name, needer.facts.abi)
        if "NODEFLIB" in needer.facts.flags:
            system = tuple(f"{path}/" for path in self.loader.directories)
            entries = tuple(entry for entry in entries if not entry.path.startswith(system))
        found = [self.finder.file(entry.path, variant=entry.variant) for entry in entries]
        if hits := tuple(hit for hit in found if hit is not None):
            yield hits

    def _musl_directories(self, needer: Loaded) -> Iterator[str]:
        yield from (self._absolute(path) for path in re.split("[:\n]", self.library_path) if path)
        for loaded in needer.chain:
            yield from self._musl_rpath(loaded)
        yield from (self._absolute(path) for path in self.loader.directories)

    def _musl_rpath(self, loaded: Loaded) -> Iterator[str]:
        """musl's DT_RUNPATH or else DT_RPATH; another token than $ORIGIN voids the whole path."""
        paths = loaded.facts.runpath or loaded.facts.rpath
        if any("$" in _MUSL_TOKEN.sub("", path) for path in paths):
            return
        for path in filter(None, paths):
            yield self._absolute(_MUSL_TOKEN.sub(lambda _: loaded.origin, path))

    def _places(self, paths: tuple[str, ...], of: Loaded) -> Iterator[Place]:
        """The elements of a search path; an empty one is the working directory."""
        if paths == ("",):
            return
        for path in paths:
            expanded = self._expanded(path, of)
            yield tuple(self._absolute(text) for text in reversed(expanded))

    def _expanded(self, text: str, of: Loaded) -> tuple[str, ...]:
        """The text for each platform that it may run on, once if it does not name the platform."""
        if "$" not in text:
            return (text,)
        machine = of.facts.machine
        platforms = _PLATFORMS.get(machine, (machine.removeprefix("EM_").lower(),))

        def filled(platform: str) -> str:
            values = {"ORIGIN": of.origin, "LIB": self.loader.lib, "PLATFORM": platform}
            return _TOKEN.sub(lambda token: values[token[1] or token[2]], text)

        return tuple(dict.fromkeys(filled(platform) for platform in platforms))

    def _absolute(self, path: str) -> str:
        """The path without a slash at its end, from the working directory if it is relative."""
        full = path if path.startswith("/") else f"{self.workdir.rstrip('/')}/{path}"
        return full.rstrip("/")
