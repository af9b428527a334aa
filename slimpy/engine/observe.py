"""Run an image on an engine under a plan of probes, and return what was seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from probes.commands import run_exchange
from probes.errors import NeedsPorts, ProbeError
from probes.exercise import Exercised, exercise
from probes.files.recorder import merge
from probes.model import Activity, CommandAnswer, Exchange, NoAnswer, Plan, RunCall, TraceWarning
from slimpy.engine.protocol import Confinement, Container, RunSpec, Workspace
from slimpy.model import Image

KILLED = 137
"""Exit code of a process that had to be killed (128 + SIGKILL)."""


@dataclass(frozen=True, slots=True)
class Observation:
    """What one image did under a plan; ``identities`` are (uid, gid) of its processes while it was
    probed.
    """

    exchanges: tuple[Exchange, ...] = ()
    ports: tuple[int, ...] = ()
    activity: Activity = field(default_factory=Activity)
    identities: tuple[tuple[int, int], ...] = ()
    warnings: tuple[TraceWarning, ...] = ()
    log: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Observer:
    """How to observe: traced or not, as whom, under which profile; the same plan serves the fat
    and the slim image.
    """

    workspace: Workspace
    plan: Plan
    traced: bool
    user: str | None = None
    confinement: Confinement = field(default_factory=Confinement)
    replay: tuple[Exchange, ...] | None = None
    ports: tuple[int, ...] = ()
    tell: Callable[[str], None] = lambda _: None
    accompany: Callable[[Mapping[int, tuple[str, int]]], None] | None = None

    def observe(self, image: Image) -> Observation:
        """Serve and run as the plan says.

        Raises:
            probes.errors.ProbeError: the app did not behave; carries its last log lines.
            SlimError: the engine failed.
        """
        seen: list[Observation] = []
        if _serves(self.plan):
            seen.append(self._serve(image))
        seen.extend(self._run(image, call) for call in _named_apart(self.plan.runs))
        return _merged(seen)

    def _spec(self) -> RunSpec:
        return RunSpec(
            traced=self.traced,
            user=self.user,
            confinement=self.confinement,
            environment=self.plan.environment,
            network=self.plan.network,
        )

    def _serve(self, image: Image) -> Observation:
        """Serve once; once more where the app turned out to listen on ports that were not
        published.
        """
        ports = tuple(sorted({*self.ports, *self.plan.ports, *image.exposed}))
        try:
            return self._serve_on(image, ports)
        except NeedsPorts as found:
            names = ", ".join(map(str, found.ports))
            self.tell(f"listens on {names}, not in EXPOSE: starting it again, published")
            return self._serve_on(image, tuple(sorted({*ports, *found.ports})))

    def _serve_on(self, image: Image, ports: Sequence[int]) -> Observation:
        spec = replace(self._spec(), ports=tuple(ports), command=self.plan.command)
        with self.workspace.run(spec, image) as container:
            container.start()
            done = self._exercise(container, image, ports)
            self._be_accompanied(container, (*ports, *done.ports))
            identities = container.identities()
            exchanges = (*done.exchanges, *self._stop(container))
            return Observation(
                exchanges=exchanges,
                ports=done.ports,
                activity=container.activity(),
                identities=identities,
                warnings=tuple(done.warnings),
                log=container.log_tail(),
            )

    def _be_accompanied(self, container: Container, ports: Sequence[int]) -> None:
        """Let the user's own command use the app, beside our probes."""
        if self.accompany is not None:
            container.mark("host command")
            found = {port: container.address(port) for port in ports}
            self.accompany({port: address for port, address in found.items() if address})

    def _exercise(self, container: Container, image: Image, ports: Sequence[int]) -> Exercised:
        """Drive the probes; where they fail, what was traced until then goes with the error."""
        health = image.healthcheck.argv if image.healthcheck else None
        try:
            return exercise(
                container, self.plan, exposed=tuple(ports), healthcheck=health, replay=self.replay
            )
        except ProbeError as error:
            container.stop(self.plan.stop_timeout)
            error.activity = container.activity()
            raise

    def _stop(self, container: Container) -> tuple[Exchange, ...]:
        """A graceful stop is an exchange too, unless the app had to be killed (then only time
        decides).
        """
        container.mark("stop")
        code = container.stop(self.plan.stop_timeout)
        if code is None or code == KILLED:
            return ()
        return (Exchange("stop", "stop", CommandAnswer(code, b"", b"")),)

    def _run(self, image: Image, call: RunCall) -> Observation:
        spec = replace(
            self._spec(),
            entrypoint=call.entrypoint,
            command=call.args or (None if call.entrypoint is None else ()),
            environment={**self.plan.environment, **call.environment},
            stdin=call.stdin or None,
            files=call.files_in,
        )
        if call.files_in or call.files_out:
            # An engine hands files only to and from a root file system that is writable.
            spec = replace(spec, confinement=replace(spec.confinement, read_only=False, tmpfs={}))
        with self.workspace.run(spec, image) as container:
            container.mark(call.name)
            container.start()
            code = container.wait(call.timeout)
            if code is None:
                container.stop(1.0)
                exchange = Exchange(
                    call.name, "run", NoAnswer(f"it did not end within {call.timeout:.0f} s")
                )
            else:
                files = tuple((path, container.read_file(path)) for path in call.files_out)
                exchange = run_exchange(call, CommandAnswer(code, *container.output(), files))
            return Observation(
                exchanges=(exchange,),
                activity=container.activity(),
                log=container.log_tail(),
            )


def _serves(plan: Plan) -> bool:
    """Whether the app is to be started as a service: always, unless only command-line runs were
    asked for.
    """
    if not plan.runs:
        return True
    return bool(plan.http or plan.commands or plan.ports or plan.ready.path or plan.ready.argv)


def _named_apart(calls: Sequence[RunCall]) -> Iterator[RunCall]:
    """The calls with names that differ: fat and slim answers are paired by them."""
    count: dict[str, int] = {}
    for call in calls:
        count[call.name] = number = count.get(call.name, 0) + 1
        yield call if number == 1 else replace(call, name=f"{call.name} ({number})")


def _merged(seen: Sequence[Observation]) -> Observation:
    return Observation(
        exchanges=tuple(item for part in seen for item in part.exchanges),
        ports=tuple(dict.fromkeys(port for part in seen for port in part.ports)),
        activity=merge(part.activity for part in seen),
        identities=tuple(item for part in seen for item in part.identities),
        warnings=tuple(item for part in seen for item in part.warnings),
        log=tuple(line for part in seen for line in part.log)[-20:],
    )
