"""Addresses inside the app: which links stay with it, and how they are written."""

from __future__ import annotations

from typing import Literal
from urllib.parse import quote, urljoin, urlsplit

from probes.model import Page

HOST = "localhost"
"""The host that the app is told it is called by: the same in every run, wherever it is published.
"""

LONGEST = 4096
"""Characters of a link that are looked at; longer ones are not followed."""

_OWN_HOSTS = frozenset({HOST, "127.0.0.1", "::1", "0.0.0.0"})
_DEFAULT_PORTS = {"http": 80, "https": 443}
_SAFE = "%/:@!$&'()*+,;=-._~"


def url_of(page: Page) -> str:
    """The whole URL of a page, with the app's own port (left out where it is the scheme's)."""
    port = "" if _DEFAULT_PORTS[page.scheme] == page.port else f":{page.port}"
    return f"{page.scheme}://{HOST}{port}{page.target}"


def absolute(base: Page, link: str) -> Page | None:
    """Where a link on a page leads, without its fragment; None if it leaves the app or cannot be
    followed."""
    link = link.strip()
    if len(link) > LONGEST:
        return None
    try:
        parts = urlsplit(urljoin(url_of(base), link))
        port, host = parts.port, parts.hostname
    except ValueError:
        return None
    if host not in _OWN_HOSTS or "@" in parts.netloc:
        return None
    scheme: Literal["http", "https"]
    if parts.scheme == "http":
        scheme = "http"
    elif parts.scheme == "https":
        scheme = "https"
    else:
        return None
    query = f"?{quote(parts.query, safe=_SAFE + '?[]', errors='replace')}" if parts.query else ""
    path = quote(parts.path or "/", safe=_SAFE, errors="replace")
    number = _DEFAULT_PORTS[scheme] if port is None else port
    return Page(scheme, number, path + query) if number else None
