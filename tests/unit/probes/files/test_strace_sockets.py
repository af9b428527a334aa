"""Which sockets count as listening."""

from __future__ import annotations

import threading

import pytest

from probes.files.recorder import Recorder
from probes.model import Listener
from tests.unit.probes.files.strace_logs import START, bound, record, socket

SIX = '{sa_family=AF_INET6, sin6_port=htons(443), inet_pton(AF_INET6, "::", &sin6_addr)}'


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([socket("SOCK_STREAM", 5), bound(5, 80), "1 listen(3<socket:[5]>, 5) = 0"],
         {("tcp", "0.0.0.0", 80)}),
        ([socket("SOCK_STREAM", 5), bound(5, 80)], set()),
        ([socket("SOCK_STREAM", 5), "1 listen(3<socket:[5]>, 5) = 0"], set()),
        ([socket("SOCK_DGRAM", 5), bound(5, 53, "127.0.0.1")], {("udp", "127.0.0.1", 53)}),
        ([socket("SOCK_DGRAM", 5), bound(5, 0)], set()),
        ([socket("SOCK_STREAM", 5), bound(5, 80),
          "1 listen(3<socket:[5]>, 5) = -1 EADDRINUSE (Address already in use)"], set()),
        ([socket("SOCK_STREAM", 5, "AF_INET6"), f"1 bind(3<socket:[5]>, {SIX}, 28) = 0",
          "2 listen(9<socket:[5]>, 5) = 0"], {("tcp", "::", 443)}),
        ([bound(5, 80), "1 listen(3<socket:[5]>, 5) = 0"], {("tcp", "0.0.0.0", 80)}),
        ([socket("SOCK_STREAM", 5), bound(5, 80), socket("SOCK_STREAM", 5),
          "1 listen(3<socket:[5]>, 5) = 0"], set()),
        (["1 socket(AF_INET, SOCK_STREAM, IPPROTO_TCP) = 3<TCP:[7]>",
          bound(7, 81).replace("socket", "TCP"), "1 listen(3<TCP:[0.0.0.0:81]>, 5) = 0"],
         {("tcp", "0.0.0.0", 81)}),
        (["1 listen(3<TCPv6:[[::1]:82]>, 5) = 0"], {("tcp", "::1", 82)}),
        (["1 socket(AF_INET, SOCK_DGRAM, IPPROTO_IP) = 3<UDP:[7]>",
          bound(7, 81).replace("socket", "UDP")], {("udp", "0.0.0.0", 81)}),
        (["1 socket(AF_INET, SOCK_STREAM, IPPROTO_IP) = 3",
          bound(5, 83).replace("<socket:[5]>", ""), "1 listen(3, 5) = 0"],
         {("tcp", "0.0.0.0", 83)}),
        ([socket("SOCK_RAW", 5), bound(5, 80)], set()),
        (["1 socket(AF_UNIX, SOCK_STREAM, 0) = 3<socket:[5]>",
          '1 bind(3<socket:[5]>, {sa_family=AF_UNIX, sun_path="sin_port=htons(80)"}, 9) = 0',
          "1 listen(3<socket:[5]>, 5) = 0"], set()),
    ],
)  # fmt: skip
def test_listeners(lines: list[str], expected: set[tuple[str, str, int]]) -> None:
    found = {(item.protocol, item.address, item.port) for item in record(START, *lines).listeners}
    assert found == expected


def test_listeners_can_be_read_while_the_log_grows() -> None:
    recorder = Recorder(cwd="/")
    lines = "\n".join(
        [START, socket("SOCK_STREAM", 5), bound(5, 80), "1 listen(3<socket:[5]>, 5) = 0\n"]
    )
    seen: list[bool] = []
    stop = threading.Event()

    def watch() -> None:
        while not stop.is_set():
            if recorder.listeners() == {Listener("tcp", "0.0.0.0", 80)}:
                seen.append(True)
                return

    watcher = threading.Thread(target=watch)
    watcher.start()
    assert recorder.listeners() == frozenset()
    for code in lines.encode():
        recorder.feed(bytes((code,)))
    watcher.join(10)
    stop.set()
    assert seen


def test_sockets_are_bounded_and_bound_ones_stay() -> None:
    recorder = Recorder(cwd="/")
    recorder.feed("\n".join([START, socket("SOCK_STREAM", 1), bound(1, 80)]).encode() + b"\n")
    for inode in range(2, 6000):
        recorder.feed(socket("SOCK_STREAM", inode).encode() + b"\n")
    recorder.feed(b"1 listen(3<socket:[1]>, 5) = 0\n")
    assert recorder.listeners() == {Listener("tcp", "0.0.0.0", 80)}
