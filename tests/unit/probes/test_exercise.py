"""The whole order of things against real servers."""

from __future__ import annotations

import json

import pytest

from probes.errors import AppExited, OnlyErrors
from probes.exercise import exercise
from probes.http.ready import Clock
from probes.model import (
    CommandAnswer,
    CrawlLimits,
    ExecCall,
    HttpAnswer,
    HttpCall,
    HttpExpectation,
    NoAnswer,
    Plan,
)

NO_CRAWL = CrawlLimits(enabled=False)


@pytest.fixture
def go(make_time):
    def run(target, plan=None, exposed=(80,), healthcheck=None, replay=None):
        time = make_time()
        clock = Clock(time.now, time.pause)
        return exercise(
            target,
            plan or Plan(),
            exposed=exposed,
            healthcheck=healthcheck,
            replay=replay,
            clock=clock,
        )

    return run


SITE = {
    "/": (200, "text/html", b'<a href="/a?x=1"><a href="/logout"><img src=/logo.png>'),
    "/a": (200, "text/html", b'<a href="/b">'),
    "/b": (200, "text/html", b'<a href="/too-deep">'),
    "/logo.png": (200, "image/png", b"\x89PNG"),
}


def names(done):
    return [item.name for item in done.exchanges]


def test_without_a_plan_the_app_is_crawled(serve, make_target, go):
    app = serve(SITE)
    target = make_target({80: app.port})
    done = go(target)
    assert names(done) == ["GET /", "GET /a?x=1", "GET /logo.png", "GET /b"]
    assert done.ports == (80,)
    assert target.marks == ["start-up", *names(done)]
    assert all(isinstance(item.again, HttpAnswer) for item in done.exchanges)


def test_everything_in_its_order(serve, make_target, go):
    app = serve({**SITE, "/save": (201, "text/plain", b"saved")})
    target = make_target({80: app.port}, run=lambda argv: CommandAnswer(0, b"out", b""))
    plan = Plan(
        http=(HttpCall("POST", "/save", body=b"x"), HttpCall(path="/"), HttpCall(path="/")),
        commands=(ExecCall(("id",)), ExecCall(("id",), stdin=b"in", user="app")),
        crawl=CrawlLimits(depth=1),
    )
    done = go(target, plan, healthcheck=("check",))
    assert names(done) == [
        "health check",
        "POST /save",
        "GET /",
        "GET / (2)",
        "GET /a?x=1",
        "GET /logo.png",
        "exec id",
        "exec id (2)",
    ]
    assert [item.kind for item in done.exchanges][-2:] == ["exec", "exec"]
    assert target.executed[-1] == (("id",), b"in", "app", {})
    post = done.exchanges[1]
    assert post.again is None
    assert app.paths.count("/save") == 1


def test_a_health_check_warms_up(serve, make_target, go):
    codes = iter([1, 1, 0])
    app = serve({})
    target = make_target({80: app.port}, run=lambda argv: CommandAnswer(next(codes), b"", b""))
    done = go(target, Plan(crawl=NO_CRAWL), healthcheck=("curl", "-f", "localhost"))
    assert done.exchanges[0].answer == CommandAnswer(0, b"", b"")
    assert done.exchanges[0].compare == "status"
    assert len(target.executed) == 3


def test_a_health_check_that_never_succeeds_is_an_exchange_too(serve, make_target, go):
    app = serve({})
    target = make_target({80: app.port}, run=lambda argv: CommandAnswer(1, b"", b""))
    done = go(target, Plan(crawl=NO_CRAWL), healthcheck=("false",))
    assert done.exchanges[0].answer.exit_code == 1


def test_a_login_with_a_captured_token_and_a_cookie(serve, make_target, go):
    def login(handler):
        handler.answer(b'{"token": "T-1"}', "application/json", 200, Set_Cookie="sid=9; Path=/")

    def me(handler):
        seen = [handler.headers.get("Authorization"), handler.headers.get("Cookie")]
        handler.answer(json.dumps(seen).encode(), "application/json")

    app = serve({"/login": login, "/me": me})
    plan = Plan(
        http=(
            HttpCall("POST", "/login", form={"u": "a"}, capture={"token": "json:$.token"}),
            HttpCall(path="/me", headers={"Authorization": "Bearer {token}"}),
        ),
        crawl=NO_CRAWL,
    )
    done = go(make_target({80: app.port}), plan)
    assert json.loads(done.exchanges[1].answer.body) == ["Bearer T-1", "sid=9"]
    assert done.exchanges[0].captured == (("token", "T-1"),)


