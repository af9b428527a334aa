"""One HTTP request at a time to the app under test, bounded in time, size and reach."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from http.cookiejar import CookieJar, DefaultCookiePolicy
from types import TracebackType
from typing import Any, Self

import httpx2

from probes.http.bodies import DamagedBodyError, read_body
from probes.http.urls import absolute, url_of
from probes.model import Answer, HttpAnswer, NoAnswer, Page, Target

AGENT = "Mozilla/5.0 (compatible; probes/1.0)"
"""User-Agent: some apps turn away clients that do not look like a browser."""

STREAMS = frozenset({"text/event-stream", "multipart/x-mixed-replace"})
"""Media types without an end: their bodies are not read."""

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MAX_REDIRECTS = 10
_MAX_HEADERS = 200
_MAX_VALUE = 8192
_DEFAULTS = {
    "user-agent": AGENT,
    "accept": "text/html,application/xhtml+xml,application/json;q=0.9,*/*;q=0.8",
    "accept-encoding": "gzip, deflate",
    "accept-language": "en",
}


@dataclass(frozen=True, slots=True)
class Request:
    """One request: ``headers`` in the order they are sent, ``timeout`` in seconds for all of it,
    redirects included one by one."""

    page: Page
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    timeout: float = 30.0
    follow: bool = False


class HttpSession:
    """A client with a cookie jar, for one run of one app; close it, or use it in a ``with``.

    The app is always called by the name localhost and its own port, so that what it says of itself
    is the same in every run. Every request has its own connection: an idle one that the app has
    just closed cannot spoil a probe. Certificates are not checked: those of test containers are
    self-signed.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self._cookies = httpx2.Cookies(
            CookieJar(DefaultCookiePolicy(secure_protocols=("http", "https")))
        )
        self._transport = httpx2.HTTPTransport(
            verify=_unverified(),
            http1=True,
            http2=True,
            trust_env=False,
            limits=httpx2.Limits(max_keepalive_connections=0),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close what is still open."""
        self._transport.close()

    def send(self, request: Request) -> Answer:
        """The answer; whatever goes wrong on the way is a `NoAnswer` with its reason."""
        for _ in range(_MAX_REDIRECTS):
            answer = self._send_once(request)
            following = self._next(request, answer)
            if following is None:
                return answer
            request = following
        return NoAnswer(f"more than {_MAX_REDIRECTS} redirects", "other")

    def _next(self, request: Request, answer: Answer) -> Request | None:
        """The request that a redirect asks for; None if there is none or it leaves the app."""
        if not request.follow or not isinstance(answer, HttpAnswer):
            return None
        location = dict(answer.headers).get("location")
        if answer.status not in _REDIRECTS or location is None:
            return None
        page = absolute(request.page, location)
        if page is None or self._target.address(page.port) is None:
            return None
        posted = request.method == "POST" and answer.status in (301, 302)
        if posted or (answer.status == 303 and request.method != "HEAD"):
            headers = tuple(
                pair for pair in request.headers if not pair[0].lower().startswith("content-")
            )
            return replace(request, page=page, method="GET", headers=headers, body=b"")
        return replace(request, page=page)

    def _send_once(self, request: Request) -> Answer:
        address = self._target.address(request.page.port)
        if address is None:
            return NoAnswer(f"port {request.page.port} is not published", "unasked")
        limit = _Limit(request.timeout)
        try:
            asked = self._prepared(request)
            with limit:
                return self._exchange(asked, address, limit)
        except DamagedBodyError as error:
            return NoAnswer(f"the body is not encoded as its header says: {error}", "garbled")
        except (httpx2.InvalidURL, httpx2.HTTPError, OSError, UnicodeError) as error:
            if limit.passed or isinstance(error, httpx2.TimeoutException):
                return NoAnswer(f"no complete answer within {request.timeout:g} s", "timeout")
            return _explained(error)

    def _prepared(self, request: Request) -> httpx2.Request:
        named = {name.lower() for name, _ in request.headers}
        headers = [pair for pair in _DEFAULTS.items() if pair[0] not in named]
        headers += request.headers
        asked = httpx2.Request(
            request.method,
            url_of(request.page),
            headers=[(name.encode("ascii"), value.encode()) for name, value in headers],
            content=request.body or None,
        )
        if "cookie" not in named:
            self._cookies.set_cookie_header(asked)
        return asked

    def _exchange(
        self, asked: httpx2.Request, address: tuple[str, int], limit: _Limit
    ) -> HttpAnswer:
        """Send to where the app is published; the Host header and the cookies keep the app's own
        name."""
        waits = dict.fromkeys(("connect", "read", "write", "pool"), limit.seconds)
        sent = httpx2.Request(
            asked.method,
            asked.url.copy_with(host=address[0], port=address[1]),
            headers=asked.headers,
            stream=asked.stream,
            extensions={"timeout": waits, "trace": limit.watch, "sni_hostname": asked.url.host},
        )
        response = self._transport.handle_request(sent)
        try:
            response.request = asked
            self._cookies.extract_cookies(response)
            return _answer(asked.method, response, limit)
        finally:
            response.close()


class _Limit:
    """Cuts the connection when the time is over: a peer that drips single bytes never runs into a
    read time-out."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.passed = False
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        self._timer.join()

    def watch(self, event: str, info: Mapping[str, Any]) -> None:
        """The client's trace hook: remembers the newest socket of the connection."""
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            self._socket = info["return_value"].get_extra_info("socket")
            if self.passed:
                self._cut()

    def _cut(self) -> None:
        self.passed = True
        if self._socket is not None:
            try:
                # Not SSLSocket's own: it would drop the TLS state under the reading thread.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
            except OSError:
                return  # the peer was quicker


def _answer(method: str, response: httpx2.Response, limit: _Limit) -> HttpAnswer:
    headers = tuple(
        (name.decode("latin-1").lower(), value.decode("latin-1")[:_MAX_VALUE])
        for name, value in response.headers.raw[:_MAX_HEADERS]
    )
    content_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    stream = response.stream
    endless = content_type in STREAMS or method == "HEAD"
    chunks = () if endless or not isinstance(stream, httpx2.SyncByteStream) else stream
    body = read_body(chunks, response.headers.get("content-encoding", ""))
    if limit.passed:
        message = "cut"
        raise httpx2.ReadTimeout(message)
    return HttpAnswer(response.status_code, headers, body.kept, body.size, body.sha256)


def _unverified() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _explained(error: Exception) -> NoAnswer:
    """A sentence for people, free of addresses that differ from run to run."""
    match error:
        case httpx2.ConnectError():
            if _caused_by_tls(error):
                return NoAnswer("no TLS connection could be made", "garbled")
            return NoAnswer("the connection was refused", "unreachable")
        case httpx2.RemoteProtocolError() if "disconnected" in str(error).lower():
            return NoAnswer("the app closed the connection without an answer", "closed")
        case httpx2.RemoteProtocolError() if "closed connection" in str(error).lower():
            return NoAnswer("the app closed the connection in the middle of its answer", "closed")
        case httpx2.RemoteProtocolError():
            return NoAnswer("what came back is not valid HTTP", "garbled")
        case httpx2.LocalProtocolError() | httpx2.InvalidURL() | UnicodeError():
            return NoAnswer(f"the request cannot be sent: {str(error)[:200]}", "unasked")
        case httpx2.NetworkError() | OSError():
            return NoAnswer("the app broke the connection off", "closed")
        case _:
            return NoAnswer(f"the request failed ({type(error).__name__})", "other")


def _caused_by_tls(error: BaseException) -> bool:
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLError):
            return True
        seen = seen.__cause__ or seen.__context__
    return False
