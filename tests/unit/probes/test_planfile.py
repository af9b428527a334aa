"""Probe files: what they can say, and that every mistake names file, line and key."""

from __future__ import annotations

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probes.errors import PlanError
from probes.model import CrawlLimits, ExecCall, HttpCall, HttpExpectation, Plan, Ready, RunCall
from probes.planfile import LARGEST, load, parse, parse_exec, parse_http, parse_run

YAML = """\
version: 1
ready: {path: /up, timeout: 20}
ports: [8080, 9090]
environment: {DEBUG: true, LEVEL: 3, NAME: app}
command: serve --port 8080
stop_timeout: 2.5
crawl: {depth: 1, pages: 9, start: /home}
http:
  - GET /health
  - POST /items 201
  - method: post
    path: /login
    name: login
    port: 9090
    scheme: https
    headers: {X-Number: 7}
    json: {user: a, roles: [1, 2.5, null, true]}
    expect: {status: [200, 201], contains: token, headers: {content-type: json}}
    capture: {token: "json:$.token"}
    timeout: 5
    compare: status
  - path: /me?t={token}
    headers: {Authorization: "Bearer {token}"}
    follow: true
  - {method: PUT, path: "/{{raw}}", body: '{"braces": {token}}'}
  - {method: POST, path: /raw, body_file: data.bin}
  - method: POST
    path: /upload
    form: {title: T}
    files:
      - {field: a, file: data.bin}
      - {field: b, content: text, filename: b.txt, type: text/plain}
exec:
  - redis-cli ping
  - command: [id, -u]
    user: 1000
    stdin: in
    environment: {A: b}
    expect: {exit: 1, contains: [x]}
run:
  - --version
  - args: [-i, /in/a.txt]
    entrypoint: tool
    stdin: {file: data.bin}
    files_in: {/in/a.txt: {content: hello}, /in/b.bin: {file: data.bin}}
    files_out: [/out/c.txt]
    timeout: 9
"""


def test_everything_a_file_can_say(tmp_path):
    (tmp_path / "data.bin").write_bytes(b"\x00\xff")
    (tmp_path / "probe.yaml").write_text(YAML)
    plan = load(tmp_path / "probe.yaml")
    assert plan.ready == Ready(path="/up", timeout=20)
    assert plan.ports == (8080, 9090)
    assert plan.environment == {"DEBUG": "true", "LEVEL": "3", "NAME": "app"}
    assert plan.command == ("serve", "--port", "8080")
    assert plan.stop_timeout == 2.5
    assert plan.crawl == CrawlLimits(True, 1, 9, "/home")
    health, item, login, me, braces, raw, upload = plan.http
    assert health == HttpCall(path="/health")
    assert item == HttpCall("POST", "/items", expect=HttpExpectation((201,)))
    assert login == HttpCall(
        method="POST",
        path="/login",
        name="login",
        port=9090,
        scheme="https",
        headers={"X-Number": "7"},
        json={"user": "a", "roles": [1, 2.5, None, True]},
        expect=HttpExpectation((200, 201), ("token",), {"content-type": "json"}),
        capture={"token": "json:$.token"},
        timeout=5.0,
        compare="status",
    )
    assert me.follow
    assert braces.body == b'{"braces": {token}}'
    assert raw.body == b"\x00\xff"
    assert [file.filename for file in upload.files] == ["data.bin", "b.txt"]
    assert upload.files[1].content_type == "text/plain"
    ping, user = plan.commands
    assert ping.argv == ("redis-cli", "ping")
    assert user == ExecCall(
        argv=("id", "-u"),
        stdin=b"in",
        user="1000",
        environment={"A": "b"},
        expect_exit=1,
        expect_contains=("x",),
    )
    assert plan.runs[0] == RunCall(("--version",), name="run --version")
    assert plan.runs[1] == RunCall(
        args=("-i", "/in/a.txt"),
        name="run -i /in/a.txt",
        entrypoint=("tool",),
        stdin=b"\x00\xff",
        files_in=(("/in/a.txt", b"hello"), ("/in/b.bin", b"\x00\xff")),
        files_out=("/out/c.txt",),
        timeout=9.0,
    )


