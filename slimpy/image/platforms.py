"""Which machine an image is for, and which machine runs it: names as the OCI image index has them.

A platform without a variant stands for the architecture's usual one (``arm64`` is ``arm64/v8``,
``arm`` is ``arm/v7``), as containerd's rules of normalisation have it.
"""

from __future__ import annotations

import platform as host
import re
from collections.abc import Iterable

from slimpy.errors import PlatformError, UsageError
from slimpy.image.oci import Descriptor, Platform
from slimpy.model import display

_PART = re.compile(r"[a-z0-9_.+-]{1,40}")
_SPELLINGS = {
    "x86_64": "amd64",
    "x86-64": "amd64",
    "aarch64": "arm64",
    "armhf": "arm",
    "armv7l": "arm",
    "i386": "386",
    "i686": "386",
}
"""What machines and people call an architecture, and what images call it."""
_USUAL_VARIANT = {"arm64": "v8", "arm": "v7", "amd64": "v1"}
_RUNS = {"amd64": ("amd64", "386"), "arm64": ("arm64", "arm")}
"""Architectures of images that a machine of an architecture runs without emulation."""
_SHOWN = 20


def parse(text: str) -> Platform:
    """The platform that a user names: ``linux/arm64``, ``linux/arm/v7``, or just ``arm64``.

    Raises:
        UsageError: it is no platform.
    """
    parts = text.strip().lower().split("/")
    if len(parts) == 1:
        parts = ["linux", *parts]
    if len(parts) > 3 or not all(_PART.fullmatch(part) for part in parts):
        message = f"{text!r} is not a platform."
        raise UsageError(message, hint="Give one such as linux/amd64 or linux/arm/v7.")
    system, architecture, *variant = parts
    name = _SPELLINGS.get(architecture, architecture)
    if architecture in ("armhf", "armv7l") and not variant:
        variant = ["v7"]
    return Platform(system, name, variant[0] if variant else "")


def here() -> Platform:
    """The platform of this machine."""
    return normalised(parse(host.machine() or "amd64"))


def normalised(platform: Platform) -> Platform:
    """With one spelling of each architecture, and without a variant that is the usual one."""
    system = platform.os.lower()
    architecture = platform.architecture.lower()
    architecture = _SPELLINGS.get(architecture, architecture)
    variant = platform.variant.lower()
    if variant and "v" + variant.removeprefix("v") == _USUAL_VARIANT.get(architecture):
        variant = ""
    return Platform(system, architecture, variant)


def runs_on(architecture: str, wanted: str) -> bool:
    """Whether a machine of an architecture runs images of another; unknown ones are tried."""
    return not architecture or wanted in _RUNS.get(architecture, (architecture,))


def file_name(platform: Platform) -> str:
    """The platform as a part of a file's name: ``linux-arm-v7``."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", str(platform)).strip("-.") or "unknown"


def is_image(entry: Descriptor) -> bool:
    """Whether an entry of an index is an image; builders put attestations beside them."""
    attests = "vnd.docker.reference.type" in entry.annotations
    return not attests and (entry.platform is None or entry.platform.os != "unknown")


def choose(
    entries: Iterable[Descriptor], wanted: Platform | None, reference: str
) -> tuple[Descriptor, ...]:
    """The entries of an index that are for a platform, the best one first.

    Args:
        entries: of the index; those that are no images are passed over.
        wanted: without one, this machine's, or what it runs besides.
        reference: the image's name, for the error.

    Raises:
        PlatformError: there is none; the message lists those that exist.
    """
    images = [entry for entry in entries if is_image(entry)]
    for candidate in (wanted,) if wanted else _own():
        fitting = [entry for entry in images if _fits(entry, candidate)]
        exact = [entry for entry in fitting if _same(entry, candidate)]
        if exact or fitting:
            return (*exact, *(entry for entry in fitting if entry not in exact))
    raise _none(images, wanted or here(), reference)


def _own() -> tuple[Platform, ...]:
    mine = here()
    others = _RUNS.get(mine.architecture, (mine.architecture,))
    return tuple(Platform("linux", name) for name in others)


def _fits(entry: Descriptor, wanted: Platform) -> bool:
    if entry.platform is None:
        return False
    found, asked = normalised(entry.platform), normalised(wanted)
    if (found.os, found.architecture) != (asked.os, asked.architecture):
        return False
    if found.variant == asked.variant:
        return True
    # A variant that was asked for by name has to be met; without one the usual is first.
    return not wanted.variant and asked.architecture != "arm"


def _same(entry: Descriptor, wanted: Platform) -> bool:
    return entry.platform is not None and normalised(entry.platform) == normalised(wanted)


def _none(images: Iterable[Descriptor], wanted: Platform, reference: str) -> PlatformError:
    names = sorted({str(entry.platform or "without a platform") for entry in images})
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    known = ", ".join(display(name[:80]) for name in names[:_SHOWN]) + more
    message = f"The image {display(reference)} is not there for {wanted}; it is for: {known}."
    if not names:
        message = f"The index {display(reference)} holds no images."
    return PlatformError(message, hint="Choose one with --platform, or use a machine of its kind.")
