"""Real servers on loopback, and a stand-in for the engine's container in front of them."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from probes.model import CommandAnswer, Listener

Route = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """Answers by its server's routes: path -> function or (status, type, body)."""

    protocol_version = "HTTP/1.1"
    routes: Mapping[str, object] = {}
    seen: list[tuple[str, str, dict[str, str], bytes]]

    def answer(
        self, body: bytes, kind: str = "text/html", status: int = 200, **headers: str
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def handle_any(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        self.content = self.rfile.read(length)
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.seen.append((self.command, self.path, headers, self.content))
        found = self.routes.get(self.path) or self.routes.get(self.path.partition("?")[0])
        if found is None:
            found = self.routes.get("*", (404, "text/plain", b"not here"))
        if callable(found):
            found(self)
        else:
            status, kind, body = found  # type: ignore[misc]
            self.answer(body, kind, status)

    do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = handle_any  # noqa: N815

    def log_message(self, *args: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = False

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # a client that goes away is part of the tests


@dataclass
class App:
    """A running server and what it was asked."""

    port: int
    seen: list[tuple[str, str, dict[str, str], bytes]]

    @property
    def paths(self) -> list[str]:
        return [path for _, path, _, _ in self.seen]


@dataclass
class FakeTarget:
    """A container whose app is a server here. ``published``: its port -> the real one."""

    published: dict[int, int] = field(default_factory=dict)
    listening: frozenset[Listener] | None = None
    code: Callable[[], int | None] = lambda: None
    run: Callable[[Sequence[str]], CommandAnswer] = lambda argv: CommandAnswer(0, b"", b"")
    marks: list[str] = field(default_factory=list)
    executed: list[tuple[tuple[str, ...], bytes, str, dict[str, str]]] = field(default_factory=list)

    def address(self, port: int) -> tuple[str, int] | None:
        real = self.published.get(port)
        return None if real is None else ("127.0.0.1", real)

    def listeners(self) -> frozenset[Listener] | None:
        return self.listening

    def exit_code(self) -> int | None:
        return self.code()

    def execute(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        user: str = "",
        environment: Mapping[str, str] | None = None,
        timeout: float = 60.0,
        during: str = "",
    ) -> CommandAnswer:
        self.executed.append((tuple(argv), stdin, user, dict(environment or {})))
        return self.run(argv)

    def log_tail(self, lines: int = 20) -> tuple[str, ...]:
        return ("the last line",)

    def mark(self, during: str) -> None:
        self.marks.append(during)


@dataclass
class FakeTime:
    """A clock that only moves when somebody waits; ``on_pause`` may change the world meanwhile."""

    time: float = 0.0
    on_pause: Callable[[float], None] = lambda now: None

    def now(self) -> float:
        return self.time

    def pause(self, seconds: float) -> None:
        self.time += seconds
        self.on_pause(self.time)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def serve(stack: ExitStack) -> Callable[..., App]:
    """Start an HTTP server with these routes; on a given port, if it must be that one."""

    def start(routes: Mapping[str, object], port: int = 0, tls: object = None) -> App:
        seen: list[tuple[str, str, dict[str, str], bytes]] = []
        handler = type("Routed", (Handler,), {"routes": routes, "seen": seen})
        server = Server(("127.0.0.1", port), handler)
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()

        def stop() -> None:
            server.shutdown()
            server.server_close()
            thread.join()

        stack.callback(stop)
        return App(server.server_address[1], seen)

    return start


@pytest.fixture
def raw(stack: ExitStack) -> Callable[[Callable[[socket.socket], None]], int]:
    """Start a TCP server that does as it is told with every connection; its port."""

    def start(serve_one: Callable[[socket.socket], None]) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        listener.settimeout(0.05)
        stopped = threading.Event()

        def loop() -> None:
            while not stopped.is_set():
                try:
                    connection, _ = listener.accept()
                except TimeoutError:
                    continue
                with connection:
                    connection.settimeout(5)
                    try:
                        serve_one(connection)
                    except OSError:
                        continue

        thread = threading.Thread(target=loop)
        thread.start()

        def stop() -> None:
            stopped.set()
            thread.join()
            listener.close()

        stack.callback(stop)
        return int(listener.getsockname()[1])

    return start


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture
def make_target() -> type[FakeTarget]:
    return FakeTarget


@pytest.fixture
def make_time() -> type[FakeTime]:
    return FakeTime


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    key, cert = folder / "key.pem", folder / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=other"]
    try:
        subprocess.run(
            [*command, "-keyout", key, "-out", cert, "-days", "2"], check=True, capture_output=True
        )
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context