TOML = """\
version = 1
crawl = false
ports = 8080

[ready]
command = ["pg_isready", "-q"]

[[http]]
path = "/a"
[http.expect]
status = 204

[[http]]
path = "/b"
headers.accept = "text/plain"

[[exec]]
command = "ls | wc -l"
"""


def test_toml(tmp_path):
    (tmp_path / "probe.toml").write_text(TOML)
    plan = load(tmp_path / "probe.toml")
    assert plan == Plan(
        http=(
            HttpCall(path="/a", expect=HttpExpectation((204,))),
            HttpCall(path="/b", headers={"accept": "text/plain"}),
        ),
        commands=(ExecCall(("/bin/sh", "-c", "ls | wc -l")),),
        ready=Ready(argv=("pg_isready", "-q")),
        crawl=CrawlLimits(enabled=False),
        ports=(8080,),
    )


def test_an_anchor_may_be_used_again():
    text = "http:\n- {path: /a, headers: &h {X: '1'}}\n- {path: /b, headers: *h}\n"
    assert parse(text, name="p", format="yaml").http[1].headers == {"X": "1"}


def test_runs_have_names_of_their_own():
    plan = parse("run: [-v, -v, {args: [], name: bare}, '']", name="p", format="yaml")
    assert [run.name for run in plan.runs] == ["run -v", "run -v (2)", "bare", "run"]


@pytest.mark.parametrize(
    ("text", "line", "key", "words"),
    [
        ("", None, "", "empty"),
        ("- a\n", 1, "", "must be a mapping"),
        ("version: 2\n", 1, "version", "must be 1"),
        ("version: true\n", 1, "version", "must be 1"),
        ("http:\n  - path: /\n    metod: GET\n", 3, "http[0].metod", "did you mean method"),
        ("htpp: []\n", 1, "htpp", "did you mean http"),
        ("http: GET /\n", 1, "http", "must be a list"),
        ("http:\n- GET\n", 2, "http[0]", "no absolute path"),
        ("http:\n- GET / 99\n", 2, "http[0]", "not an HTTP status"),
        ("http:\n- GET / 200 x\n", 2, "http[0]", "after the status"),
        ("http:\n- method: GET\n", 2, "http[0]", "needs a path"),
        ("http:\n- path: x\n", 2, "http[0].path", "must begin with /"),
        ("http:\n- {path: /, method: 'G T'}\n", 2, "http[0].method", "not an HTTP method"),
        ("http:\n- {path: /, port: 0}\n", 2, "http[0].port", "between 1 and 65535"),
        ("http:\n- {path: /, scheme: ftp}\n", 2, "http[0].scheme", "http or https"),
        ("http:\n- path: /\n  body: a\n  json: {}\n", 4, "http[0].json", "beside body"),
        ("http:\n- path: /\n  form: {}\n  body: a\n", 4, "http[0].body", "beside form"),
        ("http:\n- path: /\n  expect:\n    status: 99\n", 4, "http[0].expect.status", "100"),
        ("http:\n- {path: /, headers: {'a b': x}}\n", 2, "http[0].headers.a b", "header"),
        ("http:\n- {path: /, headers: {a: [x]}}\n", 2, "http[0].headers.a", "must be a text"),
        ("http:\n- {path: /, capture: {a: 'xml:x'}}\n", 2, "http[0].capture.a", "regex:"),
        ("http:\n- {path: /, capture: {a-b: 'header:x'}}\n", 2, "http[0].capture.a-b", "letters"),
        ("http:\n- GET /{id}\n", 2, "http[0]", "captures the variable 'id'"),
        ("http:\n- path: /\n- path: /{id}\n", 3, "http[1].path", "'id'"),
        (
            "http:\n- path: /\n  headers:\n    a: b\n    c: '{t}'\n",
            5,
            "http[0].headers.c",
            "'t'",
        ),
        ("http:\n- path: /{t}\n  capture: {t: 'header:x'}\n", 2, "http[0].path", "'t'"),
        ("http:\n- {path: /, body_file: nope}\n", 2, "http[0].body_file", "cannot be read"),
        ("http:\n- {path: /, body_file: .}\n", 2, "http[0].body_file", "not a regular file"),
        ("http:\n- {path: /, files: [{field: a}]}\n", 2, "http[0].files[0]", "a file or a content"),
        ("http:\n- {path: /, timeout: 0}\n", 2, "http[0].timeout", "above 0"),
        ("http:\n- {path: /, timeout: .nan}\n", 2, "http[0].timeout", "above 0"),
        ("http:\n- {path: /, follow: 1}\n", 2, "http[0].follow", "true or false"),
        ("exec:\n- ''\n", 2, "exec[0]", "empty"),
        ('exec:\n- "echo \'a"\n', 2, "exec[0]", "no closing quotation"),
        ("exec:\n- {command: []}\n", 2, "exec[0].command", "empty"),
        ("exec:\n- {command: x, expect: {exit: 300}}\n", 2, "exec[0].expect.exit", "255"),
        ("run:\n- {files_in: {a: {content: x}}}\n", 2, "run[0].files_in.a", "absolute path"),
        ("run:\n- {files_out: [/out/]}\n", 2, "run[0].files_out[0]", "absolute path"),
        ("ready: {path: /a, command: b}\n", 1, "ready.command", "beside path"),
        ("crawl: {pages: -1}\n", 1, "crawl.pages", "between"),
        ("environment: {'A=B': c}\n", 1, "environment.A=B", "variable"),
        ("ports: [http]\n", 1, "ports[0]", "whole number"),
        ("version: 1\nversion: 1\n", 2, "version", "twice"),
        ("ports: [1\n", 2, "", "expected"),
        ("a: b: c\n", 1, "", "mapping values"),
        ("version: !!python/object:os.system 1\n", 1, "version", "the tag"),
        ("version: !!int x\n", 1, "version", "not a number"),
        ("? [a]\n: b\n", 1, "", "a key must be a text"),
        ("a: \x07\n", None, "", "not valid YAML"),
        ("--- {}\n--- {}\n", 2, "", "another document"),
    ],
)
def test_mistakes_in_yaml(tmp_path, text, line, key, words):
    file = tmp_path / "probe.yaml"
    file.write_text(text)
    with pytest.raises(PlanError) as caught:
        load(file)
    error = caught.value
    assert (error.file, error.line, error.key) == (str(file), line, key)
    assert words in error.message
    assert error.message.startswith(f"{file}:{line}: " if line else f"{file}: ")


