"""Traces as files: saved without the answers, loaded, and merged into the trace of a build."""

from __future__ import annotations

import gzip
import json
import os
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from probes.files.recorder import merge
from probes.model import Activity, Trace, TraceWarning
from slimpy.errors import OutputError, UsageError
from slimpy.model import Image, display

SCHEMA = "slimpy-trace"
VERSION = 1
LARGEST = 1 << 30
"""Bytes of a trace file, unpacked, that are read at the most."""


@dataclass(frozen=True, slots=True)
class SavedTrace:
    """A trace without answers, and the image it was taken of: name, ID, diffIDs from the base."""

    schema: str
    version: int
    reference: str
    image: str
    layers: tuple[str, ...]
    activity: Activity
    ports: tuple[int, ...]
    uids: tuple[tuple[int, int], ...]
    changed: tuple[str, ...]
    warnings: tuple[TraceWarning, ...]


def encode(trace: Trace, image: Image) -> bytes:
    """A trace as a file, compressed; the same trace gives the same bytes.

    Answers of the app are left out: they may be private, and a build asks again.
    """
    value = SavedTrace(
        schema=SCHEMA,
        version=VERSION,
        reference=image.reference,
        image=trace.image,
        layers=image.layers,
        activity=trace.activity,
        ports=trace.ports,
        uids=trace.uids,
        changed=trace.changed,
        warnings=trace.warnings,
    )
    # JSON of the standard library writes lone surrogates (undecodable bytes in names) as escapes.
    text = json.dumps(msgspec.to_builtins(value), sort_keys=True, separators=(",", ":"))
    return gzip.compress(text.encode("ascii"), mtime=0)


def save(trace: Trace, image: Image, file: Path) -> None:
    """Write a trace.

    Raises:
        OutputError: the file cannot be written.
    """
    try:
        file.write_bytes(encode(trace, image))
    except OSError as error:
        message = f"The trace cannot be written to {file}: {error.strerror}."
        raise OutputError(message, hint="Name another file with --output.") from error


def check_writable(file: Path) -> None:
    """Find out before the work starts that a trace can be written there.

    Raises:
        OutputError: it cannot.
    """
    if file.is_dir() or not os.access(file if file.exists() else file.parent, os.W_OK):
        message = f"The trace cannot be written to {file}."
        raise OutputError(message, hint="Name another file with --output.")


def load(file: Path) -> SavedTrace:
    """Read a saved trace.

    Raises:
        UsageError: the file is missing, damaged, too large, or not a trace of this version.
    """
    try:
        with gzip.open(file, "rb") as packed:
            data = packed.read(LARGEST + 1)
        if len(data) > LARGEST:
            message = f"The trace file {file} is too large."
            raise UsageError(message)
        saved = msgspec.convert(json.loads(data), SavedTrace, strict=False)
    except OSError as error:
        message = f"The trace file {file} cannot be read: {error.strerror or error}."
        raise UsageError(message, hint="Make one with: slim trace IMAGE") from error
    except (EOFError, zlib.error, ValueError, RecursionError) as error:
        message = f"{file} is not a whole trace file: {display(str(error))[:200]}."
        raise UsageError(message, hint="Make it again with: slim trace IMAGE") from error
    if saved.schema != SCHEMA or saved.version != VERSION:
        message = f"{file} is a {display(saved.schema)} of version {saved.version}, not a trace."
        raise UsageError(message, hint="Make it again with this slimpy: slim trace IMAGE")
    return saved


def _repository(reference: str) -> str:
    """An image's name without transport, tag and digest."""
    name = reference.rpartition("//")[2].partition("@")[0]
    base, _, tag = name.rpartition(":")
    return base if base and "/" not in tag else name


def merged(trace: Trace, saved: Iterable[SavedTrace], image: Image) -> Trace:
    """The trace of a build with all that earlier runs showed.

    A trace of the same image counts fully. So does one of an image that shares base layers: paths
    that are not in this image any more are passed over later. Anything else is refused.

    Raises:
        UsageError: a trace is of an unrelated image.
    """
    for item in saved:
        warnings = trace.warnings
        if item.image != image.id:
            related = image.layers and item.layers and item.layers[0] == image.layers[0]
            if not related or _repository(item.reference) != _repository(image.reference):
                message = (
                    f"The trace is of {display(item.reference)}, an image unrelated to this one."
                )
                raise UsageError(message, hint=f"Make one with: slim trace {image.reference}")
            text = f"a trace of an older {display(item.reference)} was merged; its layers differ"
            warnings = (*warnings, TraceWarning("trace-of-other-image", text))
        trace = replace(
            trace,
            activity=merge((trace.activity, item.activity)),
            ports=tuple(dict.fromkeys((*trace.ports, *item.ports))),
            uids=(*trace.uids, *item.uids),
            changed=tuple(sorted({*trace.changed, *item.changed})),
            warnings=(*warnings, *item.warnings),
        )
    return trace
