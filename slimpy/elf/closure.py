"""Every file that the loaders of an image need to start its kept programs and libraries."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from probes.model import TraceWarning
from slimpy.elf.facts import Abi, ElfFacts
from slimpy.elf.files import ElfFiles
from slimpy.elf.loader import Loader, examine, flavour, usual_interpreters
from slimpy.elf.process import Process
from slimpy.elf.search import Finder, Loaded, Place, Search
from slimpy.image.contents import Contents
from slimpy.image.links import Resolution
from slimpy.image.tree import Tree
from slimpy.model import ROOT, ImagePath, Reason, Rule, display

MAXIMUM_LINK_REASONS = 8
"""A link such as /lib is on the way to hundreds of libraries: the first few say enough."""

_SET_ID = 0o6000


@dataclass(frozen=True, slots=True, order=True)
class MissingLibrary:
    """A library or an interpreter that ``by`` asks for and that no search finds."""

    name: str
    by: ImagePath


@dataclass(frozen=True, slots=True)
class Closure:
    """What the given files need besides themselves: path -> reasons, sorted.

    Links on the way and the files that the loaders read (cache, path file, ld.so.preload) are in.
    """

    needed: Mapping[ImagePath, tuple[Reason, ...]]
    missing: tuple[MissingLibrary, ...] = ()
    warnings: tuple[TraceWarning, ...] = ()


def closure(
    tree: Tree,
    contents: Contents,
    files: Iterable[ImagePath],
    *,
    environment: Mapping[str, str],
    workdir: ImagePath = ROOT,
    known: ElfFiles | None = None,
) -> Closure:
    """What the ELF files among ``files`` (real paths) need; other files are passed over.

    Each program is loaded as its own interpreter would. A library (a plugin, an extension module)
    is loaded as if by itself, by the loaders of the programs of its ABI; what it lacks is then
    looked for where DT_RPATH of those programs leads, and among the names of all that is loaded
    anyway.

    Args:
        environment: the image's ENV: LD_LIBRARY_PATH and LD_PRELOAD count.
        workdir: what relative search paths start from.
        known: facts already read of this image, to share between calls.
    """
    work = _Work(tree, contents, known or ElfFiles(tree, contents), environment, workdir)
    roots = sorted(set(files))
    work.files.prefetch(roots)
    for root in roots:
        work.add(root)
    work.run()
    return work.result()


class _Work:
    """One closure under way."""

    def __init__(
        self,
        tree: Tree,
        contents: Contents,
        files: ElfFiles,
        environment: Mapping[str, str],
        workdir: ImagePath,
    ) -> None:
        self.tree = tree
        self.contents = contents
        self.files = files
        self.environment = environment
        self.workdir = workdir
        self.finder = Finder(tree)
        self.loaders: dict[tuple[str, Abi], Loader] = {}
        self.programs: list[tuple[Loaded, Loader]] = []
        self.libraries: list[Loaded] = []
        self.processes: dict[ImagePath, list[Process]] = {}
        self.reasons: dict[ImagePath, dict[Reason, None]] = {}
        self.missing: set[MissingLibrary] = set()
        self.warnings: dict[TraceWarning, None] = {}

    def add(self, path: ImagePath) -> None:
        """Take one file in, if it is an ELF file that a loader has work with."""
        facts = self.files.get(path)
        self._note_damage(path)
        if facts is None or not facts.loadable or facts.static:
            return
        loaded = Loaded(path, path, facts)
        if facts.interpreter is None:
            self.libraries.append(loaded)
            return
        loader = self._loader(facts.interpreter, facts.abi)
        if loader.place.real is None:
            self.missing.add(MissingLibrary(facts.interpreter, path))
        else:
            self._keep(Rule.LOADER, loader.place, path, facts.interpreter)
            self._keep_for(loader, loader.companions, "started by the loader")
        self.programs.append((loaded, loader))

    def run(self) -> None:
        """Load everything, level by level over all processes, so that contents come in batches."""
        for loaded, loader in self.programs:
            self.processes[loaded.real] = list(self._starts(loaded, loader))
        for loaded in self.libraries:
            loaders = self._loaders_of(loaded.facts)
            self.processes[loaded.real] = [self._process(loaded, loader) for loader in loaders]
        self._advance(process for group in self.processes.values() for process in group)
        self._retry_libraries()

    def result(self) -> Closure:
        """The outcome of `run`."""
        for group in self.processes.values():
            for process in group:
                self._collect(process)
            self._collect_losses(group)
        needed = {path: tuple(sorted(self.reasons[path])) for path in sorted(self.reasons)}
        warnings = sorted(self.warnings, key=lambda warning: (warning.code, warning.text))
        return Closure(needed, tuple(sorted(self.missing)), tuple(warnings))

    def _loader(self, interpreter: str, abi: Abi) -> Loader:
        key = (interpreter, abi)
        if key not in self.loaders:
            loader = examine(self.tree, self.contents, interpreter, abi)
            self.warnings.update(dict.fromkeys(loader.warnings))
            self.loaders[key] = loader
        return self.loaders[key]

    def _loaders_of(self, facts: ElfFacts) -> list[Loader]:
        """Who may load a library: the loaders of programs of its ABI and libc, else the usual."""
        libc = flavour(facts)
        beside = {
            loader.place.real or loader.interpreter: loader
            for program, loader in self.programs
            if program.facts.abi == facts.abi and libc in (None, loader.libc)
        }
        if beside:
            return list(beside.values())
        usual = usual_interpreters(self.tree, facts.abi, libc)
        return [self._loader(interpreter, facts.abi) for interpreter in usual]

    def _starts(self, loaded: Loaded, loader: Loader) -> Iterator[Process]:
        """How a program may be started: a set-user-ID one also without what the environment says.

        With it too, because the kernel only distrusts the caller when the user really changes.
        """
        library_path = self.environment.get("LD_LIBRARY_PATH", "")
        preload = [(name, "/etc/ld.so.preload") for name in loader.preload]
        text = self.environment.get("LD_PRELOAD", "").replace(":", " ")
        asked = [(name, "LD_PRELOAD") for name in text.split()]
        yield self._process(loaded, loader, library_path, (*asked, *preload))
        entry = self.tree.get(loaded.real)
        if (library_path or asked) and entry is not None and entry.mode & _SET_ID:
            yield self._process(loaded, loader, "", preload)

    def _process(
        self,
        loaded: Loaded,
        loader: Loader,
        library_path: str | None = None,
        preload: Iterable[tuple[str, str]] = (),
    ) -> Process:
        if library_path is None:
            library_path = self.environment.get("LD_LIBRARY_PATH", "")
        search = Search(self.finder, loader, library_path, self.workdir)
        return Process(loaded, search, self.tree, self.files, preload)

    def _advance(self, processes: Iterable[Process]) -> None:
        running = list(processes)
        while running:
            self.files.prefetch(path for process in running for path in process.wanted())
            running = [process for process in running if process.advance()]

    def _retry_libraries(self) -> None:
        """Give plugins what the programs that may load them would add to the search."""
        places = self._program_rpaths()
        processes = [one for item in self.libraries for one in self.processes[item.real]]
        while processes:
            processes = [
                process
                for process in processes
                if process.missing and process.retry(places.get(process.main.facts.abi, ()))
            ]
            self._advance(processes)

    def _program_rpaths(self) -> dict[Abi, dict[Place, None]]:
        places: dict[Abi, dict[Place, None]] = {}
        for program, _ in self.programs:
            for process in self.processes[program.real]:
                for loaded in process.objects.values():
                    found = process.search.rpaths(loaded, process.main)
                    places.setdefault(program.facts.abi, {}).update(dict.fromkeys(found))
        return places

    def _collect(self, process: Process) -> None:
        for edge in process.edges:
            place = Resolution(edge.hit.real, edge.hit.links, None)
            self._keep(Rule.LIBRARY, place, edge.needer, edge.detail)
            self._note_damage(edge.hit.real)
        for hit in process.passed_over:
            if self.files.damage(hit.real) is None:
                text = f"{display(hit.real)} is named like a library but is no ELF file"
                self.warnings[TraceWarning("library-not-elf", text)] = None
        if process.crowded:
            text = f"{display(process.main.real)} needs too many libraries to follow them all"
            self.warnings[TraceWarning("elf-crowded", text)] = None
        if process.edges:
            loader = process.search.loader
            self._keep_for(loader, loader.configs, "read by the loader")

    def _collect_losses(self, group: list[Process]) -> None:
        """What one file lacks, if every way to load it lacks it."""
        main = group[0].main.facts
        losses = [{want.name for want in process.missing} for process in group]
        names = set.intersection(*losses)
        if main.interpreter is None:
            # A process that loads a plugin may have brought what the plugin does not find itself.
            names = {name for name in names if (main.abi, name) not in self.kept_names}
        self.missing.update(
            MissingLibrary(want.name, want.needer.real)
            for process in group
            for want in process.missing
            if want.name in names
        )

    @cached_property
    def kept_names(self) -> frozenset[tuple[Abi, str]]:
        """The names that all loaded files answer to; asked for when everything is loaded."""
        return frozenset(
            (loaded.facts.abi, name)
            for group in self.processes.values()
            for process in group
            for loaded in process.objects.values()
            for name in (loaded.facts.soname, loaded.real.rpartition("/")[2])
            if name
        )

    def _keep(self, rule: Rule, place: Resolution, by: ImagePath, detail: str) -> None:
        if place.real is not None and place.real != by:
            self.reasons.setdefault(place.real, {})[Reason(rule, by, detail)] = None
        for link in place.links:
            why = self.reasons.setdefault(link, {})
            if len(why) < MAXIMUM_LINK_REASONS:
                why[Reason(Rule.LINK, by, detail)] = None

    def _keep_for(self, loader: Loader, places: Iterable[Resolution], detail: str) -> None:
        if loader.place.real is not None:
            for place in places:
                self._keep(Rule.LOADER, place, loader.place.real, detail)

    def _note_damage(self, path: ImagePath) -> None:
        warning = self.files.damage(path)
        if warning is not None:
            self.warnings[warning] = None
