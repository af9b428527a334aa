"""What kept Node packages can require."""

from __future__ import annotations

import json

import pytest

from slimpy.keep.rules import node_sources as sources
from slimpy.model import Rule
from tests.unit.keep.rules.apps import kept
from tests.unit.keep.worlds import Thing, World, elf, event, file, link, program, rules

NODE = "/usr/bin/node"


def world(things: dict[str, Thing], **config: object) -> World:
    return World({NODE: program(elf(interpreter="/lib/ld.so")), **things}, config)


def package(**fields: object) -> Thing:
    return file(json.dumps(fields))


def reach(things: dict[str, Thing], *opened: str, **config: object) -> set[str]:
    """The files that the rule asks for when Node ran and these files were opened."""
    made = world(things, **config)
    keep = kept(made, Rule.NODE, event(NODE), *map(event, opened))
    return {path for path in keep.reasons if Rule.NODE in rules(keep, path)}


APP = {
    "/app/package.json": package(name="shop"),
    "/app/server.js": file("const a = require('./lib/a')"),
    "/app/lib/a.js": file("module.exports = () => require('./b.json')"),
    "/app/lib/b.json": file("{}"),
    "/app/lib/never.js": file("1"),
}


def test_files_are_followed_through_functions_that_did_not_run() -> None:
    found = reach(APP, "/app/server.js")
    assert {"/app/lib/a.js", "/app/lib/b.json", "/app/package.json"} <= found
    assert "/app/lib/never.js" not in found


def test_scripts_of_a_page_are_left_alone_where_no_node_is_kept() -> None:
    made = World(dict(APP))
    keep = kept(made, Rule.NODE, event("/app/server.js"))
    assert not any(Rule.NODE in rules(keep, path) for path in keep.reasons)


@pytest.mark.parametrize(
    ("code", "target"),
    [
        ("require('./x/one')", "/app/x/one.js"),
        ('import y from "./x/one.js"', "/app/x/one.js"),
        ("export * from './x/one.js'", "/app/x/one.js"),
        ("await import('./x/one.js')", "/app/x/one.js"),
        ("require(`./x/${name}`)", "/app/x/one.js"),
        ("require('./x/' + name)", "/app/x/one.js"),
        ("import(`./x/${name}.js`)", "/app/x/one.js"),
        ("require('./x')", "/app/x/index.js"),
        ("fs.readFile(path.join(__dirname, 'x', 'data.txt'))", "/app/x/data.txt"),
        ("readFileSync(__dirname + '/x/data.txt')", "/app/x/data.txt"),
        ("fs.readFile(`${__dirname}/x/data.txt`)", "/app/x/data.txt"),
        ("new URL('./x/data.txt', import.meta.url)", "/app/x/data.txt"),
        ("new Worker(path.join(import.meta.dirname, 'x', 'one.js'))", "/app/x/one.js"),
        ("path.join(__dirname, 'x', name)", "/app/x/data.txt"),
    ],
)
def test_references_in_every_form(code: str, target: str) -> None:
    found = reach(
        {
            "/app/package.json": package(name="shop"),
            "/app/main.js": file(code),
            "/app/x/one.js": file("1"),
            "/app/x/index.js": file("1"),
            "/app/x/data.txt": file("1"),
            "/app/y/other.js": file("1"),
        },
        "/app/main.js",
    )
    assert target in found
    assert "/app/y/other.js" not in found


def library(name: str, code: str = "1", **fields: object) -> dict[str, Thing]:
    top = f"/app/node_modules/{name}"
    return {
        f"{top}/package.json": package(name=name, main="lib/index.js", **fields),
        f"{top}/lib/index.js": file(code),
        f"{top}/test/test.js": file("1"),
        f"{top}/README.md": file("1"),
    }


def test_dependencies_of_the_app_are_kept_though_no_code_names_them() -> None:
    found = reach(
        {
            **APP,
            "/app/package.json": package(
                name="shop", dependencies={"ejs": "3"}, devDependencies={"jest": "1"}
            ),
            **library("ejs"),
            **library("jest"),
        },
        "/app/server.js",
    )
    assert "/app/node_modules/ejs/lib/index.js" in found
    assert not {path for path in found if "jest" in path or "README" in path or "/test/" in path}


