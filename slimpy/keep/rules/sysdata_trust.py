"""Certificates, TLS configuration and modules of authentication."""

from __future__ import annotations

import re
from collections.abc import Iterator

from slimpy.image.tree import name
from slimpy.keep.programs import Head
from slimpy.keep.rules.sysdata_places import below, files, library_directories, reason, whole
from slimpy.keep.scene import Scene, Want
from slimpy.model import FileType

LARGEST_STORE = 4 << 20  # bytes of a directory of trusted certificates
LARGEST_MODULES = 8 << 20

_CONFIGURATIONS = (
    *("/etc/ssl/openssl.cnf", "/usr/lib/ssl/openssl.cnf", "/etc/pki/tls/openssl.cnf"),
    "/usr/local/ssl/openssl.cnf",
)
_BUNDLES = (
    *("/usr/lib/ssl/cert.pem", "/etc/ssl/cert.pem", "/etc/pki/tls/cert.pem"),
    "/usr/local/ssl/cert.pem",
)
_STORES = ("/etc/ssl/certs", "/etc/pki/tls/certs", "/usr/lib/ssl/certs", "/usr/local/ssl/certs")
_SERVICES = ("/etc/pam.d", "/usr/lib/pam.d")
_HASHED = re.compile(r"[0-9a-f]{8}\.\d{1,2}")
_INCLUDE = re.compile(r"^[ \t]*\.include[ \t]*=?[ \t]*(/[^\s#]{1,255})", re.MULTILINE)
_MODULE = re.compile(r"pam_[a-z0-9_-]{1,40}\.so")
_MORE = re.compile(r"^[ \t]*(?:@include|\w+[ \t]+(?:include|substack))[ \t]+([\w.-]{1,64})", re.M)


def hashed_certificates(scene: Scene, head: Head) -> Iterator[Want]:
    """Trusted certificates by the hashes of their names, as OpenSSL looks them up one by one
    (X509_LOOKUP_hash_dir(3)); needless where there is a bundle at the place of its own.
    """
    if any(scene.entry(path) is not None for path in _BUNDLES):
        return
    why = reason(head, "trusted certificates")
    own = scene.image.environment.get("SSL_CERT_DIR", "")
    for store in dict.fromkeys((*own.split(":"), *_STORES)):
        if not store.startswith("/"):
            continue
        links = [e for e in below(scene, store, LARGEST_STORE) if _HASHED.fullmatch(name(e.path))]
        if links:
            yield Want(store, why)
        for link in links:
            end = scene.entry(link.path)
            if end is not None and end.type is FileType.FILE and end.size <= 64 << 10:
                yield Want(f"{store}/{name(link.path)}", why)


def openssl(scene: Scene, head: Head) -> Iterator[Want]:
    """Providers and engines, and what the configuration includes (config(5ssl))."""
    why = reason(head, "modules of OpenSSL")
    for directory in library_directories(scene, head):
        for kind in ("ossl-modules", "engines-3", "engines-1.1"):
            yield from whole(scene, (f"{directory}/{kind}",), why, LARGEST_MODULES)
    for configuration in _CONFIGURATIONS:
        for match in _INCLUDE.finditer(scene.text(configuration)):
            yield from files(scene, (match[1],), reason(head, "included by openssl.cnf"))
            yield from whole(scene, (match[1],), reason(head, "included by openssl.cnf"), 1 << 20)


def pam(scene: Scene, head: Head) -> Iterator[Want]:
    """What every service falls back to, and the settings of modules (pam.conf(5))."""
    yield from _services(scene, head, ("other",))
    why = reason(head, "settings of PAM modules")
    yield from whole(scene, ("/etc/security",), why, 1 << 20)
    checkers = ("/sbin/unix_chkpwd", "/usr/sbin/unix_chkpwd")
    more = ("/etc/pam.conf", "/etc/environment", "/etc/default/locale", "/etc/login.defs")
    yield from files(scene, (*more, *checkers), why)


def pam_service(scene: Scene, head: Head) -> Iterator[Want]:
    """The service of a program, by its name, with all that it includes and the modules."""
    yield from _services(scene, head, (name(head.entry.path),))


def _services(scene: Scene, head: Head, services: tuple[str, ...]) -> Iterator[Want]:
    why = reason(head, "PAM service")
    waiting, seen = list(services), set(services)
    for top in _SERVICES:
        scene.contents.fetch([entry.path for entry in below(scene, top, 1 << 20)])
    while waiting:
        service = waiting.pop()
        for top in _SERVICES:
            path = f"{top}/{service}"
            text = scene.text(path) if scene.entry(path) is not None else ""
            if not text:
                continue
            yield Want(path, why)
            yield from _modules(scene, head, text)
            new = {match[1] for match in _MORE.finditer(text)} - seen
            seen |= new
            waiting.extend(sorted(new)[:32])


def _modules(scene: Scene, head: Head, text: str) -> Iterator[Want]:
    why = reason(head, "PAM module")
    for module in sorted(set(_MODULE.findall(text))):
        for directory in library_directories(scene, head):
            yield from files(scene, (f"{directory}/security/{module}",), why)


def p11_kit(scene: Scene, head: Head) -> Iterator[Want]:
    """Modules that are registered, and the trust module."""
    why = reason(head, "modules of p11-kit")
    yield from whole(scene, ("/etc/pkcs11", "/usr/share/p11-kit/modules"), why, 1 << 20)
    for directory in library_directories(scene, head):
        yield from files(scene, (f"{directory}/pkcs11/p11-kit-trust.so",), why)


def kerberos(scene: Scene, head: Head) -> Iterator[Want]:
    """Configuration and plugins (krb5.conf(5))."""
    why = reason(head, "configuration and plugins of Kerberos")
    yield from files(scene, ("/etc/krb5.conf",), why)
    yield from whole(scene, ("/etc/krb5.conf.d",), why, 1 << 20)
    places = [f"{directory}/krb5/plugins" for directory in library_directories(scene, head)]
    yield from whole(scene, places, why, LARGEST_MODULES)


def sasl(scene: Scene, head: Head) -> Iterator[Want]:
    """Mechanisms and their configuration; not the server's database of passwords, which would
    bring a library of databases.
    """
    why = reason(head, "mechanisms of SASL")
    for directory in library_directories(scene, head):
        for entry in below(scene, f"{directory}/sasl2", LARGEST_MODULES):
            if not name(entry.path).startswith("libsasldb."):
                yield Want(entry.path, why)
    yield from whole(scene, ("/etc/sasl2", "/etc/sasl"), why, 1 << 20)


def ldap(scene: Scene, head: Head) -> Iterator[Want]:
    """The configuration of all clients (ldap.conf(5))."""
    places = ("/etc/ldap/ldap.conf", "/etc/openldap/ldap.conf")
    yield from files(scene, places, reason(head, "configuration of LDAP"))
