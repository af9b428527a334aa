"""What one Python source file imports and names, read by its words and not by its grammar.

The grammar differs from one Python to the next, and the image's is rarely ours: ``ast`` refuses
both ``print x`` and what came after us, and takes twenty times longer. Imports are simple enough.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

LONGEST_SOURCE = 1 << 20
"""How much of one source file is read, in bytes; larger ones are tables."""

TABLE = 64 << 10
"""How much is read, in bytes, of a file that is a table of constants ..."""

CODE_PER_FUNCTION = 20 << 10
"""... which is one with more bytes than this for each function in it."""

MOST_IMPORTS = 4096
"""Import statements, and names in one of them, that are taken from one file."""

LONGEST_STRING = 120
"""Characters of a string constant, with its quotes, that can be a name."""

MOST_STRINGS = 20_000
"""String constants that are taken from one file."""

_TOKEN = re.compile(
    # Every branch starts with a plain character: that lets the engine leap to the next candidate.
    r"""
    ( \#[^\n]*+
    | \"""[^"\\]*+ (?: (?: \\. | "(?!"") ) [^"\\]*+ )* (?: \""" | \\?\Z )
    | \'\'\'[^'\\]*+ (?: (?: \\. | '(?!'') ) [^'\\]*+ )* (?: \'\'\' | \\?\Z )
    | \"[^"\\\n]*+ (?: \\. [^"\\\n]*+ )* "?
    | \'[^'\\\n]*+ (?: \\. [^'\\\n]*+ )* '?
    )""",
    re.VERBOSE | re.DOTALL,
)
_LONG = ('"' * 3, "'" * 3)
_PLAIN = re.compile(r"[\w.:/%{}()+@*\-]++", re.ASCII)
_STATEMENT = re.compile(
    r"""[ \t\f]*+ (?:
      from [ \t]++
        (?P<module> [. \t]*+ (?: (?!import\b) \w++ (?: [ \t]*+ \. [ \t]*+ \w++ )* )? )
        [ \t]*+ import (?!\w) [ \t]*+
        (?: \( (?P<inside> [^()]{0,65536} ) \) | (?P<names> [^\n;]*+ ) )
    | import [ \t]++ (?P<modules> [^\n;]*+ )
    )""",
    re.VERBOSE,
)
_MARK = re.compile("[:;]")
_NAME = re.compile(r"[^\W\d]\w*+(?:\.[^\W\d]\w*+)*")
_GUARD = re.compile(r"^[ \t]*+if\b(?=[^\n]*(?:\bTYPE_CHECKING|__name__[ \t]*==))", re.MULTILINE)
_TYPING = re.compile(r"if[ \t(]+(?:\w+\.)*TYPE_CHECKING\b")
_MAIN = re.compile(r"if[ \t(]+__name__[ \t]*==")
_LOADERS = (
    "import_module",
    "__import__",
    "iter_modules",
    "walk_packages",
    "spec_from_file_location",
)
_CALL = re.compile(
    r"(?:import_module|__import__|iter_modules|walk_packages)[ \t]*\((.{0,240})", re.DOTALL
)
_NAMED = re.compile(r"""mport\w{0,40}\(\s{0,40}f?["'](\.{0,8}[^\W\d][\w.]{0,200})["']""")
_FOUND = re.compile(r"""find_library\(\s{0,40}["']([\w+.-]{1,80})["']""")
_LISTS = ("listdir", "glob(", "iterdir", "scandir")


@dataclass(frozen=True, slots=True)
class Import:
    """One ``import`` or ``from`` statement: ``level`` leading dots, ``names`` behind ``import``.

    ``late`` ones stand in a block, so that the module can do without: in a function, in a ``try``.
    """

    module: str
    level: int = 0
    names: tuple[str, ...] = ()
    late: bool = False


@dataclass(frozen=True, slots=True)
class Source:
    """What a source file says.

    ``strings`` are its short string constants without blanks around, docstrings left out.
    ``computes`` tells that it imports modules whose names it puts together, ``siblings`` that these
    are modules of its own package, ``lazy`` that it may load its names when they are used.
    ``libraries`` are names without ``lib`` that it has looked up (ctypes.util.find_library).
    """

    imports: tuple[Import, ...] = ()
    strings: frozenset[str] = frozenset()
    computes: bool = False
    siblings: bool = False
    lazy: bool = False
    libraries: tuple[str, ...] = ()


