"""The app's own directories are kept, and nothing of others with them."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.model import FileEvent
from slimpy.image.tree import Tree
from slimpy.keep.rules.apptree_bounds import LARGE, bound, choose
from slimpy.keep.rules.apptree_junk import is_junk, is_secret
from slimpy.keep.rules.apptree_literals import paths_in
from slimpy.model import Entry, FileType, ImagePath, KeepSet, Rule
from tests.unit.keep.rules.apps import asked_by, debian, kept
from tests.unit.keep.worlds import Thing, World, directory, event, file, link, program

P = ImagePath


def by_app(world: World, *events: FileEvent) -> set[str]:
    return asked_by(decided(world, *events), world, Rule.APP)


def decided(world: World, *events: FileEvent) -> KeepSet:
    return kept(world, Rule.APP, *events)


@pytest.mark.parametrize("top", ["/usr/local/share", "/usr/local/etc"])
def test_small_data_in_usr_local_is_kept_though_nothing_used_it(top: str) -> None:
    wanted = {f"{top}/shop/report.sql": file(), f"{top}/shop.conf": file()}
    unwanted = {f"{top}/huge/data.bin": file(size=40 << 20), "/usr/share/other/x.sql": file()}
    keep = decided(debian(wanted | unwanted))
    assert wanted.keys() <= keep.reasons.keys()
    assert not unwanted.keys() & keep.reasons.keys()


@pytest.mark.parametrize(
    "root",
    [
        "/app",
        "/srv/shop",
        "/usr/src/app",
        "/opt/shop",
        "/home/user",
        "/var/www/html",
        "/workspace",
        "/usr/local/lib/shop",
        "/usr/local/share/shop",
        "/usr/lib/shop",
        "/usr/share/shop",
        "/var/lib/shop",
        "/root",
        "/data",
    ],
)
def test_what_lies_beside_a_used_file_is_kept(root: str) -> None:
    things = {
        f"{root}/code/main.x": file(),
        f"{root}/templates/error.html": file(),
        f"{root}/locale/de/app.mo": file(),
        f"{root}/latest": link("code"),
        f"{root}/uploads": directory(0o770),
    }
    keep = decided(debian(things), event(f"{root}/code/main.x"))
    assert things.keys() <= keep.reasons.keys()


def test_without_the_rule_only_what_was_used_is_kept() -> None:
    world = debian({"/app/main.x": file(), "/app/templates/error.html": file()})
    used = event("/app/main.x")
    assert "/app/templates/error.html" in decided(world, used)
    assert "/app/templates/error.html" not in kept(world, Rule.DOTNET, used)


@pytest.mark.parametrize(
    "used",
    [
        "/usr/share/base/used.txt",  # a package's directory
        "/usr/lib/used.txt",
        "/usr/bin/used",
        "/etc/base/used.conf",
        "/var/cache/base/used",
        "/tmp/build/used",
        "/opt/venv/lib/python3.11/site-packages/x/used.py",
        "/app/node_modules/x/used.js",
        "/usr/local/go/src/used.go",
        "/root/.nvm/versions/used.js",
        "/opt/java/lib/used.jar",
        "/opt/conda/lib/used.py",
        "/usr/local/lib/python3.11/used.py",
        "/srv/shop/vendor/bundle/ruby/used.rb",
        "/var/lib/gems/3.1.0/gems/x-1/used.rb",
        "/srv/shop/vendor/x/used.php",
    ],
)
def test_what_others_installed_brings_nothing_along(used: str) -> None:
    beside = used.replace("used", "beside")
    things = {
        used: file(),
        beside: file(),
        "/usr/share/base/owned": file(),
        "/opt/venv/pyvenv.cfg": file(),
        "/usr/local/go/bin/go": program(),
        "/opt/java/bin/java": program(),
        "/opt/conda/conda-meta/history": file(),
        "/usr/local/lib/python3.11/os.py": file(),
        "/usr/local/lib/python3.11/encodings/x.py": file(),
        "/var/lib/gems/3.1.0/specifications/x.gemspec": file(),
        "/srv/shop/vendor/autoload.php": file(),
        "/srv/shop/vendor/composer/installed.json": file(),
    }
    if used.startswith("/etc"):
        things["/usr/share/base/owned-too"] = things.pop(beside)
    keep = decided(debian(things, owned=["/usr/share/base/owned"]), event(used))
    assert used in keep.reasons
    assert beside not in keep.reasons


def test_a_package_in_the_middle_of_the_app_is_not_kept() -> None:
    world = debian(
        {"/opt/suite/main.x": file(), "/opt/suite/owned.x": file(), "/opt/suite/own.x": file()},
        owned=["/opt/suite/owned.x"],
    )
    assert by_app(world, event("/opt/suite/main.x")) == {"/opt/suite/main.x", "/opt/suite/own.x"}


@pytest.mark.parametrize(
    "junk",
    [
        ".git/config",
        ".github/workflows/ci.yml",
        "__pycache__/main.cpython-311.pyc",
        "tests/test_main.py",
        "spec/main_spec.rb",
        "__tests__/main.test.js",
        "Dockerfile",
        "docker-compose.yml",
        ".dockerignore",
        "static/app.js.map",
        "README.md",
        "lib.c",
        "lib.o",
        "Main.java",
        "types.d.ts",
        "build.log",
        "main.pyc",
        ".main.py.swp",
        "target/release/build/x",
        "coverage/lcov-report/index.html",
        ".next/cache/1.pack",
        ".bashrc",
    ],
)
def test_what_no_run_needs_is_left_out(junk: str) -> None:
    things = {
        "/app/main.py": file(),
        "/app/static/app.js": file(),
        "/app/Main.class": file(),
        "/app/Cargo.toml": file(),
        "/app/coverage/lcov.info": file(),
        f"/app/{junk}": file(),
    }
    world = debian(things)
    assert f"/app/{junk}" not in by_app(world, event("/app/main.py"))
    assert f"/app/{junk}" in decided(world, event("/app/main.py"), event(f"/app/{junk}"))


@pytest.mark.parametrize(
    "data",
    [
        "tests/index.html",  # a directory of pages, not of tests
        "spec/openapi.yaml",
        "docs/index.html",
        "build/index.html",
        "dist/app.js",
        "legacy.pyc",
        "Only.java",
        "posts/first.md",
        "vendor/theme/style.css",
        "static/alone.map",
        ".env.example",
        "bin/tool",
    ],
)
def test_what_only_looks_like_it_is_kept(data: str) -> None:
    world = debian({"/app/main.py": file(), f"/app/{data}": file()})
    assert f"/app/{data}" in by_app(world, event("/app/main.py"))


@pytest.mark.parametrize(
    "secret",
    [
        ".env",
        ".env.production",
        "tls/server.key",
        "id_rsa",
        ".npmrc",
        ".pypirc",
        ".aws/credentials",
        ".ssh/config",
        "app.p12",
        "signing.pem",
    ],
)
def test_secrets_are_refused_with_a_warning_unless_used(secret: str) -> None:
    path = f"/app/{secret}"
    pem = "-----BEGIN PRIVATE KEY-----\nMC4CAQ\n-----END PRIVATE KEY-----\n"
    world = debian({"/app/main.x": file(), path: file(pem)})
    keep = decided(world, event("/app/main.x"))
    assert path not in keep
    assert [w.code for w in keep.warnings if path in w.text] == ["secret"]
    used = decided(world, event("/app/main.x"), event(path))
    assert path in used
    assert not [w for w in used.warnings if w.code == "secret"]


def test_a_certificate_is_no_secret() -> None:
    world = debian({"/app/main.x": file(), "/app/ca.pem": file("-----BEGIN CERTIFICATE-----\n")})
    keep = decided(world, event("/app/main.x"))
    assert "/app/ca.pem" in keep
    assert not keep.warnings


def test_many_secrets_are_summed_up() -> None:
    things: dict[str, Thing] = {f"/app/{number}.key": file() for number in range(100)}
    keep = decided(debian({**things, "/app/main.x": file()}), event("/app/main.x"))
    assert sum(warning.count for warning in keep.warnings) == 100
    assert len(keep.warnings) == 21


def test_a_large_directory_is_kept_by_kind_and_the_rest_is_told() -> None:
    world = debian(
        {
            "/app/main.x": file(),
            "/app/page.html": file(),
            "/app/notes": file(),
            "/app/film.mkv": file(size=LARGE),
            "/app/model.bin": file(size=5 * LARGE),
        }
    )
    keep = decided(world, event("/app/main.x"))
    assert {"/app/page.html", "/app/notes"} <= keep.reasons.keys()
    assert not {"/app/film.mkv", "/app/model.bin"} & keep.reasons.keys()
    (warning,) = keep.warnings
    assert warning.code == "app-files"
    assert "2 files (150.0 MB)" in warning.text


def test_much_use_allows_more() -> None:
    world = debian({"/app/a.bin": file(size=40_000_000), "/app/b.bin": file(size=80_000_000)})
    assert "/app/b.bin" in decided(world, event("/app/a.bin"))
    small = debian({"/app/a.bin": file(size=4_000_000), "/app/b.bin": file(size=80_000_000)})
    assert "/app/b.bin" not in decided(small, event("/app/a.bin"))


def test_an_unused_directory_brings_little() -> None:
    things = {"/scripts/a.sh": file(), "/scripts/large.bin": file(size=20_000_000)}
    keep = decided(debian({**things, "/app/main.x": file()}), event("/app/main.x"))
    assert "/scripts/a.sh" in keep
    assert "/scripts/large.bin" not in keep


def test_working_directory_and_what_the_configuration_names() -> None:
    world = debian(
        {
            "/premises/here/page.html": file(),
            "/opt/content/page.html": file(),
            "/var/lib/shop/shop.db": file(),
            "/opt/other/page.html": file(),
            "/opt/tools/bin/tool": program(),
        },
        WorkingDir="/premises/here",
        Cmd=["server", "--root=/opt/content"],
        Env=["SHOP_DB=sqlite:////var/lib/shop/shop.db", "PATH=/usr/bin:/opt/tools/bin"],
    )
    found = by_app(world)
    assert found >= {"/premises/here/page.html", "/opt/content/page.html", "/var/lib/shop/shop.db"}
    assert not found & {"/opt/other/page.html", "/opt/tools/bin/tool"}


def test_paths_that_the_apps_texts_name() -> None:
    code = """
        words = open("/usr/share/dict/words")
        subprocess.run(["/usr/bin/tool", "/opt/content/"])
        fallback = '/usr/share/small'
        nothing = "/usr/share", "/etc", "/usr/bin", f"{x}/usr/x"
        climbs = "/opt/content/../../etc/secret.key"
        link = "http://example.com/usr/share/doc/readme"
    """
    world = debian(
        {
            "/app/main.py": file(code),
            "/usr/share/dict/words": file(),
            "/usr/share/dict/more": file(),
            "/usr/bin/tool": program(),
            "/opt/content/a/b.html": file(),
            "/usr/share/small/data": file(),
            "/usr/share/doc/readme": file(),
            "/usr/x": file(),
            "/etc/secret.key": file(),
        },
        owned=["/usr/share/dict/words", "/usr/share/small/data", "/usr/bin/tool"],
    )
    assert by_app(world, event("/app/main.py")) == {
        "/app/main.py",
        "/usr/share/dict/words",
        "/usr/bin/tool",
        "/opt/content/a/b.html",
        "/usr/share/small/data",
    }


def test_a_large_directory_of_a_package_is_not_kept_for_its_name() -> None:
    world = debian(
        {"/app/main.py": file("/usr/share/large"), "/usr/share/large/x": file(size=9_000_000)},
        owned=["/usr/share/large/x"],
    )
    keep = decided(world, event("/app/main.py"))
    assert "/usr/share/large" in keep
    assert "/usr/share/large/x" not in keep


def test_settings_of_packages_name_only_what_is_the_apps() -> None:
    world = debian(
        {
            "/etc/web/web.conf": file("root /srv/site; include extra/*.conf; load /usr/lib/x.so;"),
            "/etc/web/mime": file(),
            "/etc/web/fastcgi": file(),
            "/etc/web/other.conf": file("include fastcgi;"),
            "/srv/site/a/b.html": file(),
            "/usr/lib/x.so": file(),
        },
        owned=["/etc/web/web.conf", "/etc/web/mime", "/etc/web/fastcgi", "/usr/lib/x.so"],
    )
    assert by_app(world, event("/etc/web/web.conf")) == {
        "/srv/site/a/b.html",
        "/etc/web/other.conf",
        "/etc/web/fastcgi",
    }


def test_settings_that_no_package_made() -> None:
    world = debian(
        {
            "/etc/site/themes/dark.sh": file(),
            "/etc/base/owned.conf": file(),
            "/etc/base/extra.conf": file(),
            "/etc/alternatives/awk": link("/usr/bin/true"),
            "/etc/ssl/certs/x.pem": file(),
            "/etc/shadow": file(),
            "/etc/base/server.key": file(),
            "/etc/large.bin": file(size=1_000_000),
        },
        owned=["/etc/base/owned.conf"],
    )
    assert by_app(world) == {"/etc/site/themes/dark.sh", "/etc/base/extra.conf"}


def test_where_packages_are_not_known_settings_are_left_alone() -> None:
    world = World({"/etc/mine.conf": file(), "/var/lib/rpm/rpmdb.sqlite": file()})
    assert by_app(world) == set()
    assert by_app(World({"/etc/mine.conf": file()})) == {"/etc/mine.conf"}


def test_scripts_in_usr_local_unless_a_language_installs_there() -> None:
    things = {
        "/usr/local/bin/backup": program("#!/usr/bin/true\n"),
        "/usr/local/bin/tool": program("\x7fELF"),
        "/usr/local/sbin/owned": program("#!/usr/bin/true\n"),
    }
    world = debian(things, owned=["/usr/local/sbin/owned"])
    assert by_app(world) - {"/usr/bin/true"} == {"/usr/local/bin/backup"}
    installed = {**things, "/usr/local/lib/python3.11/os.py": file()}
    assert by_app(debian(installed)) == set()


def test_small_things_at_the_root() -> None:
    things = {
        "/server.conf": file(),
        "/image.bin": file(size=10_000_000),
        "/hooks/a.sh": file(),
        "/Makefile.in/x": file(),
    }
    assert by_app(World(things)) == {"/server.conf", "/hooks/a.sh", "/Makefile.in/x"}


def test_contents_are_read_of_kept_files_only() -> None:
    things = {f"/app/{number}.x": file(f"/opt/{number}") for number in range(5)}
    world = debian({**things, "/opt/3/x": file(), "/app/big.bin": file(size=90_000_000)})
    keep = decided(world, event("/app/0.x"))
    databases = {path for path in world.store.fetched if path.startswith("/var/lib/dpkg")}
    assert world.store.fetched - databases <= keep.reasons.keys()


def test_the_order_of_events_does_not_matter() -> None:
    world = debian(
        {
            "/app/main.py": file("/opt/a /opt/b/x"),
            "/opt/a/y": file("/opt/b"),
            "/opt/b/x": file("/opt/a"),
            "/opt/b/z": file(),
            "/srv/c/d": file("/app"),
        }
    )
    events = [event("/app/main.py"), event("/srv/c/d"), event("/opt/b/x"), event("/usr/bin/true")]
    first = decided(world, *events)
    for seed in range(6):
        random.Random(seed).shuffle(events)
        assert decided(world, *events).reasons == first.reasons


@given(st.binary(max_size=400))
def test_any_text_is_understood_or_not_but_never_fatal(text: bytes) -> None:
    for path in paths_in(text):
        assert path.startswith("/")
    world = debian(
        {"/app/main.py": Thing(data=text + b"/usr/bin/true"), "/app/x": Thing(data=text)}
    )
    assert "/app/x" in decided(world, event("/app/main.py"))


def test_a_text_of_nothing_but_slashes_is_read_quickly() -> None:
    text = b"/" * 200_000 + b"/a" * 20_000 + b"( " * 1000
    assert len(tuple(paths_in(text))) <= 2_000


def test_deep_and_looping_directories() -> None:
    deep = "/app" + "/d" * 3000
    world = debian({f"{deep}/x.html": file(), "/app/main.x": file(), "/app/loop": link("/app")})
    keep = decided(world, event("/app/main.x"), event("/app/loop/loop/main.x"))
    assert f"{deep}/x.html" in keep


@given(
    st.lists(st.integers(0, 50), max_size=12),
    st.integers(0, 200),
    st.integers(0, 200),
)
def test_a_larger_bound_keeps_all_that_a_smaller_one_does(
    sizes: list[int], one: int, other: int
) -> None:
    kinds = ("x", "py")
    entries = [
        Entry(P(f"/a/{n}.{kinds[n % 2]}"), FileType.FILE, size=size) for n, size in enumerate(sizes)
    ]
    small, large = (choose(entries, (), limit) for limit in sorted((one, other)))
    assert set(small.kept) <= set(large.kept)
    assert sum(entry.size for entry in large.kept) <= max(one, other)
    assert sorted((*small.kept, *small.left), key=str) == sorted(entries, key=str)


def test_data_that_does_not_fit_is_left_out_whole_but_code_as_far_as_it_fits() -> None:
    names = ("a.html", "b.html", "x.dat", "y.dat")
    entries = [Entry(P(f"/a/{name}"), FileType.FILE, size=10) for name in names]
    assert [entry.path for entry in choose(entries, (), 15).kept] == ["/a/a.html"]
    assert [entry.path for entry in choose(entries, (), 35).kept] == ["/a/a.html", "/a/b.html"]
    assert len(choose(entries, (), 40).kept) == 4


def test_bounds() -> None:
    assert bound(0) < bound(1) == LARGE
    assert bound(100_000_000) == 210_000_000


def test_names_of_secrets_and_junk() -> None:
    assert is_secret(P("/a/.SSH/x")) is False
    assert is_secret(P("/a/.ssh/x"))
    assert is_secret(P("/a/b.PEM"))
    assert not is_secret(P("/a/key.py"))
    tree = Tree([Entry(P("/a/x.log"), FileType.FILE), Entry(P("/a/x.py"), FileType.FILE)])
    assert [is_junk(tree, entry) for entry in tree.children(P("/a"))] == [True, False]
