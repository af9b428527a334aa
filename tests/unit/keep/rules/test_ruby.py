"""What kept Ruby code can require."""

from __future__ import annotations

import pytest

from slimpy.keep.rules import ruby_sources as sources
from slimpy.keep.rules.ruby_sources import Base, Reference
from slimpy.model import Rule
from tests.unit.keep.rules.apps import asked_by, kept
from tests.unit.keep.worlds import Thing, World, elf, event, file, program

RUBY = "/usr/local/bin/ruby"
STANDARD = "/usr/local/lib/ruby/3.3.0"
MACHINE = f"{STANDARD}/x86_64-linux"
BASE = "/usr/local/bundle"


def reach(things: dict[str, Thing], *opened: str) -> set[str]:
    made = World({RUBY: program(elf(interpreter="/lib/ld.so")), **things})
    keep = kept(made, Rule.RUBY, *map(event, (RUBY, *opened)))
    return asked_by(keep, made, Rule.RUBY)


def gem(name: str, *needs: str, **files: str) -> dict[str, Thing]:
    short = name.rpartition("-")[0]
    lines = "\n".join(f's.add_runtime_dependency(%q<{need}>.freeze, [">= 1"])' for need in needs)
    return {
        f"{BASE}/specifications/{name}.gemspec": file(
            f"Gem::Specification.new do |s|\n{lines}\nend"
        ),
        f"{BASE}/gems/{name}/README.md": file("1"),
        f"{BASE}/gems/{name}/test/test_it.rb": file("1"),
        f"{BASE}/gems/{name}/lib/{short}.rb": file(files.pop("main", "1")),
        **{f"{BASE}/gems/{name}/{path}": file(text) for path, text in files.items()},
    }


def test_the_standard_library_is_followed() -> None:
    things = {
        "/srv/app.rb": file("def late\n  require 'csv'\nend"),
        f"{STANDARD}/csv.rb": file("require_relative 'csv/parser'\nrequire 'stringio'"),
        f"{STANDARD}/csv/parser.rb": file("1"),
        f"{MACHINE}/stringio.so": file("1"),
        f"{STANDARD}/irb.rb": file("1"),
    }
    found = reach(things, "/srv/app.rb")
    assert {f"{STANDARD}/csv/parser.rb", f"{MACHINE}/stringio.so"} <= found
    assert f"{STANDARD}/irb.rb" not in found


def test_without_ruby_nothing_is_kept() -> None:
    made = World({"/srv/app.rb": file("require_relative 'b'"), "/srv/b.rb": file("1")})
    keep = kept(made, Rule.RUBY, event("/srv/app.rb"))
    assert not asked_by(keep, made, Rule.RUBY)


def test_what_core_methods_load_by_themselves() -> None:
    things = {
        f"{STANDARD}/unicode_normalize/normalize.rb": file("require_relative 'tables'"),
        f"{STANDARD}/unicode_normalize/tables.rb": file("1"),
        f"{MACHINE}/enc/trans/japanese.so": file("1"),
        f"{MACHINE}/enc/trans/emoji_x.so": file("1"),
    }
    assert reach(things) == set(things) - {f"{MACHINE}/enc/trans/emoji_x.so"}


def test_compiled_code_requires_too() -> None:
    things = {
        "/srv/app.rb": file("require 'psych'"),
        f"{MACHINE}/psych.so": file(elf(text=b"\0rb_require\0psych/syntax_error\0")),
        f"{STANDARD}/psych/syntax_error.rb": file("1"),
    }
    assert f"{STANDARD}/psych/syntax_error.rb" in reach(things, "/srv/app.rb")


def test_a_gem_comes_with_its_specification_extensions_and_data() -> None:
    extension = f"{BASE}/extensions/x86_64-linux/3.3.0/one-1.2.3"
    things = {
        "/srv/app.rb": file("require 'one'"),
        **gem("one-1.2.3", "two", **{"lib/one/words.yml": "a: b", "config/x.yml": "1"}),
        **gem("two-2.0.0", "three"),
        **gem("three-3.0.0"),
        **gem("four-4.0.0"),
        f"{extension}/one/one.so": file("1"),
        f"{extension}/gem.build_complete": file("1"),
        f"{extension}/gem_make.out": file("1"),
    }
    found = reach(things, "/srv/app.rb")
    one = f"{BASE}/gems/one-1.2.3"
    assert {
        f"{one}/lib/one.rb",
        f"{one}/lib/one/words.yml",
        f"{one}/config/x.yml",
        f"{extension}/one/one.so",
        f"{extension}/gem.build_complete",
        f"{BASE}/specifications/one-1.2.3.gemspec",
        f"{BASE}/specifications/two-2.0.0.gemspec",
        f"{BASE}/specifications/three-3.0.0.gemspec",
    } == found - {"/srv/app.rb"}


def test_of_two_versions_the_one_that_ran_is_meant() -> None:
    things = {
        "/srv/app.rb": file("require 'one/part'"),
        **gem("one-1.0.0", **{"lib/one/part.rb": "1"}),
        **gem("one-2.0.0", **{"lib/one/part.rb": "1"}),
    }
    found = reach(things, "/srv/app.rb", f"{BASE}/gems/one-1.0.0/lib/one.rb")
    assert f"{BASE}/gems/one-1.0.0/lib/one/part.rb" in found
    assert f"{BASE}/gems/one-2.0.0/lib/one/part.rb" not in found


