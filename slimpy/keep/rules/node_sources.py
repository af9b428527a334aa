"""Finds in JavaScript text what it refers to: other modules, and files beside it.

No parser: literals are matched where they stand. A name in a comment costs a few bytes, a missed
one costs a request, so the patterns are wide, and every match still has to exist in the image.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal["require", "import"]
"""How a module is asked for; packages may give a different file to each (conditional exports)."""

_RELATIVE = re.compile(
    r"""['"`](\.{1,2}(?:/[^'"`\\\n$]{0,200})?)(?:(?P<end>['"`])\s{0,8}(?P<plus>\+)?|(?P<open>\$\{))"""
)
_BARE = re.compile(
    r"""\b(require|import|from|resolve)\b\s{0,8}\(?\s{0,8}['"`]"""
    r"""([@A-Za-z0-9#][^'"`\s\\$]{0,200})['"`]"""
)
_LITERAL = re.compile(r"""['"]((?:@[a-z0-9][\w.~-]{0,100}/)?[a-z0-9][\w.~-]{0,100})['"]""")
_COMPUTED = re.compile(r"\b(?:require|import)\(\s{0,8}[A-Za-z_$`]")
_HERE = re.compile(
    r"""(?:\b__dirname|\bimport\.meta\.dirname)\b"""
    r"""(?:\s{0,8}\}(?P<template>/[^`$\n]{1,200})(?P<open>[`$])"""
    r"""|\s{0,8}\+\s{0,8}['"`](?P<added>[^'"`\n]{1,200})['"`](?P<plus>\s{0,8}\+)?"""
    r"""|(?P<joined>(?:\s{0,8},\s{0,8}['"`][^'"`\n$]{1,200}['"`]){1,12})\s{0,8}(?P<more>[,`$])?"""
    r"""|\s{0,8}(?P<only>[,)]))"""
)
_QUOTED = re.compile(r"""['"`]([^'"`]{1,200})['"`]""")


BUILT_IN = frozenset(
    {
        *("assert", "async_hooks", "buffer", "child_process", "cluster", "console", "constants"),
        *("crypto", "dgram", "diagnostics_channel", "dns", "domain", "events", "fs", "http"),
        *("http2", "https", "inspector", "module", "net", "os", "path", "perf_hooks", "process"),
        *("punycode", "querystring", "readline", "repl", "stream", "string_decoder", "sys"),
        *("timers", "tls", "trace_events", "tty", "url", "util", "v8", "vm", "wasi"),
        *("worker_threads", "zlib", "assert/strict", "dns/promises", "fs/promises", "path/posix"),
        *("inspector/promises", "path/win32", "readline/promises", "stream/consumers"),
        *("stream/promises", "stream/web", "timers/promises", "util/types"),
    }
)
"""Modules within Node itself: packages of the same name are for browsers."""


@dataclass(frozen=True, slots=True)
class Near:
    """A path relative to the file; ``prefix`` if the code goes on with what it computes."""

    path: str
    prefix: bool


def near(text: str) -> Iterator[Near]:
    """Relative paths in literals and templates, and those built on ``__dirname``."""
    for match in _RELATIVE.finditer(text):
        prefix = bool(match["plus"] or match["open"])
        if prefix or match[1] not in (".", ".."):
            yield Near(match[1], prefix)
        else:
            yield Near(f"{match[1]}/", prefix=False)
    for match in _HERE.finditer(text):
        yield from _here(match)


def _here(match: re.Match[str]) -> Iterator[Near]:
    if match["template"]:
        yield Near(f".{match['template']}", match["open"] == "$")
    elif match["added"]:
        slash = "" if match["added"].startswith("/") else "/"
        yield Near(f".{slash}{match['added']}", bool(match["plus"]))
    elif match["joined"]:
        parts = [part.strip("/") for part in _QUOTED.findall(match["joined"])]
        more = match["more"] is not None
        yield Near("./" + "/".join(parts) + ("/" if more else ""), more)
    elif match["only"] == ",":
        yield Near("./", prefix=True)


def bare(text: str) -> Iterator[tuple[str, Kind]]:
    """Names of packages (or parts of them) that are asked for by a literal."""
    for match in _BARE.finditer(text):
        if ":" not in match[2] and match[2] not in BUILT_IN:
            yield match[2], "require" if match[1] in ("require", "resolve") else "import"


def literals(text: str) -> frozenset[str]:
    """Short literals that could be the name of a package."""
    return frozenset(_LITERAL.findall(text)) - BUILT_IN


def is_computed(text: str) -> bool:
    """Whether something is required by a name that is no literal."""
    return _COMPUTED.search(text) is not None
