"""PHP's settings and extensions, Composer's autoload, and includes."""

from __future__ import annotations

import pytest

from slimpy.keep.rules import php_sources as sources
from slimpy.keep.rules.php_settings import kind_of
from slimpy.keep.rules.php_sources import Include
from slimpy.model import Rule
from tests.unit.keep.rules.apps import asked_by, kept
from tests.unit.keep.worlds import Thing, World, elf, event, file, link, program

FPM = "/usr/sbin/php-fpm8.2"
MODULES = "/usr/lib/php/20220829"


def reach(things: dict[str, Thing], *opened: str, runtime: str = FPM) -> set[str]:
    made = World({runtime: program(elf(interpreter="/lib/ld.so")), **things})
    keep = kept(made, Rule.PHP, *map(event, (runtime, *opened)))
    return asked_by(keep, made, Rule.PHP)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("php", "cli"),
        ("php8.2", "cli"),
        ("php83", "cli"),
        ("php-fpm8.2", "fpm"),
        ("php-fpm", "fpm"),
        ("php-cgi8.2", "cgi"),
        ("libphp.so", "apache2"),
        ("libphp8.2.so", "apache2"),
        ("phpize", ""),
        ("phpmd", ""),
    ],
)
def test_kinds_of_programs(name: str, kind: str) -> None:
    assert kind_of(name) == kind


def test_settings_of_the_kind_that_runs_and_their_extensions() -> None:
    things = {
        "/etc/php/8.2/fpm/php.ini": file("; nothing"),
        "/etc/php/8.2/fpm/pool.d/www.conf": file("1"),
        "/etc/php/8.2/fpm/conf.d/20-zip.ini": link("/etc/php/8.2/mods-available/zip.ini"),
        "/etc/php/8.2/cli/php.ini": file("1"),
        "/etc/php/8.2/mods-available/zip.ini": file("; on\nextension=zip.so\n"),
        "/etc/php/8.2/mods-available/ftp.ini": file("extension=ftp.so\n"),
        f"{MODULES}/zip.so": file("1"),
        f"{MODULES}/ftp.so": file("1"),
    }
    assert reach(things) == {
        "/etc/php/8.2/fpm/php.ini",
        "/etc/php/8.2/fpm/pool.d/www.conf",
        "/etc/php/8.2/mods-available/zip.ini",
        f"{MODULES}/zip.so",
    }


def test_settings_that_all_kinds_share() -> None:
    modules = "/usr/local/lib/php/extensions/no-debug-non-zts-20230831"
    things = {
        "/usr/local/etc/php/conf.d/x.ini": file("zend_extension=opcache\nauto_prepend_file=/a.php"),
        "/usr/local/etc/php-fpm.conf": file("1"),
        f"{modules}/opcache.so": file("1"),
        "/a.php": file("<?php"),
    }
    assert set(things) <= reach(things, runtime="/usr/local/sbin/php-fpm")


@pytest.mark.parametrize(
    ("code", "wanted"),
    [
        ("require __DIR__ . '/a/b.php';", Include("./" + "/a/b.php", here=True, prefix=False)),
        ("require_once 'a.php';", Include("a.php", here=False, prefix=False)),
        ("include('a/' . $x);", Include("a/", here=False, prefix=True)),
        ('include "a/{$x}.php";', Include("a/", here=False, prefix=True)),
        ("dirname(__DIR__) . '/src/' . $x", Include("./..//src/", here=True, prefix=True)),
        ("dirname(__DIR__, 2) . '/x.php'", Include("./../..//x.php", here=True, prefix=False)),
        ("dirname(dirname(__FILE__)) . '/x.php'", Include("./..//x.php", here=True, prefix=False)),
        ("dirname(__FILE__) . '/x.php'", Include(".//x.php", here=True, prefix=False)),
        ('__DIR__ . "/t/$name.php"', Include(".//t/", here=True, prefix=True)),
    ],
)
def test_includes_in_every_form(code: str, wanted: Include) -> None:
    assert wanted in set(sources.includes(f"<?php {code}"))


def test_classes_in_every_form() -> None:
    text = """<?php
namespace App\\Web;
use Lib\\One;
use Lib\\Two as Zwei;
use Lib\\{Three, Four as Vier};
// use Lib\\Comment;
class Page extends One implements Vier {
    function f() { new Zwei\\Inner; Near::x(); \\Top\\Level::y(); return 'Lib\\\\Quoted'; }
}
"""
    found = sources.classes(text)
    assert {
        "Lib\\One",
        "Lib\\Two\\Inner",
        "Lib\\Three",
        "Lib\\Four",
        "App\\Web\\Near",
        "Top\\Level",
        "Lib\\Quoted",
    } <= found
    assert "Lib\\Comment" not in found


