"""Which internet sockets the app listens on, by its socket, bind, listen and getsockname calls."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from probes.files.lines import Call
from probes.model import Listener

_MAX_SOCKETS = 4096  # remembered between socket() and bind(), or bind() and listen()
_MAX_LISTENERS = 10_000

_PORT = re.compile(rb"sin6?_port=htons\((\d{1,5})\)")
_ADDRESS = re.compile(rb'(?:inet_addr\(|inet_pton\(AF_INET6, )"([0-9A-Fa-f:.]{1,60})"')
_KEY = re.compile(rb"\d+<(?:socket|(TCP|UDP)(?:v6)?):\[(\d+)\]>")
_NAMED = re.compile(rb"\d+<(TCP|UDP)(?:v6)?:\[\[?([0-9A-Fa-f:.]+?)\]?:(\d{1,5})(?:->.*)?\]>")

_Protocol = Literal["tcp", "udp"]


@dataclass(slots=True)
class _Socket:
    protocol: _Protocol | None = None  # None: made out of sight
    address: str = ""
    port: int | None = None
    listening: bool = False


class Sockets:
    """Follows internet sockets by their inode, which ``-y`` prints, else by task and descriptor.

    ``listeners`` is replaced, never changed, so that other threads can read it at any time.
    """

    def __init__(self) -> None:
        self.listeners: frozenset[Listener] = frozenset()
        self._sockets: dict[bytes, _Socket] = {}

    def created(self, owner: bytes, call: Call) -> None:
        """A socket() that succeeded."""
        if not call.arg(0).startswith(b"AF_INET"):
            return
        kind = call.arg(1)
        protocol: _Protocol | None = None
        if b"SOCK_STREAM" in kind and b"SCTP" not in call.arg(2):
            protocol = "tcp"
        elif b"SOCK_DGRAM" in kind:
            protocol = "udp"
        self._forget(_key(owner, call.result))
        if protocol:
            self._socket(_key(owner, call.result)).protocol = protocol

    def bound(self, owner: bytes, call: Call) -> None:
        """A bind() that succeeded."""
        name = _name(call.arg(1))
        if name is None:
            return
        socket = self._socket(_key(owner, call.arg(0)))
        socket.address, socket.port = name
        if match := _KEY.match(call.arg(0)):
            socket.protocol = _protocol(match[1]) or socket.protocol
        self._publish(socket)

    def listening(self, owner: bytes, call: Call) -> None:
        """A listen() that succeeded; without an earlier bind() the port is not a chosen one."""
        if match := _NAMED.match(call.arg(0)):  # strace -yy already knows the name
            self._add("tcp", match[2].decode("ascii"), int(match[3]))
            return
        socket = self._sockets.get(_key(owner, call.arg(0)))
        if socket is not None and socket.port is not None:
            socket.listening = True
            socket.protocol = "tcp"
            self._publish(socket)

    def named(self, owner: bytes, call: Call) -> None:
        """A getsockname() that succeeded: it tells the port of a socket bound to port 0."""
        name = _name(call.arg(1))
        socket = self._sockets.get(_key(owner, call.arg(0)))
        if name is not None and socket is not None and socket.port == 0:
            socket.address, socket.port = name
            self._publish(socket)

    def _publish(self, socket: _Socket) -> None:
        if socket.port and (socket.protocol == "udp" or socket.listening):
            self._add(socket.protocol or "tcp", socket.address, socket.port)

    def _add(self, protocol: _Protocol, address: str, port: int) -> None:
        if 1 <= port <= 65535 and len(self.listeners) < _MAX_LISTENERS:
            self.listeners |= {Listener(protocol, address, port)}

    def _socket(self, key: bytes) -> _Socket:
        socket = self._sockets.get(key)
        if socket is None:
            if len(self._sockets) >= _MAX_SOCKETS:
                self._evict()
            socket = self._sockets[key] = _Socket()
        return socket

    def _forget(self, key: bytes) -> None:
        self._sockets.pop(key, None)

    def _evict(self) -> None:
        """Make room: the oldest socket that was never bound, else the oldest."""
        unbound = (key for key, socket in self._sockets.items() if socket.port is None)
        del self._sockets[next(unbound, next(iter(self._sockets)))]


def _key(owner: bytes, descriptor: bytes) -> bytes:
    match = _KEY.match(descriptor)
    return match[2] if match else owner + b":" + descriptor.partition(b"<")[0]


def _protocol(name: bytes | None) -> _Protocol | None:
    if name is None:
        return None
    return "udp" if name == b"UDP" else "tcp"


def _name(address: bytes) -> tuple[str, int] | None:
    if not address.startswith(b"{sa_family=AF_INET"):
        return None
    port, host = _PORT.search(address), _ADDRESS.search(address)
    if port is None:
        return None
    return host[1].decode("ascii") if host else "", int(port[1])
