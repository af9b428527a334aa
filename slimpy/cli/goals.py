"""What a build shall give: the slim image's name, and where it goes."""

from __future__ import annotations

from dataclasses import dataclass

from slimpy.image import platforms, references
from slimpy.image.references import Reference, Transport
from slimpy.settings import checked_tag, default_tag

ALL = "all"
"""`--platform all`: every platform of an index that can run here."""


@dataclass(frozen=True, slots=True)
class Goal:
    """The name (``named`` if the user chose it), the outputs, whether the engine's store keeps it.

    ``name`` is what the input is called, for the report's directory.
    """

    name: str
    tag: str
    named: bool
    outputs: tuple[str, ...]
    store: bool


def goal_of(image: str, tag: str | None, outputs: tuple[str, ...], *, push: bool) -> Goal:
    """What the user asks for.

    Without outputs the slim image stays in the engine's store; with outputs it does only where
    ``tag`` names it. An output that says a whole name gives the image its name.

    Raises:
        UsageError: something of it cannot be.
    """
    name = references.parse(image).suggested
    places = tuple(references.parse_destination(text) for text in outputs)
    said = next(iter(filter(None, map(_whole_name, places))), None) if tag is None else tag
    chosen = checked_tag(default_tag(name) if said is None else said)
    if push:
        outputs = (*outputs, f"{Transport.REGISTRY}://{chosen}")
    return Goal(
        name=name,
        tag=chosen,
        named=said is not None or push,
        outputs=tuple(dict.fromkeys(outputs)),
        store=tag is not None or not outputs,
    )


def checked_platform(text: str) -> str:
    """The platform in its usual spelling; empty where none is given.

    Raises:
        UsageError: it is none.
    """
    return text if text in ("", ALL) else str(platforms.parse(text))


def _whole_name(where: Reference) -> str | None:
    """The image's name that an output says; a layout's label says a version at most."""
    labels = (Transport.OCI, Transport.OCI_ARCHIVE)
    return where.name or None if where.transport not in labels else None
