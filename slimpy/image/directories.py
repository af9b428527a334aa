"""The files of a directory by name, read without ever following a link in it."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from slimpy.errors import SourceError
from slimpy.image.members import Opened, Slice
from slimpy.model import display

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# Opening a named pipe would wait for its other end.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class DirectoryFiles:
    """The regular files below a directory; links in it are refused, as they may lead anywhere."""

    def __init__(self, directory: Path) -> None:
        self.where = str(directory)
        self._directory = directory

    def has(self, name: str) -> bool:
        """See Files.has."""
        try:
            os.close(self._walked(self._parts(name)))
        except FileNotFoundError:
            return False
        except OSError as error:
            raise _unreadable(self._full(name), error) from error
        return True

    @contextlib.contextmanager
    def open(self, name: str) -> Iterator[Opened]:
        """See Files.open."""
        try:
            descriptor = self._walked(self._parts(name))
        except OSError as error:
            raise _unreadable(self._full(name), error) from error
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                message = f"{display(self._full(name))} is no regular file."
                raise SourceError(message)
            yield Slice(descriptor, 0, found.st_size)
        finally:
            os.close(descriptor)

    def _full(self, name: str) -> str:
        return f"{self.where.rstrip('/')}/{name}"

    def _parts(self, name: str) -> list[str]:
        parts = name.split("/")
        if not all(part not in ("", ".", "..") for part in parts):
            message = f"{display(self.where)} names a file that is not in it: {display(name)}."
            raise SourceError(message)
        return parts

    def _root(self) -> int:
        try:
            return os.open(self._directory, _DIRECTORY)
        except OSError as error:
            message = f"The directory {display(self.where)} cannot be read: {error.strerror}."
            raise SourceError(message, hint="Check its name.") from error

    def _walked(self, parts: list[str]) -> int:
        """Component by component, so that no link is followed on the way either."""
        place = self._root()
        try:
            for part in parts[:-1]:
                deeper = os.open(part, _DIRECTORY | os.O_NOFOLLOW, dir_fd=place)
                os.close(place)
                place = deeper
            return os.open(parts[-1], _FILE, dir_fd=place)
        finally:
            os.close(place)


def _unreadable(path: str, error: OSError) -> SourceError:
    if error.errno == errno.ENOENT:
        message = f"There is no file {display(path)}."
        return SourceError(message, hint="Is it the layout of an image, and whole?")
    if error.errno in (errno.ELOOP, errno.ENOTDIR):
        message = f"{display(path)} is a link, or no file; links in a layout are not followed."
        return SourceError(message, hint="Replace it by the file that it stands for.")
    message = f"{display(path)} cannot be read: {error.strerror}."
    return SourceError(message)