def test_optional_code_that_names_a_tool_for_development_does_not_keep_it() -> None:
    things = {
        "/app/package.json": package(
            name="shop", dependencies={"a": "1"}, devDependencies={"typescript": "1"}
        ),
        "/app/server.js": file("require('a')"),
        **library("a", "try { require('typescript') } catch {}", peerDependencies={"b": "1"}),
        **library("b"),
        **library("typescript"),
    }
    assert not any("typescript" in path for path in reach(things, "/app/server.js"))


def test_libraries_are_reached_by_name_only() -> None:
    things = {
        "/app/package.json": package(name="shop"),
        "/app/server.js": file("require('a')"),
        **library("a", "module.exports = () => require('b/lib/part')"),
        **library("b", "2"),
        "/app/node_modules/b/lib/part.js": file("1"),
        **library("c"),
    }
    found = reach(things, "/app/server.js")
    assert "/app/node_modules/b/lib/part.js" in found
    assert "/app/node_modules/b/package.json" in found
    assert "/app/node_modules/b/lib/index.js" not in found
    assert not any("/c/" in path for path in found)


def test_computed_names_keep_what_the_package_declares() -> None:
    things = {
        "/app/package.json": package(name="shop"),
        "/app/server.js": file("require('a')"),
        **library("a", "const load = name => require(name)", dependencies={"b": "1"}),
        **library("b"),
    }
    assert "/app/node_modules/b/lib/index.js" in reach(things, "/app/server.js")


EXPORTS = {
    ".": {"types": "./t.d.ts", "import": "./esm/main.mjs", "require": "./cjs/main.cjs"},
    "./feature/*": {"browser": "./web/*.js", "node": {"default": "./node/*.js"}},
}


@pytest.mark.parametrize(
    ("code", "target", "other"),
    [
        ("import x from 'e'", "esm/main.mjs", "cjs/main.cjs"),
        ("require('e')", "cjs/main.cjs", "esm/main.mjs"),
        ("require('e/feature/one')", "node/one.js", "web/one.js"),
    ],
)
def test_conditional_exports(code: str, target: str, other: str) -> None:
    top = "/app/node_modules/e"
    files = ("esm/main.mjs", "cjs/main.cjs", "node/one.js", "web/one.js", "t.d.ts")
    things = {
        "/app/package.json": package(name="shop"),
        "/app/main.js": file(code),
        f"{top}/package.json": package(name="e", exports=EXPORTS),
        **{f"{top}/{path}": file("1") for path in files},
    }
    found = reach(things, "/app/main.js")
    assert f"{top}/{target}" in found
    assert f"{top}/{other}" not in found


def test_imports_of_the_package_itself() -> None:
    things = {
        "/app/package.json": package(name="shop", imports={"#db": "./src/db.js"}),
        "/app/main.js": file("import db from '#db'"),
        "/app/src/db.js": file("1"),
    }
    assert "/app/src/db.js" in reach(things, "/app/main.js")


def test_links_of_a_package_store_are_kept_on_the_way() -> None:
    store = "/app/node_modules/.pnpm/a@1/node_modules"
    things = {
        "/app/package.json": package(name="shop"),
        "/app/main.js": file("require('a')"),
        "/app/node_modules/a": link(".pnpm/a@1/node_modules/a"),
        f"{store}/a/package.json": package(name="a", main="index.js"),
        f"{store}/a/index.js": file("require('b')"),
        f"{store}/b": link("../../b@2/node_modules/b"),
        "/app/node_modules/.pnpm/b@2/node_modules/b/index.js": file("1"),
    }
    made = world(things)
    keep = kept(made, Rule.NODE, event(NODE), event("/app/main.js"))
    assert {"/app/node_modules/a", f"{store}/a/index.js", f"{store}/b"} <= set(keep.reasons)
    assert "/app/node_modules/.pnpm/b@2/node_modules/b/index.js" in keep.reasons


def test_native_parts_for_this_platform_only() -> None:
    top = "/app/node_modules/n"
    things = {
        "/app/package.json": package(name="shop"),
        "/app/main.js": file("require('n')"),
        f"{top}/package.json": package(
            name="n",
            main="index.js",
            optionalDependencies={"@n/linux-x64": "1", "@n/darwin-arm64": "1"},
        ),
        f"{top}/index.js": file("require('node-gyp-build')(__dirname)"),
        f"{top}/prebuilds/linux-x64/n.glibc.node": file("1"),
        f"{top}/prebuilds/linux-x64/n.musl.node": file("1"),
        f"{top}/prebuilds/linux-arm64/n.node": file("1"),
        f"{top}/prebuilds/darwin-x64/n.node": file("1"),
        f"{top}/build/Release/obj.target/n.node": file("1"),
        f"{top}/vendor/lib/libv.so.42": file("1"),
        "/app/node_modules/@n/linux-x64/package.json": package(name="@n/linux-x64"),
        "/app/node_modules/@n/linux-x64/lib.node": file("1"),
        "/app/node_modules/@n/darwin-arm64/package.json": package(name="@n/darwin-arm64"),
    }
    found = reach(things, "/app/main.js")
    native = {path for path in found if path.endswith((".node", ".42"))}
    assert native == {
        f"{top}/prebuilds/linux-x64/n.glibc.node",
        f"{top}/vendor/lib/libv.so.42",
        "/app/node_modules/@n/linux-x64/lib.node",
    }
    assert not any("darwin" in path for path in found)


