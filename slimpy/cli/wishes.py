"""The options that say what to keep and what to leave out, whatever ran."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from slimpy.settings import Wishes

_OPTIONS = (
    click.option("--keep", multiple=True, metavar="GLOB", help="Keep these paths too; repeatable."),
    click.option("--include", "keep_too", multiple=True, metavar="GLOB", hidden=True),
    click.option(
        "--keep-package",
        "packages",
        multiple=True,
        metavar="NAME",
        help="Keep a whole package: of dpkg, apk, pip, npm or gem; repeatable.",
    ),
    click.option(
        "--keep-bin",
        "programs",
        multiple=True,
        metavar="NAME",
        help="Keep a program and what it is linked to; repeatable.",
    ),
    click.option("--keep-shell", "shell", is_flag=True, help="Keep sh, ls, cat, ps and the like."),
    click.option(
        "--drop", multiple=True, metavar="GLOB", help="Never ship these paths; repeatable."
    ),
)


def wish_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a verb the options above; it receives one ``wishes`` value for all of them."""

    def collected(**given: Any) -> Any:
        also = given.pop("keep_too")
        names = Wishes.__dataclass_fields__
        wishes = Wishes(**{name: given.pop(name) for name in names})
        return command(wishes=wishes.and_also(Wishes(keep=also)), **given)

    collected.__doc__ = command.__doc__
    collected.__dict__.update(command.__dict__)
    wrapped: Callable[..., Any] = collected
    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return wrapped