def read(data: bytes, *, main: bool = False) -> Source:
    """The facts of a source file (UTF-8, or anything that agrees with ASCII in keywords).

    Imports that only type checkers see are left out, and so is what a module does when it is run
    as a program, unless it is one (``main``).
    """
    data = data[:LONGEST_SOURCE]
    if len(data) > TABLE and data.count(b"def ") * CODE_PER_FUNCTION < len(data):
        data = data[:TABLE]
    text = data.decode("utf-8", "replace").replace("\r\n", "\n")
    pieces = _TOKEN.split(text)
    strings = _short(set(pieces[1::2]))
    code = "".join(pieces[::2]).replace("\\\n", " ")
    code = _without_guarded(code, main=main)
    computes = any(word in code for word in _LOADERS)
    return Source(
        (*_imports(code), *_called(text)),
        strings,
        computes,
        computes and _loads_siblings(code, strings),
        "__getattr__" in code or "__all__" in code or "lazy" in code,
        tuple(sorted(set(_FOUND.findall(text)))),
    )


def _called(text: str) -> Iterator[Import]:
    """Imports by a function with a constant: ``import_module("a.b")``, ``lazy_import("a")``."""
    for count, found in enumerate(_NAMED.finditer(text)):
        if count >= MOST_IMPORTS:
            return
        bare = found[1].lstrip(".")
        if _NAME.fullmatch(bare):
            yield Import(bare, len(found[1]) - len(bare), late=True)


def _short(tokens: Iterable[str]) -> frozenset[str]:
    """The contents of those tokens that are short strings without blanks."""
    texts = (
        token[1:-1]
        for token in tokens
        if len(token) < LONGEST_STRING and token[0] != "#" and token[:3] not in _LONG
    )
    found = frozenset(text for text in texts if _PLAIN.fullmatch(text))
    return found if len(found) <= MOST_STRINGS else frozenset(sorted(found)[:MOST_STRINGS])


def _without_guarded(code: str, *, main: bool) -> str:
    """The code without the blocks below ``if TYPE_CHECKING:`` and ``if __name__ == ...:``."""
    if "TYPE_CHECKING" not in code and "__name__" not in code:
        return code
    out, at = [], 0
    for guard in _GUARD.finditer(code):
        start = guard.end() - 2
        if start < at:
            continue
        is_guard = _TYPING.match(code, start) or (not main and _MAIN.match(code, start))
        if not is_guard:
            continue
        out.append(code[at:start])
        at = _end_of_block(code, start, start - (code.rfind("\n", 0, start) + 1))
    return "".join((*out, code[at:]))


def _end_of_block(code: str, start: int, indent: int) -> int:
    """Where the first line that is indented no deeper than ``indent`` starts."""
    at = code.find("\n", start) + 1
    while at:
        end = code.find("\n", at)
        line = code[at : end if end >= 0 else len(code)]
        bare = line.lstrip(" \t\f")
        if bare and len(line) - len(bare) <= indent and bare[0] not in ")]}":
            return at
        at = end + 1
    return len(code)


def _imports(code: str) -> Iterator[Import]:
    for count, (found, late) in enumerate(_statements(code)):
        if count >= MOST_IMPORTS:
            return
        if (modules := found["modules"]) is not None:
            for name in _names(modules):
                yield Import(name, late=late)
            continue
        module = "".join(found["module"].split())
        bare = module.lstrip(".")
        inside = found["inside"]
        names = tuple(_names(found["names"] if inside is None else inside))
        yield Import(bare, len(module) - len(bare), names, late)


def _statements(code: str) -> Iterator[tuple[re.Match[str], bool]]:
    """Import statements, and whether they stand in a block.

    They start a line, or follow a colon or semicolon in one.
    """
    at = code.find("import")
    while at >= 0:
        start = code.rfind("\n", 0, at) + 1
        end = code.find("\n", at)
        done = end = end if end >= 0 else len(code)
        starts = (start, *(start + mark.end() for mark in _MARK.finditer(code[start:end])))
        for place in starts:
            found = _STATEMENT.match(code, place)
            if found is not None:
                done = max(done, found.end())
                yield found, code[start] in " \t\f" or ":" in code[start:place]
        at = code.find("import", done)


def _names(text: str) -> Iterator[str]:
    """The names in ``a.b as c, d``; a star stands for itself."""
    for part in text.split(",", MOST_IMPORTS)[:MOST_IMPORTS]:
        words = part.split(None, 1)
        if words and (words[0] == "*" or _NAME.fullmatch(words[0])):
            yield words[0]


def _loads_siblings(code: str, strings: Iterable[str]) -> bool:
    """Whether computed imports are about the file's own package, as far as words tell."""
    if any("{__package__}." in text or "{__name__}." in text for text in strings):
        return True
    calls = (found[1] for found in _CALL.finditer(code))
    if any("__package__" in call or "__name__" in call for call in calls):
        return True
    if "__path__" in code:
        return True
    return "__file__" in code and any(word in code for word in _LISTS)
