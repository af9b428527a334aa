"""Readiness: real sockets that come up late, half, wrongly or never. Time is a fake that moves only
when waited for."""

from __future__ import annotations

import pytest

from probes.errors import AppExited, NeedsPorts, NeverReady
from probes.http.client import HttpSession
from probes.http.ready import Clock, Endpoint, Readiness, Wanted, holds
from probes.model import CommandAnswer, Listener, Ready


@pytest.fixture
def wait(make_time, stack):
    def run(target, wanted, on_pause=None):
        time = make_time(on_pause=on_pause or (lambda now: None))
        session = stack.enter_context(HttpSession(target))
        readiness = Readiness(target, session, wanted, Clock(time.now, time.pause))
        return readiness.wait(), readiness, time

    return run


def listener(port, address="0.0.0.0", protocol="tcp"):
    return Listener(protocol, address, port)


def wanted(*exposed, timeout=60.0, path=None, argv=None, **options):
    return Wanted(Ready(path, argv, timeout), exposed=exposed, **options)


def test_an_app_that_is_there_is_ready_at_once(serve, make_target, wait):
    app = serve({"/": (200, "text/html", b"hi")})
    found, _, time = wait(make_target({80: app.port}), wanted(80))
    assert found == (Endpoint(80, "http"),)
    assert time.now() == 0


def test_a_404_is_an_answer(serve, make_target, wait):
    app = serve({})
    assert wait(make_target({80: app.port}), wanted(80))[0] == (Endpoint(80, "http"),)


def test_a_slow_start_is_waited_for(serve, make_target, wait, free_port):
    started = []

    def later(now):
        if now > 5 and not started:
            started.append(serve({"/": (200, "text/html", b"hi")}, port=free_port))

    found, _, time = wait(make_target({80: free_port}), wanted(80), later)
    assert found == (Endpoint(80, "http"),)
    assert 5 < time.now() < 8


def test_503_while_starting_is_waited_out(serve, make_target, wait):
    answers = iter([503] * 4)
    app = serve({"/": lambda h: h.answer(b"", status=next(answers, 200))})
    found, _, time = wait(make_target({80: app.port}), wanted(80))
    assert found == (Endpoint(80, "http"),)
    assert time.now() > 0
    assert len(app.seen) == 5


def test_an_app_that_only_knows_errors_is_left_to_the_judgement_of_others(serve, make_target, wait):
    app = serve({"/": (500, "text/html", b"broken")})
    found, readiness, time = wait(make_target({80: app.port}), wanted(80, timeout=10))
    assert found == (Endpoint(80, "http"),)
    assert time.now() >= 10
    assert "port-errors" in {warning.code for warning in readiness.warnings}


def test_a_proxy_that_accepts_and_closes_is_not_ready(raw, make_target, wait):
    port = raw(lambda connection: None)
    assert not holds(("127.0.0.1", port))
    with pytest.raises(NeverReady, match="Nothing listened on 80 within 3 s") as caught:
        wait(make_target({80: port}), wanted(80, timeout=3))
    assert caught.value.log == ("the last line",)


def test_a_port_that_does_not_speak_http_is_ready_as_tcp(raw, make_target, wait):
    port = raw(lambda c: c.recv(4096) and c.sendall(b"-ERR wrong\r\n"))
    assert wait(make_target({6379: port}), wanted(6379))[0] == (Endpoint(6379, "tcp"),)


def test_a_server_that_speaks_first_is_ready_as_tcp(raw, make_target, wait):
    port = raw(lambda c: (c.sendall(b"5.7.44 ready\0"), c.recv(4096)))
    assert holds(("127.0.0.1", port))
    assert wait(make_target({3306: port}), wanted(3306))[0] == (Endpoint(3306, "tcp"),)


def test_the_app_ends(make_target, wait, free_port):
    code = []
    target = make_target({80: free_port}, code=lambda: code[0] if code else None)
    with pytest.raises(AppExited, match="exit code 3") as caught:
        wait(target, wanted(80), lambda now: code.append(3) if now > 1 and not code else None)
    assert caught.value.code == 3
    assert caught.value.log == ("the last line",)


def test_only_loopback_listens(make_target, wait):
    target = make_target({}, frozenset({listener(8000, "127.0.0.1")}))
    with pytest.raises(NeverReady, match=r"only on 127\.0\.0\.1:8000 inside") as caught:
        wait(target, wanted(timeout=5))
    assert "0.0.0.0" in caught.value.hint


def test_only_udp_listens(make_target, wait):
    target = make_target({}, frozenset({listener(53, protocol="udp")}))
    with pytest.raises(NeverReady, match="UDP only"):
        wait(target, wanted(timeout=5))


def test_no_port_is_known_and_none_can_be_seen(make_target, wait):
    with pytest.raises(NeverReady, match="no EXPOSE"):
        wait(make_target({}), wanted())


def test_ports_that_are_not_published_are_asked_for(make_target, wait):
    target = make_target({}, frozenset({listener(5000), listener(5001, "::")}))
    with pytest.raises(NeedsPorts) as caught:
        wait(target, wanted())
    assert caught.value.ports == (5000, 5001)


def test_a_wrong_expose_is_given_up_after_a_while(make_target, wait, free_port):
    target = make_target({8080: free_port}, frozenset({listener(5000)}))
    with pytest.raises(NeedsPorts) as caught:
        wait(target, wanted(8080))
    assert caught.value.ports == (5000,)


