"""What the SDK raises, as our errors."""

from __future__ import annotations

import socket
import threading
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from docker.errors import APIError, DockerException, ImageNotFound, NotFound

from slimpy.engine import docker as docker_engine
from slimpy.engine.docker import DockerEngine
from slimpy.engine.docker_errors import load_failed, root_cause, translated
from slimpy.errors import (
    DiskFullError,
    EngineLostError,
    EngineUnavailableError,
    ImageNotFoundError,
    PlatformError,
)

FULL = "write /var/lib/docker/tmp/x: no space left on device"


def api_error(status: int, text: str, kind: type[APIError] = APIError) -> APIError:
    response = requests.Response()
    response.status_code = status
    return kind("error", response=response, explanation=text)


@pytest.mark.parametrize(
    ("error", "wanted", "said"),
    [
        (api_error(500, FULL), DiskFullError, "no space left at the engine while working"),
        (
            api_error(500, "broken\n\x1b[31mpipe"),
            EngineLostError,
            "while working: broken \x1b[31mpipe.",
        ),
        (api_error(409, "in use"), EngineLostError, "while working: in use."),
        (api_error(404, "no such container", NotFound), EngineLostError, "vanished"),
        (requests.ConnectionError("refused"), EngineLostError, "stopped answering while working"),
        (requests.ReadTimeout("late"), EngineLostError, "stopped answering while working"),
        (DockerException("odd"), EngineLostError, "stopped answering while working"),
        (ConnectionResetError(), EngineLostError, "stopped answering while working"),
    ],
    ids=lambda value: getattr(value, "__name__", None) or str(value)[:20],
)
def test_translation(error, wanted, said):
    with pytest.raises(wanted) as caught, translated("working"):
        raise error
    assert said in caught.value.message and caught.value.__cause__ is error


def test_refusals_and_missing_images_are_for_the_caller():
    with pytest.raises(APIError), translated("working", refusals=True):
        raise api_error(409, "in use")
    with pytest.raises(ImageNotFound), translated("working"):
        raise api_error(404, "no such image", ImageNotFound)
    with pytest.raises(DiskFullError), translated("working", refusals=True):
        raise api_error(400, FULL)


def test_a_load_that_failed():
    assert isinstance(load_failed(FULL), DiskFullError)
    assert "unexpected EOF" in load_failed("unexpected EOF").message


def test_the_bottom_of_a_chain_of_errors():
    inner = ConnectionRefusedError(111, "Connection refused")
    outer = requests.ConnectionError("aborted", inner)
    assert root_cause(DockerException(outer)) == "Connection refused"
    assert root_cause(ValueError("odd")) == ""


def engine(images: Any = None, arch: str = "amd64", **api: Any) -> DockerEngine:
    client = SimpleNamespace(
        version=lambda: {"Arch": arch}, api=SimpleNamespace(**api), images=images
    )
    return DockerEngine(client)


def inspected(**attributes: Any) -> Any:
    return lambda _: {"Id": "sha256:1", **attributes}


@pytest.mark.parametrize(
    ("attributes", "arch", "said"),
    [
        ({"Os": "windows"}, "amd64", "is for windows"),
        ({"Architecture": "arm64"}, "amd64", "is for arm64"),
        ({"Architecture": "s390x"}, "arm64", "is for s390x"),
    ],
)
def test_an_image_that_the_engine_cannot_run(attributes, arch, said):
    with pytest.raises(PlatformError) as caught:
        engine(arch=arch, inspect_image=inspected(**attributes)).inspect("app")
    assert said in caught.value.message


@pytest.mark.parametrize(
    ("architecture", "arch"), [("386", "amd64"), ("arm", "arm64"), ("riscv64", "")]
)
def test_an_image_that_it_can_run(architecture, arch):
    image = engine(arch=arch, inspect_image=inspected(Architecture=architecture)).inspect("app")
    assert image.architecture == architecture


def raising(error: Exception) -> Any:
    def work(*_: Any, **__: Any) -> Any:
        raise error

    return work


@pytest.mark.parametrize(
    ("error", "wanted"),
    [
        (api_error(500, "dial tcp: no such host"), ImageNotFoundError),
        (requests.ReadTimeout("late"), ImageNotFoundError),
        (api_error(500, FULL), DiskFullError),
    ],
)
def test_a_pull_that_fails(error, wanted):
    missing = raising(api_error(404, "no such image", ImageNotFound))
    pulling = SimpleNamespace(pull=raising(error))
    with pytest.raises(wanted) as caught:
        engine(images=pulling, inspect_image=missing).inspect("app:1")
    assert "app:1" in caught.value.message


def test_an_engine_that_accepts_and_says_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(docker_engine, "FIRST_TIMEOUT", 0.2)
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/mute.sock")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(f"{tmp_path}/mute.sock")
        listener.listen()
        accepted: list[socket.socket] = []
        thread = threading.Thread(target=lambda: accepted.append(listener.accept()[0]))
        thread.start()
        with pytest.raises(EngineUnavailableError) as caught:
            DockerEngine.connect()
        thread.join(5)
        for connection in accepted:
            connection.close()
    assert "mute.sock" in caught.value.message and "timed out" in caught.value.message
