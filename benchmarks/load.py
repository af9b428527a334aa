"""A small HTTP load: a bounded number of GET requests over a few connections, kept alive where the
server lets them.

It is a program of its own, so that the tracer's reader and the load are not one process.
"""

from __future__ import annotations

import argparse
import json
import socket
import sys
import threading
import time
from dataclasses import asdict, dataclass

from benchmarks.program import run
from benchmarks.rounds import median

_TIMEOUT = 30.0
_LONGEST = 1 << 20


@dataclass(frozen=True, slots=True)
class Load:
    """What the load came to; ``latency`` is the median of one request, in seconds."""

    requests: int
    failures: int
    seconds: float
    latency: float

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds


def apply(host: str, port: int, path: str, *, requests: int, connections: int = 4) -> Load:
    """Load a server from another process.

    Raises:
        RuntimeError: a request failed, so the figures would mean nothing.
    """
    numbers = ("--requests", str(requests), "--connections", str(connections))
    done = run([sys.executable, "-m", "benchmarks.load", host, str(port), path, *numbers])
    if done.code:
        raise RuntimeError(f"the load on {path} failed: {done.errors.decode()}")
    return Load(**json.loads(done.output))


class _Client:
    """One connection, opened again whenever the server closes it."""

    def __init__(self, host: str, port: int, path: str) -> None:
        self._address = (host, port)
        self._request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
        self._socket: socket.socket | None = None

    def get(self) -> bool:
        """One request; whether it was answered with status 200, whole."""
        if self._socket is None:
            self._socket = socket.create_connection(self._address, timeout=_TIMEOUT)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(self._request)
        data = self._socket.recv(1 << 16)
        while b"\r\n\r\n" not in data and len(data) < _LONGEST:
            data += self._more()
        head, _, body = data.partition(b"\r\n\r\n")
        head = head.lower()
        left = _length(head) - len(body)
        while left > 0:
            left -= len(self._more())
        if b"\r\nconnection: close" in head:
            self.close()
        return head.startswith((b"http/1.1 200 ", b"http/1.0 200 "))

    def _more(self) -> bytes:
        assert self._socket is not None
        data = self._socket.recv(1 << 16)
        if not data:
            raise ConnectionError("the answer ended early")
        return data

    def close(self) -> None:
        """Close the connection."""
        if self._socket is not None:
            self._socket.close()
        self._socket = None


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name == b"content-length":
            return int(value)
    raise ValueError("the answer does not tell its length; choose another path")


def _work(client: _Client, count: int, latencies: list[float], failures: list[int]) -> None:
    failed = 0
    for _ in range(count):
        began = time.perf_counter()
        try:
            failed += not client.get()
        except (OSError, ValueError):
            failed += 1
            client.close()
        latencies.append(time.perf_counter() - began)
    client.close()
    failures.append(failed)


def _load(host: str, port: int, path: str, requests: int, connections: int) -> Load:
    each = max(1, requests // connections)
    latencies: list[float] = []
    failures: list[int] = []
    workers = [
        threading.Thread(target=_work, args=(_Client(host, port, path), each, latencies, failures))
        for _ in range(connections)
    ]
    began = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    seconds = time.perf_counter() - began
    return Load(len(latencies), sum(failures), seconds, median(latencies))


def main() -> int:
    """Print the load as JSON; exit code 1 if a request failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description=__doc__)
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("path")
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--connections", type=int, default=4)
    given = parser.parse_args()
    load = _load(given.host, given.port, given.path, given.requests, given.connections)
    print(json.dumps(asdict(load)))
    if load.failures:
        print(f"{load.failures} of {load.requests} requests failed", file=sys.stderr)
    return 1 if load.failures else 0


if __name__ == "__main__":
    sys.exit(main())