def test_a_planned_port_must_be_published(make_target, wait):
    with pytest.raises(NeedsPorts) as caught:
        wait(make_target({}), Wanted(Ready(), ports=(9000,)))
    assert caught.value.ports == (9000,)


def test_seen_listeners_are_found_without_expose(serve, make_target, wait):
    app = serve({"/": (200, "text/html", b"hi")})
    target = make_target({5000: app.port}, frozenset({listener(5000), listener(1, "127.0.0.1")}))
    assert wait(target, wanted())[0] == (Endpoint(5000, "http"),)


def test_a_second_port_gets_some_time_and_then_a_warning(serve, make_target, wait, free_port):
    app = serve({})
    target = make_target({80: app.port, 443: free_port})
    found, readiness, time = wait(target, wanted(80, 443))
    assert found == (Endpoint(80, "http"),)
    assert 3 <= time.now() < 5
    assert [warning.code for warning in readiness.warnings] == ["port-silent"]


def test_a_listener_that_is_not_published_is_warned_of(serve, make_target, wait):
    app = serve({})
    target = make_target({80: app.port}, frozenset({listener(80), listener(9100)}))
    _, readiness, _ = wait(target, wanted(80))
    assert [warning.code for warning in readiness.warnings] == ["port-unpublished"]


def test_ready_path(serve, make_target, wait):
    answers = iter([503, 503])
    routes = {
        "/": (200, "text/html", b""),
        "/up": lambda h: h.answer(b"", status=next(answers, 204)),
    }
    app = serve(routes)
    wait(make_target({80: app.port}), wanted(80, path="/up"))
    assert app.paths.count("/up") == 3


def test_ready_path_that_never_comes(serve, make_target, wait):
    app = serve({"/": (200, "text/html", b""), "/up": (503, "text/html", b"")})
    with pytest.raises(NeverReady, match="GET /up was answered with 503"):
        wait(make_target({80: app.port}), wanted(80, path="/up", timeout=4))


def test_ready_command(make_target, wait, raw):
    codes = iter([1, 1, 0])
    port = raw(lambda c: c.recv(4096) and c.sendall(b"-ERR wrong\r\n"))
    target = make_target({6379: port}, run=lambda argv: CommandAnswer(next(codes, 0), b"", b""))
    found, _, _ = wait(target, wanted(6379, argv=("redis-cli", "ping"), listens=False))
    assert target.executed[0][0] == ("redis-cli", "ping")
    assert len(target.executed) == 3
    assert found == (Endpoint(6379, "tcp"),)


def test_ready_command_that_never_succeeds(make_target, wait):
    target = make_target({}, run=lambda argv: CommandAnswer(7, b"", b""))
    with pytest.raises(NeverReady, match="pg_isready ended with exit code 7"):
        wait(target, wanted(argv=("pg_isready",), timeout=5))


def test_a_worker_that_need_not_listen(make_target, wait):
    assert wait(make_target({}), wanted(listens=False))[0] == ()
    found, _, time = wait(make_target({}, frozenset()), wanted(listens=False))
    assert found == ()
    assert time.now() < 5


def test_order_of_ports(serve, make_target, wait):
    one, two = serve({}), serve({})
    target = make_target({9000: one.port, 80: two.port})
    found, _, _ = wait(target, Wanted(Ready(), ports=(9000, 80)))
    assert [item.port for item in found] == [9000, 80]


def test_rescan_finds_a_port_that_opened_since(serve, make_target, wait, free_port):
    app = serve({})
    target = make_target({80: app.port, 81: free_port})
    _, readiness, _ = wait(target, wanted(80, 81))
    serve({}, port=free_port)
    assert [item.port for item in readiness.rescan()] == [80, 81]


def test_an_answer_that_speaks_of_https_without_being_it(serve, make_target, wait):
    plain = serve({"/": (400, "text/html", b"The plain HTTP request was sent to HTTPS port")})
    assert wait(make_target({443: plain.port}), wanted(443))[0] == (Endpoint(443, "http"),)


def test_https_is_recognised(serve, make_target, wait, certificate):
    app = serve({"/": (200, "text/html", b"hi")}, tls=certificate)
    assert wait(make_target({443: app.port}), wanted(443))[0] == (Endpoint(443, "https"),)


def test_the_images_own_port_is_waited_for_while_another_one_answers(
    serve, raw, make_target, wait, free_port
):
    early = raw(lambda c: c.recv(4096))
    started = []

    def later(now):
        if now > 9 and not started:
            started.append(serve({"/": (200, "text/html", b"hi")}, port=free_port))

    listeners = frozenset({listener(4369)})
    found, _, _ = wait(make_target({4369: early, 80: free_port}, listeners), wanted(80), later)
    assert found == (Endpoint(80, "http"), Endpoint(4369, "tcp"))


def test_an_app_that_is_slow_to_open_a_port_has_more_time_for_the_next(
    serve, make_target, wait, free_port
):
    first = serve({"/": (200, "text/html", b"hi")})
    second = []
    ports = {81: free_port}

    def later(now):
        if now > 10:
            ports[80] = first.port
        if now > 14 and not second:
            second.append(serve({"/": (200, "text/html", b"hi")}, port=free_port))

    found, _, _ = wait(make_target(ports), wanted(80, 81), later)
    assert found == (Endpoint(80, "http"), Endpoint(81, "http"))
