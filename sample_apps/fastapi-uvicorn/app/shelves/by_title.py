"""As in a catalogue: without the article, without accents."""

from __future__ import annotations

import unicodedata
from functools import cmp_to_key
from locale import strcoll

from app.books import Book


def order(books: list[Book]) -> list[str]:
    """Titles."""

    def plain(book: Book) -> str:
        return unicodedata.normalize("NFKD", book.title).removeprefix("The ")

    return [
        book.title
        for book in sorted(books, key=cmp_to_key(lambda a, b: strcoll(plain(a), plain(b))))
    ]