@pytest.mark.parametrize(
    ("text", "line", "key", "words"),
    [
        ("version = \n", 1, "", "Invalid value"),
        ("[http]\n", 1, "http", "must be a list"),
        (
            '[[http]]\npath = "/"\n[[http]]\npath = "/"\n\nmetod = "x"\n',
            6,
            "http[1].metod",
            "method",
        ),
        ('[[http]]\npath = "/"\n[http.expect]\nstatus = 9\n', 4, "http[0].expect.status", "100"),
        (
            '[[http]]\npath = "/"\nbody = """\nports = 1\n"""\n[ready]\ntimeout = 0\n',
            7,
            "ready.timeout",
            "above",
        ),
        ('[[http]]\npath="/"\nheaders = {a = 1, "b c" = 2}\n', 3, "http[0].headers.b c", "header"),
        ("environment.A = 1\nports = 0\n", 2, "ports", "between"),
        ("version = 1979-05-27\n", 1, "version", "must be 1"),
    ],
)
def test_mistakes_in_toml(text, line, key, words):
    with pytest.raises(PlanError) as caught:
        parse(text, name="p", format="toml")
    error = caught.value
    assert (error.line, error.key) == (line, key)
    assert words in error.message


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [x, x, x, x, x, x, x, x, x]\n"
        + "".join(
            f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n"
            for old, new in zip("abcdefgh", "bcdefghi", strict=True)
        ),
        "a: &a [*a]\n",
        "[" * 5000,
        "a: " + "[" * 200 + "]" * 200,
        "{a: " * 2000,
        "- " * 30_000,
    ],
)
def test_bombs_end_in_an_error(text):
    with pytest.raises(PlanError):
        parse(text, name="p", format="yaml")


