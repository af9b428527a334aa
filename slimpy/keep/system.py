"""Data of the system that programs and their C library read by themselves, often late."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from slimpy.image.tree import name, parent
from slimpy.keep.programs import Head, Libraries
from slimpy.keep.scene import Scene, Want, is_within, whole_below
from slimpy.model import ROOT, Entry, FileType, Reason, Rule, display

SMALL_FILE = 256 << 10
"""Databases above this size (bytes) are not kept on mere suspicion."""

ACCOUNTS = ("/etc/passwd", "/etc/group")
RESOLVER = (
    *("/etc/nsswitch.conf", "/etc/host.conf", "/etc/gai.conf"),
    *("/etc/services", "/etc/protocols"),
)
LOADER = ("/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d")
TIME_ZONE = ("/etc/localtime", "/etc/timezone")

BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Alpine, Arch
    "/etc/ssl/cert.pem",  # Alpine
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  # RHEL 7 and later
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/usr/lib/ssl/cert.pem",
    "/usr/lib/ssl/certs/ca-certificates.crt",
    "/usr/local/ssl/cert.pem",
)
"""Bundles of trusted certificates: the list of Go's crypto/x509, and OpenSSL's directories."""

TLS_CONFIGURATION = (
    *("/etc/ssl/openssl.cnf", "/usr/lib/ssl/openssl.cnf", "/etc/pki/tls/openssl.cnf"),
    "/etc/gnutls/config",
)

_GLIBC = re.compile(r"libc\.so\.6|ld-linux.*\.so\.\d+|ld64?\.so\.\d+")
_MUSL = re.compile(r"ld-musl-.*\.so\.1|libc\.musl-.*\.so\.1")
_TLS = re.compile(r"lib(ssl|gnutls|nss|mbedtls|wolfssl|tls)[-\d.]*\.so(\.[\d.]+)?")
_SERVICE = re.compile(r"[A-Za-z0-9_-]{1,64}")
_LOCALE = re.compile(r"[A-Za-z0-9_]+(\.[A-Za-z0-9-]+)?(@[A-Za-z0-9]+)?")


def always(scene: Scene) -> Iterable[Want]:
    """Wants that need no program: accounts, time zone, certificates that the run looked for.

    And the links of a merged /usr: programs are named ``/bin/sh`` and ``/usr/bin/sh`` alike.
    """
    for entry in scene.tree.children(ROOT):
        if entry.type is FileType.LINK and _is_directory_of_usr(scene, entry):
            yield Want(entry.path, _because("merged /usr"))
    yield from _present(scene, ACCOUNTS, "accounts")
    yield from _present(scene, TIME_ZONE, "the local time zone")
    zone = scene.image.environment.get("TZ", "").removeprefix(":")
    if zone and ".." not in zone:
        path = zone if zone.startswith("/") else f"/usr/share/zoneinfo/{zone}"
        yield from _present(scene, (path,), "TZ of the image's environment")
    if any(_is_about_certificates(event.path) for event in scene.trace.activity.events):
        yield from _certificates(scene, "")


def needed_by(scene: Scene, files: Iterable[Head], libraries: Libraries) -> Iterable[Want]:
    """Wants that follow from fresh programs and libraries."""
    for head in files:
        base = name(head.entry.path)
        if not head.is_elf:
            continue
        if _GLIBC.fullmatch(base):
            yield from _glibc(scene, head.entry)
        elif _MUSL.fullmatch(base):
            yield from _present(scene, RESOLVER, "name service", head.entry.path)
        elif _TLS.fullmatch(base):
            yield from _certificates(scene, head.entry.path)
        elif libraries.is_static(head.entry.path):
            # Such a program brings its own C library and often its own TLS (Go, Rust).
            yield from _present(scene, RESOLVER, "name service", head.entry.path)
            yield from _certificates(scene, head.entry.path)


def _glibc(scene: Scene, library: Entry) -> Iterator[Want]:
    by = library.path
    yield from _present(scene, RESOLVER, "name service", by)
    for path in LOADER:
        if scene.entry(path) is not None:
            yield from whole_below(scene, path, _because("where libraries are", by))
    directories = (parent(library.path), "/lib", "/usr/lib", "/lib64", "/usr/lib64")
    for service in _services(scene.text("/etc/nsswitch.conf")):
        modules = (f"{directory}/libnss_{service}.so.2" for directory in directories)
        detail = f"name service {service}"
        yield from _present(scene, modules, detail, "/etc/nsswitch.conf", limit=None)
    for locale in _locales(scene.image.environment):
        yield from _locale(scene, locale)


def _services(text: str) -> tuple[str, ...]:
    """The services that nsswitch.conf(5) names, sorted; actions in brackets are none."""
    found = set()
    for line in text.splitlines():
        _, _, services = line.partition("#")[0].partition(":")
        found.update(services.split())
    return tuple(sorted(service for service in found if _SERVICE.fullmatch(service)))


def _locales(environment: dict[str, str]) -> tuple[str, ...]:
    """The locales that the environment asks for (locale(7)), without those built into libc."""
    values = {
        value
        for variable, value in environment.items()
        if variable == "LANG" or variable.startswith("LC_")
    }
    return tuple(sorted(v for v in values - {"C", "POSIX"} if _LOCALE.fullmatch(v)))


def _locale(scene: Scene, locale: str) -> Iterable[Want]:
    """A locale's directory, also with the codeset as glibc normalises it, else the archive."""
    language, dot, rest = locale.partition(".")
    codeset, at, modifier = rest.partition("@")
    plain = f"{language}{dot}{codeset.replace('-', '').lower()}{at}{modifier}"
    reason = _because(f"locale {display(locale)} of the image's environment")
    for spelling in (locale, plain):
        path = f"/usr/lib/locale/{spelling}"
        if scene.entry(path) is not None:
            return whole_below(scene, path, reason)
    archive = "/usr/lib/locale/locale-archive"
    return (Want(archive, reason),) if scene.entry(archive) is not None else ()


def _certificates(scene: Scene, by: str) -> Iterable[Want]:
    """Trusted certificates and the library's configuration, but no private keys."""
    own = scene.image.environment.get("SSL_CERT_FILE", "")
    bundles = (*BUNDLES, own) if own.startswith("/") else BUNDLES
    yield from _present(scene, bundles, "trusted certificates", by, limit=None)
    yield from _present(scene, TLS_CONFIGURATION, "TLS configuration", by)


def _is_directory_of_usr(scene: Scene, link: Entry) -> bool:
    end = scene.entry(link.path)
    return end is not None and end.type is FileType.DIRECTORY and is_within(end.path, "/usr")


def _is_about_certificates(path: str) -> bool:
    return any(is_within(path, top) for top in ("/etc/ssl", "/etc/pki", "/usr/lib/ssl"))


def _present(
    scene: Scene, paths: Iterable[str], detail: str, by: str = "", limit: int | None = SMALL_FILE
) -> Iterator[Want]:
    """Wants for those of the paths at which the image has a file no larger than ``limit`` bytes."""
    for path in paths:
        entry = scene.entry(path)
        if entry is None or entry.type is not FileType.FILE:
            continue
        if limit is None or entry.size <= limit:
            yield Want(path, _because(detail, by))


def _because(detail: str, by: str = "") -> Reason:
    return Reason(Rule.SYSTEM, by, detail)
