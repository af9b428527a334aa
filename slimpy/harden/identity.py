"""What a USER line means: names looked up in the image's passwd and group, as a runtime does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from slimpy.model import decoded

MAXIMUM_ID = 2**31 - 1
"""The largest uid or gid that container runtimes accept."""

_MAXIMUM_LINES = 20_000


@dataclass(frozen=True, slots=True)
class Identity:
    """A uid with its primary gid."""

    uid: int
    gid: int


def identify(user: str, *, passwd: bytes, group: bytes) -> Identity | None:
    """The identity behind ``uid``, ``name``, ``uid:gid``, ``name:group`` and their mixtures.

    None where a name is in neither file, so that no runtime could start the image. A number that
    passwd does not know has gid 0 (OCI image-spec, config.md, "User"; Dockerfile reference, USER).
    """
    name, _, group_name = user.partition(":")
    if not name:
        name = "0"
    found = _find(name, passwd)
    uid = found[0] if found else _number(name)
    if uid is None:
        return None
    if not group_name:
        return Identity(uid, found[1] if found else 0)
    found_group = _find(group_name, group)
    gid = found_group[0] if found_group else _number(group_name)
    return None if gid is None else Identity(uid, gid)


def home_of(user: str, *, passwd: bytes) -> str:
    """The home directory of USER, by name or number; the root where the table does not tell."""
    wanted = user.partition(":")[0] or "0"
    for line in passwd.splitlines()[:_MAXIMUM_LINES]:
        fields = decoded(line).split(":")
        if len(fields) >= 6 and wanted in (fields[0], fields[2]) and fields[5].startswith("/"):
            return fields[5]
    return "/"


def _find(wanted: str, table: bytes) -> tuple[int, int] | None:
    """The first row of that name or number: its third field, and its fourth (0 where none)."""
    for name, first, second in _rows(table):
        if name == wanted or wanted == str(first):
            return first, second
    return None


def _rows(table: bytes) -> Iterator[tuple[str, int, int]]:
    for line in table.splitlines()[:_MAXIMUM_LINES]:
        fields = decoded(line).split(":")
        if len(fields) < 3:
            continue
        number = _number(fields[2])
        if number is not None:
            yield fields[0], number, (_number(fields[3]) if len(fields) > 3 else None) or 0


def _number(text: str) -> int | None:
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        return None
    return int(text) if int(text) <= MAXIMUM_ID else None
