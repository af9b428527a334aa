"""The order of things done with a started app: wait, health check, the user's calls, crawl,
commands."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from probes.commands import command_exchange, exec_name
from probes.errors import OnlyErrors
from probes.http.ready import Clock, Endpoint, Readiness, Wanted
from probes.model import (
    Answer,
    CommandAnswer,
    Exchange,
    ExecCall,
    HttpAnswer,
    HttpCall,
    NoAnswer,
    Page,
    Plan,
    Target,
    TraceWarning,
)

if TYPE_CHECKING:
    from probes.http.client import HttpSession, Request

START_UP = "start-up"
"""What is under way until the app is ready."""

HEALTH_CHECK = "health check"
"""The name of the exchange with the image's own HEALTHCHECK."""

HEALTH_TIMEOUT = 30.0
"""Seconds that one health check may take: Docker's own default."""


@dataclass(frozen=True, slots=True)
class Exercised:
    """All that was asked of one started app; ``ports`` are those that answered."""

    exchanges: tuple[Exchange, ...]
    ports: tuple[int, ...]
    warnings: tuple[TraceWarning, ...] = ()


def exercise(
    target: Target,
    plan: Plan,
    *,
    exposed: Sequence[int],
    healthcheck: tuple[str, ...] | None,
    replay: Sequence[Exchange] | None = None,
    clock: Clock | None = None,
) -> Exercised:
    """Wait until the app is ready and ask everything of the plan.

    Args:
        exposed: the ports of the image's EXPOSE, or more.
        healthcheck: the image's own health check, as an argument list.
        replay: the exchanges of the original image's run: its crawled pages are asked for again,
        instead of crawling.

    Raises:
        AppExited, NeverReady, NeedsPorts: the app did not come up.
        OnlyErrors: it answers every HTTP request with an error that nobody expected (never with
        ``replay``: there
            the comparison decides).
    """
    from probes.http.client import HttpSession

    clock = clock or Clock()
    with HttpSession(target) as session:
        wanted = _wanted(plan, tuple(exposed), healthcheck)
        readiness = Readiness(target, session, wanted, clock)
        target.mark(START_UP)
        readiness.wait()
        run = _Run(target, session, plan, clock, readiness)
        if healthcheck:
            run.health_check(healthcheck)
            readiness.rescan()
        run.calls()
        if replay is not None:
            run.pages(item for item in replay if item.page is not None)
        elif plan.crawl.enabled:
            run.crawl()
        run.commands()
    if replay is None:
        _check_answers(run, target)
    ports = tuple(endpoint.port for endpoint in readiness.endpoints)
    return Exercised(tuple(run.exchanges), ports, tuple(readiness.warnings))


def _wanted(plan: Plan, exposed: tuple[int, ...], healthcheck: tuple[str, ...] | None) -> Wanted:
    return Wanted(
        ready=plan.ready,
        ports=plan.ports,
        exposed=exposed,
        path=plan.crawl.start,
        https=frozenset(call.port for call in plan.http if call.scheme == "https" and call.port),
        asks=bool(plan.http) or plan.crawl.enabled or plan.ready.path is not None,
        listens=bool(plan.http) or not (plan.commands or healthcheck or plan.ready.argv),
    )


def _check_answers(run: _Run, target: Target) -> None:
    """Raises OnlyErrors if no HTTP answer was below 500, and none of them is one that the user
    expected."""
    asked = [item for item in run.exchanges if item.kind == "http"]
    if not asked or run.ended():
        return
    if any(isinstance(item.answer, HttpAnswer) and item.answer.status < 500 for item in asked):
        return
    if any(name in run.expected_errors for name in (item.name for item in asked if not item.unmet)):
        return
    answers = {item.answer.status for item in asked if isinstance(item.answer, HttpAnswer)}
    if answers:
        seen = "/".join(map(str, sorted(answers)))
        message = f"The app answers with errors only: {len(asked)} requests, status {seen}."
    else:
        message = f"The app answered none of {len(asked)} HTTP requests."
    hint = "See that what it needs is there (--env), or name paths that work (--http)."
    raise OnlyErrors(message, hint=hint, log=target.log_tail())