def test_an_app_in_the_root_does_not_keep_every_library_of_the_image() -> None:
    things = {
        "/package.json": package(name="shop"),
        "/server.js": file("require('./a')"),
        "/a.js": file("1"),
        "/usr/lib/libz.so.1": file("1"),
        "/opt/x.node": file("1"),
    }
    assert reach(things, "/server.js") == {"/package.json", "/a.js"}


def test_a_build_output_is_kept_whole_but_for_maps_and_its_cache() -> None:
    things = {
        "/app/package.json": package(name="shop"),
        "/app/.next/server/app.js": file("1"),
        "/app/.next/server/page.html": file("1"),
        "/app/.next/server/app.js.map": file("1"),
        "/app/.next/cache/x": file("1"),
        "/app/dist/other.js": file("1"),
    }
    found = reach(things, "/app/.next/server/app.js")
    assert "/app/.next/server/page.html" in found
    assert not {path for path in found if path.endswith(".map") or "cache" in path}
    assert "/app/dist/other.js" not in found


def test_of_npm_only_what_ran_is_kept() -> None:
    top = "/usr/lib/node_modules/npm"
    things = {
        f"{top}/package.json": package(name="npm"),
        f"{top}/bin/npm.js": file("require('../lib/cli.js')"),
        f"{top}/lib/cli.js": file("1"),
    }
    assert f"{top}/lib/cli.js" not in reach(things, f"{top}/bin/npm.js")


def test_data_of_icu_that_the_environment_names() -> None:
    things = {"/icu/icudt72l.dat": file("1"), "/icu/readme.txt": file("1")}
    found = reach(things, Env=["NODE_ICU_DATA=/icu"])
    assert found == {"/icu/icudt72l.dat"}


@pytest.mark.parametrize(
    "manifest",
    [
        "",
        "[1]",
        "{" * 5000,
        "[" * 100_000,
        '{"exports": ' + '{"node": ' * 500 + "1" + "}" * 501,
        '{"name": 5, "main": ["x"], "dependencies": "x", "exports": {".": {}}, "imports": 1}',
        '{"main": "../../../../../../etc/shadow", "exports": {"./*": "./../../*"}}',
        '{"main": "\\u0000", "dependencies": {"": "", "../..": "", "/": ""}}',
        '{"name": "x", "exports": {"./": 1, "": 2, "*": "./*"}}',
    ],
)
def test_hostile_manifests_are_survived(manifest: str) -> None:
    things = {
        "/app/package.json": file(manifest),
        "/app/main.js": file("require('a'); require('a/b'); import x from '#x'"),
        "/app/node_modules/a/package.json": file(manifest),
        "/app/node_modules/a/index.js": file("require('.')"),
        "/etc/shadow": file("root"),
    }
    assert "/etc/shadow" not in reach(things, "/app/main.js")


@pytest.mark.parametrize(
    "text",
    [
        "'" * 200_000,
        "require(" * 50_000,
        "__dirname" + ",'a'" * 50_000,
        "`./" + "a" * 200_000,
        "'./a'+" * 50_000,
        "\udcff\0'./\udcff'",
    ],
)
def test_hostile_source_is_read_in_bounded_time(text: str) -> None:
    assert len(list(sources.near(text))) <= 100_000
    assert len(list(sources.bare(text))) <= 100_000
    assert isinstance(sources.is_computed(text), bool)


def test_a_link_loop_ends() -> None:
    things = {
        "/app/package.json": package(name="shop"),
        "/app/main.js": file("require('loop'); require('./self')"),
        "/app/node_modules/loop": link("loop"),
        "/app/self": link("."),
    }
    assert "/app/package.json" in reach(things, "/app/main.js")
