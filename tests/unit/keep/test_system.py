"""Data that programs and their C library need sooner or later."""

from __future__ import annotations

import pytest

from slimpy.model import Rule
from tests.unit.keep.worlds import (
    Thing,
    World,
    directory,
    elf,
    event,
    file,
    files_kept,
    link,
    program,
    rules,
)

LIB = "/usr/lib/x86_64-linux-gnu"
GLIBC = {f"{LIB}/libc.so.6": program(elf(soname="libc.so.6"))}
MUSL = {"/lib/ld-musl-x86_64.so.1": program(elf(soname="libc.musl-x86_64.so.1"))}
STATIC = {"/app": program(elf())}
ETC = {f"/etc/{name}": file() for name in ("host.conf", "gai.conf", "services", "protocols")}
BUNDLE = {
    "/etc/ssl/certs/ca-certificates.crt": file("certificates", size=500_000),
    "/etc/ssl/private/key.pem": file("secret"),
    "/etc/ssl/openssl.cnf": file(),
    "/usr/lib/ssl/openssl.cnf": link("/etc/ssl/openssl.cnf"),
    "/usr/lib/ssl/certs": link("/etc/ssl/certs"),
}


def added(things: dict[str, Thing], touched: str, **config: object) -> set[str]:
    """The files that the rules add to one touched file."""
    world = World(things, config)
    keep = world.decide(event(touched))
    for path in files_kept(keep, world) - {touched}:
        assert Rule.SYSTEM in rules(keep, path)
    return files_kept(keep, world) - {touched}


def test_accounts_and_the_local_time_zone_are_always_kept() -> None:
    world = World(
        {
            "/etc/passwd": file("root:x:0:0::/:\n"),
            "/etc/group": file(),
            "/etc/shadow": file(),
            "/etc/timezone": file(),
            "/etc/localtime": link("/usr/share/zoneinfo/Europe/Paris"),
            "/usr/share/zoneinfo/Europe/Paris": file(),
            "/usr/share/zoneinfo/Europe/Rome": file(),
        }
    )
    keep = world.decide()
    assert files_kept(keep, world) == {
        *("/etc/passwd", "/etc/group", "/etc/timezone"),
        "/usr/share/zoneinfo/Europe/Paris",
    }
    assert "/etc/localtime" in keep


def test_the_links_of_a_merged_usr_are_always_kept() -> None:
    world = World(
        {"/bin": link("usr/bin"), "/usr/bin/x": program(), "/data": link("srv"), "/srv/y": file()}
    )
    keep = world.decide()
    assert {"/bin", "/usr/bin"} <= set(keep.reasons)
    assert not {"/data", "/srv", "/usr/bin/x"} & set(keep.reasons)


@pytest.mark.parametrize(
    ("zone", "kept"),
    [
        ("Europe/Rome", True),
        (":Europe/Rome", True),
        ("/usr/share/zoneinfo/Europe/Rome", True),
        ("../zoneinfo/Europe/Rome", False),
        ("Europe", False),
        ("", False),
    ],
)
def test_the_zone_of_the_environment_is_kept(zone: str, kept: bool) -> None:
    world = World({"/usr/share/zoneinfo/Europe/Rome": file()}, {"Env": [f"TZ={zone}"]})
    assert bool(files_kept(world.decide(), world)) == kept


@pytest.mark.parametrize(
    ("libc", "touched"),
    [(GLIBC, f"{LIB}/libc.so.6"), (MUSL, "/lib/ld-musl-x86_64.so.1"), (STATIC, "/app")],
)
def test_any_c_library_gets_the_small_databases_of_the_resolver(
    libc: dict[str, Thing], touched: str
) -> None:
    assert added(ETC | libc, touched) == set(ETC)


def test_large_databases_are_not_kept_on_suspicion() -> None:
    things = GLIBC | {"/etc/services": file(size=(256 << 10) + 1)}
    assert not added(things, f"{LIB}/libc.so.6")


def test_without_any_elf_file_there_is_no_resolver() -> None:
    assert not added(ETC | {"/srv/x": file()}, "/srv/x")


