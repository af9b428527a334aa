"""When an app is ready: seen at its sockets and its answers, never slept for."""

from __future__ import annotations

import ipaddress
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from probes.errors import AppExited, NeedsPorts, NeverReady
from probes.model import HttpAnswer, NoAnswer, Page, Ready, Target, TraceWarning

if TYPE_CHECKING:
    from probes.http.client import HttpSession

GRACE = 3.0
"""Seconds that further ports may take to open once the first one answers."""

PATIENCE = 0.5
"""Share of the time to get ready that the image's own ports may take while only others open."""

HOLD = 0.2
"""Seconds that an accepted connection must stay open: a publishing proxy accepts before the app
listens, and closes."""

MUTE = 15.0
"""Seconds after which a port that accepts and says nothing to an HTTP request counts as not
speaking HTTP."""

HANDSHAKE = 3.0
"""Seconds that a TLS server may take to answer: one that does not speak TLS says nothing at all."""

_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 1.0


@dataclass(frozen=True, slots=True)
class Clock:
    """Time as the probes see it; tests bring their own. Seconds."""

    now: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A port that is ready, and what it speaks."""

    port: int
    speaks: Literal["http", "https", "tcp"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to wait for.

    ``ports`` are the plan's, ``exposed`` the image's; ``path`` is asked for to see whether a port
    speaks HTTP; ``https`` are ports that the plan says speak TLS; ``listens``: whether an app that
    listens nowhere is of any use; ``asks``: whether anything will be asked over HTTP, else an open
    port is all that is waited for.
    """

    ready: Ready
    ports: tuple[int, ...] = ()
    exposed: tuple[int, ...] = ()
    path: str = "/"
    https: frozenset[int] = frozenset()
    listens: bool = True
    asks: bool = True

    @property
    def named(self) -> tuple[int, ...]:
        """The ports that should be there, the most important first."""
        return self.ports or self.exposed


