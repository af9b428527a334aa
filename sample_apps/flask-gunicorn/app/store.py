"""Notes in SQLite."""

from __future__ import annotations

import sqlite3

from flask import current_app, g


def prepare(path: str) -> None:
    """Make the table; all workers may do it at the same time."""
    connection = sqlite3.connect(path, timeout=10)
    with connection:
        connection.execute(
            "CREATE TABLE IF NOT EXISTS note (id INTEGER PRIMARY KEY, title TEXT, body TEXT)"
        )
    connection.close()


def connect() -> sqlite3.Connection:
    """This request's connection."""
    if "connection" not in g:
        g.connection = sqlite3.connect(current_app.config["DATABASE"], timeout=10)
        g.connection.row_factory = sqlite3.Row
    return g.connection


def close(_error: BaseException | None = None) -> None:
    """End of the request."""
    connection = g.pop("connection", None)
    if connection is not None:
        connection.close()


def add(title: str, body: str) -> int:
    """A new note's number."""
    with connect() as connection:
        return int(
            connection.execute(
                "INSERT INTO note (title, body) VALUES (?, ?)", (title, body)
            ).lastrowid
            or 0
        )


def notes() -> list[dict[str, object]]:
    """All notes, oldest first."""
    return [dict(row) for row in connect().execute("SELECT id, title, body FROM note ORDER BY id")]


def note(number: int) -> dict[str, object] | None:
    """One note."""
    row = connect().execute("SELECT id, title, body FROM note WHERE id = ?", (number,)).fetchone()
    return dict(row) if row else None
