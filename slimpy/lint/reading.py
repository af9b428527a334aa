"""Dockerfiles on disk: which there are, and their text."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from slimpy.errors import DockerfileError
from slimpy.lint.context import JUNK
from slimpy.lint.dockerfile import LARGEST

MOST_DIRECTORIES = 20_000

_NAMES = re.compile(
    r"(?:Dockerfile|Containerfile)(?:[.-](?!dockerignore$)[\w.-]+)?|[\w.-]+\.(?:Dockerfile|Containerfile)",
    re.IGNORECASE,
)


def found(directory: Path) -> tuple[Path, ...]:
    """The Dockerfiles below a directory, by their names; links are not followed.

    Raises:
        DockerfileError: it cannot be read, or there are none.
    """
    files = sorted(_files(directory))
    if not files:
        where = "here" if directory == Path() else f"in {directory}"
        message = f"There is no Dockerfile {where}."
        raise DockerfileError(message, hint="Name one: slim lint FILE")
    return tuple(files)


def text_of(data: bytes, name: str) -> str:
    """The text of a Dockerfile; bytes that are not UTF-8 are replaced.

    Raises:
        DockerfileError: it is too large, or no text.
    """
    if len(data) > LARGEST:
        message = f"{name} is larger than a Dockerfile can be ({LARGEST >> 20} MiB)."
        raise DockerfileError(message)
    if b"\0" in data:
        message = f"{name} is no text file."
        raise DockerfileError(message)
    return data.decode("utf-8", "replace")


def read(file: Path) -> str:
    """The text of a Dockerfile.

    Raises:
        DockerfileError: it cannot be read, is too large, or no text.
    """
    try:
        if not file.is_file():  # a pipe or a device may have no end
            message = f"{file} is no file." if file.exists() else f"There is no file {file}."
            raise DockerfileError(message, hint="Name a Dockerfile or a directory; - is the input.")
        with file.open("rb") as opened:
            data = opened.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        message = f"{file} cannot be read: {reason}."
        raise DockerfileError(message) from error
    return text_of(data, str(file))


def _files(directory: Path) -> Iterator[Path]:
    waiting, seen = [directory], 0
    while waiting and seen < MOST_DIRECTORIES:
        here = waiting.pop()
        seen += 1
        try:
            with os.scandir(here) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        if entry.name not in JUNK:
                            waiting.append(here / entry.name)
                    elif _NAMES.fullmatch(entry.name) and entry.is_file():
                        yield here / entry.name
        except OSError as error:
            if here == directory:
                message = f"{directory} cannot be read: {error.strerror}."
                raise DockerfileError(message) from error
