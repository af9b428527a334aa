"""What kept Ruby code can require: the standard library, gems and their data."""

from __future__ import annotations

import re
from collections.abc import Iterator

from slimpy.image.tree import name, parent
from slimpy.keep.programs import Head
from slimpy.keep.rules.reach import (
    LARGEST_SOURCE,
    Reach,
    beside,
    files_below,
    is_directory,
    is_file,
    is_unneeded,
)
from slimpy.keep.rules.ruby_paths import Gem, LoadPath
from slimpy.keep.rules.ruby_sources import (
    Base,
    Reference,
    dependencies,
    loads_by_name,
    references,
    required_by_binary,
)
from slimpy.keep.scene import Finding, Scene, Want
from slimpy.keep.turn import Finder
from slimpy.model import Entry, FileType, ImagePath, Reason, Rule

_RUNTIME = re.compile(r"ruby(\d+(\.\d+)*)?|libruby[\d.-]*\.so[\d.]*|libruby-static\.so.*")
_SOURCE = re.compile(
    r"\.(rb|ru|rake|gemspec|jbuilder|thor)$|/(Rakefile|Gemfile|Guardfile|Capfile)$"
)
_SCRIPT = re.compile(rb"#![^\n]{0,200}\bruby")

BY_ITSELF = (
    "unicode_normalize/normalize",
    *("pp", "set", "monitor", "rbconfig", "timeout", "error_highlight", "did_you_mean"),
)
"""Features that the interpreter requires when a core method first needs them (string.c)."""

FOR_DEVELOPMENT = frozenset(
    {
        *("bundler", "debug", "irb", "mkmf", "minitest", "pry", "byebug", "racc", "rake", "rbs"),
        *(
            "rdoc",
            "reline",
            "readline",
            "ripper",
            "rspec",
            "rubygems",
            "simplecov",
            "syntax_suggest",
        ),
        *("test", "typeprof", "yard", "rubocop", "ruby-prof", "benchmark-ips", "mocha", "webmock"),
    }
)
"""Features that libraries name in code for developers; the app's own code may ask for them."""

INSTALLERS = re.compile(r"/(bundler|rubygems|rubygems-update-[\d.]+|bundler-[\d.]+)/|/mkmf\.rb$")
"""Code that installs gems: of it only what ran is kept."""

DATA = (
    "app",
    "assets",
    "config",
    "data",
    "db",
    "locale",
    "locales",
    "templates",
    "vendor",
    "views",
)
"""Directories of a gem, beside its code, that hold what it reads."""

LARGEST_DATA = 8 << 20
"""Such a directory is kept up to this weight (bytes)."""

_WHOLE = ("-data", "-locales", "-i18n", "-icons")
"""Gems with such names hold data as code, loaded by computed names."""

_LEFT_OVER = re.compile(r".*\.(o|a|c|h|cc|cpp|java|rl|y|log|time|yml\.bak)|Makefile|gem_make\.out")


def finder(scene: Scene) -> Finder:
    """The rule for one decision."""
    return RubyReach(scene)


