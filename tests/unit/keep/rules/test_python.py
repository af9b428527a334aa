"""What is kept of Python because of the code that is kept."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from slimpy.model import Rule
from tests.unit.keep.rules.apps import asked_by, kept
from tests.unit.keep.worlds import Thing, World, directory, elf, event, file, link, program

LIB = "/usr/local/lib/python3.12"
SITE = f"{LIB}/site-packages"
LIBRARY = {
    "/usr/local/bin/python3.12": program(elf(interpreter="/lib/ld.so")),
    **{
        f"{LIB}/{module}": file("")
        for module in (
            *("os.py", "io.py", "json/__init__.py", "json/decoder.py", "json/tool.py"),
            *("unittest/__init__.py", "unittest/mock.py", "_strptime.py", "sqlite3/__init__.py"),
            *("encodings/__init__.py", "encodings/utf_8.py", "encodings/cp1252.py", "xdrlib.py"),
        )
    },
    f"{LIB}/lib-dynload/_sqlite3.cpython-312-x86_64-linux-gnu.so": program(elf(soname="s")),
    f"{LIB}/lib-dynload/_sqlite3.cpython-311-x86_64-linux-gnu.so": program(elf(soname="s")),
}


def asked(things: Mapping[str, Thing | str], *opened: str, **config: object) -> set[str]:
    """What the rule asks for when those files were opened, without /usr/local/lib/python3.12."""
    made = {
        path: file(thing) if isinstance(thing, str) else thing for path, thing in things.items()
    }
    world = World(LIBRARY | made, config)
    keep = kept(world, Rule.PYTHON, event(f"{LIB}/os.py"), *(event(path) for path in opened))
    found = asked_by(keep, world, Rule.PYTHON) - {f"{LIB}/os.py", *opened}
    return {path.removeprefix(f"{SITE}/").removeprefix(f"{LIB}/") for path in found}


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("def f():\n    import json.tool", {"json/__init__.py", "json/tool.py"}),
        ("from json import decoder, JSONEncoder", {"json/__init__.py", "json/decoder.py"}),
        ("try:\n    import xdrlib, missing\nexcept ImportError:\n    pass", {"xdrlib.py"}),
        ("importlib.import_module('json.decoder')", {"json/__init__.py", "json/decoder.py"}),
        ("if TYPE_CHECKING:\n    import json", set()),
        ("import unittest.mock", {"unittest/__init__.py", "unittest/mock.py"}),
        ("x = 'json.tool'", set()),
    ],
)
def test_the_standard_library(source: str, found: set[str]) -> None:
    assert asked({"/srv/app.py": source}, "/srv/app.py") == found


def test_character_sets_are_imported_by_computed_names() -> None:
    code = "def search(name):\n    return __import__('encodings.' + name)"
    start = f"{LIB}/encodings/__init__.py"
    assert asked({start: code}, start) == {"encodings/utf_8.py", "encodings/cp1252.py"}


def test_extension_modules_of_the_right_version() -> None:
    found = asked({f"{LIB}/sqlite3/__init__.py": "import _sqlite3"}, f"{LIB}/sqlite3/__init__.py")
    assert found == {"lib-dynload/_sqlite3.cpython-312-x86_64-linux-gnu.so"}


def test_what_the_interpreter_imports_by_itself() -> None:
    found = asked({}, "/usr/local/bin/python3.12")
    assert {"_strptime.py", "io.py", "encodings/__init__.py"} <= found
    assert "json/__init__.py" not in found


PACKAGES = {
    f"{SITE}/web/__init__.py": "from . import core",
    f"{SITE}/web/core.py": (
        "import json\ndef f():\n    from .late import x\n    from ..web import also"
    ),
    f"{SITE}/web/late.py": "",
    f"{SITE}/web/also.py": "",
    f"{SITE}/web/never.py": "",
    f"{SITE}/web/tests/test_core.py": "",
    f"{SITE}/web-1.0.dist-info/METADATA": "Name: web",
    f"{SITE}/web-1.0.dist-info/RECORD": "web/__init__.py,,\nweb/core.py,,\n",
    f"{SITE}/web-1.0.dist-info/INSTALLER": "pip",
    f"{SITE}/other/__init__.py": "",
    f"{SITE}/other-1.0.dist-info/METADATA": "Name: other",
    f"{SITE}/other-1.0.dist-info/RECORD": "other/__init__.py,,",
}


def test_modules_and_metadata_of_a_distribution_in_use() -> None:
    assert asked(PACKAGES, f"{SITE}/web/__init__.py") == {
        *("web/core.py", "web/late.py", "web/also.py", "json/__init__.py"),
        *("web-1.0.dist-info/METADATA", "web-1.0.dist-info/RECORD"),
    }


@pytest.mark.parametrize("prefix", ["/root/.local", "/opt/venv", "/opt/conda", "/home/u/.pyenv/v"])
def test_prefixes(prefix: str) -> None:
    site = f"{prefix}/lib/python3.12/site-packages"
    found = asked(
        {f"{site}/a.py": "import b.c", f"{site}/b/c.py": "", "/srv/b/c.py": ""}, f"{site}/a.py"
    )
    assert found == {f"{site}/b/c.py"}


def test_versions_are_kept_apart() -> None:
    old = "/usr/lib/python3.9"
    found = asked(
        {
            f"{old}/os.py": "",
            f"{old}/json/__init__.py": "",
            f"{old}/site-packages/b.py": "import json",
        },
        f"{old}/os.py",
        f"{old}/site-packages/b.py",
    )
    assert found == {f"{old}/json/__init__.py"}


def test_namespace_packages_have_parts_in_many_places() -> None:
    user = "/root/.local/lib/python3.12/site-packages"
    things = {
        f"{SITE}/web.py": "import space.one.x, space.two",
        f"{SITE}/space/one/__init__.py": "",
        f"{SITE}/space/one/x.py": "",
        f"{user}/space/two.py": "",
        f"{user}/used.py": "",
    }
    found = asked(things, f"{SITE}/web.py", f"{user}/used.py")
    assert found == {"space/one/__init__.py", "space/one/x.py", f"{user}/space/two.py"}


@pytest.mark.parametrize(
    ("constant", "found"),
    [
        ("web.late", {"late"}),
        ("web.late:Worker", {"late"}),
        ("web.late.Worker.run", {"late"}),
        ("web.nothing", set()),
        ("other.mod", set()),
        ("a.web.late", set()),
    ],
)
def test_constants_that_are_names_of_modules(constant: str, found: set[str]) -> None:
    things = {
        f"{SITE}/web/__init__.py": f"WORKERS = {{'x': {constant!r}}}",
        f"{SITE}/web/late.py": "",
        f"{SITE}/other/__init__.py": "",
        f"{SITE}/other/mod.py": "",
    }
    names = asked(things, f"{SITE}/web/__init__.py")
    assert {path.rpartition("/")[2].removesuffix(".py") for path in names} == found


def test_settings_of_the_app_open_packages() -> None:
    things = {
        "/srv/settings.py": "APPS = ['web.contrib.auth', 'plain']",
        f"{SITE}/web/__init__.py": "",
        f"{SITE}/web/contrib/__init__.py": "",
        f"{SITE}/web/contrib/auth/__init__.py": "",
        f"{SITE}/web/contrib/auth/migrations/0001_initial.py": "",
        f"{SITE}/web/contrib/auth/tests/test_x.py": "",
        f"{SITE}/web/contrib/admin/__init__.py": "",
        f"{SITE}/plain/__init__.py": "",
        f"{SITE}/plain/models.py": "",
    }
    found = asked(
        things, "/srv/settings.py", f"{SITE}/web/__init__.py", f"{SITE}/plain/__init__.py"
    )
    assert found == {
        *("web/contrib/__init__.py", "web/contrib/auth/__init__.py"),
        *("web/contrib/auth/migrations/0001_initial.py", "plain/models.py"),
    }


@pytest.mark.parametrize(
    "source",
    [
        "def load(n):\n    return __import__(f'{__package__}.{n}')",
        "def load(n):\n    return importlib.import_module('web.%s' % n)",
        "def load(n):\n    return importlib.import_module('.' + n, __package__)",
        "for m in pkgutil.iter_modules(__path__):\n    import_module(m.name)",
    ],
)
def test_computed_names(source: str) -> None:
    things = {
        f"{SITE}/web/__init__.py": source,
        f"{SITE}/web/one.py": "",
        f"{SITE}/web/deep/two.py": "",
        f"{SITE}/web/tests/three.py": "",
    }
    assert asked(things, f"{SITE}/web/__init__.py") == {"web/one.py", "web/deep/two.py"}


def test_of_a_large_package_only_what_is_directly_in_it() -> None:
    things: dict[str, Thing | str] = {
        f"{SITE}/web/__init__.py": "import_module(f'{__package__}.{n}')",
        f"{SITE}/web/one.py": "",
        f"{SITE}/web/deep/__init__.py": "",
        f"{SITE}/web/deep/two.py": file("", size=2 << 20),
    }
    assert asked(things, f"{SITE}/web/__init__.py") == {"web/one.py", "web/deep/__init__.py"}


def test_beginnings_of_names() -> None:
    things = {
        f"{SITE}/web/__init__.py": "__import__('region_%s' % code, globals(), level=1)",
        f"{SITE}/web/region_DE.py": "",
        f"{SITE}/web/other.py": "",
    }
    assert asked(things, f"{SITE}/web/__init__.py") == {"web/region_DE.py"}


def test_lazy_packages_name_their_modules() -> None:
    things = {
        f"{SITE}/web/__init__.py": "_where = {'Name': 'impl'}\ndef __getattr__(n): ...",
        f"{SITE}/web/impl.py": "",
        f"{SITE}/web/other.py": "",
    }
    assert asked(things, f"{SITE}/web/__init__.py") == {"web/impl.py"}


def test_tools_for_developers_only_where_they_cannot_be_spared() -> None:
    things: dict[str, Thing | str] = {
        f"{SITE}/a.py": "def f():\n    import unittest",
        f"{SITE}/pip/__init__.py": "",
        "/usr/local/bin/pip": Thing(data=b"#!/usr/local/bin/python3.12\nimport pip\n", mode=0o755),
    }
    found = asked(things, f"{SITE}/a.py", "/usr/local/bin/pip")
    assert not found & {"unittest/__init__.py", "pip/__init__.py"}
    things[f"{SITE}/a.py"] = "from unittest import mock"
    assert asked(things, f"{SITE}/a.py") == {"unittest/__init__.py", "unittest/mock.py"}


def test_plugins_that_others_announce() -> None:
    things = {
        f"{SITE}/web.py": "entry_points(group='web.dialects')",
        f"{SITE}/extra/__init__.py": "",
        f"{SITE}/extra/dialect.py": "",
        f"{SITE}/extra-1.dist-info/entry_points.txt": (
            "[console_scripts]\nx = extra.main:run\n[web.dialects]\nx = extra.dialect:D\n"
        ),
        f"{SITE}/extra-1.dist-info/top_level.txt": "extra\n",
    }
    assert asked(things, f"{SITE}/web.py") == {
        *("extra/__init__.py", "extra/dialect.py"),
        *("extra-1.dist-info/entry_points.txt", "extra-1.dist-info/top_level.txt"),
    }


def test_path_files() -> None:
    things = {
        f"{SITE}/own.pth": "# comment\n/src/lib\nimport hook; hook.go()\n../up\n",
        f"{SITE}/hook.py": "",
        f"{SITE}/a.py": "import mine, above",
        "/src/lib/mine.py": "",
        f"{LIB}/up/above.py": "",
    }
    found = asked(things, f"{SITE}/own.pth", f"{SITE}/a.py")
    assert found == {"hook.py", "/src/lib/mine.py", "up/above.py"}


@pytest.mark.parametrize(
    ("config", "found"),
    [
        ({"Cmd": ["python", "-m", "tool"]}, {"tool/__init__.py", "tool/__main__.py"}),
        ({"Cmd": ["sh", "-c", "python -m tool"]}, {"tool/__init__.py", "tool/__main__.py"}),
        (
            {"Healthcheck": {"Test": ["CMD", "python", "-c", "import tool.x"]}},
            {"tool/__init__.py", "tool/x.py"},
        ),
        ({"Env": ["SETTINGS=used.x"]}, {"used/x.py"}),
    ],
)
def test_commands_and_environment_of_the_image(config: dict[str, object], found: set[str]) -> None:
    things = {
        f"{SITE}/tool/__init__.py": "",
        f"{SITE}/tool/__main__.py": "",
        f"{SITE}/tool/x.py": "",
        f"{SITE}/used/__init__.py": "",
        f"{SITE}/used/x.py": "",
    }
    names = asked(things, f"{SITE}/used/__init__.py", **config)
    assert names == found


def test_the_apps_own_modules() -> None:
    things = {
        "/srv/app/__init__.py": "",
        "/srv/app/main.py": "def f():\n    from app import later\n    import helper, beside",
        "/srv/app/later.py": "",
        "/srv/helper.py": "",
        "/srv/lib/beside.py": "",
        "/srv/lib/used.py": "",
    }
    found = asked(things, "/srv/app/main.py", "/srv/lib/used.py", WorkingDir="/srv")
    assert found == {
        "/srv/app/__init__.py",
        "/srv/app/later.py",
        "/srv/helper.py",
        "/srv/lib/beside.py",
    }


def test_data_that_the_package_names() -> None:
    things: dict[str, Thing | str] = {
        f"{SITE}/web/__init__.py": (
            "files('web').joinpath('cacert.pem')\nopen(join(d, f'{n}.dat'))\n"
            "join(dirname(__file__), 'zones', name)\n"
        ),
        f"{SITE}/web/cacert.pem": "x",
        f"{SITE}/web/de.dat": "x",
        f"{SITE}/web/other.bin": "x",
        f"{SITE}/web/core.c": "x",
        f"{SITE}/web/zones/Europe/Berlin": "x",
        f"{SITE}/web/zones/tests/x": "x",
        f"{SITE}/web/zones/a.po": "x",
        f"{SITE}/web/unnamed/x": "x",
        f"{SITE}/web/templates/page.html": "x",
        f"{SITE}/engine/__init__.py": "LOOK_IN = 'templates'",
    }
    assert asked(things, f"{SITE}/web/__init__.py") == {
        *("web/cacert.pem", "web/de.dat", "web/zones/Europe/Berlin"),
    }
    found = asked(things, f"{SITE}/web/__init__.py", f"{SITE}/engine/__init__.py")
    assert "web/templates/page.html" in found


@pytest.mark.parametrize(
    ("sizes", "found"),
    [
        ({"de": 20 << 20}, {"de"}),
        ({"de": 60 << 20}, {"de"}),
        ({"s3/x": 9 << 20, "ec2/x": 9 << 20}, {"s3/x"}),
    ],
)
def test_large_data_is_kept_by_name(sizes: dict[str, int], found: set[str]) -> None:
    things: dict[str, Thing | str] = {
        f"{SITE}/web/__init__.py": "join(here, 'data')",
        "/srv/app.py": "client('s3')",
        **{f"{SITE}/web/data/{name}": file("x", size=size) for name, size in sizes.items()},
    }
    names = asked(things, f"{SITE}/web/__init__.py", "/srv/app.py")
    assert {name.removeprefix("web/data/") for name in names} == found


def test_extension_modules_name_what_they_import() -> None:
    binary = elf(soname="x", text=b"\0web.deep\0\0near\0\0json\0")
    things: dict[str, Thing | str] = {
        f"{SITE}/web/__init__.py": "from . import fast",
        f"{SITE}/web/fast.cpython-312-x86_64-linux-gnu.so": program(binary),
        f"{SITE}/web/deep.py": "",
        f"{SITE}/web/near.py": "",
        f"{SITE}/web/other.py": "",
    }
    assert asked(things, f"{SITE}/web/__init__.py") == {
        *("web/fast.cpython-312-x86_64-linux-gnu.so", "web/deep.py", "web/near.py"),
    }


def test_libraries_that_code_loads_by_name() -> None:
    things: dict[str, Thing | str] = {
        f"{SITE}/magic.py": "CDLL('libone.so.1')\nfind_library('two')",
        "/usr/lib/libone.so.1": program(elf(soname="libone.so.1")),
        "/usr/lib/libtwo.so.2": program(elf(soname="libtwo.so.2")),
        "/usr/lib/libc.so": program(elf(soname="libc.so")),
        "/sbin/ldconfig": program(),
    }
    found = asked(things, f"{SITE}/magic.py", "/usr/lib/libc.so")
    assert found == {"/usr/lib/libone.so.1", "/usr/lib/libtwo.so.2", "/sbin/ldconfig"}


def test_a_module_that_is_only_compiled() -> None:
    things = {f"{SITE}/a.py": "import b", f"{SITE}/b.pyc": "", f"{SITE}/__pycache__/c.pyc": ""}
    assert asked(things, f"{SITE}/a.py") == {"b.pyc"}


def test_compiled_twins_come_only_from_the_run() -> None:
    twin = f"{SITE}/__pycache__/b.cpython-312.pyc"
    assert asked({f"{SITE}/a.py": "import b", f"{SITE}/b.py": "", twin: "x"}, f"{SITE}/a.py") == {
        "b.py"
    }


def test_links_lead_to_modules() -> None:
    things: dict[str, Thing | str] = {
        f"{SITE}/a.py": "import far.near",
        f"{SITE}/far": link("/src/far"),
        "/src/far/__init__.py": "from . import too",
        "/src/far/near.py": "",
        "/src/far/too.py": "",
    }
    found = asked(things, f"{SITE}/a.py")
    assert {"/src/far/__init__.py", "/src/far/near.py", "/src/far/too.py"} <= found


@pytest.mark.parametrize(
    "source",
    [
        "import " + ".".join(["a"] * 500),
        "from " + "." * 4000 + " import x",
        "from ...... import os",
        "x = '" + "a." * 60 + "b'\n__import__(x)",
        "import \udcff".encode("utf-8", "surrogateescape").decode("latin-1"),
    ],
)
def test_hostile_code_leads_nowhere(source: str) -> None:
    loop = {"/srv/loop": link("loop"), "/srv/pkg": link("/srv"), "/srv/d": directory()}
    assert asked({"/srv/app.py": source, **loop}, "/srv/app.py") <= {"/srv/app.py"}


def test_hostile_metadata() -> None:
    things = {
        f"{SITE}/web.py": "x = 'g'",
        f"{SITE}/bad-1.dist-info/entry_points.txt": "[g]\n" + "x = " + "a." * 5000 + "\n=\n[[[]\n",
        f"{SITE}/bad-1.dist-info/RECORD": ",,,\n../../../etc/passwd,,\n\0\n/web.py\n",
        f"{SITE}/x.pth": "/\n\n..\n" + "import " * 1000 + "\n/nothing\n",
    }
    assert asked(things, f"{SITE}/web.py", f"{SITE}/x.pth") <= {"bad-1.dist-info/entry_points.txt"}


def test_nothing_without_python() -> None:
    world = World({"/srv/a.txt": file("import os"), "/usr/lib/python3/x.txt": file()})
    keep = kept(world, Rule.PYTHON, event("/srv/a.txt"))
    assert asked_by(keep, world, Rule.PYTHON) == set()


def test_the_order_of_events_does_not_matter() -> None:
    things = {
        "/srv/app/main.py": "import helper, web\nNAMES = ['web.late', 'other.mod']",
        "/srv/lib/helper.py": "import other",
        "/srv/lib/used.py": "",
        f"{SITE}/web/__init__.py": "join(here, 'data')",
        f"{SITE}/web/late.py": "import json.tool",
        f"{SITE}/web/data/x": "x",
        f"{SITE}/other/__init__.py": "",
        f"{SITE}/other/mod.py": "from web import late",
    }
    opened = ("/srv/app/main.py", "/srv/lib/used.py", f"{SITE}/web/__init__.py")
    found = asked(things, *opened)
    assert found == asked(things, *reversed(opened))
    assert {"/srv/lib/helper.py", "web/late.py", "web/data/x", "other/mod.py"} <= found
