"""An OCI image layout as sources of images: a directory, or the same in a tar archive.

Source: OCI image specification 1.1, "OCI Image Layout".
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import BinaryIO

from slimpy.errors import PlatformError, SourceError
from slimpy.image import manifests, platforms
from slimpy.image.members import Files, read_document
from slimpy.image.oci import Descriptor, Manifest, Platform
from slimpy.image.tags import familiar, is_named, normal
from slimpy.image.verified import verified, whole
from slimpy.model import display

LAYOUT = "oci-layout"
INDEX = "index.json"
VERSION = "1.0.0"
REF_NAME = "org.opencontainers.image.ref.name"
FULL_NAME = "io.containerd.image.name"

_DEEPEST = 4  # indexes in an index
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class LayoutSource:
    """See ImageSource."""

    reference: str
    digest: str
    manifest: Manifest
    config: bytes
    tags: tuple[str, ...]
    files: Files

    @contextlib.contextmanager
    def open(self, blob: Descriptor) -> Iterator[BinaryIO]:
        """See ImageSource.open."""
        with self.files.open(blob_path(blob)) as file:
            if file.size != blob.size:
                message = (
                    f"The blob {blob.digest} of {display(self.files.where)} has {file.size} bytes, "
                    f"not {blob.size} as its manifest says."
                )
                raise SourceError(message, hint="Fetch or save the image again.")
            yield verified(file, blob, self.files.where)


def blob_path(blob: Descriptor) -> str:
    """Where a layout has a blob.

    Raises:
        SourceError: the digest is no sha256.
    """
    if not manifests.is_digest(blob.digest):
        message = f"The digest {display(blob.digest[:100])!r} is not sha256."
        raise SourceError(message)
    return f"blobs/sha256/{blob.digest.removeprefix('sha256:')}"


def entries(files: Files) -> tuple[Descriptor, ...]:
    """What the index of a layout names, as it stands there.

    Raises:
        SourceError: it is no layout, or of a version that we do not know.
    """
    where = display(files.where)
    if not files.has(LAYOUT) and not files.has(INDEX):
        message = f"{where} is no OCI image layout: it has no {INDEX}."
        raise SourceError(message, hint="Is it a docker-archive? Then write docker-archive:FILE.")
    marker = manifests.document(read_document(files, LAYOUT), f"{LAYOUT} of {where}")
    version = marker.get("imageLayoutVersion")
    if version != VERSION:
        message = f"{where} is a layout of version {display(str(version)[:40])}, not {VERSION}."
        raise SourceError(message)
    return manifests.index_of(read_document(files, INDEX), f"{INDEX} of {where}")


def images(files: Files, label: str, reference: str) -> tuple[Descriptor, ...]:
    """The images behind a label, each with its platform; more than one where it names an index.

    Args:
        label: the name in the layout, ``@N`` for the Nth, empty for the only one.
        reference: as the user wrote it, for errors.

    Raises:
        SourceError: no image has that name, or several could be meant.
    """
    found = tuple(_leaves(files, _selected(entries(files), label, reference), 0))
    known = (item if item.platform else _with_platform(files, item) for item in found)
    return tuple(item for item in known if platforms.is_image(item))


def open_layout(
    files: Files, label: str, platform: Platform | None, reference: str
) -> LayoutSource:
    """One image of a layout; see `images`.

    Raises:
        SourceError: it is not there, or damaged.
        PlatformError: it is not there for that platform.
    """
    chosen = images(files, label, reference)
    if len(chosen) != 1 or platform is not None:
        chosen = platforms.choose(chosen, platform, reference)
    source = source_of(files, chosen[0], reference)
    if platform is not None:
        _check(source, platform)
    return source


def source_of(files: Files, entry: Descriptor, reference: str) -> LayoutSource:
    """The image that a descriptor of a layout stands for.

    Raises:
        SourceError: a document of it is missing or damaged.
    """
    where = display(files.where)
    manifest = manifests.manifest_of(_document(files, entry), f"The manifest in {where}")
    config = _document(files, manifest.config)
    found = manifests.diff_ids(config, f"The configuration in {where}")
    if len(found) != len(manifest.layers):
        message = f"{where} has {len(manifest.layers)} layers where {len(found)} were said to be."
        raise SourceError(message)
    return LayoutSource(reference, entry.digest, manifest, config, _tags(entry), files)


def _selected(found: tuple[Descriptor, ...], label: str, reference: str) -> tuple[Descriptor, ...]:
    if not found:
        message = f"{display(reference)} holds no image."
        raise SourceError(message)
    if label.startswith("@"):
        number = int(label[1:]) if label[1:].isdigit() and len(label) < 9 else len(found)
        if number >= len(found):
            message = f"{display(reference)}: there are {len(found)} images, counted from @0."
            raise SourceError(message)
        return (found[number],)
    if label:
        fitting = tuple(entry for entry in found if _is_called(entry, label))
        if not fitting:
            message = f"{display(reference)}: no image there is called {label}."
            raise SourceError(message, hint=_known(found))
        return fitting
    names = {entry.annotations.get(REF_NAME, "") for entry in found}
    if len(names) > 1:
        message = f"{display(reference)} holds {len(found)} images; say which."
        raise SourceError(message, hint=_known(found))
    return found


def _is_called(entry: Descriptor, label: str) -> bool:
    full = entry.annotations.get(FULL_NAME, "")
    return entry.annotations.get(REF_NAME) == label or (
        bool(full) and is_named(label) and normal(full) == normal(label)
    )


def _known(found: Iterable[Descriptor]) -> str:
    names = [
        entry.annotations.get(REF_NAME) or f"@{number} (without a name)"
        for number, entry in enumerate(found)
    ]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return "There are: " + ", ".join(display(name[:100]) for name in names[:_SHOWN]) + more + "."


def _leaves(files: Files, found: Iterable[Descriptor], depth: int) -> Iterator[Descriptor]:
    """The images of an index and of those in it; names of an index are those of its images."""
    if depth > _DEEPEST:
        message = f"{display(files.where)} has indexes nested more than {_DEEPEST} deep."
        raise SourceError(message)
    for entry in found:
        if entry.media_type not in manifests.INDEX_TYPES:
            yield entry
            continue
        inner = manifests.index_of(_document(files, entry), f"An index in {display(files.where)}")
        named = (_named(item, entry.annotations) for item in inner)
        yield from _leaves(files, named, depth + 1)


def _named(entry: Descriptor, outer: Mapping[str, str]) -> Descriptor:
    names = {key: outer[key] for key in (REF_NAME, FULL_NAME) if key in outer}
    return replace(entry, annotations={**entry.annotations, **names})


def _with_platform(files: Files, entry: Descriptor) -> Descriptor:
    source = source_of(files, entry, files.where)
    what = f"The configuration in {display(files.where)}"
    return replace(entry, platform=manifests.platform_of(source.config, what))


def _check(source: LayoutSource, wanted: Platform) -> None:
    """The configuration has the last word on what an image is for."""
    what = f"The configuration of {display(source.reference)}"
    said = manifests.platform_of(source.config, what)
    if platforms.normalised(said).architecture != platforms.normalised(wanted).architecture:
        message = f"{what} says {display(str(said))}, where its index says {wanted}."
        raise PlatformError(message, hint="Build the image again.")


def _document(files: Files, blob: Descriptor) -> bytes:
    with files.open(blob_path(blob)) as file:
        return whole(file, blob, files.where)


def _tags(entry: Descriptor) -> tuple[str, ...]:
    """Whole names only: a version alone is none that an image could go by."""
    found = (entry.annotations.get(FULL_NAME, ""), entry.annotations.get(REF_NAME, ""))
    names = [name for name in found if (":" in name or "/" in name) and is_named(name)]
    return tuple(dict.fromkeys(familiar(name) for name in names))
