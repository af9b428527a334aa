"""What the probes did not reach is found, counted, and proposed as probes."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.model import (
    Activity,
    Exchange,
    FileEvent,
    HttpAnswer,
    HttpCall,
    Operation,
    Page,
    Plan,
    Process,
    Ready,
    Trace,
)
from probes.planfile import parse
from slimpy.keep.coverage import Coverage, IdleCommands, coverage
from slimpy.keep.coverage_routes import MOST_PROBES, MOST_ROUTES, Route, probe_lines
from slimpy.keep.scene import Scene
from slimpy.model import ImagePath, KeepSet, Reason, Rule
from tests.unit.keep.rules.apps import debian
from tests.unit.keep.worlds import Thing, World, event, file, program

WHY = (Reason(Rule.TOUCHED),)


def html(text: str, path: str = "/") -> Exchange:
    body = text.encode()
    answer = HttpAnswer(200, (("content-type", "text/html"),), body, len(body), "")
    return Exchange(f"GET {path}", "http", answer, page=Page("http", 80, path))


def document(value: object, path: str = "/openapi.json") -> Exchange:
    body = json.dumps(value).encode()
    answer = HttpAnswer(200, (("content-type", "application/json"),), body, len(body), "")
    return Exchange(f"GET {path}", "http", answer, page=Page("http", 80, path))


def seen(
    world: World,
    *events: FileEvent,
    removed: tuple[str, ...] = (),
    exchanges: tuple[Exchange, ...] = (),
    ran: tuple[str, ...] = (),
    plan: Plan | None = None,
) -> Coverage:
    processes = tuple(Process(number, 0, path, None, None) for number, path in enumerate(ran))
    activity = Activity(events=events, processes=processes)
    scene = Scene(world.image, world.tree, Trace("x", activity, exchanges), world.store)
    keep = KeepSet({ImagePath(path): WHY for path in world.things if path not in removed})
    return coverage(scene, keep, scene.ownership().owners, plan)


def missed(*exchanges: Exchange, plan: Plan | None = None, **files: str) -> set[tuple[str, str]]:
    world = debian({f"/app/{name.replace('__', '.')}": file(text) for name, text in files.items()})
    return {
        (route.method, route.path) for route in seen(world, exchanges=exchanges, plan=plan).routes
    }


def test_shares_of_packages() -> None:
    site = "/opt/venv/lib/python3.11/site-packages"
    world = debian(
        {
            "/usr/lib/a": file(size=10),
            "/usr/lib/b": file(size=30),
            f"{site}/web/x.py": file(),
            f"{site}/web/y.py": file(size=7),
            f"{site}/Web-1.0.dist-info/RECORD": file(),
            f"{site}/idle/x.py": file(),
            "/app/node_modules/@a/b/node_modules/c/x.js": file(),
        },
        owned=["/usr/lib/a", "/usr/lib/b"],
    )
    shares = seen(
        world,
        event("/usr/lib/a"),
        event(f"{site}/web/x.py"),
        event("/app/node_modules/@a/b/node_modules/c/x.js"),
        removed=("/usr/lib/b", f"{site}/web/y.py"),
    ).packages
    assert [(s.kind, s.name, s.touched, s.kept, s.removed, s.removed_bytes) for s in shares] == [
        ("system", "base", 1, 2, 1, 30),
        ("python", "web", 1, 2, 1, 7),
        ("node", "c", 1, 1, 0, 0),
    ]


def test_code_that_never_ran() -> None:
    world = debian(
        {
            "/app/main.py": file(),
            "/app/__pycache__/pages.cpython-311.pyc": file(),
            "/app/pages.py": file(),
            "/app/idle\n.py": file(),
            "/app/empty.py": file(""),
            "/app/gone.py": file(),
            "/app/x.rb": file(),
        }
    )
    (share,) = seen(
        world,
        event("/app/main.py"),
        event("/app/__pycache__/pages.cpython-311.pyc"),
        removed=("/app/gone.py",),
    ).code
    assert (share.language, share.kept, share.ran, share.removed) == ("Python", 4, 2, 1)
    assert share.own_idle == 1
    assert share.examples == ("/app/idle\\x0a.py",)


def test_commands_of_branches_that_were_not_taken() -> None:
    script = "#!/bin/sh\nif x; then tar x | gzip; else own; fi\nused\necho a\nown() { sort; }\n"
    tools = {f"/usr/bin/{tool}": program() for tool in ("tar", "gzip", "sort", "used", "echo")}
    world = debian(
        {**tools, "/app/run": program(script), "/usr/bin/theirs": program(script)},
        owned=["/usr/bin/theirs"],
    )
    found = seen(world, ran=("/usr/bin/used",), removed=("/usr/bin/gzip",)).commands
    assert found == (IdleCommands("/app/run", kept=("sort", "tar"), removed=("gzip",)),)


@pytest.mark.parametrize(
    ("name", "text", "wanted"),
    [
        ("a__py", '@app.route("/x")', ("GET", "/x")),
        ("a__py", '@app.route("/x", methods=["POST"])', ("POST", "/x")),
        ("a__py", "@router.delete('/x/{number}')", ("DELETE", "/x/{number}")),
        ("a__py", '@bp.get(\n  "/x/<int:number>"\n)', ("GET", "/x/<int:number>")),
        ("a__py", 'urlpatterns = [path("x/", views.x)]', ("ANY", "/x/")),
        ("a__py", 're_path(r"^x/(?P<slug>[-a-z]+)/$", x)', ("ANY", "/x/(?P<slug>[-a-z]+)/")),
        ("a__js", "router.post('/x', save)", ("POST", "/x")),
        ("a__ts", "app.get(`/x/:id`, show)", ("GET", "/x/:id")),
        ("a__rb", "get '/x/:id' do", ("GET", "/x/:id")),
        ("a__php", "$app->get('/x', f);", ("GET", "/x")),
        ("a__php", "Route::post('x', f);", ("POST", "/x")),
        ("a__php", '#[Route("/x")]', ("ANY", "/x")),
    ],
)
def test_routes_in_code(name: str, text: str, wanted: tuple[str, str]) -> None:
    assert missed(**{name: text}) == {wanted}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a__py", 'path = "/x"; get("/x")'),
        ("a__txt", '@app.route("/x")'),
        ("a__js", "cache.get('/x')"),
        ("public/a__js", "app.get('/x')"),
        ("a__py", "@app.route('/')"),
    ],
)
def test_no_routes(name: str, text: str) -> None:
    assert missed(**{name: text}) == set()


def test_settings_of_a_web_server_name_routes() -> None:
    text = "location = /x {\n}\n location ^~ /y/ {\n}\nlocation ~ \\.php$ {\n}\n"
    world = debian({"/etc/web/web.conf": file(text)}, owned=["/etc/web/web.conf"])
    assert {route.path for route in seen(world).routes} == {"/x", "/y/"}


def test_what_was_called_is_not_missed() -> None:
    plan = Plan(
        http=(
            HttpCall("POST", "/api/notes", name="add"),
            HttpCall("GET", "/notes/{number}?x=1", name="read"),
        ),
        ready=Ready(path="/healthz"),
    )
    code = """
