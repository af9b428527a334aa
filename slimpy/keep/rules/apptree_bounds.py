"""How much of an app's directory is kept: all of it, or what most likely matters, by kind."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable
from dataclasses import dataclass

from slimpy.image.tree import name
from slimpy.model import Entry, FileType, ImagePath

LARGE = 25_000_000
"""Bytes of untouched files that a directory in use brings along; beyond, it goes by kind.

Of 19 images with 81 lost files of the app's own, whole application directories cost 3 MB together.
"""

TOUCHED_TIMES = 2
TOUCHED_MORE = 10_000_000
"""A directory of which a lot was used brings along twice that and this many bytes."""

SMALL = 1_000_000
"""The same for a directory that nothing used."""

_SMALL_TEXT = 1_000_000
_SMALL_FILE = 256_000
_CODE = re.compile(
    r".*\.(py|pyc|rb|js|cjs|mjs|jsx|ts|tsx|php|phtml|pl|pm|t?cl|lua|sh|bash|r|ex|exs|beam|class"
    r"|jar|war|dll|so(\.[\d.]+)?|node|wasm|html?|xhtml|css|scss|less|svg|xml|xslt?|dtd|rng|json5?"
    r"|ya?ml|toml|ini|cfg|conf|properties|env|txt|md|rst|csv|tsv|sql|graphql|proto|po|mo|pot|ftl"
    r"|j2|jinja2?|tmpl|tpl|template|twig|ejs|erb|haml|slim|hbs|mustache|pug|jade|vue|liquid|mako"
    r"|cshtml|gohtml|gotmpl|latte|blade|ico|gif|png|jpe?g|webp|woff2?|ttf|otf|eot|webmanifest)",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Choice:
    """What of a directory's untouched entries is kept, and what is not."""

    kept: tuple[Entry, ...]
    left: tuple[Entry, ...]

    @property
    def bytes_left(self) -> int:
        """Bytes of the files that are not kept."""
        return sum(entry.size for entry in self.left)


def bound(touched: int) -> int:
    """How many untouched bytes go with so many touched ones; few where none were touched."""
    return max(LARGE, TOUCHED_TIMES * touched + TOUCHED_MORE) if touched else SMALL


def choose(entries: Iterable[Entry], touched: Container[ImagePath], limit: int) -> Choice:
    """As many of the entries as fit: code, templates and small text first, then by size.

    Touched ones are kept for that and weigh nothing here. A larger limit keeps all that a smaller
    one does.
    """
    ordered = sorted(entries, key=_rank)
    kept: list[Entry] = []
    total = 0
    for count, entry in enumerate(ordered):
        if entry.type is FileType.FILE and entry.path not in touched:
            total += entry.size
        if total > limit:
            # Nothing after the first that does not fit: else a larger limit could keep less.
            rest = ordered[count:]
            left = [item for item in rest if item.path not in touched]
            return Choice(tuple(kept), tuple(sorted(left, key=lambda item: item.path)))
        kept.append(entry)
    return Choice(tuple(kept), ())


def _rank(entry: Entry) -> tuple[int, int, ImagePath]:
    if entry.type is not FileType.FILE:
        return 0, 0, entry.path
    if entry.size <= _SMALL_TEXT and _CODE.fullmatch(name(entry.path)):
        return 1, entry.size, entry.path
    return (2 if entry.size <= _SMALL_FILE else 3), entry.size, entry.path
