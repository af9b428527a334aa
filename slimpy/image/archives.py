"""Images in one file: a docker-archive, an OCI layout as a tar archive, or both at once.

Layers are read where they lie. Only an archive that is compressed as a whole has to be written out
once, to a nameless temporary file, as its parts cannot be reached otherwise.
"""

from __future__ import annotations

import bz2
import contextlib
import errno
import gzip
import lzma
import os
import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, cast

from slimpy.errors import DiskFullError, SourceError
from slimpy.image import docker_archives, layouts
from slimpy.image.docker_archives import open_docker
from slimpy.image.layouts import open_layout
from slimpy.image.members import TarFiles
from slimpy.image.oci import ImageSource, Platform
from slimpy.model import display

LARGEST = 1 << 40
"""Bytes that a compressed archive may unpack to."""

_PIECE = 1 << 20
_FULL = (errno.ENOSPC, errno.EDQUOT)
_ZSTD = b"\x28\xb5\x2f\xfd"
_UNPACKED: dict[bytes, Callable[[BinaryIO], object]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ": lzma.open,
}
_DAMAGED = (EOFError, gzip.BadGzipFile, zlib.error, lzma.LZMAError, ValueError)


@contextlib.contextmanager
def archive_files(path: Path) -> Iterator[TarFiles]:
    """The files of an archive, decompressed if need be.

    Raises:
        SourceError: it cannot be read, or is no archive.
        DiskFullError: there is no space to decompress it.
    """
    with contextlib.ExitStack() as stack:
        try:
            file: BinaryIO = stack.enter_context(path.open("rb"))
            head = os.pread(file.fileno(), 6, 0)
        except OSError as error:
            message = f"The archive {display(str(path))} cannot be read: {error.strerror}."
            raise SourceError(message, hint="Check the file's name.") from error
        if head.startswith(_ZSTD):
            message = f"The archive {display(str(path))} is compressed with zstd as a whole."
            raise SourceError(message, hint="Decompress it first: zstd -d FILE")
        for magic, unpacked in _UNPACKED.items():
            if head.startswith(magic):
                file = stack.enter_context(_written_out(cast(BinaryIO, unpacked(file)), path))
        yield TarFiles(file, str(path))


@contextlib.contextmanager
def open_archive(path: Path) -> Iterator[tuple[ImageSource, ...]]:
    """All images of an archive; as a docker-archive if it is one, as that knows whole names.

    Raises:
        SourceError: it cannot be read, or holds no images.
    """
    with archive_files(path) as files:
        if files.has(docker_archives.MANIFEST):
            named = docker_archives.entries(files)
            yield tuple(docker_archives.source_of(files, entry, str(path)) for entry in named)
            return
        found = layouts.entries(files)
        chosen = {
            image.digest: image
            for number in range(len(found))
            for image in layouts.images(files, f"@{number}", str(path))
        }
        yield tuple(layouts.source_of(files, image, str(path)) for image in chosen.values())


@contextlib.contextmanager
def docker_archive(
    path: Path, label: str, platform: Platform | None, reference: str
) -> Iterator[ImageSource]:
    """One image of a docker-archive; see `docker_archives.open_docker`."""
    with archive_files(path) as files:
        yield open_docker(files, label, platform, reference)


@contextlib.contextmanager
def oci_archive(
    path: Path, label: str, platform: Platform | None, reference: str
) -> Iterator[ImageSource]:
    """One image of a tar archive of an OCI layout; see `layouts.open_layout`."""
    with archive_files(path) as files:
        yield open_layout(files, label, platform, reference)


def _written_out(file: BinaryIO, path: Path) -> BinaryIO:
    """The decompressed archive; the file has no name, so nothing is left if we are killed."""
    where = display(str(path))
    plain = cast(BinaryIO, tempfile.TemporaryFile())  # noqa: SIM115  # closed by the caller
    size = 0
    try:
        while data := file.read(_PIECE):
            size += len(data)
            if size > LARGEST:
                message = f"The archive {where} unpacks to more than {LARGEST >> 30} GiB."
                raise SourceError(message)
            plain.write(data)
        plain.flush()
    except _DAMAGED as error:
        plain.close()
        message = f"The compressed archive {where} is damaged: {error}."
        raise SourceError(message, hint="Save the image again.") from error
    except OSError as error:
        plain.close()
        if error.errno in _FULL:
            message = f"There is no space to decompress {where}."
            raise DiskFullError(message, hint="Set TMPDIR to a directory with space.") from error
        message = f"The archive {where} cannot be read: {error.strerror or error}."
        raise SourceError(message) from error
    except BaseException:
        plain.close()
        raise
    return plain
