"""What kept Perl code can use: modules with their compiled parts, and plugins by name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from slimpy.image.tree import name, parent
from slimpy.keep.programs import Head
from slimpy.keep.rules import perl_sources as sources
from slimpy.keep.rules.reach import Reach, beside, files_below, is_directory, is_file
from slimpy.keep.scene import Finding, Scene, Want
from slimpy.keep.turn import Finder
from slimpy.model import Entry, FileType, ImagePath, Reason, Rule

_RUNTIME = re.compile(r"perl(\d[\w.-]*)?|libperl\.so[\d.]*")
_SOURCE = re.compile(r"\.(p[lm]|psgi|al|cgi|fcgi|ph)$")
_SCRIPT = re.compile(rb"#![^\n]{0,200}\b(perl|plackup)\b")
_ROOT = re.compile(
    r"/(perl-base|perl5?/\d+\.\d+(\.\d+)?|perl5|(core|vendor|site)_perl(/\d+\.\d+(\.\d+)?)?"
    r"|etc/perl|lib/perl5)(/[\w.]+-linux[\w-]*)?$"
)

FOR_DEVELOPMENT = re.compile(
    r"(Test|Test2|TAP|App::Prove|App::Cpan|CPAN|ExtUtils|Module::Build|Module::Install|Devel"
    r"|Pod|Perl::OSType|Perl::Critic|Perl::Tidy|Dist|TestLib|Debian|Dpkg|Locale::Po4a|B"
    r"|Unicode::Collate::Locale|Unicode::Collate::CJK|I18N::LangTags::List|Benchmark|DB"
    r"|Thread|perl5db|CGI::Carp|JSON::PP::Boolean5005|unicore|autodie::hints)(::|$)"
)
"""Modules that libraries name in code for developers and installers; what ran is kept anyway."""

_BEHIND_BASE = re.compile(r"/perl/5[\d.]*/")
"""Debian's essential modules are copies that come before the complete set (perl-base(5) layout)."""

_CHARACTER_SETS = re.compile(r"Encode::(CN|JP|KR|TW|EBCDIC)(::|$)")
_EAST_ASIAN = re.compile(
    r"\b(shift_?jis|sjis|cp93[26]|cp949|cp950|euc-?(jp|kr|cn|tw)|iso-2022-(jp|kr|cn)|gb2312|gbk"
    r"|gb18030|big5|7bit-jis|johab|hz)\b",
    re.IGNORECASE,
)
"""Encode's tables for these weigh 9 MB: they are kept if the app's own code names such a set."""

SPECIAL = frozenset({"Tests", "Changes", "CORE", "UNIVERSAL", "STDIN", "STDOUT", "STDERR", "SUPER"})

BY_ITSELF = ("unicore/Name.pl", "unicore/Name.pm", "unicore/UCD.pl", "utf8.pm", "_charnames.pm")
BY_ITSELF_MODULES = (
    *("Carp", "Carp::Heavy", "Errno", "Tie::Hash::NamedCapture", "PerlIO::scalar"),
    *("PerlIO::encoding", "File::Glob", "overload", "overloading", "IO::File", "IO::Handle"),
    *("Encode", "Encode::Alias", "attributes", "feature", "mro", "re", "threads::shared"),
)
"""Files and modules that perl loads by itself when some construct first needs them (perlfunc,
perlvar, toke.c): named characters, ``%+``, ``%!``, in-memory files, ``glob``, methods of handles.
"""

LARGEST_TREE = 8 << 20
"""Plugins below a name are kept up to this weight together (bytes)."""

MOST_PLUGINS = 400


def finder(scene: Scene) -> Finder:
    """The rule for one decision."""
    return PerlReach(scene)


