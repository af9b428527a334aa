"""What is served or listed is kept with what lies beside it; state is kept whole or not at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.model import FileEvent, Operation
from slimpy.keep.rules.apptree_bounds import LARGE
from slimpy.keep.rules.served import LARGEST_PACKAGED, LARGEST_STATE
from slimpy.model import KeepSet, Rule
from tests.unit.keep.rules.apps import asked_by, debian, kept
from tests.unit.keep.worlds import Thing, World, event, file, link, program


def decided(world: World, *events: FileEvent) -> KeepSet:
    return kept(world, Rule.SERVED, *events)


def by_served(world: World, *events: FileEvent) -> set[str]:
    return asked_by(decided(world, *events), world, Rule.SERVED)


SITE = {
    "/usr/share/web/html/a.html": file(),
    "/usr/share/web/html/b.css": file(),
    "/usr/share/web/html/c.js": file(),
    "/usr/share/web/html/img/d.png": file(),
    "/usr/share/web/html/tool.py": file(),
    "/usr/share/web/html/index": link("a.html"),
}


def site(**more: Thing) -> World:
    return debian({**SITE, **more}, owned=SITE)


def test_a_packages_web_content_of_which_two_files_were_served() -> None:
    world = site()
    used = [event("/usr/share/web/html/a.html"), event("/usr/share/web/html/b.css")]
    wanted = SITE.keys() - {"/usr/share/web/html/tool.py"}
    assert by_served(world, *used) == wanted
    assert "/usr/share/web/html/c.js" not in kept(world, Rule.DOTNET, *used)


@pytest.mark.parametrize(
    "events",
    [
        [event("/usr/share/web/html/a.html")],
        [
            event("/usr/share/web/html/a.html", during="start-up"),
            event("/usr/share/web/html/b.css", during="start-up"),
        ],
        [
            event("/usr/share/web/html/a.html", error="EACCES"),
            event("/usr/share/web/html/b.css", error="EACCES"),
        ],
        [event("/usr/share/web/html/a.html"), event("/usr/share/web/html/tool.py")],
    ],
)
def test_less_than_that_is_not_served(events: list[FileEvent]) -> None:
    assert by_served(site(), *events) == set()


def test_modules_that_are_loaded_are_not_served() -> None:
    world = debian(
        {f"/app/node_modules/x/lib/{part}.js": file() for part in "abc"},
    )
    used = (event(f"/app/node_modules/x/lib/{part}.js") for part in "ab")
    assert by_served(world, *used) == set()


def test_static_files_of_a_module_are() -> None:
    static = "/opt/venv/lib/python3.11/site-packages/admin/static"
    world = debian({f"{static}/{part}.js": file() for part in "abc"} | {f"{static}/x.so": file()})
    used = (event(f"{static}/{part}.js") for part in "ab")
    assert by_served(world, *used) == {f"{static}/{part}.js" for part in "abc"}


def test_a_listed_directory_of_the_apps_is_kept_at_any_depth() -> None:
    world = debian({"/srv/files/a/b.bin": file(size=400_000), "/srv/other/c": file()})
    assert by_served(world, event("/srv/files", Operation.LIST)) == {"/srv/files/a/b.bin"}
    assert by_served(world, event("/srv/files", Operation.LIST, "EACCES")) == set()


@pytest.mark.parametrize("shared", ["/", "/usr", "/usr/bin", "/opt", "/usr/local/lib", "/home"])
def test_what_belongs_to_everybody_is_not_kept_for_a_listing(shared: str) -> None:
    world = debian({f"{shared.rstrip('/')}/x/y.html": file()})
    assert by_served(world, event(shared, Operation.LIST)) == set()


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/etc/nginx/nginx.conf", "server {\n  root /usr/share/web/html;\n}"),
        ("/etc/nginx/nginx.conf", "location /x { alias '/usr/share/web/html/'; }"),
        ("/etc/apache2/sites/a.conf", 'DocumentRoot "/usr/share/web/html"'),
        ("/etc/apache2/sites/a.conf", "  Alias /x /usr/share/web/html"),
        ("/etc/apache2/sites/a.conf", "<Directory /usr/share/web/html>"),
        ("/etc/lighttpd/lighttpd.conf", 'server.document-root = "/usr/share/web/html"'),
        ("/etc/caddy/Caddyfile", "root * /usr/share/web/html"),
    ],
)
def test_document_roots_of_settings(path: str, text: str) -> None:
    world = site(**{path: file(text)})
    assert "/usr/share/web/html/img/d.png" in by_served(world, event(path))


def test_no_document_root() -> None:
    world = site(**{"/etc/x.conf": file("# root /usr/share/web/html\nuproot /usr/share/web/html")})
    assert by_served(world, event("/etc/x.conf")) == set()


def test_what_is_too_large_is_told() -> None:
    heavy = LARGEST_PACKAGED + 1
    things = {**SITE, "/usr/share/web/html/big.pdf": file(size=heavy)}
    world = debian(things, owned=things)
    used = [event("/usr/share/web/html/a.html"), event("/usr/share/web/html/b.css")]
    keep = decided(world, *used)
    assert "/usr/share/web/html/c.js" in keep
    assert "/usr/share/web/html/big.pdf" not in keep
    (warning,) = keep.warnings
    assert warning.code == "served"
    assert "1 files (4.0 MB)" in warning.text


def test_own_directories_have_a_larger_bound() -> None:
    world = debian({"/srv/files/a.bin": file(size=LARGE), "/srv/files/b.bin": file(size=LARGE)})
    keep = decided(world, event("/srv/files", Operation.LIST))
    assert "/srv/files/a.bin" in keep
    assert {warning.code for warning in keep.warnings} == {"served"}


DATABASE = {
    "/var/lib/db/main/base/1/1": file(size=3_000_000),
    "/var/lib/db/main/base/5/1": file(size=3_000_000),
    "/var/lib/db/main/global/1": file(),
    "/var/lib/db/main/log.wal": file(),
    "/var/lib/db/conf": file(),
}


@pytest.mark.parametrize("operation", [Operation.CREATE, Operation.WRITE, Operation.REMOVE])
def test_a_database_that_the_run_changed_is_kept_whole(operation: Operation) -> None:
    world = debian(DATABASE, owned=["/var/lib/db/conf"])
    changed = event("/var/lib/db/main/base/1/new", operation)
    assert by_served(world, changed) == DATABASE.keys()
    assert not decided(world, event("/var/lib/db/main/base/1/new", operation, "EACCES")).warnings


def test_a_database_that_was_only_read_is_not_state() -> None:
    assert by_served(debian(DATABASE), event("/var/lib/db/main/global/1")) == set()


def test_a_database_beyond_the_bound_is_told_and_not_halved() -> None:
    things = {**DATABASE, "/var/lib/db/main/base/1/2": file(size=LARGEST_STATE)}
    keep = decided(debian(things), event("/var/lib/db/main/base/1/new", Operation.CREATE))
    assert "/var/lib/db/main/base/5/1" not in keep
    assert [warning.code for warning in keep.warnings] == ["served"]


def test_state_in_an_apps_directory_is_not_the_whole_app() -> None:
    world = debian(
        {
            "/app/main.py": file(),
            "/app/other.py": file(),
            "/app/data/old/a": file(),
            "/app/.env": file(),
            "/app/lib/x/y": file(),
            "/app/lib/x/z.py": file(),
        }
    )
    code = event("/app/main.py")
    inside = event("/app/data/new/b", Operation.CREATE)
    assert by_served(world, code, event("/app/data/b", Operation.CREATE), inside) == {
        "/app/data/old/a"
    }
    beside = by_served(world, code, event("/app/b", Operation.CREATE))
    assert beside == {"/app/main.py", "/app/other.py"}


@pytest.mark.parametrize(
    "made",
    [
        "/tmp/new",
        "/var/log/app/new",
        "/var/cache/app/new",
        "/run/app/new",
        "/usr/share/x/new",
        "/app/__pycache__/new",
        "/opt/venv/lib/new",
        "/home/new",
    ],
)
def test_what_does_not_last_is_no_state(made: str) -> None:
    directory = made.rpartition("/")[0]
    world = debian({f"{directory}/old/x": file(), "/opt/venv/pyvenv.cfg": file()})
    assert by_served(world, event(made, Operation.CREATE)) == set()


def test_programs_in_listed_directories_bring_their_interpreter() -> None:
    world = debian({"/srv/hooks/a": program("#!/usr/bin/true\n")})
    assert "/usr/bin/true" in decided(world, event("/srv/hooks", Operation.LIST))


@given(st.binary(max_size=300))
def test_any_settings_are_survived(text: bytes) -> None:
    world = site(**{"/etc/x.conf": Thing(data=b"root /usr/share/web/html;\n" + text)})
    assert "/etc/x.conf" in decided(world, event("/etc/x.conf"))


def test_hostile_settings_are_read_quickly() -> None:
    text = b"Alias " * 20_000 + b"root " * 20_000 + b" " * 50_000
    world = debian({"/etc/x.conf": Thing(data=text)})
    assert by_served(world, event("/etc/x.conf")) == set()
