"""The oldest book first."""

from __future__ import annotations

import calendar
from heapq import nsmallest

from app.books import Book


def order(books: list[Book]) -> list[str]:
    """Titles with the month they came out in."""
    found = nsmallest(5, books, key=lambda book: book.published)
    return [f"{book.title} ({calendar.month_name[book.published.month]})" for book in found]
