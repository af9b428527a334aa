"""Writes images to files and layouts of this machine, whole or not at all.

Each output is prepared beside its place first; what it gives is then called to put it there, so
that several outputs appear together once nothing can fail any more.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from slimpy.errors import DiskFullError, OutputError
from slimpy.image import hybrid, layouts, manifests
from slimpy.image.directories import DirectoryFiles
from slimpy.image.layouts import INDEX, LAYOUT, REF_NAME, blob_path
from slimpy.image.members import read_document
from slimpy.image.oci import INDEX_TYPE, Descriptor, ImageSource
from slimpy.model import display

Commit = Callable[[], None]

_FULL = (errno.ENOSPC, errno.EDQUOT)
_BLOBS = "blobs/sha256"
_PIECE = 1 << 20


def check_archive(path: Path) -> None:
    """Find out before the work starts that a file can be written there.

    Raises:
        OutputError: it cannot.
        DiskFullError: there is no space left.
    """
    with _output_errors(path):
        if path.exists() and not path.is_file():
            message = f"The output {display(str(path))} is there, and no regular file."
            raise OutputError(message, hint="Name a file, or write oci:DIR for a directory.")
        trial = _temporary(path, "trial")
        try:
            trial.touch(exist_ok=False)
        finally:
            trial.unlink(missing_ok=True)


def check_layout(directory: Path) -> None:
    """Find out before the work starts that a layout can be written there, or added to.

    Raises:
        OutputError: it cannot, or the directory holds something else.
        SourceError: the layout there is damaged.
    """
    with _output_errors(directory):
        if not directory.exists():
            above = next(path for path in directory.absolute().parents if path.exists())
            trial = above / f".{os.getpid()}.trial"
            trial.mkdir()
            trial.rmdir()
            return
        _check_kind(directory)
        if any(directory.iterdir()):
            layouts.entries(DirectoryFiles(directory))
        trial = directory / f".{os.getpid()}.trial"
        try:
            trial.touch(exist_ok=False)
        finally:
            trial.unlink(missing_ok=True)


@contextlib.contextmanager
def archive(
    images: Sequence[ImageSource], label: str, names: Sequence[str], path: Path
) -> Iterator[Commit]:
    """Write one file, a docker-archive and an OCI archive at once; see `hybrid.stream`.

    Raises:
        OutputError, DiskFullError: it cannot be written.
        SourceError: the image is damaged.
    """
    # Through a link to the file that it stands for, as any program writes.
    final = Path(os.path.realpath(path))
    part = _temporary(final, "part")
    try:
        with _output_errors(path):
            _write(part, hybrid.stream(images, label, names))

        def commit() -> None:
            with _output_errors(path):
                part.replace(final)

        yield commit
    finally:
        part.unlink(missing_ok=True)


@contextlib.contextmanager
def layout(
    images: Sequence[ImageSource], label: str, name: str, directory: Path
) -> Iterator[Commit]:
    """Add to the layout in a directory, or make one. Blobs that it has are not written again; an
    entry of the same label is replaced, others stay.

    Raises:
        OutputError, DiskFullError: it cannot be written.
        SourceError: the image, or the layout there, is damaged.
    """
    held = hybrid.contents(images)
    entry = hybrid.named(held.top, label, name)
    made: list[Path] = []
    new = [path for path in (directory, *directory.parents) if not path.exists()]
    done = False
    try:
        with _output_errors(directory):
            for path in reversed(new):
                path.mkdir()
            _check_kind(directory)
            for part in ("blobs", _BLOBS):
                _make(directory / part, made)
            for digest, data in held.documents.items():
                blob = replace(held.top, digest=digest, size=len(data))
                _add(directory, blob, (data,), made)
            for blob, image in held.layers:
                _add(directory, blob, _pieces(image, blob), made)

        def commit() -> None:
            nonlocal done
            with _output_errors(directory):
                _enter(directory, entry)
            done = True

        yield commit
    finally:
        if not done:
            _take_back(made, new)


def _take_back(made: Iterable[Path], new: Iterable[Path]) -> None:
    """Remove what is of no use without an entry. Another process may have come to need it in the
    meantime, but only if it wrote the very same image at the same time.
    """
    with contextlib.suppress(OSError):
        for path in reversed(list(made)):
            if path.is_dir():
                with contextlib.suppress(OSError):
                    path.rmdir()
            else:
                path.unlink(missing_ok=True)
        for path in new:
            path.rmdir()


def _enter(directory: Path, entry: Descriptor) -> None:
    """Put an entry into the index, alone among processes that do this."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        index = _index(directory)
        label = entry.annotations.get(REF_NAME)
        others = [item for item in index["manifests"] if _label(item) != label]
        index["manifests"] = [*others, hybrid.described(entry)]
        _put(directory / LAYOUT, hybrid.MARKER)
        _put(directory / INDEX, hybrid.serialised(index))
    finally:
        os.close(descriptor)


