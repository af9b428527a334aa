"""Unpacks a layer as whoever may: root by itself, others in a user namespace."""

from __future__ import annotations

import errno
import json
import os
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slimpy import proc
from slimpy.engine.embedded.extract import Unpacker
from slimpy.engine.embedded.namespaces import Mapping, command_in, python
from slimpy.errors import SourceError

_MODULE = "slimpy.engine.embedded.extract"
_END_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Unpacked:
    """What came of a layer: bytes of its files, what was left out -> how often, and whether some of
    the archive's contents are in no file.
    """

    size: int
    skipped: dict[str, int]
    lost: bool


def unpack(chunks: Iterable[bytes], directory: Path, users: Mapping, record: Path) -> Unpacked:
    """Unpack a layer's archive.

    Args:
        record: a file to be made, of all in it that is no contents: see `rebuild`.

    Raises:
        SourceError: the layer is damaged, or wants what no layer may.
        OSError: the disk is full, or refuses.
    """
    if not users.in_user_namespace:
        with Unpacker(str(directory), root=True, owners=True) as unpacker:
            unpacker.unpack(chunks, record)
            return Unpacked(unpacker.size, unpacker.skipped, unpacker.lost)
    return _by_child(chunks, directory, users, record)


def _by_child(chunks: Iterable[bytes], directory: Path, users: Mapping, record: Path) -> Unpacked:
    argv = command_in(users, python(_MODULE, str(directory), users.kind, str(record)))
    (theirs, ours), (answer, said) = os.pipe(), os.pipe()
    null = os.open(os.devnull, os.O_WRONLY)
    try:
        process = proc.start(argv, streams=(theirs, said, null))
    except BaseException:
        os.close(ours)
        os.close(answer)
        raise
    finally:
        for fd in (theirs, said, null):
            os.close(fd)
    output = bytearray()
    reader = threading.Thread(target=_read_all, args=(answer, output), daemon=True)
    reader.start()
    try:
        for chunk in chunks:
            view = memoryview(chunk)
            while view:
                view = view[os.write(ours, view) :]
    except BrokenPipeError:
        pass  # what it said tells why
    finally:
        os.close(ours)
        process.wait(_END_SECONDS)
        reader.join()
        os.close(answer)
    return _understood(bytes(output))


def _read_all(fd: int, output: bytearray) -> None:
    while data := os.read(fd, 1 << 16):
        output += data


def _understood(output: bytes) -> Unpacked:
    found: Any = json.loads(output) if output.strip() else {"error": "its helper ended early"}
    if "errno" in found:
        raise OSError(found["errno"] or errno.EIO, found["error"])
    if "error" in found:
        raise SourceError(found["error"], hint="Fetch or save the image again.")
    skipped = {str(text): int(count) for text, count in found["skipped"].items()}
    return Unpacked(int(found["size"]), skipped, bool(found["lost"]))