@dataclass(slots=True)
class Readiness:
    """The wait for one started app. ``endpoints`` grows while it lasts."""

    target: Target
    session: HttpSession
    wanted: Wanted
    clock: Clock
    warnings: list[TraceWarning] = field(default_factory=list)
    _found: dict[int, Endpoint] = field(default_factory=dict)
    _answering: set[int] = field(default_factory=set)
    _silent: dict[int, int] = field(default_factory=dict)
    _began: float = 0.0
    _first: float | None = None
    _unpublished_since: float | None = None
    _commanded: bool = False
    _last: str = ""

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """What was found: the plan's or the image's own ports first, in their order."""
        order = {port: place for place, port in enumerate(self.wanted.named)}
        return tuple(
            sorted(self._found.values(), key=lambda item: (order.get(item.port, 99999), item.port))
        )

    def wait(self) -> tuple[Endpoint, ...]:
        """Wait until the app is ready; what it can be reached at, empty where it need not listen.

        Raises:
            AppExited, NeverReady, NeedsPorts
        """
        self._began = self.clock.now()
        deadline = self._began + self.wanted.ready.timeout
        pause = _FIRST_PAUSE
        while not self._is_ready(deadline):
            left = deadline - self.clock.now()
            if left <= 0:
                return self._after_deadline()
            self.clock.pause(min(pause, left))
            pause = min(pause * 1.5, _LONGEST_PAUSE)
        self._warn()
        return self.endpoints

    def rescan(self) -> tuple[Endpoint, ...]:
        """Look once more, for ports that opened since."""
        self._scan(self.clock.now() + MUTE)
        return self.endpoints

    def _is_ready(self, deadline: float) -> bool:
        code = self.target.exit_code()
        if code is not None:
            raise AppExited(code, log=self.target.log_tail())
        ready = self.wanted.ready
        if ready.argv is not None and not self._command_succeeds(ready.argv, deadline):
            return False
        self._scan(deadline)
        self._check_published()
        if ready.path is not None:
            return self._path_answers(ready.path, deadline)
        if ready.argv is not None:
            return self._settled_after_command()
        return self._settled()

    def _settled_after_command(self) -> bool:
        """The command has said that the app is ready; its ports only have to be found."""
        now = self.clock.now()
        self._first = now if self._first is None else self._first
        complete = self._answering.issuperset(self.wanted.named) and not self._pending()
        return complete or now - self._first >= GRACE

    def _settled(self) -> bool:
        """Whether all that should be there is, or enough of it for a while."""
        now = self.clock.now()
        if not self._answering:
            return self._need_not_listen(now)
        if self._first is None:
            self._first = now
        complete = self._answering.issuperset(self.wanted.named) and not self._pending()
        if complete and self.wanted.named:
            return True
        if self.wanted.ports:
            return False
        return now - self._first >= self._grace()

    def _grace(self) -> float:
        """How long to wait for more ports once one answers: an app that is slow to open its first
        port is slow to open the others.
        """
        if not self.wanted.named:
            return 2 * HOLD
        if self._answering.isdisjoint(self.wanted.named):
            return self._patience()
        assert self._first is not None
        return max(GRACE, (self._first - self._began) / 2)

    def _patience(self) -> float:
        return PATIENCE * self.wanted.ready.timeout

    def _need_not_listen(self, now: float) -> bool:
        if self.wanted.named or self._found:
            return False
        known = self.target.listeners() is not None
        if not known and self.wanted.listens:
            message = "No port of the app is known: the image has no EXPOSE."
            raise NeverReady(message, hint="Name the port to probe (--port).")
        return not self.wanted.listens and (not known or now - self._began >= GRACE)

    def _pending(self) -> bool:
        return any(port not in self._answering for port in self._found)

    def _command_succeeds(self, argv: tuple[str, ...], deadline: float) -> bool:
        if self._commanded:
            return True
        left = max(1.0, deadline - self.clock.now())
        try:
            answer = self.target.execute(argv, timeout=min(60.0, left), during="start-up")
        except TimeoutError:
            self._last = f"{argv[0]} did not end in time"
            return False
        except ConnectionError:  # the app just ended, which is seen next
            return False
        self._last = f"{argv[0]} ended with exit code {answer.exit_code}"
        self._commanded = answer.exit_code == 0
        return self._commanded

    def _path_answers(self, path: str, deadline: float) -> bool:
        for endpoint in self.endpoints:
            if endpoint.speaks == "tcp":
                continue
            answer = self._ask(Page(endpoint.speaks, endpoint.port, path), deadline)
            if isinstance(answer, HttpAnswer):
                self._last = f"GET {path} was answered with {answer.status}"
                if answer.status < 500:
                    return True
            else:
                self._last = f"GET {path} had no answer ({answer.reason})"
        return False

    def _scan(self, deadline: float) -> None:
        for port in self._candidates():
            if port in self._answering or self.target.address(port) is None:
                continue
            if port in self._found or self._accepts(port):
                self._look_at(port, deadline)

    def _candidates(self) -> tuple[int, ...]:
        if self.wanted.ports:
            return self.wanted.ports
        return tuple(dict.fromkeys((*self.wanted.exposed, *sorted(self._listening()))))

    def _listening(self) -> frozenset[int]:
        """TCP ports that something outside the container could reach."""
        found = self.target.listeners() or frozenset()
        return frozenset(
            item.port for item in found if item.protocol == "tcp" and not _is_loopback(item.address)
        )

    def _accepts(self, port: int) -> bool:
        address = self.target.address(port)
        if address is None:
            return False
        return port in self._listening() or holds(address)

    def _look_at(self, port: int, deadline: float) -> None:
        """Find out what a port speaks, and whether it answers without an error of its own."""
        known = self._found.get(port)
        if not self.wanted.asks:
            self._found[port] = Endpoint(port, "tcp")
            self._answering.add(port)
            return
        order: tuple[Literal["http", "https"], ...] = ("http", "https")
        if known is not None and known.speaks != "tcp":
            order = (known.speaks,)
        elif port in self.wanted.https:
            order = ("https", "http")
        best: tuple[Literal["http", "https"], int] | None = None
        for scheme in order:
            answer = self._ask(Page(scheme, port, self.wanted.path), deadline)
            if isinstance(answer, HttpAnswer):
                best = (scheme, answer.status) if best is None or answer.status != 400 else best
                if answer.status != 400:  # 400 is what servers say to HTTP on a TLS port
                    break
            elif answer.kind == "timeout":
                break
        if best is not None:
            self._found[port] = Endpoint(port, best[0])
            self._last = f"port {port} answers with {best[1]}"
            if best[1] < 500:
                self._answering.add(port)
        elif known is None:
            self._not_http(port)

    def _not_http(self, port: int) -> None:
        """Only a port that twice accepts and does not speak HTTP is no HTTP port: an app may just
        be starting."""
        self._silent[port] = self._silent.get(port, 0) + 1
        if self._silent[port] >= 2 and self._accepts(port):
            self._found[port] = Endpoint(port, "tcp")
            self._answering.add(port)

    def _ask(self, page: Page, deadline: float) -> HttpAnswer | NoAnswer:
        from probes.http.client import Request

        patience = HANDSHAKE if page.scheme == "https" else MUTE / 2
        left = max(0.5, min(patience, deadline - self.clock.now()))
        answer = self.session.send(Request(page, timeout=left))
        return answer if isinstance(answer, HttpAnswer | NoAnswer) else NoAnswer("not HTTP")

    def _check_published(self) -> None:
        """Ask for ports to be published where the app listens, but on none that can be reached.

        Raises:
            NeedsPorts
        """
        missing = [port for port in self.wanted.ports if self.target.address(port) is None]
        if missing:
            raise NeedsPorts(missing, log=self.target.log_tail())
        hidden = [port for port in self._listening() if self.target.address(port) is None]
        if not hidden or self._found or self.wanted.ports or not self._reachable_matters():
            self._unpublished_since = None
            return
        now = self.clock.now()
        if self._unpublished_since is None:
            self._unpublished_since = now
        if now - self._unpublished_since >= (self._patience() if self.wanted.exposed else 2 * HOLD):
            raise NeedsPorts(hidden, log=self.target.log_tail())

    def _reachable_matters(self) -> bool:
        return (
            self.wanted.listens or bool(self.wanted.exposed) or self.wanted.ready.path is not None
        )

    def _after_deadline(self) -> tuple[Endpoint, ...]:
        """What there is counts, if nothing particular was waited for; errors are judged by what
        follows."""
        ready = self.wanted.ready
        if self._commanded or (self._found and ready.path is None and ready.argv is None):
            self._warn()
            return self.endpoints
        hidden = [port for port in self._listening() if self.target.address(port) is None]
        if hidden and not self._found and ready.argv is None:
            raise NeedsPorts(hidden, log=self.target.log_tail())
        raise NeverReady(self._why_not(), hint=self._what_to_do(), log=self.target.log_tail())

    def _why_not(self) -> str:
        seconds = f"{self.wanted.ready.timeout:g} s"
        if self.wanted.ready.argv is not None or self._found:
            return f"The app was not ready after {seconds}: {self._last or 'no answer'}."
        known = self.target.listeners()
        places = sorted(
            f"{item.address}:{item.port}" for item in known or () if item.protocol == "tcp"
        )
        if places and self._on_loopback():
            return (
                f"The app listens only on {', '.join(places)} inside its container,"
                " which nothing outside can reach."
            )
        if places:
            wanted = ", ".join(map(str, self.wanted.named))
            asked = f" on port {wanted}" if wanted else ""
            heard = f"The app listens on {', '.join(places)}"
            return f"{heard}, but did not answer{asked} in {seconds}."
        if known:
            return "The app listens on UDP only, which has no probe of its own."
        ports = ", ".join(map(str, self.wanted.named)) or "any port"
        return f"Nothing listened on {ports} within {seconds}."

    def _what_to_do(self) -> str:
        if self.wanted.ready.argv is not None or self._found:
            return "Give it more time (--ready-timeout), or say otherwise when it is ready."
        if self._on_loopback():
            return "Let it listen on 0.0.0.0, or probe it with commands in its container (--exec)."
        return "Name the port to probe (--port), or give it more time (--ready-timeout)."

    def _on_loopback(self) -> bool:
        known = self.target.listeners()
        return bool(known) and all(_is_loopback(item.address) for item in known or ())

    def _warn(self) -> None:
        """Say which ports were left out of the probes."""
        for port in self.wanted.named:
            if port not in self._found:
                text = f"port {port} was to be probed, but nothing answers there"
                self.warnings.append(TraceWarning("port-silent", text))
        for port in sorted(self._listening()):
            if self.target.address(port) is None:
                text = (
                    f"the app also listens on port {port}, which was not published and not probed"
                )
                self.warnings.append(TraceWarning("port-unpublished", text))
        for port in sorted(self._found.keys() - self._answering):
            text = f"port {port} answered with errors only while the app started"
            self.warnings.append(TraceWarning("port-errors", text))


def holds(address: tuple[str, int], hold: float = HOLD) -> bool:
    """Whether a connection is accepted and then kept, or something is said on it (seconds)."""
    try:
        with socket.create_connection(address, timeout=2.0) as connection:
            connection.settimeout(hold)
            try:
                return bool(connection.recv(1))
            except TimeoutError:
                return True
    except OSError:
        return False


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address.partition("%")[0]).is_loopback
    except ValueError:
        return False