class RubyReach(Reach):
    """Follows features from file to file, and gems from gemspec to gemspec."""

    rule = Rule.RUBY

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._found: LoadPath | None = None
        self._seen: set[str] = set()  # gems, and units whose code is wanted whole

    @property
    def _load_path(self) -> LoadPath:
        # Made when Ruby is there: it takes a look at every path of the image.
        if self._found is None:
            self._found = LoadPath(self.scene)
        return self._found

    def is_runtime(self, head: Head) -> bool:
        """The interpreter, as program or library."""
        return head.is_elf and _RUNTIME.fullmatch(name(head.entry.path)) is not None

    def is_source(self, path: ImagePath) -> bool:
        """Ruby code by its suffix, or one of its well-known files without one."""
        return _SOURCE.search(path) is not None

    def is_script(self, head: Head) -> bool:
        """A program without a suffix."""
        return head.is_script and _SCRIPT.match(head.data) is not None

    def started(self, head: Head) -> Iterator[Finding]:
        """What the interpreter loads by itself, and character sets."""
        by = head.entry.path
        for feature in BY_ITSELF:
            yield from self.wants(self._load_path.find(feature), by, f"Ruby requires {feature}")
        for root in self._load_path.roots:
            if not is_directory(self.scene, f"{root}/enc"):
                continue
            for entry in files_below(self.scene, f"{root}/enc"):
                if "/emoji_" not in entry.path:
                    yield from self.wants((entry.path,), by, "character sets")

    def visit(self, entry: Entry, text: str) -> Iterator[Finding]:
        """What one file refers to, and its gem when it is the first file of it."""
        path = entry.path
        if path.endswith(".gemspec"):
            yield from self._specification(path, text)
            return
        gem = self._load_path.gem_of(path)
        if gem is not None and gem.directory not in self._seen:
            self._seen.add(gem.directory)
            yield from self._gem(gem, path)
        if path.endswith(".so"):
            yield from self._extension(path)
        if not text or INSTALLERS.search(path):
            return
        is_library = gem is not None or self._load_path.root_of(path) is not None
        for reference in dict.fromkeys(references(text)):
            yield from self._reference(path, reference, is_library=is_library)
        if is_library and loads_by_name(text):
            yield from self._whole_unit(path, gem)

    def _reference(
        self, path: ImagePath, reference: Reference, *, is_library: bool
    ) -> Iterator[Finding]:
        if is_library and self._is_for_development(reference.path, path):
            return
        detail = f"{'loads what begins with ' if reference.prefix else 'loads '}{reference.path}"
        if reference.base is Base.FILE:
            yield from self._beside(path, reference, detail)
        elif reference.path.startswith("/"):
            yield from self.wants((reference.path,), path, detail)
        elif not reference.prefix:
            yield from self.wants(self._load_path.find(reference.path), path, detail)
        elif is_library or "/" in reference.path:
            for directory in self._load_path.directories(reference.path):
                yield from self._beginning(path, directory, reference.path, detail)

    def _is_for_development(self, feature: str, path: ImagePath) -> bool:
        """Whether a feature is of a developer's tool, and the file that asks for it is not."""
        tool = feature.partition("/")[0].partition(".")[0]
        if tool not in FOR_DEVELOPMENT:
            return False
        gem = self._load_path.gem_of(path)
        root = gem.library if gem is not None else self._load_path.root_of(path)
        inside = path.removeprefix(f"{root}/").partition("/")[0].removesuffix(".rb")
        return inside != tool and (gem is None or gem.name != tool)

    def _extension(self, path: ImagePath) -> Iterator[Finding]:
        """Features that compiled code requires (rb_require)."""
        if not self._load_path.is_library(path):
            return
        try:
            data = self.scene.contents.read(path, LARGEST_SOURCE)
        except FileNotFoundError:
            return
        for feature in sorted(required_by_binary(data)):
            if feature.partition("/")[0] not in FOR_DEVELOPMENT:
                yield from self.wants(self._load_path.find(feature), path, f"requires {feature}")

    def _beside(self, path: ImagePath, reference: Reference, detail: str) -> Iterator[Finding]:
        target = beside(parent(path), reference.path)
        if reference.prefix:
            directory = target if reference.path.endswith("/") else parent(ImagePath(target))
            yield from self._beginning(path, directory, reference.path, detail)
            return
        for candidate in (target, f"{target}.rb", f"{target}.so"):
            if is_file(self.scene, candidate):
                yield from self.wants((candidate,), path, detail)
                return
        if is_directory(self.scene, target) and not path.startswith(f"{target}/"):
            for entry in files_below(self.scene, target, most_bytes=LARGEST_DATA):
                yield Want(entry.path, Reason(self.rule, path, detail))

    def _beginning(
        self, path: ImagePath, directory: str, prefix: str, detail: str
    ) -> Iterator[Finding]:
        start = prefix.rpartition("/")[2]
        deep = not path.startswith(f"{directory}/")
        for entry in files_below(self.scene, directory, most_bytes=LARGEST_DATA, deep=deep):
            if entry.path.removeprefix(f"{directory}/").startswith(start):
                yield Want(entry.path, Reason(self.rule, path, detail))

    def _gem(self, gem: Gem, by: ImagePath) -> Iterator[Finding]:
        """What a gem needs besides its code: specification, compiled parts, data."""
        detail = f"of the gem {gem.name}"
        yield from self.wants(self._load_path.specifications(gem.name), by, f"gemspec {detail}")
        for directory in self._load_path.extensions(gem):
            for entry in files_below(self.scene, directory, skip=_is_left_over):
                yield Want(entry.path, Reason(self.rule, by, f"compiled part {detail}"))
        for entry in files_below(self.scene, gem.library, most_bytes=LARGEST_DATA):
            if not entry.path.endswith(".rb") and not _is_left_over(entry):
                yield Want(entry.path, Reason(self.rule, by, f"data {detail}"))
        for base in DATA:
            place = f"{gem.directory}/{base}"
            for entry in files_below(self.scene, place, most_bytes=LARGEST_DATA):
                yield Want(entry.path, Reason(self.rule, by, f"data {detail}"))
        yield from self.wants((f"{gem.directory}/VERSION",), by, f"version {detail}")
        if gem.name.endswith(_WHOLE):
            yield from self._whole_unit(by, gem)

    def _specification(self, path: ImagePath, text: str) -> Iterator[Finding]:
        """A gem is only activated if those that it needs have specifications."""
        if "/specifications/" not in path:
            return
        for needed in sorted(dependencies(text)):
            found = self._load_path.specifications(needed)
            yield from self.wants(found, path, f"gem dependency {needed}")

    def _whole_unit(self, path: ImagePath, gem: Gem | None) -> Iterator[Finding]:
        """All code of the gem, or what shares the first part of a feature's name with this."""
        unit = gem.library if gem is not None else self._unit(path)
        if not unit or unit in self._seen or not is_directory(self.scene, unit):
            return
        self._seen.add(unit)
        reason = Reason(self.rule, path, "loads code by computed names")
        for entry in files_below(self.scene, unit, skip=_is_no_code):
            yield Want(entry.path, reason)

    def _unit(self, path: ImagePath) -> str:
        """The directory of a library that is no gem; the standard library is not one unit."""
        root = self._load_path.root_of(path)
        if root is None or name(root)[:1].isdigit():
            return ""
        return f"{root}/{path.removeprefix(f'{root}/').partition('/')[0]}"


def _is_left_over(entry: Entry) -> bool:
    return is_unneeded(entry) or _LEFT_OVER.fullmatch(name(entry.path)) is not None


def _is_no_code(entry: Entry) -> bool:
    if entry.type is FileType.DIRECTORY:
        return name(entry.path) in ("generators",) or is_unneeded(entry)
    return not entry.path.endswith((".rb", ".so"))
