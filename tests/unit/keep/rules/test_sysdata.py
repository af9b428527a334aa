"""Data of the system: character sets, locales, zones, terminals, trust, fonts, authentication."""

from __future__ import annotations

import pytest

from probes.model import FileEvent, Operation
from slimpy.model import Rule
from tests.unit.keep.rules.apps import asked_by, kept
from tests.unit.keep.worlds import Thing, World, elf, event, file, link, program, rules

LOADER = "/lib64/ld-linux-x86-64.so.2"
LIB = "/usr/lib/x86_64-linux-gnu"


def compiled(*imports: str, needed: tuple[str, ...] = ()) -> Thing:
    return Thing(data=elf(interpreter=LOADER, imports=imports, needed=needed), mode=0o755)


def library(soname: str, *imports: str) -> Thing:
    return Thing(data=elf(soname=soname, imports=imports))


def data(things: dict[str, Thing], *events: FileEvent, **config: object) -> set[str]:
    """What the rule asks for; every ELF file of the image is opened."""
    world = World({LOADER: program(), **things}, config)
    opened = [event(path) for path, thing in things.items() if thing.data.startswith(b"\x7fELF")]
    return asked_by(kept(world, Rule.DATA, *opened, *events), world, Rule.DATA)


GCONV = {
    f"{LIB}/gconv/{name}": file()
    for name in (
        *("gconv-modules", "gconv-modules.cache", "UTF-16.so", "ISO8859-1.so", "CP1252.so"),
        *("SJIS.so", "KOI8-R.so", "IBM850.so", "IBM1390.so", "EBCDIC-UK.so"),
    )
}
CORE = {f"{LIB}/gconv/{n}" for n in ("gconv-modules", "gconv-modules.cache")} | {
    f"{LIB}/gconv/{n}.so" for n in ("UTF-16", "ISO8859-1", "CP1252")
}
ALL = CORE | {f"{LIB}/gconv/{n}.so" for n in ("SJIS", "KOI8-R", "IBM850")}


@pytest.mark.parametrize(
    ("path", "thing", "found"),
    [
        ("/usr/bin/convertall", compiled("iconv_open"), ALL),
        ("/usr/bin/bash", compiled("iconv_open"), CORE),
        (f"{LIB}/libtext.so.1", library("libtext.so.1", "iconv_open"), CORE),
        ("/usr/bin/other", compiled("puts"), set()),
    ],
)
def test_character_sets(path: str, thing: Thing, found: set[str]) -> None:
    assert data(GCONV | {path: thing}) == found


def test_locales_are_kept_if_they_are_few() -> None:
    few = {
        "/usr/lib/locale/C.utf8/LC_CTYPE": file(),
        "/usr/lib/locale/locale-archive": file(size=3 << 20),
        "/usr/bin/app": compiled("setlocale"),
    }
    assert data(few) == set(few) - {"/usr/bin/app"}
    many = few | {"/usr/lib/locale/locale-archive": file(size=200 << 20)}
    assert data(many) == {"/usr/lib/locale/C.utf8/LC_CTYPE"}
    assert data(few | {"/usr/bin/app": compiled("puts")}) == set()


@pytest.mark.parametrize(
    ("env", "found"),
    [
        ("LANG=de_AT.UTF-8", {"de", "de_AT"}),
        ("LANGUAGE=fr:en", {"fr"}),
        ("LC_ALL=en_GB.UTF-8", set()),
        ("LANG=../../etc", set()),
    ],
)
def test_messages_in_the_languages_of_the_environment(env: str, found: set[str]) -> None:
    things = {
        f"/usr/share/locale/{name}/LC_MESSAGES/app.mo": file()
        for name in ("de", "de_AT", "fr", "en_GB", "ja")
    }
    kept_files = data(things | {"/usr/bin/app": compiled("setlocale")}, Env=[env])
    assert kept_files == {f"/usr/share/locale/{name}/LC_MESSAGES/app.mo" for name in found}


ZONES = {
    f"/usr/share/zoneinfo/{name}": file()
    for name in ("UTC", "Europe/Berlin", "zone.tab", "right/UTC", "posix/UTC", "tzdata.zi")
} | {"/usr/share/zoneinfo/Zulu": link("UTC")}


