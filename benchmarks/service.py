"""A sample that serves HTTP, started through the Engine's own interface, traced or not."""

from __future__ import annotations

import contextlib
import http.client
import time
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.program import environment
from benchmarks.rounds import poll
from slimpy.engine.protocol import Container, RunSpec, Workspace

READY_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Service:
    """A sample app, the port it serves, and a path whose answer tells its length."""

    sample: str
    port: int
    path: str


FLASK = Service("flask-gunicorn", 8000, "/")
NGINX = Service("nginx", 8080, "/docs/second.html")


@dataclass(frozen=True, slots=True)
class Running:
    """A service that answers; ``seconds`` from the container's start to the first answer."""

    container: Container
    host: str
    port: int
    seconds: float


@contextlib.contextmanager
def started(workspace: Workspace, service: Service, *, traced: bool) -> Iterator[Running]:
    """Start the service and wait until its path answers; it is removed at the end."""
    spec = RunSpec(traced=traced, ports=(service.port,), environment=environment(service.sample))
    with workspace.run(spec) as container:
        began = time.monotonic()
        container.start()
        address = container.address(service.port)
        if address is None:
            raise RuntimeError(f"{service.sample}: port {service.port} is not published")
        what = f"{service.sample} did not answer on {service.path}"
        poll(lambda: _answers(*address, service.path), seconds=READY_SECONDS, what=what)
        yield Running(container, *address, time.monotonic() - began)


def _answers(host: str, port: int, path: str) -> bool:
    connection = http.client.HTTPConnection(host, port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
