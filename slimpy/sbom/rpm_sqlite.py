"""rpm's database in SQLite: the headers in it, and a smaller one with some of them.

The layout is that of lib/backend/sqlite.c of rpm: ``Packages`` has one header for each package, by
number; every other table is an index, of values in the headers to these numbers.

The file comes out of an image, so it may lie in every way that SQLite's format allows. It is opened
in memory; nothing but plain rows of plain tables is read (no view, no function, no trigger); steps,
lengths and sums are bounded. Nothing of its schema is taken over into the smaller one.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

MOST_PACKAGES = 50_000
LARGEST_BLOB = 32 << 20
MOST_INDEXES = 64

_STEPS, _MOST_STEPS = 10_000, 20_000
_LEAST_ROW = 4
"""Bytes that a row takes in a file beside its values, at the very least."""

_LIMITS = (
    (sqlite3.SQLITE_LIMIT_LENGTH, LARGEST_BLOB),
    (sqlite3.SQLITE_LIMIT_COLUMN, 64),
    (sqlite3.SQLITE_LIMIT_EXPR_DEPTH, 32),
    (sqlite3.SQLITE_LIMIT_COMPOUND_SELECT, 2),
    (sqlite3.SQLITE_LIMIT_ATTACHED, 0),
    (sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH, 1),
)
_READING = ("trusted_schema = OFF", "query_only = ON", "cell_size_check = ON")
_WRITING = ("page_size = 4096", "encoding = 'UTF-8'", "auto_vacuum = NONE")

_PACKAGES, _NAME = "Packages", "Name"
_PLAIN_NAME = re.compile(rb"[A-Za-z][A-Za-z0-9]{0,63}")
_COLUMNS = [b"key", b"hnum", b"idx"]
_ONE_EACH = frozenset((_NAME, "Group", "Sha1header"))
"""Values of which a header has one, so that rpm does not look for them by the header's number."""

_COUNTERS = (1).to_bytes(4, "big")
_WRITER = (3_007_000).to_bytes(4, "big")


@dataclass(frozen=True, slots=True)
class _Index:
    """A table of values: (value, number of the header, position in the header)."""

    name: str
    binary: bool
    rows: tuple[tuple[bytes, int, int], ...]


def headers(data: bytes) -> tuple[bytes, ...]:
    """The header of every package, by their numbers.

    Raises:
        ValueError: the file is damaged, too large, or no database of rpm.
    """
    with _opened(data) as reader:
        return tuple(blob for _, blob in reader.headers())


def reduced(data: bytes, wanted: Callable[[bytes], bool]) -> bytes:
    """A new database with the wanted headers only; the same bytes for the same input.

    A header is taken over as it is or not at all: its own digests, and the signature of who built
    the package, cover it, so the list of files in it stays that of the whole package.

    Raises:
        ValueError: the file is damaged, too large, or no database of rpm.
    """
    with _opened(data) as reader:
        kept = [(number, blob) for number, blob in reader.headers() if wanted(blob)]
        indexes = reader.indexes(frozenset(number for number, _ in kept))
        return _written(kept, indexes)


@contextmanager
def _opened(data: bytes) -> Iterator[_Reader]:
    try:
        with closing(sqlite3.connect(":memory:")) as connection:
            # WAL mode asks for a second file, which a copy in memory cannot have.
            wal = data[18:20] == b"\x02\x02"
            connection.deserialize(data[:18] + b"\x01\x01" + data[20:] if wal else data)
            yield _Reader(connection, len(data))
    except (sqlite3.Error, MemoryError, OverflowError) as error:
        raise ValueError(str(error)) from error