@pytest.mark.parametrize(
    ("program_", "any_kept"),
    [
        (compiled("localtime_r"), True),
        (Thing(data=elf(), mode=0o755), True),
        (compiled("puts"), False),
    ],
    ids=["uses zones", "static", "does not"],
)
def test_time_zones(program_: Thing, any_kept: bool) -> None:
    found = {f"/usr/share/zoneinfo/{n}" for n in ("UTC", "Europe/Berlin", "zone.tab", "Zulu")}
    assert data(ZONES | {"/usr/bin/app": program_}) == (found if any_kept else set())


def test_time_zones_that_are_too_heavy_are_left_out() -> None:
    heavy = {f"/usr/share/zoneinfo/X{n}": file(size=1 << 20) for n in range(7)}
    assert data(heavy | {"/usr/bin/app": compiled("mktime")}) == set()


def test_terminals() -> None:
    things = {
        "/lib/terminfo/x/xterm": file(),
        "/usr/share/terminfo/r/rxvt": file(),
        "/usr/share/terminfo/w/wyse60": file(),
        "/usr/share/terminfo/76/vt100": file(),
        f"{LIB}/libtinfo.so.6": library("libtinfo.so.6"),
        f"{LIB}/libreadline.so.8": library("libreadline.so.8"),
        "/etc/inputrc": file(),
    }
    assert data(things, Env=["TERM=rxvt"]) == {
        *("/lib/terminfo/x/xterm", "/usr/share/terminfo/r/rxvt", "/usr/share/terminfo/76/vt100"),
        "/etc/inputrc",
    }


STORE = {
    "/usr/share/ca-certificates/a.crt": file(),
    "/etc/ssl/certs/A.pem": link("/usr/share/ca-certificates/a.crt"),
    "/etc/ssl/certs/0a1b2c3d.0": link("A.pem"),
    "/etc/ssl/certs/README": file(),
    "/etc/ssl/certs/0badbad0.0": link("gone"),
    "/etc/ssl/private/server.key": file(),
    "/etc/ssl/certs/1a2b3c4d.0": link("../private"),
}


def test_trusted_certificates_by_hash() -> None:
    things = STORE | {f"{LIB}/libssl.so.3": library("libssl.so.3")}
    world = World({LOADER: program(), **things})
    keep = kept(world, Rule.DATA, event(f"{LIB}/libssl.so.3"))
    assert {"/etc/ssl/certs/0a1b2c3d.0", "/etc/ssl/certs/A.pem"} <= set(keep.reasons)
    assert rules(keep, "/usr/share/ca-certificates/a.crt") >= {Rule.DATA}
    assert "/etc/ssl/private/server.key" not in keep and "/etc/ssl/certs/README" not in keep


def test_no_certificates_by_hash_where_there_is_a_bundle() -> None:
    things = STORE | {f"{LIB}/libssl.so.3": library("libssl.so.3"), "/etc/ssl/cert.pem": file()}
    assert data(things) == set()


def test_modules_of_openssl_and_what_its_configuration_includes() -> None:
    things = {
        f"{LIB}/libcrypto.so.3": library("libcrypto.so.3"),
        f"{LIB}/ossl-modules/legacy.so": file(),
        f"{LIB}/engines-3/afalg.so": file(),
        "/etc/ssl/openssl.cnf": file("x = y\n.include /etc/ssl/more.cnf\n .include = /etc/ssl/d\n"),
        "/etc/ssl/more.cnf": file(),
        "/etc/ssl/d/a.cnf": file(),
    }
    assert data(things) >= set(things) - {f"{LIB}/libcrypto.so.3", "/etc/ssl/openssl.cnf"}


def test_pam_services_with_their_modules() -> None:
    things = {
        f"{LIB}/libpam.so.0": library("libpam.so.0"),
        "/usr/bin/su": compiled(needed=("libpam.so.0",)),
        "/etc/pam.d/su": file("auth sufficient pam_rootok.so\n@include common\n"),
        "/etc/pam.d/common": file("auth [success=1] pam_unix.so nullok\n@include su\n"),
        "/etc/pam.d/other": file("auth required pam_deny.so\n"),
        "/etc/pam.d/sshd": file("auth required pam_ssh.so\n"),
        "/etc/security/limits.conf": file(),
        **{f"{LIB}/security/pam_{n}.so": file() for n in ("rootok", "unix", "deny", "ssh")},
    }
    left_out = {"/etc/pam.d/sshd", f"{LIB}/security/pam_ssh.so", "/usr/bin/su"}
    assert data(things) == set(things) - left_out - {f"{LIB}/libpam.so.0"}


