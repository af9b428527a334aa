"""What kept Perl code can use."""

from __future__ import annotations

import pytest

from slimpy.keep.rules import perl_sources as sources
from slimpy.model import Rule
from tests.unit.keep.rules.apps import asked_by, kept
from tests.unit.keep.worlds import Thing, World, elf, event, file, program

PERL = "/usr/bin/perl"
SHARE = "/usr/share/perl/5.36.0"
MACHINE = "/usr/lib/x86_64-linux-gnu/perl/5.36.0"
BASE = "/usr/lib/x86_64-linux-gnu/perl-base"
EXTRA = "/usr/share/perl5"


def reach(things: dict[str, Thing], *opened: str) -> set[str]:
    made = World({PERL: program(elf(interpreter="/lib/ld.so")), **things})
    keep = kept(made, Rule.PERL, *map(event, (PERL, *opened)))
    return asked_by(keep, made, Rule.PERL)


def test_modules_are_followed_with_their_compiled_parts() -> None:
    things = {
        "/srv/app.pl": file("sub late { require Digest::SHA }"),
        f"{MACHINE}/Digest/SHA.pm": file("package Digest::SHA; use parent qw(Digest::base);"),
        f"{SHARE}/Digest/base.pm": file("package Digest::base;"),
        f"{MACHINE}/auto/Digest/SHA/SHA.so": file("1"),
        f"{MACHINE}/auto/Digest/SHA/SHA.bs": file("1"),
        f"{SHARE}/Unused.pm": file("1"),
    }
    found = reach(things, "/srv/app.pl")
    assert found == set(things) - {
        "/srv/app.pl",
        f"{MACHINE}/auto/Digest/SHA/SHA.bs",
        f"{SHARE}/Unused.pm",
    }


def test_without_perl_nothing_is_kept() -> None:
    made = World({"/srv/app.pl": file("use A;"), f"{SHARE}/A.pm": file("1")})
    keep = kept(made, Rule.PERL, event("/srv/app.pl"))
    assert not asked_by(keep, made, Rule.PERL)


def test_copies_behind_the_essential_modules_are_left_out() -> None:
    things = {
        "/srv/app.pl": file("use POSIX;"),
        f"{BASE}/POSIX.pm": file("package POSIX;"),
        f"{BASE}/auto/POSIX/POSIX.so": file("1"),
        f"{MACHINE}/POSIX.pm": file("package POSIX;"),
        f"{MACHINE}/auto/POSIX/POSIX.so": file("1"),
    }
    assert reach(things, "/srv/app.pl") == {f"{BASE}/POSIX.pm", f"{BASE}/auto/POSIX/POSIX.so"}


def test_modules_of_the_app_beside_it() -> None:
    things = {
        "/srv/bin/app.pl": file("use Shop::Order;"),
        "/srv/lib/Shop/Order.pm": file("package Shop::Order; require Shop::Rare;"),
        "/srv/lib/Shop/Rare.pm": file("package Shop::Rare;"),
        "/srv/local/lib/perl5/Dep.pm": file("package Dep;"),
    }
    found = reach(things, "/srv/bin/app.pl")
    assert {"/srv/lib/Shop/Order.pm", "/srv/lib/Shop/Rare.pm"} <= found


def test_a_driver_named_in_a_data_source() -> None:
    things = {
        "/srv/app.pl": file("my $d = DBI->connect('dbi:SQLite:dbname=x');"),
        f"{EXTRA}/DBI.pm": file('package DBI; sub f { eval "require DBD::$driver" }'),
        f"{EXTRA}/DBD/SQLite.pm": file("package DBD::SQLite;"),
    }
    assert {f"{EXTRA}/DBI.pm", f"{EXTRA}/DBD/SQLite.pm"} <= reach(things, "/srv/app.pl")


def test_plugins_below_a_name() -> None:
    things = {
        "/srv/app.pl": file("use Web;"),
        f"{EXTRA}/Web.pm": file("package Web; my $class = 'Web::Plugin::' . $name;"),
        f"{EXTRA}/Web/Plugin/One.pm": file("package Web::Plugin::One;"),
        f"{EXTRA}/Web/Plugin/More/Deep.pm": file("1"),
        f"{EXTRA}/Web/Other.pm": file("1"),
    }
    found = reach(things, "/srv/app.pl")
    assert f"{EXTRA}/Web/Plugin/One.pm" in found
    assert not {f"{EXTRA}/Web/Other.pm", f"{EXTRA}/Web/Plugin/More/Deep.pm"} & found


