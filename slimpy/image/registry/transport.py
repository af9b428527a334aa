"""Puts questions to one registry: who we are, redirects, what is tried again, and what a refusal
means. Every answer is a stream; nothing is read here but errors and tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from types import MappingProxyType
from typing import Any, BinaryIO, TypeVar

import requests
import urllib3

from slimpy import __version__
from slimpy.errors import RegistryDeniedError, SlimError, SourceError
from slimpy.image.registry import answers
from slimpy.image.registry.access import Access, trust
from slimpy.image.registry.auth import Authority, TokenRequest
from slimpy.image.registry.names import RepositoryName, is_loopback
from slimpy.image.registry.origins import Origin, joined, redirected, speaks_tls
from slimpy.image.registry.retries import PassingError
from slimpy.model import display

AGENT = f"slimpy/{__version__}"

_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_MOST_REDIRECTS = 5
_TOKEN_LIMIT = 1 << 20  # bytes of a realm's answer
_NO_PROXIES = {"http": None, "https": None, "all": None}
_BLOCK = 1 << 17  # bytes that are sent at a time
_PROBE_SECONDS = 5.0

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a file as the body of a request: ``size`` bytes from where the file stands."""

    file: BinaryIO
    size: int


@dataclass(frozen=True, slots=True)
class Call:
    """One question. ``url`` may be relative to the registry; ``what`` names its object for errors.

    ``expected``: statuses that are answers, not refusals. ``scopes``: what the realm has to allow.
    ``patience``: the longest silence in seconds, 0 for the usual.
    """

    method: str
    url: str
    what: str
    scopes: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    body: bytes | Part | None = None
    expected: frozenset[int] = frozenset((200,))
    patience: float = 0.0


class _Sent:
    """A `Part` as requests wants it: with a length, and read in blocks."""

    def __init__(self, part: Part) -> None:
        self._file = part.file
        self._left = self._size = part.size

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> _Sent:
        return self

    def __next__(self) -> bytes:
        if data := self.read(_BLOCK):
            return data
        raise StopIteration

    def read(self, size: int = -1) -> bytes:
        wanted = self._left if size < 0 else min(size, self._left)
        data = self._file.read(wanted) if wanted else b""
        if wanted and not data:
            message = "What is to be uploaded ended early."
            raise SourceError(message)
        self._left -= len(data)
        return data


