"""Names that compiled Python code holds: extension modules, and files without their source."""

from __future__ import annotations

import re
import zlib
from collections.abc import Collection, Iterator

from slimpy.keep.rules.python_source import LONGEST_SOURCE, MOST_IMPORTS, Import, Source

LARGEST = 16 << 20
"""Bytes of one extension module that are searched."""

MOST_UNPACKED = 4 << 20
"""Bytes that one packed table of strings may hold."""

MOST_PACKED = 200
"""Places in one file that are tried as the start of a packed table."""

SHORTEST = 4
"""Characters of a module's name that is looked for in text without gaps."""

_WORD = re.compile(rb"(?<=\0)[A-Za-z_]\w{1,60}(?:\.[A-Za-z_]\w{0,60}){0,8}(?=\0)")
_PACKED = re.compile(rb"x[\x9c\xda]")
_STORED = re.compile(rb"[zZaA\xfa\xda\xe1\xc1](.)(?:\0\0\0)?([A-Za-z_][\w.]{1,80})", re.DOTALL)
_NAME = re.compile(r"[^\W\d]\w*+(?:\.[^\W\d]\w*+)*")
_TEXT = frozenset(range(32, 127)) | {9, 10, 13, 0}


def words(data: bytes) -> list[str]:
    """The constants of an extension module that can be names of modules, sorted."""
    return sorted({word.decode("ascii") for word in _WORD.findall(data)})


def neighbours(data: bytes, stems: Collection[str]) -> list[str]:
    """Those of the names that an extension module holds, sorted.

    Cython packs the names that it imports: zlib, and no gaps between them. So a name counts if its
    letters are anywhere in such a table.
    """
    plain = set(words(data))
    tables = list(_tables(data))
    return sorted(
        stem
        for stem in stems
        if stem in plain
        or (len(stem) >= SHORTEST and any(stem.encode() in table for table in tables))
    )


def read_compiled(data: bytes) -> Source:
    """What a compiled file without its source may import: any name in it that can be a module's.

    Its format belongs to one version of Python and is not safe to load, so only the short strings
    in it are looked at (a type letter, a length, the text, see marshal.c).
    """
    found: dict[str, None] = {}
    for text in _STORED.finditer(data[:LONGEST_SOURCE]):
        length = text[1][0]
        word = text[2][:length].decode("ascii", "replace")
        if len(word) == length and _NAME.fullmatch(word):
            found[word] = None
        if len(found) >= MOST_IMPORTS:
            break
    plain = (Import(word) for word in found)
    beside = (Import(word, 1) for word in found)
    return Source((*plain, *beside), frozenset(found))


def _tables(data: bytes) -> Iterator[bytes]:
    for count, start in enumerate(_PACKED.finditer(data)):
        if count >= MOST_PACKED:
            return
        at = start.start()
        if len(_unpacked(data[at : at + 512], 64)) < 64:
            continue
        table = _unpacked(data[at : at + MOST_UNPACKED], MOST_UNPACKED)
        if _TEXT.issuperset(table[:64]):
            yield table


def _unpacked(data: bytes, limit: int) -> bytes:
    try:
        return zlib.decompressobj().decompress(data, limit)
    except zlib.error:
        return b""
