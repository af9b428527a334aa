"""Gives a user and a group their lines in ``/etc/passwd`` and ``/etc/group``."""

from __future__ import annotations

from itertools import count


def ensure_account(
    passwd: bytes, group: bytes, uid: int, gid: int, *, name: str = "slim", home: str = "/"
) -> tuple[bytes, bytes]:
    """Both files with a line for ``uid`` and ``gid`` where there is none; all else stays as it is.

    A name that is taken gets a number. ``home`` is the root by default, as engines have it for a
    user without a line; one that cannot stand in such a file is the root, too.

    Raises:
        ValueError: ``name`` cannot stand in such a file.
    """
    if not name or not name.isascii() or not name.replace("-", "").replace("_", "").isalnum():
        message = f"{name!r} is no name of an account"
        raise ValueError(message)
    if not _has_id(group, gid):
        group = _with_line(group, f"{_free_name(group, name)}:x:{gid}:")
    if not _has_id(passwd, uid):
        place = home if home.isprintable() and home.isascii() and ":" not in home else "/"
        line = f"{_free_name(passwd, name)}:x:{uid}:{gid}:{name}:{place}:/sbin/nologin"
        passwd = _with_line(passwd, line)
    return passwd, group


def _has_id(data: bytes, number: int) -> bool:
    """Whether some line's third field, user or group, is this number."""
    for line in data.split(b"\n"):
        fields = line.split(b":")
        if len(fields) < 4 or not fields[0].strip() or fields[0].startswith((b"#", b"+", b"-")):
            continue
        # Compared as digits: a hostile line can have more of them than Python turns into a number.
        if fields[2].isdigit() and (fields[2].lstrip(b"0") or b"0") == b"%d" % number:
            return True
    return False


def _free_name(data: bytes, name: str) -> str:
    taken = {line.split(b":")[0].strip() for line in data.split(b"\n")}
    if name.encode() not in taken:
        return name
    return next(other for n in count(1) if (other := f"{name}{n}").encode() not in taken)


def _with_line(data: bytes, line: str) -> bytes:
    separator = b"\n" if data and not data.endswith(b"\n") else b""
    return data + separator + line.encode() + b"\n"