class _Silent(requests.auth.AuthBase):
    """Keeps requests from looking for a login by itself (in .netrc)."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


class _Session(requests.Session):
    """Leaves redirects to us. Its own way of not following one reads the whole answer, however
    long, and looks at where it would lead.
    """

    def get_redirect_target(self, resp: requests.Response) -> None:
        del resp


class _Connections(requests.adapters.HTTPAdapter):
    """Sends in larger blocks, and closes connections when told to, not when they are forgotten."""

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options, blocksize=_BLOCK)

    def close(self) -> None:
        for owner in (self.poolmanager, *self.proxy_manager.values()):
            for key in owner.pools.keys():  # noqa: SIM118  # it cannot be iterated over
                owner.pools[key].close()
        super().close()


@dataclass(slots=True)
class Transport:
    """The connections to one registry, as one user; not for several threads at once."""

    origin: Origin
    access: Access
    name: str  # of the registry, for errors
    session: requests.Session
    authority: Authority = field(init=False)

    @classmethod
    def to(cls, name: RepositoryName, access: Access) -> Transport:
        """Connections to the registry of a name; nothing is sent yet, except that a registry of
        this machine is greeted to see whether it encrypts.

        Raises:
            SourceError: the saved logins cannot be read.
        """
        session = _Session()
        session.headers.clear()
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        session.auth = _Silent()
        connections = _Connections()
        session.mount("https://", connections)
        session.mount("http://", connections)
        origin = Origin.of(f"{_scheme(name.host, access)}://{name.host}")
        transport = cls(origin, access, display(name.registry), session)
        login = access.login(name)
        transport.authority = Authority(origin, login, transport._token, access.retries.now)
        return transport

    def close(self) -> None:
        """Close the connections."""
        self.session.close()

    def run(self, operation: Callable[[], Result]) -> Result:
        """What an operation gives, tried again where its fault may pass."""
        return self.access.retries.run(operation)

    def text(self, call: Call, limit: int) -> tuple[requests.Response, bytes]:
        """An answer with its whole body of at most ``limit`` bytes; tried again.

        Raises:
            SourceError: see `send`; or it is larger.
        """

        def once() -> tuple[requests.Response, bytes]:
            response = self.send(call)
            pace = answers.Pace(self.access.retries.now)
            return response, answers.body(response, limit, call.what, pace)

        return self.run(once)

    def status(self, call: Call) -> requests.Response:
        """An answer whose body does not matter; tried again."""
        return self.run(lambda: self.finished(call))

    def finished(self, call: Call) -> requests.Response:
        """An answer whose body does not matter, closed; not tried again.

        Raises:
            SourceError: see `send`.
        """
        with self.send(call) as response:
            if not answers.content_length(response) or call.method == "HEAD":
                answers.some(response, 1)  # the end, so that the connection can be used again
            return response

    def send(self, call: Call) -> requests.Response:
        """An answer as a stream, which the caller has to close; not tried again.

        Raises:
            RegistryDeniedError: the registry wants a login, or another one.
            ImageNotFoundError: it has no such thing.
            PassingError: it may have an answer a little later.
            SourceError: it refuses, cannot be reached, or is not to be trusted.
        """
        url = joined(f"{self.origin}/", call.url)
        response = self._authorised(call, url)
        for _ in range(_MOST_REDIRECTS):
            if response.status_code not in _REDIRECTS or call.method not in ("GET", "HEAD"):
                break
            response.close()
            location = response.headers.get("Location", "")
            url = redirected(url, location, plain_http=self.access.plain_http)
            at_home = Origin.of(url) == self.origin
            response = self._authorised(call, url) if at_home else self._once(call, url, "")
        if response.status_code in call.expected:
            return response
        if response.status_code in _REDIRECTS:
            response.close()
            message = f"{call.what}: {self.name} redirects where it may not, or in circles."
            raise SourceError(message)
        raise answers.refused(response, call.what, self.name)

    def _authorised(self, call: Call, url: str) -> requests.Response:
        if Origin.of(url) != self.origin:
            message = f"{call.what}: {self.name} sends us to another host."
            raise SourceError(message)
        sent = self.authority.header(call.scopes)
        response = self._once(call, url, sent)
        if response.status_code != 401:
            return response
        header = response.headers.get("WWW-Authenticate", "")
        if not self.authority.asked(header, call.scopes, sent):
            return response
        sent = self.authority.header(call.scopes)
        if isinstance(call.body, Part):
            response.close()
            message = f"{call.what}: {self.name} asked for a login in the middle of it."
            raise PassingError(message)
        if not sent:
            return response
        response.close()
        return self._once(call, url, sent)

    def _once(self, call: Call, url: str, authorization: str) -> requests.Response:
        headers = {**call.headers}
        if authorization:
            headers["Authorization"] = authorization
        body: Any = _Sent(call.body) if isinstance(call.body, Part) else call.body
        return self._request(call.method, url, headers, body, call.what, call.patience)

    def _request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: Any,
        what: str,
        patience: float = 0.0,
    ) -> requests.Response:
        origin = Origin.of(url)
        trusted = trust(self.access, origin.authority)
        try:
            return self.session.request(
                method,
                url,
                headers={"User-Agent": AGENT, "Accept-Encoding": "identity", **headers},
                data=body,
                stream=True,
                allow_redirects=False,
                timeout=(self.access.connect_seconds, patience or self.access.read_seconds),
                proxies=_NO_PROXIES if origin.loopback else None,  # type: ignore[arg-type]
                verify=trusted.verify,
                cert=trusted.certificate,
            )
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise _unreachable(error, what, origin) from error

    def _token(self, question: TokenRequest) -> bytes:
        """Not tried again here: the request that needs the token is."""
        what = f"A token for {self.name}"
        method = "GET" if question.form is None else "POST"
        form = None if question.form is None else dict(question.form)
        response = self._request(method, question.url, question.headers, form, what)
        if response.status_code != 200:
            raise self._no_token(response, what, Origin.of(question.url))
        pace = answers.Pace(self.access.retries.now)
        return answers.body(response, _TOKEN_LIMIT, what, pace)

    def _no_token(self, response: requests.Response, what: str, origin: Origin) -> SlimError:
        host = display(origin.authority)
        if response.status_code in (400, 401, 403, 404):
            response.close()
            message = f"{what}: {host} refuses the login ({response.status_code})."
            if self.authority.login is None:
                message = f"{what}: {host} wants a login ({response.status_code})."
            return RegistryDeniedError(message, hint=f"Log in first: docker login {self.name}")
        if response.status_code in _REDIRECTS:
            response.close()
            message = f"{what}: {host} redirects; the login is not sent along."
            return SourceError(message)
        return answers.refused(response, what, host)


def _scheme(host: str, access: Access) -> str:
    if access.plain_http:
        return "http"
    encrypted = not is_loopback(host) or speaks_tls(host, seconds=_PROBE_SECONDS)
    return "https" if encrypted else "http"


def _unreachable(error: Exception, what: str, origin: Origin) -> SourceError:
    reason = _reason(error)
    if isinstance(error, requests.exceptions.ProxyError):
        message = f"{what}: the proxy for {origin} does not help: {reason}."
        return PassingError(message, hint="It is from HTTPS_PROXY, HTTP_PROXY or ALL_PROXY.")
    if "certificate" in reason.lower():
        message = f"{what}: the connection to {origin} cannot be trusted: {reason}."
        hint = "Name the authority of its certificate with --ca-file, or SSL_CERT_FILE."
        return SourceError(message, hint=hint)
    if "WRONG_VERSION_NUMBER" in reason:
        message = f"{what}: {origin} does not encrypt."
        return SourceError(message, hint="If that is meant to be so: --plain-http.")
    if "name resolution" in reason.lower() or "not known" in reason.lower():
        message = f"{what}: the host of {origin} is not known."
        return SourceError(message, hint="Is its name right? Is the network up?")
    message = f"{what}: no answer from {origin}: {reason}."
    hint = "Is it running? Is the network up?"
    passing = (requests.ConnectionError, requests.Timeout, urllib3.exceptions.HTTPError)
    if isinstance(error, (*passing, requests.exceptions.ChunkedEncodingError)):
        return PassingError(message, hint=hint)
    return SourceError(message, hint=hint)


def _reason(error: BaseException) -> str:
    """What is at the bottom of a chain of exceptions, without the URL that requests repeats."""
    for _ in range(20):
        inner = getattr(error, "reason", None)
        known = [item for item in (inner, *error.args) if isinstance(item, BaseException)]
        below = next(iter(known), None) or error.__cause__ or error.__context__
        if below is None or below is error:
            break
        error = below
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return display(" ".join(str(text).split()))[:300].rstrip(".")
