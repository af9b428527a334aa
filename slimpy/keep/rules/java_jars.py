"""The Class-Path of a jar's manifest (JAR file specification, "Main Attributes")."""

from __future__ import annotations

import struct
import urllib.parse
import zipfile
import zlib
from typing import BinaryIO

from slimpy.image.contents import Contents
from slimpy.model import ImagePath

LARGEST_MANIFEST = 1 << 20
"""Bytes of a manifest that are read."""

LARGEST_DIRECTORY = 32 << 20
"""A zip file whose list of members is larger (bytes) is not looked into."""

_MOST_REFERENCES = 5000
_END = b"PK\x05\x06"
_LONGEST_END = 22 + 0xFFFF  # the record and its comment (APPNOTE.TXT, 4.3.16)

_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    OSError,
    EOFError,
    ValueError,
    LookupError,
    NotImplementedError,
    RuntimeError,  # an encrypted member
)


def manifest_class_path(contents: Contents, path: ImagePath) -> tuple[str, ...]:
    """Relative paths in the Class-Path of a jar; none if it is damaged or has none."""
    try:
        with contents.open(path) as file:
            text = _manifest(file)
    except _DAMAGED:
        return ()
    return _references(text)


def _manifest(file: BinaryIO) -> str:
    if not _is_sane(file):
        return ""
    with zipfile.ZipFile(file) as jar, jar.open("META-INF/MANIFEST.MF") as member:
        return member.read(LARGEST_MANIFEST).decode("utf-8", "replace")


def _is_sane(file: BinaryIO) -> bool:
    """Whether the zip's list of members is small enough to be read at once."""
    size = file.seek(0, 2)
    file.seek(max(0, size - _LONGEST_END))
    tail = file.read(_LONGEST_END)
    at = tail.rfind(_END)
    if at < 0 or len(tail) - at < 22:
        return False
    length = int(struct.unpack_from("<I", tail, at + 12)[0])
    return length <= LARGEST_DIRECTORY


def _references(text: str) -> tuple[str, ...]:
    # A line that begins with a space goes on with the line before it.
    unfolded = text.replace("\r\n", "\n").replace("\n ", "")
    for line in unfolded.split("\n"):
        key, colon, value = line.partition(":")
        if colon and key.strip().lower() == "class-path":
            found = (urllib.parse.unquote(item) for item in value.split()[:_MOST_REFERENCES])
            plain = (item.removeprefix("file:") for item in found)
            return tuple(item for item in plain if item and ":" not in item and "\0" not in item)
    return ()
