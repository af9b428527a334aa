"""`slim cache`: what the embedded engine keeps, and how to be rid of it."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import click

from slimpy.errors import ImageNotFoundError
from slimpy.model import display

if TYPE_CHECKING:
    from slimpy.engine.embedded.store import LayerStore

SCHEMA = "slimpy-cache"
VERSION = 1


@click.group("cache", invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_context
def command(context: click.Context, as_json: bool) -> None:
    """Show the images that the embedded engine keeps, or clear them.

    Layers are unpacked once and shared. Images without a name are removed by themselves, the least
    recently used first, when their layers together pass the bound.
    """
    if context.invoked_subcommand is not None:
        return
    from slimpy.engine.embedded.store import LayerStore

    store = LayerStore.open()
    click.echo(json.dumps(_document(store), indent=2) if as_json else _text(store))


@command.command("clear")
@click.argument("images", nargs=-1)
def clear(images: tuple[str, ...]) -> None:
    """Remove IMAGES, or without any all of them, with the layers that no other image needs."""
    from slimpy.engine.embedded.store import LayerStore

    store = LayerStore.open()
    before = _bytes(store)
    if not images:
        store.clear()
    for name in images:
        found = store.find(name)
        if found is None:
            message = f"The image {display(name)} is not in the embedded engine's store."
            raise ImageNotFoundError(message, hint="See what there is: slim cache")
        if not store.remove(found.id):
            click.echo(f"{display(name)} is in use and stays", err=True)
    click.echo(f"{(before - _bytes(store)) / 1e6:.1f} MB freed")


def _bytes(store: LayerStore) -> int:
    return sum(item.size for item in store.layer_facts())


def _document(store: LayerStore) -> dict[str, object]:
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "directory": str(store.directory),
        "limit": store.limit,
        "bytes": _bytes(store),
        "images": [
            {
                "id": record.id,
                "names": record.tags or [record.reference],
                "size": record.size,
                "layers": record.layers,
                "used": int(record.used),
                "skipped": record.skipped,
            }
            for record in store.records()
        ],
    }


def _text(store: LayerStore) -> str:
    rows = [
        f"{store.directory}: {_bytes(store) / 1e6:.1f} MB in {len(store.layer_facts())} layers"
        f" (bound for images without a name: {store.limit / 1e9:.1f} GB)"
    ]
    for record in store.records():
        names = ", ".join(record.tags) or f"({record.reference})"
        used = time.strftime("%Y-%m-%d %H:%M", time.localtime(record.used))
        short = record.id.removeprefix("sha256:")[:12]
        rows.append(f"  {short}  {record.size / 1e6:8.1f} MB  {used}  {display(names)}")
    return "\n".join(rows)
