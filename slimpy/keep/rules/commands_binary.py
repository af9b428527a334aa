"""Names of programs in compiled code: ELF files, Java classes."""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator

from slimpy.keep.rules.commands_words import WORDS

LARGEST = 48 << 20
"""Bytes of the largest ELF file that is searched."""

LARGEST_JAR = 32 << 20
LARGEST_CLASS = 1 << 20
MOST_CLASSES = 4000  # of one archive
MOST_PATHS = 256  # that one file may name

SHELL_USERS = frozenset({"system", "popen", "wordexp"})
"""Functions of the C library that start /bin/sh."""

STARTERS = SHELL_USERS | {
    *("execl", "execle", "execlp", "execv", "execve", "execvp", "execvpe", "fexecve"),
    *("posix_spawn", "posix_spawnp"),
}

SEARCHERS = SHELL_USERS | {"execlp", "execvp", "execvpe", "posix_spawnp"}
"""Those that look a name up in PATH."""

HELPERS = (
    *("bzip2", "compress", "dot", "ffmpeg", "ffprobe", "git", "gpg", "gpg-agent", "gpgconf"),
    *("gpgsm", "gpgv", "gs", "gunzip", "gzip", "inkscape", "lz4", "lzip", "lzma", "lzop"),
    *("mogrify", "pdftoppm", "rsync", "scp", "sendmail", "sftp", "ssh", "ssh-keygen", "unxz"),
    *("unzip", "xz", "zstd"),
)
"""Programs that others start by name, and whose names mean nothing else."""

_PATH = re.compile(rb"/(?:usr/|s?bin/|lib(?:exec|64|32)?/|opt/)(?:[\w+@.-]+/){0,8}[\w+@.-]{1,64}")

_DATA = re.compile(rb"/usr/(?:local/)?share/([\w+-][\w+.-]{1,63})(?=[/\0:])")

_SHARED_DATA = frozenset(
    {
        *(b"X11", b"applications", b"bash-completion", b"ca-certificates", b"common-licenses"),
        *(b"cups", b"dict", b"doc", b"dpkg", b"fonts", b"games", b"gdb", b"i18n", b"icons", b"icu"),
        *(b"info", b"java", b"keyrings", b"locale", b"man", b"mime", b"misc", b"nls", b"perl"),
        *(b"perl5", b"pixmaps", b"pkgconfig", b"python", b"python3", b"ssl", b"tabset"),
        *(b"terminfo", b"themes", b"xml", b"zoneinfo"),
    }
)
"""Directories of /usr/share that many packages share, or that other rules are about."""

_BEFORE = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./~-=:,")


def paths(data: bytes) -> Iterator[str]:
    """Absolute paths in program directories that an ELF file names, each once; not all exist."""
    found: set[bytes] = set()
    for match in _PATH.finditer(data):
        start = match.start()
        # A part of a longer path, or a setting of the build. (Looking behind is slower in the
        # expression itself.)
        if match[0] not in found and (not start or data[start - 1] not in _BEFORE):
            found.add(match[0])
            yield match[0].decode("ascii")
        if len(found) >= MOST_PATHS * 16:
            return


def data_directories(data: bytes) -> Iterator[str]:
    """Directories of one package's data that an ELF file names something in, each once."""
    found: set[bytes] = set()
    for match in _DATA.finditer(data):
        if match[0] not in found and match[1] not in _SHARED_DATA:
            found.add(match[0])
            yield match[0].decode("ascii")
        if len(found) >= MOST_PATHS:
            return


def holds(data: bytes, word: str) -> bool:
    """Whether the word is a string of its own in compiled C code."""
    return b"\0" + word.encode("utf-8", "surrogateescape") + b"\0" in data


def java_names(data: bytes) -> Iterator[str]:
    """Strings of the classes that start programs: absolute paths, and names that are no words."""
    if data.startswith(b"\xca\xfe\xba\xbe"):
        yield from _of_class(data)
        return
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for member in archive.infolist()[:MOST_CLASSES]:
                if member.filename.endswith(".class") and member.file_size <= LARGEST_CLASS:
                    with archive.open(member) as file:
                        yield from _of_class(file.read(LARGEST_CLASS))
    except (zipfile.BadZipFile, zlib.error, OSError, RuntimeError, EOFError, ValueError):
        return
    except (NotImplementedError, struct.error):
        return


def _of_class(data: bytes) -> Iterator[str]:
    if b"java/lang/ProcessBuilder" not in data and b"java/lang/Runtime" not in data:
        return
    if b"exec" not in data and b"ProcessBuilder" not in data:
        return
    for text in _constants(data):
        word = text.partition(" ")[0]
        if word.startswith("/") or (len(word) > 2 and word not in WORDS):
            yield word


_SIZES = {3: 4, 4: 4, 5: 8, 6: 8, 7: 2, 8: 2, 9: 4, 10: 4, 11: 4, 12: 4, 15: 3, 16: 2}
_SIZES |= {17: 4, 18: 4, 19: 2, 20: 2}
_NAME = re.compile(r"/?[\w+@.-]+(?:/[\w+@.-]+)*(?: .*)?", re.ASCII)


def _constants(data: bytes) -> Iterator[str]:
    """The texts that a class loads as strings (JVM specification, 4.4)."""
    texts: dict[int, str] = {}
    loaded: list[int] = []
    position, number = 10, 1
    count = int.from_bytes(data[8:10], "big")
    while number < count and position < len(data):
        tag = data[position]
        position += 1
        if tag == 1:
            size = int.from_bytes(data[position : position + 2], "big")
            if size <= 256:
                raw = data[position + 2 : position + 2 + size]
                texts[number] = raw.decode("utf-8", "replace")
            position += 2 + size
        elif tag in _SIZES:
            if tag == 8:
                loaded.append(int.from_bytes(data[position : position + 2], "big"))
            position += _SIZES[tag]
        else:
            return
        # A long and a double take two places.
        number += 2 if tag in (5, 6) else 1
    for index in loaded:
        text = texts.get(index, "")
        if _NAME.fullmatch(text):
            yield text