@pytest.mark.parametrize("text", ["a = " + "[" * 5000, "a = " + "9" * 5000, "a." * 3000 + "b = 1"])
def test_toml_bombs_end_in_an_error(text):
    with pytest.raises(PlanError):
        parse(text, name="p", format="toml")


def test_files_are_bounded(tmp_path):
    big = tmp_path / "big"
    with big.open("wb") as file:
        file.truncate(LARGEST + 1)
    plan = tmp_path / "p.yaml"
    plan.write_text("http: [{path: /, body_file: big}]")
    with pytest.raises(PlanError, match="larger than"):
        load(plan)
    with pytest.raises(PlanError, match="larger than"):
        load(big)


def test_what_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "nope.yaml", tmp_path, tmp_path / "pipe"):
        with pytest.raises(PlanError) as caught:
            load(path)
        assert str(path) in caught.value.message


def test_a_file_that_is_not_utf8(tmp_path):
    path = tmp_path / "p.yaml"
    path.write_bytes(b"version: 1\nports: \xff\n")
    with pytest.raises(PlanError) as caught:
        load(path)
    assert caught.value.line == 2


@pytest.mark.parametrize(
    ("text", "argv"),
    [
        ("redis-cli ping", ("redis-cli", "ping")),
        ("psql -c 'select 1; -- *'", ("psql", "-c", "select 1; -- *")),
        ('say "a & b"', ("say", "a & b")),
        ("a\\;b c", ("a;b", "c")),
        ("echo $HOME", ("/bin/sh", "-c", "echo $HOME")),
        ('echo "$HOME"', ("/bin/sh", "-c", 'echo "$HOME"')),
        ("ls *.txt", ("/bin/sh", "-c", "ls *.txt")),
        ("a && b", ("/bin/sh", "-c", "a && b")),
        ("X=1 env", ("/bin/sh", "-c", "X=1 env")),
        ("env X=1", ("env", "X=1")),
    ],
)
def test_the_exec_flag(text, argv):
    assert parse_exec(text).argv == argv


def test_the_other_flags():
    assert parse_http("/x") == HttpCall(path="/x")
    assert parse_http("delete /x 204").method == "DELETE"
    assert parse_http("GET /{id}").path == "/{id}"
    assert parse_run("-a 'b c' *.txt").args == ("-a", "b c", "*.txt")
    assert parse_run("").args == ()
    for flag, text in ((parse_http, "GET http://x/"), (parse_exec, " "), (parse_run, "'")):
        with pytest.raises(PlanError, match=r"^--"):
            flag(text)


KEYS = st.sampled_from(
    [
        "version",
        "ready",
        "ports",
        "environment",
        "command",
        "stop_timeout",
        "crawl",
        "http",
        "exec",
        "run",
        "path",
        "method",
        "json",
        "body",
        "form",
        "files",
        "expect",
        "capture",
        "status",
        "contains",
        "headers",
        "args",
        "stdin",
        "files_in",
        "timeout",
    ]
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 70_000)
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(["GET /", "/a", "{x}", "full", "json:$.a"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


def flow(value) -> str:
    """A value as YAML flow text."""
    match value:
        case dict():
            return "{" + ", ".join(f"{key}: {flow(item)}" for key, item in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(flow, value)) + "]"
        case str():
            return "'" + value.replace("'", "''") + "'"
        case _:
            return str(value).lower().replace("none", "null")


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(KEYS, VALUES, max_size=5))
def test_a_document_is_a_plan_or_a_plan_error(document):
    try:
        assert isinstance(parse(flow(document), name="p", format="yaml"), Plan)
    except PlanError as error:
        assert error.message.startswith("p")


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=200), st.sampled_from(["yaml", "toml"]))
def test_any_text_is_a_plan_or_a_plan_error(text, kind):
    try:
        assert isinstance(parse(text, name="p", format=kind), Plan)
    except PlanError as error:
        assert error.message.startswith("p")


@given(st.text(max_size=60))
def test_any_flag_is_a_call_or_a_plan_error(text):
    for flag in (parse_http, parse_exec, parse_run):
        try:
            flag(text)
        except PlanError as error:
            assert error.message.startswith("--")
