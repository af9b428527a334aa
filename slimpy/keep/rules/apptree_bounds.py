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

_TEXT = 1  # the rank of code and small text
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
    """As much of the entries as fits: code, templates and small text first, the smaller ones before
    the larger; then other small files, if all of them fit; then large ones, if all of them fit.

    Some files of a set of data are worth little without the others. Touched ones are kept for that
    and weigh nothing here. A larger limit keeps all that a smaller one does.
    """
    ranks: dict[int, list[Entry]] = {}
    for entry in sorted(entries, key=_rank):
        ranks.setdefault(_rank(entry)[0], []).append(entry)
    kept: list[Entry] = []
    total = 0
    for rank, members in ranks.items():
        count, total = _fitting(members, touched, total, limit)
        if count < len(members) and rank > _TEXT:
            count = 0
        kept += members[:count]
        if count < len(members):
            # Nothing after the first that does not fit: else a larger limit could keep less.
            break
    chosen = {entry.path for entry in kept}
    rest = [item for group in ranks.values() for item in group if item.path not in chosen]
    left = [item for item in rest if item.path not in touched]
    return Choice(tuple(kept), tuple(sorted(left, key=lambda item: item.path)))


def _fitting(
    members: Iterable[Entry], touched: Container[ImagePath], total: int, limit: int
) -> tuple[int, int]:
    """How many of the first members fit, and the bytes kept with them."""
    count = 0
    for entry in members:
        size = 0 if entry.type is not FileType.FILE or entry.path in touched else entry.size
        if total + size > limit:
            break
        total += size
        count += 1
    return count, total


def _rank(entry: Entry) -> tuple[int, int, ImagePath]:
    if entry.type is not FileType.FILE:
        return 0, 0, entry.path
    if entry.size <= _SMALL_TEXT and _CODE.fullmatch(name(entry.path)):
        return _TEXT, entry.size, entry.path
    return (2 if entry.size <= _SMALL_FILE else 3), entry.size, entry.path