@dataclass(slots=True)
class _Run:
    """The exchanges with one started app, as they come."""

    target: Target
    session: HttpSession
    plan: Plan
    clock: Clock
    readiness: Readiness
    exchanges: list[Exchange] = field(default_factory=list)
    expected_errors: set[str] = field(default_factory=set)
    _names: set[str] = field(default_factory=lambda: {START_UP, HEALTH_CHECK, "stop"})
    _call_names: tuple[str, ...] = ()
    _command_names: tuple[str, ...] = ()
    _values: dict[str, str | None] = field(default_factory=dict)
    _known: dict[Page, Exchange] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Names of planned probes depend on the plan alone: the same in every run."""
        several = len({call.port for call in self.plan.http if call.port}) > 1
        self._call_names = tuple(
            self._unique(call.name or _name(call.method, call.path, call.port if several else None))
            for call in self.plan.http
        )
        self._command_names = tuple(self._unique(exec_name(call)) for call in self.plan.commands)

    def _unique(self, name: str) -> str:
        number, out = 1, name
        while out in self._names:
            number += 1
            out = f"{name} ({number})"
        self._names.add(out)
        return out

    def ended(self) -> NoAnswer | None:
        """What every further probe gets once the app is gone."""
        code = self.target.exit_code()
        return None if code is None else NoAnswer(f"the app ended with exit code {code}", "ended")

    def health_check(self, argv: tuple[str, ...]) -> None:
        """Run the image's own health check until it succeeds or its time is over: apps warm up."""
        self.target.mark(HEALTH_CHECK)
        check = ExecCall(argv, timeout=HEALTH_TIMEOUT)
        began = self.clock.now()
        deadline = began + self.plan.ready.timeout
        pause = 0.1
        while True:
            answer = self.ended() or self._execute(check, HEALTH_CHECK)
            left = deadline - self.clock.now()
            if not isinstance(answer, CommandAnswer) or answer.exit_code == 0 or left <= 0:
                break
            self.clock.pause(min(pause, left))
            pause = min(pause * 1.5, 2.0)
        seconds = self.clock.now() - began
        self.exchanges.append(
            Exchange(HEALTH_CHECK, "healthcheck", answer, seconds=seconds, compare="status")
        )

    def _execute(self, call: ExecCall, name: str) -> Answer:
        """Run a command in the container; an app that ends meanwhile takes it along."""
        try:
            return self.target.execute(
                call.argv,
                stdin=call.stdin,
                user=call.user,
                environment=call.environment,
                timeout=call.timeout,
                during=name,
            )
        except TimeoutError:
            return NoAnswer(f"it did not end within {call.timeout:g} s", "timeout")
        except ConnectionError as error:
            return self.ended() or NoAnswer(str(error), "ended")

    def calls(self) -> None:
        """Send the user's HTTP calls in their order."""
        for call, name in zip(self.plan.http, self._call_names, strict=True):
            self._values |= dict.fromkeys(call.capture)
            self._call(call, name)

    def _call(self, call: HttpCall, name: str) -> None:
        from probes.http.calls import captures, is_plain, is_safe, request_of, unmet
        from probes.http.variables import NotCapturedError

        endpoint = self._endpoint(call)
        if endpoint is None:
            self._not_sent(call, name, "the app answers on no port")
            return
        scheme: Literal["http", "https"] = "https" if endpoint.speaks == "https" else "http"
        try:
            request = request_of(call, scheme, endpoint.port, self._values)
        except NotCapturedError as error:
            self._not_sent(call, name, str(error))
            return
        answer, again, seconds = self._send(name, request, twice=is_safe(call))
        values, sentences = captures(call, answer)
        self._values |= values
        exchange = Exchange(
            name=name,
            kind="http",
            answer=answer,
            again=again,
            unmet=(*unmet(call, answer), *sentences),
            seconds=seconds,
            compare=call.compare,
            captured=tuple((key, value) for key, value in values.items() if value is not None),
        )
        self._add_call(call, exchange)
        if is_plain(call):
            self._known.setdefault(request.page, exchange)

    def _not_sent(self, call: HttpCall, name: str, reason: str) -> None:
        from probes.http.calls import unmet

        self.target.mark(name)
        answer = self.ended() or NoAnswer(reason, "unasked")
        self._add_call(call, Exchange(name, "http", answer, unmet=unmet(call, answer)))

    def _add_call(self, call: HttpCall, exchange: Exchange) -> None:
        self.exchanges.append(exchange)
        if any(status >= 500 for status in call.expect.status):
            self.expected_errors.add(exchange.name)

    def _endpoint(self, call: HttpCall) -> Endpoint | None:
        """Where a call goes: its own port, else the first that speaks its scheme, HTTP at all, or
        anything."""
        found = self.readiness.endpoints
        if call.port is not None:
            speaks = next((item.speaks for item in found if item.port == call.port), "tcp")
            return Endpoint(call.port, "https" if "https" in (speaks, call.scheme) else "http")
        by_use = sorted(found, key=lambda item: (item.speaks == "tcp", item.speaks != call.scheme))
        return by_use[0] if by_use else None

    def _send(
        self, name: str, request: Request, *, twice: bool
    ) -> tuple[Answer, Answer | None, float]:
        """The answer, that to the same request again, and the seconds that the first took."""
        self.target.mark(name)
        gone = self.ended()
        if gone is not None:
            return gone, None, 0.0
        began = self.clock.now()
        answer = self.session.send(request)
        seconds = self.clock.now() - began
        if isinstance(answer, NoAnswer):
            return self.ended() or answer, None, seconds
        return answer, self.session.send(request) if twice else None, seconds

    def crawl(self) -> None:
        """Ask for the start page of every HTTP port, and follow its links."""
        from probes.http.crawl import crawl
        from probes.http.urls import absolute

        limits = self.plan.crawl
        found = [item for item in self.readiness.endpoints if item.speaks != "tcp"]
        for endpoint in found:
            scheme: Literal["http", "https"] = "https" if endpoint.speaks == "https" else "http"
            start = absolute(Page(scheme, endpoint.port, "/"), limits.start)
            if start is not None:
                crawl(start, limits, self._asker(several=len(found) > 1), self._known)

    def _asker(self, *, several: bool) -> Callable[[Page], Exchange]:
        def ask(page: Page) -> Exchange:
            name = self._unique(_name("GET", page.target, page.port if several else None))
            return self._page(name, page)

        return ask

    def _page(self, name: str, page: Page) -> Exchange:
        from probes.http.client import Request

        answer, again, seconds = self._send(name, Request(page), twice=True)
        exchange = Exchange(name, "http", answer, again=again, seconds=seconds, page=page)
        self.exchanges.append(exchange)
        return exchange

    def pages(self, exchanges: Iterable[Exchange]) -> None:
        """Ask again for the pages that were crawled in an earlier run, by the same names."""
        for item in exchanges:
            if item.page is not None:
                self._page(item.name, item.page)

    def commands(self) -> None:
        """Run the user's commands in the app's container."""
        for call, name in zip(self.plan.commands, self._command_names, strict=True):
            self.target.mark(name)
            began = self.clock.now()
            answer = self.ended() or self._execute(call, name)
            seconds = self.clock.now() - began
            self.exchanges.append(command_exchange(call, answer, name=name, seconds=seconds))


def _name(method: str, target: str, port: int | None) -> str:
    return f"{method} {target}" if port is None else f"{method} {target} on port {port}"