@bp.route("/notes", methods=["POST"])
@bp.get("/notes/<int:number>")
@bp.get("/healthz")
@bp.get("/about")
@bp.get("/about/us")
@bp.delete("/notes/<int:number>")
"""
    found = missed(html("", "/pages/about"), plan=plan, a__py=code)
    assert found == {("GET", "/about/us"), ("DELETE", "/notes/<int:number>")}


def test_links_forms_and_documents() -> None:
    page = """<a href="/next?a=1">next</a> <a href="https://example.com/away">away</a>
      <form method=post action="/send"><input name=a value=1><input name=b>
      <input type=file name=c></form><form method=post action="//example.com/x"></form>"""
    paths = {"/pets/{id}": {"get": {}, "put": {}, "summary": ""}, "bad": {"get": {}}, "/n": None}
    found = {
        (route.method, route.path): route
        for route in seen(
            debian({}),
            exchanges=(html(page), document({"openapi": "3.1.0", "paths": paths})),
        ).routes
    }
    assert found.keys() == {
        ("GET", "/next?a=1"),
        ("POST", "/send"),
        ("GET", "/pets/{id}"),
        ("PUT", "/pets/{id}"),
    }
    assert found["POST", "/send"].fields == (("a", "1"), ("b", "example"))
    assert found["POST", "/send"].found_in == "a form of /"


@pytest.mark.parametrize(
    "value", [[], {"openapi": 1}, {"openapi": 1, "paths": []}, {"swagger": 1, "paths": {"/x": 1}}]
)
def test_documents_that_are_none(value: object) -> None:
    assert missed(document(value)) == set()


def test_a_hostile_document_is_bounded() -> None:
    paths = {f"/{number}": {"get": {}} for number in range(5_000)}
    assert len(missed(document({"openapi": "3", "paths": paths}))) == MOST_ROUTES
    deep = Exchange(
        "GET /",
        "http",
        HttpAnswer(200, (("content-type", "application/json"),), b"[" * 100_000, 100_000, ""),
    )
    assert missed(deep) == set()


def test_lines_for_a_probe_file_can_be_pasted() -> None:
    routes = (
        Route("GET", "/notes/<int:number>", "a"),
        Route("ANY", "/any/", "a"),
        Route("POST", "/send", "a", (("na: me", 'v"alue{'), ("b", "#"))),
        Route("GET", "/odd #'path", "a"),
        Route("GET", "/x?a=1&b=2", "a"),
        Route("GET", "/logout", "a"),
        Route("DELETE", "/notes/1", "a"),
    )
    lines = probe_lines(routes)
    assert lines[0] == "- GET /notes/1"
    text = "version: 1\nhttp:\n" + "".join(f"  {line}\n" for line in lines)
    plan = parse(text, name="probe.yaml", format="yaml")
    assert [(call.method, call.path) for call in plan.http] == [
        ("GET", "/notes/1"),
        ("GET", "/any/"),
        ("POST", "/send"),
        ("GET", "/odd #'path"),
        ("GET", "/x?a=1&b=2"),
    ]
    assert plan.http[2].form == {"na: me": 'v"alue{', "b": "#"}


def test_few_lines_are_proposed() -> None:
    routes = [Route("GET", f"/{number}", "a") for number in range(100)]
    assert len(probe_lines(routes)) == MOST_PROBES


def test_only_kept_texts_are_read() -> None:
    world = debian({"/app/a.py": file('@app.get("/x")'), "/app/b.py": file('@app.get("/y")')})
    assert {route.path for route in seen(world, removed=("/app/b.py",)).routes} == {"/x"}


@given(st.text(max_size=300), st.sampled_from(["a.py", "a.js", "a.rb", "a.php", "run.sh"]))
def test_any_code_and_page_is_survived(text: str, name: str) -> None:
    data = text.encode("utf-8", "surrogateescape")
    world = debian({f"/app/{name}": Thing(data=data, mode=0o755)})
    value = seen(world, exchanges=(html(text),))
    assert len(value.probe_these) <= MOST_PROBES


def test_patterns_do_not_run_away() -> None:
    text = "@app.get(" * 4_000 + " " * 60_000 + "@a.b.c.d." * 4_000 + "path(" * 4_000
    assert missed(a__py=text) == set()
    assert missed(a__rb=("get " + " " * 500) * 400) == set()


def test_the_run_of_a_link_counts_for_the_program() -> None:
    world = debian(
        {"/app/run.sh": file("tool\n"), "/usr/bin/tool": program()}, Env=["PATH=/usr/bin"]
    )
    ran = FileEvent("/usr/bin/../bin/tool", Operation.EXEC, None, "/app/run", "", "/usr/bin/tool")
    assert seen(world, ran).commands == ()
    assert seen(world).commands == (IdleCommands("/app/run.sh", ("tool",), ()),)
