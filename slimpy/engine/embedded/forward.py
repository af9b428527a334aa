"""Makes a port of a container reachable on this machine's loopback."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading

from slimpy.engine.embedded.client import Keeper, RefusedError
from slimpy.errors import EngineLostError

_PIECE = 1 << 16
_ABORT = struct.pack("ii", 1, 0)


class Forward:
    """Listens on a port of its own, and hands every connection on; what the container refuses is
    reset, as a publishing proxy does it.
    """

    def __init__(self, keeper: Keeper, port: int) -> None:
        self._keeper = keeper
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.address: tuple[str, int] = self._listener.getsockname()
        threading.Thread(target=self._serve, name="forward", daemon=True).start()

    def close(self) -> None:
        """Listen no more; connections that are open end with their container."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                try:
                    server = self._keeper.connect(self._port)
                except (RefusedError, EngineLostError, OSError):
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
                    client.close()
                    continue
                _Pair(client, server).start()


class _Pair:
    """Two connections whose bytes go to each other; both are closed when both directions ended."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self._sockets = client, server
        self._left = 2
        self._lock = threading.Lock()

    def start(self) -> None:
        for source, target in (self._sockets, self._sockets[::-1]):
            threading.Thread(target=self._pump, args=(source, target), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(_PIECE):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except ConnectionResetError:
            with contextlib.suppress(OSError):
                target.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
        except OSError:
            pass
        with self._lock:
            self._left -= 1
            last = self._left == 0
        if last:
            for item in self._sockets:
                item.close()