COMPOSER = {
    "/srv/vendor/autoload.php": file("<?php require_once __DIR__ . '/composer/autoload_real.php';"),
    "/srv/vendor/composer/autoload_real.php": file("<?php class X {}"),
    "/srv/vendor/composer/ClassLoader.php": file("<?php class Y {}"),
    "/srv/vendor/composer/LICENSE": file("1"),
    "/srv/vendor/composer/autoload_psr4.php": file(
        "<?php\nreturn array(\n    'Lib\\\\' => array($vendorDir . '/acme/lib/src'),\n"
        "    'App\\\\' => array($baseDir . '/src'),\n);\n"
    ),
    "/srv/vendor/composer/autoload_namespaces.php": file(
        "<?php\n    'Old_' => array($vendorDir . '/acme/old'),\n"
    ),
    "/srv/vendor/composer/autoload_classmap.php": file(
        "<?php\n    'Mapped' => $vendorDir . '/acme/mapped/all.php',\n"
    ),
    "/srv/vendor/acme/lib/src/Deep/Thing.php": file("<?php namespace Lib\\Deep; new Other;"),
    "/srv/vendor/acme/lib/src/Deep/Other.php": file("<?php namespace Lib\\Deep; class Other {}"),
    "/srv/vendor/acme/lib/src/Deep/Unused.php": file("<?php"),
    "/srv/vendor/acme/lib/Resources/views/x.twig": file("1"),
    "/srv/vendor/acme/lib/tests/ThingTest.php": file("<?php use Lib\\Deep\\Unused;"),
    "/srv/vendor/acme/old/Old/Style.php": file("<?php"),
    "/srv/vendor/acme/mapped/all.php": file("<?php"),
}


def test_classes_are_followed_by_composers_autoload() -> None:
    things = {
        **COMPOSER,
        "/srv/index.php": file(
            "<?php require 'vendor/autoload.php'; new \\Old_Style; new Mapped;\n"
            "use Lib\\Deep\\Thing as T;"
        ),
    }
    found = reach(things, "/srv/index.php")
    assert {
        "/srv/vendor/composer/ClassLoader.php",
        "/srv/vendor/composer/autoload_real.php",
        "/srv/vendor/acme/lib/src/Deep/Thing.php",
        "/srv/vendor/acme/lib/src/Deep/Other.php",
        "/srv/vendor/acme/lib/Resources/views/x.twig",
        "/srv/vendor/acme/old/Old/Style.php",
        "/srv/vendor/acme/mapped/all.php",
    } <= found
    for part in ("Unused", "tests", "LICENSE"):
        assert not any(part in path for path in found), part


def test_without_php_nothing_is_kept() -> None:
    made = World({**COMPOSER, "/srv/index.php": file("<?php require 'vendor/autoload.php';")})
    keep = kept(made, Rule.PHP, event("/srv/index.php"))
    assert not asked_by(keep, made, Rule.PHP)


def test_code_that_converts_text_needs_the_converters() -> None:
    things = {
        "/srv/a.php": file("<?php iconv($from, 'UTF-8', $text);"),
        "/usr/lib/x86_64-linux-gnu/gconv/EUC-JP.so": file("1"),
    }
    assert "/usr/lib/x86_64-linux-gnu/gconv/EUC-JP.so" in reach(things, "/srv/a.php")
    plain = {**things, "/srv/a.php": file("<?php echo 1;")}
    assert not reach(plain, "/srv/a.php")


def test_a_directory_that_is_completed_at_run_time() -> None:
    things = {
        "/srv/public/index.php": file("<?php require dirname(__DIR__) . '/pages/' . $p . '.php';"),
        "/srv/pages/a.php": file("<?php"),
        "/srv/other/b.php": file("<?php"),
    }
    found = reach(things, "/srv/public/index.php")
    assert "/srv/pages/a.php" in found
    assert "/srv/other/b.php" not in found


def test_the_whole_image_is_never_meant() -> None:
    things = {
        "/srv/i.php": file("<?php require dirname(__DIR__, 9) . '/' . $x; include '/' . $y;"),
        "/etc/secret": file("1"),
        "/srv/b.txt": file("1"),
    }
    assert "/etc/secret" not in reach(things, "/srv/i.php")


@pytest.mark.parametrize(
    "text",
    [
        "dirname(" * 40_000 + "__DIR__",
        "__DIR__ . '" * 40_000,
        "require " * 40_000 + "'",
        "use A\\{" + "B," * 40_000,
        "\\" * 200_000,
        "A\\" * 100_000,
        "namespace " * 40_000,
        "__DIR__ , 2 )" * 20_000,
    ],
)
def test_hostile_source_is_read_in_bounded_time(text: str) -> None:
    assert len(list(sources.includes(text))) <= 100_000
    assert len(sources.classes(text)) <= 100_000


def test_hostile_maps_are_survived() -> None:
    table = "    '" + "A\\\\" * 5000 + "' => array($vendorDir . '/../../../../etc'),\n"
    things = {
        **COMPOSER,
        "/srv/vendor/composer/autoload_psr4.php": file(table * 50 + "    'X\\' => $vendorDir"),
        "/srv/index.php": file("<?php use A\\A\\A; use X\\Y; new Mapped;"),
        "/etc/A.php": file("1"),
    }
    assert reach(things, "/srv/index.php") == {"/srv/vendor/acme/mapped/all.php"}
