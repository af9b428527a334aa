"""The argument that names an image, and how a shell completes it."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

from slimpy.image.references import Transport

_WAYS = tuple(
    f"{item.value}:{'//' if item is Transport.REGISTRY else ''}"
    for item in Transport
    if item is not Transport.STORE
)


class ImageName(click.ParamType):  # type: ignore[type-arg]  # generic in newer releases only
    """A name in an engine's store, or one with its transport: `slimpy.image.references`."""

    name = "image"

    def shell_complete(
        self,
        ctx: click.Context,
        param: click.Parameter,
        incomplete: str,
    ) -> list[CompletionItem]:
        """The names in the engine's store, the transports, and else files."""
        known = (*_names(ctx.params.get("engine")), *_WAYS)
        found = [CompletionItem(name) for name in known if name.startswith(incomplete)]
        return found or [CompletionItem(incomplete, type="file")]


def _names(engine: object) -> list[str]:
    """Nothing where no engine answers: completion has nobody to tell it to."""
    from slimpy.engine.choice import EngineName, connected

    try:
        with connected(EngineName(str(engine)) if engine else None) as found:
            return [name.removesuffix(":latest") for name in found.names()]
    except Exception:  # noqa: BLE001
        return []


IMAGE = ImageName()
