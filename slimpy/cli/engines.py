"""Which engine a verb uses: `--engine`, SLIM_ENGINE, the project's file, else the first found."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from slimpy.engine.choice import EngineName

if TYPE_CHECKING:
    from slimpy.engine.protocol import Engine
    from slimpy.image.registry.access import Access

VARIABLE = "SLIM_ENGINE"
_ADDRESSES = {"DOCKER_HOST": EngineName.DOCKER, "CONTAINER_HOST": EngineName.PODMAN}


def engine_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a verb `--engine`; it receives ``engine``, None where the user did not say."""
    option = click.option(
        "--engine",
        type=click.Choice([name.value for name in EngineName]),
        envvar=VARIABLE,
        callback=lambda _context, _option, value: None if value is None else EngineName(value),
        help=f"Where containers run; also {VARIABLE}.  [default: the first that answers]",
    )
    return option(command)


def engine_for(name: EngineName | None, image: str) -> AbstractContextManager[Engine]:
    """The engine for work on an image.

    Without a name it is the one in whose store the image is, else the one whose address the
    environment says: whoever names a machine does not want the work done on another.

    Raises:
        EngineUnavailableError: it, or every engine, cannot be used here.
    """
    from slimpy.engine.acquire import engine_of
    from slimpy.engine.choice import connected
    from slimpy.image.references import parse

    return connected(engine_of(parse(image), name) or addressed(os.environ))


def addressed(environment: Mapping[str, str]) -> EngineName | None:
    """The engine of which the environment says where it is."""
    return next((name for variable, name in _ADDRESSES.items() if environment.get(variable)), None)


def registry_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a verb the options for registries; it receives ``access``."""

    def collected(plain_http: bool, ca_file: Path | None, **given: Any) -> Any:
        return command(access=access_of(plain_http=plain_http, ca_file=ca_file), **given)

    collected.__doc__ = command.__doc__
    collected.__dict__.update(command.__dict__)
    plain = click.option(
        "--plain-http", is_flag=True, help="Talk to the registry without encryption."
    )
    authorities = click.option(
        "--ca-file",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Certificate authorities to trust for registries (PEM).",
    )
    return plain(authorities(collected))


def access_of(*, plain_http: bool = False, ca_file: Path | None = None) -> Access:
    """How registries are reached: with the logins that Docker and Podman remember."""
    from slimpy.image.registry.access import Access

    return Access.of_user(os.environ, os.getuid(), plain_http=plain_http, ca_file=ca_file)