class PerlReach(Reach):
    """Follows modules from file to file."""

    rule = Rule.PERL

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._found_roots: tuple[ImagePath, ...] | None = None
        self._known: dict[str, tuple[str, ...]] = {}
        self._below: set[tuple[ImagePath, str]] = set()

    @property
    def _roots(self) -> tuple[ImagePath, ...]:
        if self._found_roots is None:
            self._found_roots = tuple(_roots(self.scene))
        return self._found_roots

    def is_runtime(self, head: Head) -> bool:
        """The interpreter, as program or library."""
        return head.is_elf and _RUNTIME.fullmatch(name(head.entry.path)) is not None

    def is_source(self, path: ImagePath) -> bool:
        """Perl code by its suffix."""
        return _SOURCE.search(path) is not None

    def is_script(self, head: Head) -> bool:
        """A program without a suffix."""
        return _SCRIPT.match(head.data) is not None

    def started(self, head: Head) -> Iterator[Finding]:
        """What perl loads by itself."""
        by = head.entry.path
        for root in self._roots:
            files = (f"{root}/{path}" for path in BY_ITSELF)
            yield from self.wants(files, by, "perl loads it when needed")
        for module in BY_ITSELF_MODULES:
            yield from self._module(by, (), module)

    def visit(self, entry: Entry, text: str) -> Iterator[Finding]:
        """What one file refers to."""
        if not text:
            return
        path = entry.path
        text = sources.code(text)
        local = tuple(self._local_roots(path, text))
        yield from self._compiled(path, local)
        is_library = self._is_library(path)
        strict = is_library and not any(map(_is_optional, sources.packages(text)))
        needed = sources.needed(text)
        for module in sorted((needed | sources.named(text)) - SPECIAL):
            if module in needed or not (strict and _is_optional(module)):
                yield from self._module(path, local, module)
        for file in sorted(sources.files(text)):
            places = (parent(path), *local, *self._roots)
            candidates = (beside(place, file) for place in places)
            yield from self.wants(filter(self._is_file, candidates), path, f"requires {file}")
        if not is_library and _EAST_ASIAN.search(text):
            for module in ("Encode::CN", "Encode::JP", "Encode::KR", "Encode::TW"):
                yield from self._module(path, local, module)
        yield from self._plugins(path, text, local)

    def _module(self, path: ImagePath, local: Iterable[str], module: str) -> Iterator[Finding]:
        found = tuple(self._at(module, local)) or self._installed(module)
        yield from self.wants(found, path, f"uses {module}")

    def _installed(self, module: str) -> tuple[str, ...]:
        """The files of a module in perl's own directories; several versions may be installed."""
        if module not in self._known:
            self._known[module] = _effective(tuple(self._at(module, self._roots)))
        return self._known[module]

    def _at(self, module: str, places: Iterable[str]) -> Iterator[str]:
        relative = module.replace("::", "/")
        for place in places:
            if is_file(self.scene, path := f"{place}/{relative}.pm"):
                yield path

    def _is_file(self, path: str) -> bool:
        return is_file(self.scene, path)

    def _is_library(self, path: str) -> bool:
        return any(path.startswith(f"{root}/") for root in self._roots)

    def _local_roots(self, path: ImagePath, text: str) -> Iterator[str]:
        """Library directories that the file itself shows: where it lies, and ``lib`` near it."""
        for package in sorted(sources.packages(text)):
            tail = f"/{package.replace('::', '/')}.pm"
            if path.endswith(tail):
                yield path.removesuffix(tail) or "/"
        if not self._is_library(path):
            directory = parent(path)
            for place in (directory, f"{directory}/lib", f"{parent(directory)}/lib"):
                if is_directory(self.scene, place):
                    yield place
                if is_directory(self.scene, f"{place}/perl5"):  # Carton's local/lib/perl5
                    yield f"{place}/perl5"
            yield from self._carton(directory)

    def _carton(self, directory: ImagePath) -> Iterator[str]:
        for above in (directory, parent(directory), self.scene.image.workdir):
            place = f"{above.rstrip('/')}/local/lib/perl5"
            if is_directory(self.scene, place):
                yield place
                for entry in self.scene.tree.children(ImagePath(place)):
                    if "-linux" in name(entry.path):
                        yield entry.path

    def _compiled(self, path: ImagePath, local: Iterable[str]) -> Iterator[Finding]:
        """The shared object and the split functions of a module (XSLoader, AutoLoader)."""
        if not path.endswith(".pm"):
            return
        for root in dict.fromkeys((*local, *self._roots)):
            if not path.startswith(f"{root}/"):
                continue
            relative = path.removeprefix(f"{root}/").removesuffix(".pm")
            for place in dict.fromkeys((root, *self._roots, *local)):
                found = [
                    entry.path
                    for entry in files_below(self.scene, f"{place}/auto/{relative}", deep=False)
                    if entry.path.endswith((".so", ".al", ".ix"))
                ]
                yield from self.wants(found, path, "compiled or split part of the module")
                if any(other.endswith(".so") for other in found):
                    break

    def _plugins(self, path: ImagePath, text: str, local: tuple[str, ...]) -> Iterator[Finding]:
        """Modules below a name that is completed at run time."""
        names = set(sources.prefixes(text))
        if "namespaces" in text or "search_path" in text:
            names |= sources.namespaces(text)
        elif "plugin" in text.lower():
            names |= {space for space in sources.namespaces(text) if not self._is_module(space)}
        for space in sorted(names):
            if self._is_library(path) and _is_optional(space):
                continue
            relative = space.replace("::", "/")
            for root in dict.fromkeys((*local, *self._roots)):
                yield from self._below_name(path, ImagePath(f"{root}/{relative}"), space)

    def _is_module(self, module: str) -> bool:
        return bool(self._installed(module))

    def _below_name(self, path: ImagePath, directory: ImagePath, space: str) -> Iterator[Finding]:
        if (directory, space) in self._below:
            return
        self._below.add((directory, space))
        found = files_below(self.scene, directory, most_bytes=LARGEST_TREE, deep=False)
        if len(found) <= MOST_PLUGINS:
            for entry in found:
                if entry.path.endswith(".pm"):
                    yield Want(entry.path, Reason(self.rule, path, f"loads {space}::..."))


def _is_optional(module: str) -> bool:
    """Whether a library that names a module does so for developers, or as one of many tables."""
    return bool(FOR_DEVELOPMENT.match(module) or _CHARACTER_SETS.match(module))


def _effective(found: tuple[str, ...]) -> tuple[str, ...]:
    """Without copies that another one comes before."""
    if not any("/perl-base/" in path for path in found):
        return found
    return tuple(path for path in found if not _BEHIND_BASE.search(path))


def _roots(scene: Scene) -> Iterator[ImagePath]:
    """Perl's library directories, by their names; trees of other versions are left out."""
    for entry in scene.tree:
        if entry.type is FileType.DIRECTORY and _ROOT.search(entry.path):
            yield entry.path
    for value in scene.image.environment.get("PERL5LIB", "").split(":"):
        if value.startswith("/") and is_directory(scene, value):
            yield ImagePath(beside("/", value))