def test_eastern_tables_only_where_the_app_names_such_a_set() -> None:
    things = {
        "/srv/app.pl": file("use Encode; encode('utf-8', $x);"),
        f"{MACHINE}/Encode.pm": file("package Encode; my %m = (a => 'Encode::JP');"),
        f"{MACHINE}/Encode/JP.pm": file("package Encode::JP; use Encode::JP::JIS7;"),
        f"{MACHINE}/Encode/JP/JIS7.pm": file("package Encode::JP::JIS7;"),
    }
    assert f"{MACHINE}/Encode/JP.pm" not in reach(things, "/srv/app.pl")
    named = {**things, "/srv/app.pl": file("use Encode; encode('Shift_JIS', $x);")}
    assert {f"{MACHINE}/Encode/JP.pm", f"{MACHINE}/Encode/JP/JIS7.pm"} <= reach(
        named, "/srv/app.pl"
    )


def test_tools_of_developers() -> None:
    things = {
        "/srv/app.pl": file("use One;"),
        f"{EXTRA}/One.pm": file("package One; sub f { require Test::More } use B;"),
        f"{SHARE}/Test/More.pm": file("package Test::More; require Test::Builder;"),
        f"{SHARE}/Test/Builder.pm": file("package Test::Builder;"),
        f"{MACHINE}/B.pm": file("package B;"),
    }
    found = reach(things, "/srv/app.pl")
    assert f"{MACHINE}/B.pm" in found, "what is used outright is needed to compile"
    assert f"{SHARE}/Test/More.pm" not in found
    own = {**things, "/srv/app.pl": file("use Test::More;")}
    assert f"{SHARE}/Test/Builder.pm" in reach(own, "/srv/app.pl")


def test_named_characters() -> None:
    things = {f"{SHARE}/unicore/Name.pl": file("1"), f"{SHARE}/unicore/lib/A.pl": file("1")}
    assert reach(things) == {f"{SHARE}/unicore/Name.pl"}


@pytest.mark.parametrize(
    ("text", "needed", "named"),
    [
        ("use A::B 1.0 qw(x);", {"A::B"}, set()),
        ("no C;", {"C"}, set()),
        ("use base 'D::E', 'F';", {"D::E", "F"}, set()),
        ("extends 'G::H';", {"G::H"}, set()),
        ("require I;", set(), {"I"}),
        ("J::K->new; L->new", set(), {"J::K", "L"}),
        ("load('M::N')", set(), {"M::N"}),
        ("$x = 'dbi:Pg:'", set(), {"DBD::Pg"}),
        ("$Not::A and @Not::B", set(), set()),
    ],
)
def test_modules_in_every_form(text: str, needed: set[str], named: set[str]) -> None:
    assert needed <= sources.needed(text)
    assert named <= sources.named(text)
    if not needed | named:
        assert not sources.needed(text) | sources.named(text)


def test_documentation_and_data_are_no_code() -> None:
    text = "use A;\n=head1 B\n\nuse B;\n\n=cut\n# use C;\nuse D;\n__END__\nuse E;\n"
    assert sources.needed(sources.code(text)) == {"A", "D"}


@pytest.mark.parametrize(
    "text",
    [
        "=head\n" * 30_000,
        "use " * 50_000,
        "A::" * 60_000,
        "use parent " + "qw(" * 60_000,
        "extends\n" * 30_000,
        "__END__" * 30_000,
        "'A::" * 40_000,
        "\n" * 200_000,
        "package\t" * 30_000,
    ],
)
def test_hostile_source_is_read_in_bounded_time(text: str) -> None:
    code = sources.code(text)
    assert len(sources.needed(code) | sources.named(code)) <= 100_000
    assert len(list(sources.prefixes(code))) <= 100_000
    assert len(sources.packages(code) | sources.namespaces(code)) <= 100_000
