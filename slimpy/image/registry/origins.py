"""Where a URL goes, and whether a client may follow it there.

A registry names URLs in redirects, upload locations and token realms: hostile input, all of it.
"""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from urllib.parse import SplitResult, urljoin, urlsplit

from slimpy.errors import SourceError
from slimpy.image.registry.names import host_only, is_loopback
from slimpy.model import display

_PORTS = {"http": 80, "https": 443}
_LONGEST = 16384  # characters of a URL


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and port: what has to be the same for credentials to be sent along."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> Origin:
        """The origin of an absolute URL.

        Raises:
            SourceError: it is no http or https URL with a host, or has a login in it.
        """
        parts = _split(url)
        try:
            port = parts.port or _PORTS.get(parts.scheme, 0)
        except ValueError:
            port = 0
        if parts.scheme not in _PORTS or not parts.hostname or not port or parts.username:
            raise _unusable(url)
        return cls(parts.scheme, parts.hostname.lower(), port)

    @property
    def loopback(self) -> bool:
        """Whether it is this machine."""
        return is_loopback(self.host)

    @property
    def plain(self) -> bool:
        """Whether others may read along."""
        return self.scheme == "http"

    @property
    def authority(self) -> str:
        """The host, with its port where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        """As the first part of a URL."""
        return f"{self.scheme}://{self.authority}"


def redirected(base: str, location: str, *, plain_http: bool) -> str:
    """Where a redirect leads, if it may be followed.

    Raises:
        SourceError: it is no http or https URL, or leads from an encrypted connection to one that
            is not.
    """
    url = joined(base, location)
    here, there = Origin.of(base), Origin.of(url)
    private = here.loopback and there.loopback  # never from outside into this machine
    if there.plain and not private and not (plain_http and here.plain):
        message = f"{here} redirects to {there}, which is not encrypted; it was not followed."
        raise SourceError(message)
    return url


def upload_location(base: str, location: str) -> str:
    """Where an upload goes on: always at the registry itself.

    A registry behind a proxy that ends the encryption may call itself ``http://``; the scheme of
    the base is kept then.

    Raises:
        SourceError: it is another host.
    """
    url = joined(base, location)
    here, there = Origin.of(base), Origin.of(url)
    if there == here:
        return url
    misnamed = there.plain and not here.plain and there.host == here.host
    if misnamed and there.port in (_PORTS["http"], here.port):
        parts = _split(url)
        return str(here) + parts._replace(scheme="", netloc="").geturl()
    message = f"{here} wants the upload to go on at {there}, another host; nothing is sent there."
    raise SourceError(message)


def joined(base: str, location: str) -> str:
    """An absolute URL from one that may be relative, without its fragment.

    Raises:
        SourceError: it cannot be one.
    """
    if not location or len(location) > _LONGEST or not location.isprintable():
        raise _unusable(location)
    try:
        return urljoin(base, location).partition("#")[0]
    except ValueError:
        raise _unusable(location) from None


def speaks_tls(host: str, *, seconds: float) -> bool:
    """Whether a host (``HOST[:PORT]``) answers a TLS greeting; who it is, is not looked at.

    For this machine's own registries only, where either is allowed.
    """
    parts = _split(f"https://{host}")
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with (
            socket.create_connection((parts.hostname, parts.port or 443), seconds) as connection,
            context.wrap_socket(connection, server_hostname=host_only(host)),
        ):
            return True
    except OSError:  # ssl.SSLError is one
        return False


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:
        raise _unusable(url) from None


def _unusable(url: str) -> SourceError:
    # Not the query: it may hold a signature.
    shown = display(url.partition("?")[0][:200])
    return SourceError(f"The registry names a place that cannot be used: {shown!r}.")
