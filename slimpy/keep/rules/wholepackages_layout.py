"""Where packages put what: tools, documentation, libraries of languages."""

from __future__ import annotations

import re
from collections.abc import Iterator

from slimpy.image.tree import name, parent
from slimpy.keep.scene import Scene, is_within
from slimpy.keep.standins import SECRETS
from slimpy.model import FileType, ImagePath

_ASIDE = re.compile(
    r"/(?:usr/)?(?:local/)?(?:share/(?:doc|doc-base|man|info|locale|lintian|bug|help|gtk-doc"
    r"|bash-completion|zsh|fish|aclocal|pkgconfig|cmake|gdb|devhelp|reportbug|examples|i18n|gcc)|include"
    r"|src|lib/(?:debug|pkgconfig|cmake)|lib/[\w-]+-linux-[\w-]+/(?:pkgconfig|cmake))/"
    r"|/(?:usr/)?share/[\w.+-]+/(?:[\d.]+/)?(?:man|doc|docs|examples|locale)/"
    r"|/usr/lib/[\w.+-]+/(?:[\d.]+/)?(?:man|doc|docs|examples)/"
    r"|/var/(?:lib/dpkg|lib/apt|cache/apt|log)/|/lib/apk/db/"
)
ASIDE = (
    ".a",
    ".la",
    ".pc",
    ".pyi",
    ".pyo",
    ".js.map",
    ".mjs.map",
    ".css.map",
    ".d.ts",
    ".o",
    ".gir",
)
"""Suffixes of files that nothing reads when programs run."""

_TOOLS = re.compile(r"(?:/usr|/usr/local)?/s?bin")

_STDLIB = {
    "the standard library of Python": re.compile(
        r"(/.*/(?:python|pypy)3?\.\d+)/(?!(?:site|dist)-)"
    ),
    "the standard library of Perl": re.compile(
        r"(/usr/(?:local/)?(?:lib|share)/(?:[\w-]+-linux-[\w-]+/)?perl(?:5|-base)?"
        r"(?:/\d[\d.]*)?)/"
    ),
    "the standard library of Ruby": re.compile(r"(/.*/lib/ruby/\d[\d.]*)/"),
}
_LEFT_OUT = frozenset(
    {
        *("test", "tests", "idlelib", "tkinter", "turtledemo", "ensurepip", "lib2to3"),
        *("__pycache__", "site-packages", "dist-packages", "site_perl", "pod", "ri", "doc"),
        *("docs", "gems", "testing"),
    }
)
_LEFT_OUT_OF_LIBRARIES = frozenset(
    {
        "test",
        "tests",
        "__pycache__",
        "docs",
        "doc",
        "examples",
        "example",
        ".github",
        "node_modules",
    }
    | {"benchmark", "benchmarks", "spec", "features"}
)

_SITE = re.compile(r"(/.*/(?:site|dist)-packages)/([^/]+)")
_GEM = re.compile(r"(/(?:.*/)?gems/[\w.-]+-\d[\w.]*)/")
_NODE = re.compile(r"(/(?:.*/)?node_modules/(?:@[^/]+/)?[^/@.][^/]*)/")


def is_tool_directory(path: ImagePath) -> bool:
    """Whether PATH usually leads here."""
    return _TOOLS.fullmatch(path) is not None


def is_aside(path: ImagePath) -> bool:
    """Whether a file of a package is there for people, for builds or for the package manager."""
    if path.endswith(ASIDE) or parent(path) in SECRETS:
        return True
    return _ASIDE.match(path) is not None


def is_left_out(path: ImagePath, root: ImagePath, what: str) -> bool:
    """Whether a directory of a library is not kept with it."""
    base = name(path)
    if what.startswith("the standard library"):
        is_config = base.startswith("config-") and parent(path) == root
        return base in _LEFT_OUT or is_config
    return base in _LEFT_OUT_OF_LIBRARIES


def libraries(path: ImagePath, scene: Scene) -> Iterator[tuple[ImagePath, str]]:
    """Directories that belong to the library which a used file is of, each with what it is."""
    node = _NODE.match(path)
    if node:
        yield ImagePath(node[1]), "a Node package"
        return
    gem = _GEM.match(path)
    if gem:
        yield ImagePath(gem[1]), "a Ruby gem"
        return
    site = _SITE.match(path)
    if site:
        yield from _distribution(ImagePath(site[1]), site[2], scene)
        return
    for what, pattern in _STDLIB.items():
        match = pattern.match(path)
        entry = scene.tree.get(match[1]) if match else None
        if entry is not None and entry.type is FileType.DIRECTORY:
            yield entry.path, what


def _distribution(site: ImagePath, first: str, scene: Scene) -> Iterator[tuple[ImagePath, str]]:
    """What one installed Python distribution has in site-packages, as its RECORD says."""
    what = "a Python distribution"
    if is_within(first, "__pycache__"):
        return
    metadata = _metadata(site, first, scene)
    if metadata is None:
        yield ImagePath(f"{site}/{first}"), what
        return
    yield metadata, what
    for top in sorted(_tops(scene.text(f"{metadata}/RECORD"))):
        if scene.tree.get(f"{site}/{top}") is not None:
            yield ImagePath(f"{site}/{top}"), what


def _metadata(site: ImagePath, first: str, scene: Scene) -> ImagePath | None:
    """The ``.dist-info`` directory of the distribution that has ``first`` in site-packages."""
    if first.endswith(".dist-info"):
        return ImagePath(f"{site}/{first}")
    for entry in scene.tree.children(site):
        if entry.path.endswith(".dist-info") and first in _tops(scene.text(f"{entry.path}/RECORD")):
            return entry.path
    return None


def _tops(record: str) -> frozenset[str]:
    """First components of the paths in a RECORD (PEP 376), those outside left out."""
    found = set()
    for line in record.splitlines()[:20_000]:
        first = line.strip('"').partition("/")[0].partition(",")[0]
        if first and first != ".." and first != "__pycache__":
            found.add(first)
    return frozenset(found)
