"""Whom USER means, by the tables of the image alone (OCI image specification, ``User``)."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass

_LIMIT = 1 << 20


@dataclass(frozen=True)
class Identity:
    """The ids of a process, and the home directory of its user."""

    uid: int
    gid: int
    groups: tuple[int, ...]
    home: str


class UnknownUserError(Exception):
    """The image's tables do not know a name."""


def identify(user: str) -> Identity:
    """The identity behind ``uid``, ``name``, ``uid:gid``, ``name:group`` and their mixtures.

    Raises:
        UnknownUserError: a name is in neither table.
    """
    name, _, group = user.partition(":")
    name = name or "0"
    row = next((row for row in _rows("/etc/passwd", 4) if name in (row[0], row[2])), None)
    if row is None and not name.isdigit():
        message = f"unable to find user {name}: no matching entries in passwd file"
        raise UnknownUserError(message)
    uid = int(row[2]) if row else int(name)
    gid = int(row[3]) if row and row[3].isdigit() else 0
    home = row[5] if row and len(row) > 5 and row[5] else "/"
    if group:
        gid = _group(group)
        return Identity(uid, gid, (gid,), home)
    member = row[0] if row else ""
    more = {
        int(line[2])
        for line in _rows("/etc/group", 4)
        if member and member in line[3].split(",") and line[2].isdigit()
    }
    return Identity(uid, gid, (gid, *sorted(more - {gid})), home)


def _group(name: str) -> int:
    row = next((row for row in _rows("/etc/group", 3) if name in (row[0], row[2])), None)
    if row is None and not name.isdigit():
        message = f"unable to find group {name}: no matching entries in group file"
        raise UnknownUserError(message)
    return int(row[2]) if row else int(name)


def _rows(path: str, fields: int) -> Iterator[list[str]]:
    """Lines of a table of the image; nothing where it is no regular file."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return
    try:
        regular = stat.S_ISREG(os.fstat(file).st_mode)
        text = os.read(file, _LIMIT).decode("utf-8", "replace") if regular else ""
    finally:
        os.close(file)
    for line in text.splitlines():
        row = line.split(":")
        if len(row) >= fields and row[2].isdigit() and len(row[2]) <= 10:
            yield row
