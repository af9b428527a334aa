"""The HTTP client against real servers, friendly and not."""

from __future__ import annotations

import gzip
import hashlib
import socket
import zlib

import h2.config
import h2.connection
import h2.events
import pytest

from probes.http.bodies import COUNTED, KEPT, DamagedBodyError, read_body
from probes.http.client import HttpSession, Request
from probes.model import HttpAnswer, NoAnswer, Page


def ask(target, path="/", scheme="http", port=80, **options):
    with HttpSession(target) as session:
        return session.send(Request(Page(scheme, port, path), **options))


def test_a_plain_answer(serve, make_target):
    app = serve({"/": (200, "text/html; charset=utf-8", b"<h1>hi</h1>")})
    answer = ask(make_target({80: app.port}))
    assert isinstance(answer, HttpAnswer)
    assert (answer.status, answer.body, answer.size) == (200, b"<h1>hi</h1>", 11)
    assert answer.sha256 == hashlib.sha256(b"<h1>hi</h1>").hexdigest()
    assert answer.content_type == "text/html"


def test_the_app_hears_its_own_name_and_port(serve, make_target):
    app = serve({"*": (200, "text/plain", b"x")})
    target = make_target({80: app.port, 8080: app.port})
    ask(target)
    ask(target, port=8080)
    assert [headers["host"] for _, _, headers, _ in app.seen] == ["localhost", "localhost:8080"]


def test_proxies_of_the_environment_are_not_used(serve, make_target, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    app = serve({"/": (200, "text/plain", b"x")})
    assert isinstance(ask(make_target({80: app.port})), HttpAnswer)


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(b"plain text", mtime=0)),
        ("deflate", zlib.compress(b"plain text")),
        ("deflate", zlib.compress(b"plain text")[2:-4]),
    ],
)
def test_encoded_bodies_are_decoded(serve, make_target, encoding, body):
    app = serve({"/": lambda h: h.answer(body, "text/plain", Content_Encoding=encoding)})
    answer = ask(make_target({80: app.port}))
    assert (answer.body, answer.size) == (b"plain text", 10)


def test_a_damaged_encoding_is_no_answer(serve, make_target):
    app = serve({"/": lambda h: h.answer(b"not gzip", Content_Encoding="gzip")})
    answer = ask(make_target({80: app.port}))
    assert isinstance(answer, NoAnswer)
    assert "not encoded as its header says" in answer.reason


def test_head_of_an_encoded_page(serve, make_target):
    app = serve({"/": lambda h: h.answer(b"12345", Content_Encoding="gzip")})
    answer = ask(make_target({80: app.port}), method="HEAD")
    assert (answer.status, answer.size) == (200, 0)


def test_a_huge_body_is_kept_in_part_and_counted_whole(serve, make_target):
    body = bytes(range(256)) * 8192
    app = serve({"/": (200, "application/octet-stream", body)})
    answer = ask(make_target({80: app.port}))
    assert answer.body == body[:KEPT]
    assert (answer.size, answer.sha256) == (len(body), hashlib.sha256(body).hexdigest())


def test_a_body_without_end_is_not_read_to_it():
    pulled = 0

    def endless():
        nonlocal pulled
        while True:
            pulled += 1
            yield bytes(1024 * 1024)

    body = read_body(endless(), "")
    assert (body.size, len(body.kept)) == (COUNTED, KEPT)
    assert pulled == COUNTED // (1024 * 1024)


def test_a_small_body_that_inflates_without_end_is_cut():
    bomb = gzip.compress(bytes(COUNTED * 2), 1)
    assert read_body([bomb], "gzip").size == COUNTED


def test_a_body_that_ends_early_is_damaged():
    with pytest.raises(DamagedBodyError):
        read_body([gzip.compress(b"x" * 1000)[:-12]], "gzip")


def test_chunked(serve, make_target):
    def chunked(handler):
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for part in (b"one", b"two"):
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        handler.wfile.write(b"0\r\n\r\n")

    app = serve({"/": chunked})
    assert ask(make_target({80: app.port})).body == b"onetwo"


def test_a_body_that_ends_with_the_connection(raw, make_target):
    def old_style(connection):
        connection.recv(4096)
        connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nold")

    answer = ask(make_target({80: raw(old_style)}))
    assert (answer.status, answer.body) == (200, b"old")


def test_event_streams_are_not_read(raw, make_target):
    def stream(connection):
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")
        connection.recv(1)

    answer = ask(make_target({80: raw(stream)}), timeout=4)
    assert (answer.status, answer.size) == (200, 0)


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        (lambda c: c.recv(4096), "closed"),
        (
            lambda c: (
                c.recv(4096),
                c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"),
            ),
            "closed",
        ),
        (lambda c: (c.recv(4096), c.sendall(b"-ERR unknown command\r\n")), "closed"),
        (lambda c: (c.recv(4096), c.sendall(b"\x00\xff" * 500)), "garbled"),
        (
            lambda c: (c.recv(4096), c.sendall(b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 60000)),
            "garbled",
        ),
    ],
)
def test_peers_that_misbehave(raw, make_target, script, kind):
    answer = ask(make_target({80: raw(script)}))
    assert isinstance(answer, NoAnswer)
    assert answer.kind == kind
    assert str(answer.reason).isprintable()


