"""Which engine is used: what the user says, in the order in which it counts."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from slimpy.cli.engines import engine_for, engine_option, registry_options
from slimpy.engine.choice import EngineName
from slimpy.image.registry.access import Access


@click.command()
@engine_option
@registry_options
def verb(engine: EngineName | None, access: Access) -> None:
    click.echo(f"{engine and engine.value} {access.plain_http}")


@pytest.mark.parametrize(
    ("arguments", "environment", "said"),
    [
        ("", {}, "None False"),
        ("--engine podman", {}, "podman False"),
        ("", {"SLIM_ENGINE": "embedded"}, "embedded False"),
        ("--engine docker --plain-http", {"SLIM_ENGINE": "embedded"}, "docker True"),
    ],
)
def test_the_flag_comes_before_the_environment(
    arguments: str, environment: dict[str, str], said: str
) -> None:
    done = CliRunner(env={"SLIM_ENGINE": None, **environment}).invoke(verb, arguments.split())
    assert done.output.strip() == said


def test_an_engine_that_does_not_exist() -> None:
    assert CliRunner(env={"SLIM_ENGINE": "moby"}).invoke(verb).exit_code == 2


@pytest.mark.parametrize(
    ("name", "image", "environment", "wanted"),
    [
        (None, "app", {}, None),
        (None, "app", {"DOCKER_HOST": "tcp://x"}, EngineName.DOCKER),
        (None, "app", {"CONTAINER_HOST": "unix:///x"}, EngineName.PODMAN),
        (None, "podman:app", {"DOCKER_HOST": "tcp://x"}, EngineName.PODMAN),
        (None, "docker-daemon:app", {}, EngineName.DOCKER),
        (EngineName.EMBEDDED, "docker-daemon:app", {"DOCKER_HOST": "x"}, EngineName.EMBEDDED),
    ],
)
def test_an_image_or_an_address_names_its_engine(
    monkeypatch: pytest.MonkeyPatch,
    name: EngineName | None,
    image: str,
    environment: dict[str, str],
    wanted: EngineName | None,
) -> None:
    asked: list[EngineName | None] = []

    @contextlib.contextmanager
    def connected(chosen: EngineName | None) -> Iterator[None]:
        asked.append(chosen)
        yield

    for variable in ("DOCKER_HOST", "CONTAINER_HOST"):
        monkeypatch.delenv(variable, raising=False)
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setattr("slimpy.engine.choice.connected", connected)
    with engine_for(name, image):
        pass
    assert asked == [wanted]