@pytest.mark.parametrize(
    "code",
    [
        "Zeitwerk::Loader.for_gem.setup",
        "def load_all(name)\n  require name\nend",
        "Dir[File.join(__dir__, '*.rb')].each { |f| require f }",
        "extend ActiveSupport::Autoload",
    ],
)
def test_a_gem_that_loads_by_computed_names_is_kept_whole(code: str) -> None:
    things = {
        "/srv/app.rb": file("require 'one'"),
        **gem("one-1.0.0", main=code, **{"lib/one/hidden.rb": "1", "spec/x.rb": "1"}),
    }
    found = reach(things, "/srv/app.rb")
    assert f"{BASE}/gems/one-1.0.0/lib/one/hidden.rb" in found
    assert not any("/test/" in path or "/spec/" in path for path in found)


def test_tools_of_developers_are_named_in_vain_by_libraries() -> None:
    things = {
        "/srv/app.rb": file("require 'one'"),
        **gem("one-1.0.0", main="require 'rdoc'\nrequire 'irb'"),
        f"{STANDARD}/rdoc.rb": file("require 'rdoc/rdoc'"),
        f"{STANDARD}/rdoc/rdoc.rb": file("1"),
        f"{STANDARD}/irb.rb": file("1"),
    }
    assert not any("rdoc" in path or "irb" in path for path in reach(things, "/srv/app.rb"))
    own = {**things, "/srv/app.rb": file("require 'rdoc'")}
    assert f"{STANDARD}/rdoc/rdoc.rb" in reach(own, "/srv/app.rb")


def test_of_bundler_only_what_ran_is_kept() -> None:
    things = {
        f"{STANDARD}/bundler/setup.rb": file("require_relative 'cli'"),
        f"{STANDARD}/bundler/cli.rb": file("1"),
    }
    assert f"{STANDARD}/bundler/cli.rb" not in reach(things, f"{STANDARD}/bundler/setup.rb")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("require 'a/b'", Reference("a/b", Base.LOAD_PATH)),
        ('  require("a")', Reference("a", Base.LOAD_PATH)),
        ("autoload :Thing, 'a/thing'", Reference("a/thing", Base.LOAD_PATH)),
        ('autoload(:Thing, "a/thing")', Reference("a/thing", Base.LOAD_PATH)),
        ("require_relative '../x'", Reference("../x", Base.FILE)),
        ('require "a/#{name}"', Reference("a/", Base.LOAD_PATH, prefix=True)),
        ("require 'a/' + name", Reference("a/", Base.LOAD_PATH, prefix=True)),
        ('load "#{__dir__}/x.rb"', Reference("./x.rb", Base.FILE)),
        ("File.expand_path('../x', __FILE__)", Reference("x", Base.FILE)),
        ("File.expand_path('x', __dir__)", Reference("x", Base.FILE)),
        ("File.join(__dir__, 'x', 'y.yml')", Reference("./x/y.yml", Base.FILE)),
        ("File.join(__dir__, 'x', name)", Reference("./x/", Base.FILE, prefix=True)),
        ("File.dirname(__FILE__) + '/x.rb'", Reference("./x.rb", Base.FILE)),
    ],
)
def test_references_in_every_form(text: str, wanted: Reference) -> None:
    assert wanted in set(sources.references(text))


def test_comments_are_no_code() -> None:
    assert not list(sources.references("# require 'a'\n   # autoload :X, 'y'\n"))


def test_directories_that_the_app_completes_at_run_time() -> None:
    things = {
        "/srv/app.rb": file('require_relative "lib/exports/#{name}"'),
        "/srv/lib/exports/csv.rb": file("1"),
        "/srv/lib/other.rb": file("1"),
    }
    found = reach(things, "/srv/app.rb")
    assert "/srv/lib/exports/csv.rb" in found
    assert "/srv/lib/other.rb" not in found


@pytest.mark.parametrize(
    "text",
    [
        "require " * 40_000,
        "require '" * 40_000,
        "File.join(__dir__" + ", 'a'" * 40_000,
        "__FILE__ +" * 40_000,
        "#" * 200_000 + "\nrequire 'a",
        "autoload :" * 40_000,
        "\n" * 200_000,
        " " * 300_000 + "require x",
        "Dir[" * 50_000,
    ],
)
def test_hostile_source_is_read_in_bounded_time(text: str) -> None:
    assert len(list(sources.references(text))) <= 100_000
    assert isinstance(sources.loads_by_name(text), bool)
    assert len(sources.dependencies(text)) <= 1
    assert not sources.required_by_binary(text.encode())


def test_gems_that_need_each_other_and_climbing_paths_end() -> None:
    things = {
        "/srv/app.rb": file("require 'one'\nrequire_relative '../../../../etc/shadow'"),
        **gem("one-1.0.0", "two", main="require 'two'"),
        **gem("two-1.0.0", "one", main="require 'one'\nrequire_relative '.'"),
        "/etc/passwd": file("root"),
    }
    assert f"{BASE}/gems/two-1.0.0/lib/two.rb" in reach(things, "/srv/app.rb")