class _Reader:
    def __init__(self, connection: sqlite3.Connection, size: int) -> None:
        self._connection = connection
        self._bytes_left = size  # plain rows cannot hold more than the file does
        self._steps_left = _MOST_STEPS
        connection.text_factory = bytes
        connection.set_progress_handler(self._is_enough, _STEPS)
        for what, limit in _LIMITS:
            connection.setlimit(what, limit)
        for setting in _READING:
            connection.execute(f"PRAGMA {setting}")
        connection.set_authorizer(_allowed)

    def headers(self) -> list[tuple[int, bytes]]:
        """Numbers and headers, sorted."""
        found = []
        for number, blob in self._rows(f"SELECT t.hnum, t.blob FROM {_PACKAGES} AS t"):
            if not isinstance(number, int) or not isinstance(blob, bytes):
                message = "a package has no header"
                raise ValueError(message)
            found.append((number, blob))
            if len(found) > MOST_PACKAGES:
                message = "there are too many packages"
                raise ValueError(message)
        return sorted(found)

    def indexes(self, numbers: frozenset[int]) -> list[_Index]:
        """All indexes, with the rows of these headers; sorted."""
        tables = self._rows("SELECT t.name FROM sqlite_master AS t WHERE t.type = 'table'")
        names = sorted(
            name.decode("ascii")
            for (name,) in tables
            if isinstance(name, bytes) and _PLAIN_NAME.fullmatch(name)
        )
        if len(names) > MOST_INDEXES:
            message = "there are too many tables"
            raise ValueError(message)
        found = [self._index(name, numbers) for name in names if self._is_index(name)]
        if not any(index.name == _NAME for index in found):
            message = "packages cannot be found by their names"
            raise ValueError(message)
        return found

    def _is_index(self, name: str) -> bool:
        return name != _PACKAGES and [column for column, _ in self._columns(name)] == _COLUMNS

    def _columns(self, name: str) -> list[tuple[object, object]]:
        told = self._rows(f'PRAGMA table_info("{name}")')
        return [(column, kind) for _, column, kind, *_ in told]

    def _index(self, name: str, numbers: frozenset[int]) -> _Index:
        _, kind = self._columns(name)[0]
        found = []
        for key, number, place in self._rows(f'SELECT t.key, t.hnum, t.idx FROM "{name}" AS t'):
            if not (isinstance(key, bytes) and isinstance(number, int) and isinstance(place, int)):
                message = "an index has other values than an index has"
                raise ValueError(message)
            if number in numbers:
                found.append((key, number, place))
        found.sort(key=lambda row: (row[1], row[2], row[0]))
        return _Index(name, kind == b"BLOB", tuple(found))

    def _rows(self, query: str) -> Iterator[tuple[object, ...]]:
        for row in self._connection.execute(query):
            values = (len(value) for value in row if isinstance(value, bytes))
            self._bytes_left -= _LEAST_ROW + sum(values)
            if self._bytes_left < 0:
                message = "there is more in the tables than in the file"
                raise ValueError(message)
            yield row

    def _is_enough(self) -> bool:
        self._steps_left -= 1
        return self._steps_left < 0


def _allowed(
    action: int, subject: str | None, _1: str | None, _2: str | None, inner: str | None
) -> int:
    """What statements may do: read columns of tables, and ask which columns those are.

    ``inner`` is the view or trigger that asks.
    """
    plain = action in (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ)
    asks = action == sqlite3.SQLITE_PRAGMA and subject == "table_info"
    return sqlite3.SQLITE_OK if (plain or asks) and inner is None else sqlite3.SQLITE_DENY


def _written(packages: list[tuple[int, bytes]], indexes: list[_Index]) -> bytes:
    """A database without history: in one go, in the order of its values."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        for setting in _WRITING:
            connection.execute(f"PRAGMA {setting}")
        connection.execute("BEGIN")
        connection.execute(
            f"CREATE TABLE {_PACKAGES} (hnum INTEGER PRIMARY KEY AUTOINCREMENT, blob BLOB NOT NULL)"
        )
        connection.executemany(f"INSERT INTO {_PACKAGES} VALUES (?, ?)", packages)
        for index in indexes:
            _write_index(connection, index)
        connection.execute("COMMIT")
        return _undated(connection.serialize())


def _write_index(connection: sqlite3.Connection, index: _Index) -> None:
    kind = "BLOB" if index.binary else "TEXT"
    connection.execute(
        f'CREATE TABLE "{index.name}" (key {kind} NOT NULL, hnum INTEGER NOT NULL, '
        f"idx INTEGER NOT NULL, FOREIGN KEY (hnum) REFERENCES {_PACKAGES}(hnum))"
    )
    # Names of files need not be UTF-8: their bytes go in as they are.
    connection.executemany(
        f'INSERT INTO "{index.name}" VALUES (CAST(? AS {kind}), ?, ?)', index.rows
    )
    if index.binary:
        return
    sought = ("key",) if index.name in _ONE_EACH else ("key", "hnum")
    for column in sought:
        connection.execute(
            f'CREATE INDEX "{index.name}_{column}_idx" ON "{index.name}"({column} ASC)'
        )


def _undated(data: bytes) -> bytes:
    """The file without its counter of changes and the version of the library that wrote it
    (database header, bytes 24 and 92 to 99, sqlite.org/fileformat2.html).
    """
    return data[:24] + _COUNTERS + data[28:92] + _COUNTERS + _WRITER + data[100:]
