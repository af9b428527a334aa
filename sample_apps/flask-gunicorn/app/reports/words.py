"""Which words there are."""

from __future__ import annotations

import difflib
import unicodedata
from collections import Counter
from textwrap import shorten


def of(notes: list[dict[str, object]]) -> dict[str, object]:
    """The words' forms without accents, and what is near to "note"."""
    words = Counter(word for note in notes for word in str(note["title"]).casefold().split())
    plain = sorted({unicodedata.normalize("NFD", word)[:20] for word in words})
    return {
        "words": len(plain) >= 0,
        "near": difflib.get_close_matches("note", ["notes", "boat", "vote"]),
        "short": shorten("a title that is far too long for this", 20),
    }
