"""Paragraphs of text databases, with their lines as they are: dpkg's status, apk's installed."""

from __future__ import annotations

from collections.abc import Iterator


def paragraphs(data: bytes) -> Iterator[list[bytes]]:
    """The lines of each paragraph, without the empty ones between."""
    lines: list[bytes] = []
    for line in data.split(b"\n"):
        if line.strip():
            lines.append(line)
        elif lines:
            yield lines
            lines = []
    if lines:
        yield lines


def fields(lines: list[bytes]) -> dict[str, str]:
    """First lines of the fields of a control paragraph (deb822(5)); the first of a name counts."""
    found: dict[str, str] = {}
    for line in lines:
        if line[:1] in (b" ", b"\t"):
            continue
        key, colon, value = line.partition(b":")
        if colon:
            name = key.decode("ascii", "replace").lower()
            found.setdefault(name, value.strip().decode("utf-8", "surrogateescape"))
    return found