@pytest.mark.parametrize(
    ("soname", "found"),
    [
        ("libp11-kit.so.0", {f"{LIB}/pkcs11/p11-kit-trust.so", "/usr/share/p11-kit/modules/a"}),
        ("libkrb5.so.3", {"/etc/krb5.conf", f"{LIB}/krb5/plugins/preauth/x.so"}),
        ("libsasl2.so.2", {f"{LIB}/sasl2/libplain.so"}),
        ("libldap-2.5.so.0", {"/etc/ldap/ldap.conf"}),
        ("libmagic.so.1", {"/usr/lib/file/magic.mgc"}),
        ("libgio-2.0.so.0", {"/usr/share/mime/mime.cache"}),
        ("libother.so.1", set()),
    ],
)
def test_what_libraries_read(soname: str, found: set[str]) -> None:
    things = {
        f"{LIB}/pkcs11/p11-kit-trust.so": file(),
        "/usr/share/p11-kit/modules/a": file(),
        "/etc/krb5.conf": file(),
        f"{LIB}/krb5/plugins/preauth/x.so": file(),
        f"{LIB}/sasl2/libplain.so": file(),
        f"{LIB}/sasl2/libsasldb.so.2": file(),
        "/etc/ldap/ldap.conf": file(),
        "/usr/lib/file/magic.mgc": file(size=8 << 20),
        "/usr/share/mime/mime.cache": file(),
        "/usr/share/mime/packages/freedesktop.org.xml": file(),
    }
    assert data(things | {f"{LIB}/{soname}": library(soname)}) == found


FONTS = {
    "/usr/share/fonts/truetype/a.ttf": file(),
    "/usr/share/fonts/type1/b.t1": file(),
    "/etc/fonts/fonts.conf": file(),
    f"{LIB}/libfontconfig.so.1": library("libfontconfig.so.1"),
}


def test_fonts_only_if_the_run_looked_at_some() -> None:
    assert data(FONTS) == set()
    seen = event("/usr/share/fonts/truetype", Operation.LIST)
    assert data(FONTS, seen) == set(FONTS) - {f"{LIB}/libfontconfig.so.1"}


def test_of_many_fonts_only_the_directories_in_use() -> None:
    things = FONTS | {"/usr/share/fonts/cjk/c.ttc": file(size=60 << 20)}
    things |= {"/usr/share/fonts/truetype/d.ttf": file()}
    found = data(things, event("/usr/share/fonts/truetype/a.ttf"))
    assert "/usr/share/fonts/truetype/d.ttf" in found
    assert not {"/usr/share/fonts/cjk/c.ttc", "/usr/share/fonts/type1/b.t1"} & found


def test_the_library_that_unwinds_threads() -> None:
    things = {f"{LIB}/libgcc_s.so.1": file(), "/usr/bin/app": compiled("pthread_cancel")}
    assert data(things) == {f"{LIB}/libgcc_s.so.1"}
    assert data(things | {"/usr/bin/app": compiled("puts")}) == set()


def test_small_files_of_the_system() -> None:
    things = {
        "/usr/lib/os-release": file(),
        "/etc/os-release": link("../usr/lib/os-release"),
        "/etc/mime.types": file(),
        "/etc/shells": file(size=1 << 20),
        "/usr/bin/app": compiled("puts"),
    }
    assert data(things) == {"/usr/lib/os-release", "/etc/mime.types"}


@pytest.mark.parametrize(
    "things",
    [
        {
            f"{LIB}/libpam.so.0": library("libpam.so.0"),
            "/etc/pam.d/other": file("@include other\n" * 9999),
        },
        {
            f"{LIB}/libpam.so.0": library("libpam.so.0"),
            "/etc/pam.d/other": file("\n".join(f"@include s{n}" for n in range(50_000))),
        },
        {
            f"{LIB}/libcrypto.so.3": library("libcrypto.so.3"),
            "/etc/ssl/openssl.cnf": file(b"\xff.include" * 9999),
        },
        {f"{LIB}/libssl.so.3": library("libssl.so.3"), "/etc/ssl/certs": link("/etc/ssl/certs")},
        {"/usr/bin/app": compiled("localtime"), "/usr/share/zoneinfo": file()},
        {"/usr/bin/app": compiled("setlocale"), "/usr/lib/locale": link("locale")},
    ],
)
def test_hostile_data(things: dict[str, Thing]) -> None:
    assert data(things) <= {"/etc/pam.d/other"}