def test_a_reset_connection(raw, make_target):
    def reset(connection):
        connection.recv(10)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    answer = ask(make_target({80: raw(reset)}))
    assert isinstance(answer, NoAnswer)
    assert answer.kind == "closed"


def test_nothing_listens(make_target, free_port):
    answer = ask(make_target({80: free_port}))
    assert answer == NoAnswer("the connection was refused", "unreachable")


def test_a_port_that_is_not_published(make_target):
    assert ask(make_target({})) == NoAnswer("port 80 is not published", "unasked")


def test_a_mute_peer_times_out(raw, make_target):
    answer = ask(make_target({80: raw(lambda c: c.recv(4096) and c.recv(1))}), timeout=0.2)
    assert answer == NoAnswer("no complete answer within 0.2 s", "timeout")


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"])
def test_a_peer_that_drips_is_cut_off_at_the_deadline(raw, make_target, head):
    def drip(connection):
        connection.recv(4096)
        connection.sendall(head)
        connection.settimeout(0.02)
        for _ in range(400):
            connection.sendall(b"H" if not head else b"x")
            try:
                if not connection.recv(1):
                    return
            except TimeoutError:
                continue

    answer = ask(make_target({80: raw(drip)}), timeout=0.4)
    assert isinstance(answer, NoAnswer)
    assert answer.kind in ("timeout", "garbled" if not head else "timeout")


def test_cookies_are_kept_for_the_session_and_no_longer(serve, make_target):
    app = serve(
        {
            "/login": lambda h: h.answer(b"in", Set_Cookie="session=abc; Path=/; HttpOnly; Secure"),
            "/me": lambda h: h.answer((h.headers.get("Cookie") or "nobody").encode()),
        }
    )
    target = make_target({80: app.port})
    with HttpSession(target) as session:
        session.send(Request(Page("http", 80, "/login"), "POST"))
        assert session.send(Request(Page("http", 80, "/me"))).body == b"session=abc"
    assert ask(target, "/me").body == b"nobody"


def test_redirects_are_followed_within_the_app_only(serve, make_target):
    app = serve(
        {
            "/a": lambda h: h.answer(b"", status=302, Location="/b"),
            "/b": lambda h: h.answer(b"", status=301, Location="http://localhost/c"),
            "/c": (200, "text/plain", b"there"),
            "/out": lambda h: h.answer(b"", status=302, Location="http://example.org/"),
            "/bad": lambda h: h.answer(b"", status=302, Location="http://[bad"),
            "/loop": lambda h: h.answer(b"", status=302, Location="/loop"),
        }
    )
    target = make_target({80: app.port})
    assert ask(target, "/a").status == 302
    assert ask(target, "/a", follow=True).body == b"there"
    assert ask(target, "/out", follow=True).status == 302
    assert ask(target, "/bad", follow=True).status == 302
    assert isinstance(ask(target, "/loop", follow=True), NoAnswer)


@pytest.mark.parametrize(("status", "method"), [(302, "GET"), (303, "GET"), (307, "POST")])
def test_what_a_redirected_post_becomes(serve, make_target, status, method):
    app = serve(
        {
            "/form": lambda h: h.answer(b"", status=status, Location="/done"),
            "/done": (200, "text/plain", b"done"),
        }
    )
    ask(make_target({80: app.port}), "/form", method="POST", body=b"a=1", follow=True)
    last = app.seen[-1]
    assert (last[0], last[1]) == (method, "/done")
    assert last[3] == (b"" if method == "GET" else b"a=1")


def test_odd_headers_do_not_break_the_client(serve, make_target):
    app = serve({"/": (200, "text/plain", b"x")})
    target = make_target({80: app.port})
    assert ask(target, headers=(("x-name", "Ünïcode"),)).status == 200
    assert ask(target, headers=(("x-näme", "v"),)).kind == "unasked"
    assert ask(target, headers=(("x", "a\r\nb: c"),)).kind == "unasked"


def test_https_with_a_certificate_of_its_own(serve, make_target, certificate):
    app = serve({"/": (200, "text/plain", b"safe")}, tls=certificate)
    target = make_target({443: app.port})
    assert ask(target, scheme="https", port=443).body == b"safe"
    assert isinstance(ask(target, scheme="http", port=443), NoAnswer)


def test_https_to_a_plain_server(serve, make_target):
    app = serve({"/": (200, "text/plain", b"plain")})
    answer = ask(make_target({443: app.port}), scheme="https", port=443, timeout=5)
    assert answer == NoAnswer("no TLS connection could be made", "garbled")


def test_http2_where_it_is_negotiated(raw, make_target, certificate):
    certificate.set_alpn_protocols(["h2"])

    def speak(plain):
        with certificate.wrap_socket(plain, server_side=True) as connection:
            state = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
            state.initiate_connection()
            connection.sendall(state.data_to_send())
            while data := connection.recv(65536):
                for event in state.receive_data(data):
                    if isinstance(event, h2.events.RequestReceived):
                        asked = dict(event.headers)
                        state.send_headers(event.stream_id, [(":status", "200")])
                        state.send_data(event.stream_id, asked[b":authority"], end_stream=True)
                connection.sendall(state.data_to_send())

    answer = ask(make_target({8443: raw(speak)}), scheme="https", port=8443)
    certificate.set_alpn_protocols(["http/1.1"])
    assert (answer.status, answer.body) == (200, b"localhost:8443")