def _index(directory: Path) -> dict[str, Any]:
    """The index as it stands, with all that is not ours to know."""
    files = DirectoryFiles(directory)
    if not files.has(INDEX):
        return {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": []}
    layouts.entries(files)  # whether it is sound
    found = manifests.document(read_document(files, INDEX), INDEX)
    return {**found, "manifests": found.get("manifests") or []}


def _label(item: Mapping[str, Any]) -> object:
    return (item.get("annotations") or {}).get(REF_NAME)


def _put(path: Path, data: bytes) -> None:
    part = _temporary(path, "part")
    try:
        _write(part, (data,))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _add(directory: Path, blob: Descriptor, data: Iterable[bytes], made: list[Path]) -> None:
    """Write a blob unless it is there already, and whole."""
    path = directory / blob_path(blob)
    if _is_whole(directory, blob):
        return
    part = _temporary(path, "part")
    is_new = not path.exists()
    try:
        _write(part, data)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    if is_new:
        made.append(path)


def _is_whole(directory: Path, blob: Descriptor) -> bool:
    files = DirectoryFiles(directory)
    name = blob_path(blob)
    if not files.has(name):
        return False
    found = hashlib.sha256()
    with files.open(name) as file:
        if file.size != blob.size:
            return False
        while data := file.read(_PIECE):
            found.update(data)
    return f"sha256:{found.hexdigest()}" == blob.digest


def _pieces(image: ImageSource, blob: Descriptor) -> Iterator[bytes]:
    with image.open(blob) as file:
        while data := file.read(_PIECE):
            yield data


def _make(path: Path, made: list[Path]) -> None:
    """A directory of the layout itself; a link could lead the blobs anywhere."""
    with contextlib.suppress(FileExistsError):
        path.mkdir()
        made.append(path)
        return
    if not stat.S_ISDIR(path.lstat().st_mode):
        message = f"{display(str(path))} is no directory; links in a layout are not followed."
        raise OutputError(message, hint="Write to another directory.")


def _check_kind(directory: Path) -> None:
    if not directory.is_dir():
        message = f"The output {display(str(directory))} is there, and no directory."
        raise OutputError(message, hint="Name a directory, or write oci-archive:FILE for a file.")
    held = {path.name for path in directory.iterdir()}
    if held and not held & {LAYOUT, INDEX, "blobs"}:
        message = f"The directory {display(str(directory))} is not empty, and no OCI layout."
        raise OutputError(message, hint="Name a new directory, or a layout to add to.")


def _write(path: Path, data: Iterable[bytes]) -> None:
    path.unlink(missing_ok=True)  # of a process that crashed
    with path.open("xb") as file:
        for piece in data:
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())


def _temporary(path: Path, kind: str) -> Path:
    """Where a file is written before it takes its place; another process has another name."""
    return path.with_name(f".{path.name[:100]}.{os.getpid()}.{kind}")


@contextlib.contextmanager
def _output_errors(path: Path) -> Iterator[None]:
    where = display(str(path))
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            message = f"The output {where} cannot be written: no space left on the device."
            raise DiskFullError(message, hint="Free some space, or name another place.") from error
        reason = error.strerror or type(error).__name__
        message = f"The output {where} cannot be written: {reason}."
        raise OutputError(message, hint="Name another place with --output.") from error