def test_name_service_modules_are_those_that_nsswitch_names() -> None:
    text = "passwd: files sss [NOTFOUND=return] ldap\nhosts: dns # mdns\n bad line\nx: ../../evil\n"
    things = GLIBC | {
        "/etc/nsswitch.conf": file(text),
        f"{LIB}/libnss_files.so.2": file(),
        f"{LIB}/libnss_sss.so.2": file(),
        f"{LIB}/libnss_mdns.so.2": file(),
        "/usr/lib/libnss_ldap.so.2": file(),
    }
    assert added(things, f"{LIB}/libc.so.6") == {
        *("/etc/nsswitch.conf", "/usr/lib/libnss_ldap.so.2"),
        *(f"{LIB}/libnss_files.so.2", f"{LIB}/libnss_sss.so.2"),
    }


def test_a_name_service_module_brings_its_own_libraries() -> None:
    things = GLIBC | {
        "/app": program(elf(interpreter="/lib/ld.so", needed=("libc.so.6",))),
        "/lib/ld.so": program(elf(soname="ld.so")),
        "/etc/nsswitch.conf": file("passwd: ldap\n"),
        "/etc/ld.so.conf": file(f"{LIB}\n"),
        f"{LIB}/libnss_ldap.so.2": file(elf(soname="libnss_ldap.so.2", needed=("libldap.so.2",))),
        f"{LIB}/libldap.so.2": file(elf(soname="libldap.so.2")),
    }
    assert f"{LIB}/libldap.so.2" in World(things).decide(event("/app"))


def test_glibc_gets_what_tells_its_loader_where_libraries_are() -> None:
    things = {
        "/etc/ld.so.cache": file(b""),
        "/etc/ld.so.conf": file("include /etc/ld.so.conf.d/*.conf"),
        "/etc/ld.so.conf.d/app.conf": file("/opt/lib"),
    }
    assert added(GLIBC | things, f"{LIB}/libc.so.6") == set(things)
    assert not added(MUSL | things, "/lib/ld-musl-x86_64.so.1")


@pytest.mark.parametrize(
    ("variable", "kept"),
    [
        ("LANG=C.UTF-8", {"/usr/lib/locale/C.utf8/LC_CTYPE"}),
        ("LC_ALL=C.utf8", {"/usr/lib/locale/C.utf8/LC_CTYPE"}),
        ("LANG=de_DE.UTF-8", {"/usr/lib/locale/locale-archive"}),
        ("LANG=C", set()),
        ("LC_TIME=POSIX", set()),
        ("LANG=../../../etc", set()),
        ("EDITOR=C.UTF-8", set()),
    ],
)
def test_the_locale_of_the_environment_is_kept(variable: str, kept: set[str]) -> None:
    things = {
        "/usr/lib/locale/C.utf8/LC_CTYPE": file(),
        "/usr/lib/locale/locale-archive": file(),
        "/etc/x": directory(),
    }
    assert added(GLIBC | things, f"{LIB}/libc.so.6", Env=[variable]) == kept


@pytest.mark.parametrize(
    "library", ["libssl.so.3", "libgnutls.so.30.34.3", "libnss3.so", "libmbedtls.so.14"]
)
def test_a_tls_library_brings_certificates_and_configuration_but_no_keys(library: str) -> None:
    path = f"{LIB}/{library}"
    world = World(BUNDLE | {path: file(elf(soname=library))})
    keep = world.decide(event(path))
    assert files_kept(keep, world) == {
        *("/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/openssl.cnf", path)
    }
    assert {"/usr/lib/ssl/openssl.cnf", "/usr/lib/ssl/certs"} <= set(keep.reasons)


def test_a_static_program_may_bring_its_own_tls() -> None:
    assert "/etc/ssl/certs/ca-certificates.crt" in added(BUNDLE | STATIC, "/app")


def test_looking_for_certificates_in_vain_is_evidence() -> None:
    world = World(BUNDLE | {"/srv/x": file()})
    keep = world.decide(event("/etc/ssl/certs/none.pem", error="ENOENT"))
    assert "/etc/ssl/certs/ca-certificates.crt" in keep
    assert "/etc/ssl/private" not in keep


def test_without_any_sign_of_tls_there_are_no_certificates() -> None:
    assert not added(BUNDLE | GLIBC, f"{LIB}/libc.so.6")


def test_the_bundle_that_the_environment_names_is_kept() -> None:
    things = {"/opt/ca.pem": file(), f"{LIB}/libssl.so.3": file(elf(soname="libssl.so.3"))}
    kept = added(things, f"{LIB}/libssl.so.3", Env=["SSL_CERT_FILE=/opt/ca.pem"])
    assert kept == {"/opt/ca.pem"}