def test_a_call_that_needs_what_was_not_captured_is_not_sent(serve, make_target, go):
    app = serve({"/": (200, "text/plain", b"no json")})
    plan = Plan(
        http=(HttpCall(capture={"id": "json:$.id"}), HttpCall(path="/x/{id}")), crawl=NO_CRAWL
    )
    done = go(make_target({80: app.port}), plan)
    assert done.exchanges[0].unmet == ("id could not be captured: the answer is not JSON",)
    assert done.exchanges[1].answer == NoAnswer("the variable id was not captured", "unasked")
    assert not any(path.startswith("/x/") for path in app.paths)


def test_expectations_that_are_not_met(serve, make_target, go):
    app = serve({"/": (200, "text/plain", b"ok")})
    plan = Plan(
        http=(HttpCall(expect=HttpExpectation(status=(201,))),),
        commands=(ExecCall(("x",), expect_exit=3, expect_contains=("word",)),),
        crawl=NO_CRAWL,
    )
    done = go(make_target({80: app.port}), plan)
    assert done.exchanges[0].unmet == ("status 201 was expected, but it is 200",)
    assert len(done.exchanges[1].unmet) == 2


def test_the_slim_run_asks_for_the_same_pages_whatever_it_finds(serve, make_target, go):
    fat = go(make_target({80: serve(SITE).port}))
    slim_app = serve({"/": (200, "text/html", b'<a href="/new">')})
    slim = go(make_target({80: slim_app.port}), replay=fat.exchanges)
    assert names(slim) == names(fat)
    assert "/new" not in slim_app.paths


def test_only_errors(serve, make_target, go):
    app = serve({"*": (500, "text/html", b"broken")})
    plan = Plan(http=(HttpCall(path="/x"),))
    with pytest.raises(OnlyErrors, match="status 500") as caught:
        go(make_target({80: app.port}), plan)
    assert caught.value.log == ("the last line",)
    replayed = go(make_target({80: app.port}), plan, replay=())
    assert replayed.exchanges[0].answer.status == 500


def test_an_expected_error_is_an_answer(serve, make_target, go):
    app = serve({"*": (500, "text/html", b"broken")})
    plan = Plan(http=(HttpCall(expect=HttpExpectation(status=(500,))),), crawl=NO_CRAWL)
    assert go(make_target({80: app.port}), plan).exchanges[0].unmet == ()


def test_the_app_dies_in_the_middle(serve, make_target, go):
    code = []

    def die(handler):
        code.append(9)
        handler.close_connection = True

    app = serve({"/": (200, "text/html", b""), "/die": die})
    target = make_target({80: app.port}, code=lambda: code[0] if code else None)
    plan = Plan(
        http=(HttpCall(), HttpCall("POST", "/die"), HttpCall(path="/after")),
        commands=(ExecCall(("id",)),),
        crawl=CrawlLimits(),
    )
    done = go(target, plan)
    gone = NoAnswer("the app ended with exit code 9", "ended")
    assert [item.answer == gone for item in done.exchanges] == [False, True, True, True]
    assert target.executed == []


def test_an_app_that_is_gone_from_the_start(make_target, go):
    with pytest.raises(AppExited):
        go(make_target({80: 1}, code=lambda: 0))


def test_several_ports(serve, make_target, go):
    one, two = serve({"/": (200, "text/html", b"1")}), serve({"/": (200, "text/html", b"2")})
    target = make_target({80: one.port, 81: two.port})
    plan = Plan(http=(HttpCall(port=81, path="/p"),), ports=(80, 81))
    done = go(target, plan)
    assert names(done) == ["GET /p", "GET / on port 80", "GET / on port 81"]
    assert [item.answer.body for item in done.exchanges[1:]] == [b"1", b"2"]


def test_a_port_that_speaks_no_http_is_not_crawled(raw, make_target, go):
    port = raw(lambda c: c.recv(4096) and c.sendall(b"-ERR\r\n"))
    done = go(make_target({6379: port}), Plan(commands=(ExecCall(("ping",)),)), exposed=(6379,))
    assert names(done) == ["exec ping"]
    assert done.ports == (6379,)


def test_names_do_not_depend_on_the_answers(serve, make_target, go):
    app = serve({"*": (200, "text/plain", b"7")})
    plan = Plan(
        http=(HttpCall(capture={"id": "regex:.*"}), HttpCall(path="/i/{id}")), crawl=NO_CRAWL
    )
    done = go(make_target({80: app.port}), plan)
    assert names(done) == ["GET /", "GET /i/{id}"]
    assert "/i/7" in app.paths
