"""Finds in Perl text the modules that it uses, requires or names.

Only perl can parse Perl; keywords and names are matched. What is found still has to exist in the
image.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_POD = re.compile(r"^=[a-zA-Z][^\n]*\n.*?(?:^=cut\b[^\n]*$|\Z)", re.MULTILINE | re.DOTALL)
_END = re.compile(r"^__(?:END|DATA)__\s*$", re.MULTILINE)
_COMMENT = re.compile(r"^[ \t]{0,200}#[^\n]*$", re.MULTILINE)

_MODULE = r"[A-Za-z_]\w{0,100}(?:::\w{1,100}){0,12}"
_USE = re.compile(rf"\b(?:use|no)[ \t\n]{{1,40}}({_MODULE})")
_REQUIRE = re.compile(rf"\brequire[ \t\n]{{1,40}}({_MODULE})")
_BASE = re.compile(
    r"\b(?:use[ \t]{1,8}(?:parent|base|aliased|mixin|fields|if|autouse|only)|extends|with"
    r"|load_class|use_module|require_module|load_plugins?|load_components|plugin)\b"
    r"([^;\n]{0,400})"
)
_WORD = re.compile(_MODULE)
_FILE = re.compile(
    r"\b(?:require|do)[ \t]{0,8}\(?[ \t]{0,8}['\"]([\w./-]{1,200}\.(?:pl|pm|ph|al))['\"]"
)
_NAME = re.compile(r"(?<![\w:$@%&*])([A-Z]\w{0,100}(?:::\w{1,100}){1,12})(?P<open>::)?")
_SINGLE = re.compile(r"(?<![\w:$@%&*>'-])([A-Z]\w{0,100})->")
_PREFIX = re.compile(rf"['\"]({_MODULE})::(?:['\"]|\$|\{{)")
_NAMESPACES = re.compile(rf"['\"]({_MODULE})['\"]")
_PACKAGE = re.compile(rf"^[ \t]{{0,40}}package[ \t\n]{{1,40}}({_MODULE})", re.MULTILINE)
_DSN = re.compile(r"\bdbi:(\w{1,60})\b", re.IGNORECASE)


def code(text: str) -> str:
    """The text without documentation, data and comments of whole lines."""
    end = _END.search(text)
    if end is not None:
        text = text[: end.start()]
    return _COMMENT.sub("", _POD.sub("", text))


def needed(text: str) -> frozenset[str]:
    """Modules without which code (see `code`) does not compile, and base classes."""
    found = set(_USE.findall(text))
    for arguments in _BASE.findall(text):
        found.update(_WORD.findall(arguments))
    return frozenset(found)


def named(text: str) -> frozenset[str]:
    """Modules that code requires later, or names as a class or a database driver."""
    found = set(_REQUIRE.findall(text))
    found.update(match[1] for match in _NAME.finditer(text))
    found.update(_SINGLE.findall(text))
    found.update(f"DBD::{driver}" for driver in _DSN.findall(text))
    return frozenset(found)


def files(text: str) -> frozenset[str]:
    """Files that are required by a literal."""
    return frozenset(_FILE.findall(text))


def prefixes(text: str) -> Iterator[str]:
    """Names below which modules are loaded by name, such as ``DBD`` of ``"DBD::$name"``."""
    yield from dict.fromkeys(_PREFIX.findall(text))


def namespaces(text: str) -> frozenset[str]:
    """Quoted names with several parts: they may be where plugins are looked for."""
    return frozenset(name for name in _NAMESPACES.findall(text) if "::" in name)


def packages(text: str) -> frozenset[str]:
    """The packages that a file declares."""
    return frozenset(_PACKAGE.findall(text))
