"""Registries in memory, on loopback."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.unit.image.registry.fake import Fake, FakeTime, Handler, Server


@pytest.fixture
def registries() -> Iterator[Callable[[], Fake]]:
    """Starts a registry."""
    with ExitStack() as stack:

        def start() -> Fake:
            fake = Fake()
            server = Server(("127.0.0.1", 0), type("Own", (Handler,), {"registry": fake}))
            fake.port = server.server_address[1]
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
            thread.start()

            def stop() -> None:
                server.shutdown()
                server.server_close()
                thread.join()

            stack.callback(stop)
            return fake

        yield start


@pytest.fixture
def fake(registries: Callable[[], Fake]) -> Fake:
    return registries()


@pytest.fixture
def clock() -> FakeTime:
    return FakeTime()


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
