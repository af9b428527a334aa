"""How long a container takes from nothing to its end, on the embedded engine and on Docker.

The program in it does nothing. Both engines are asked through the same contract; `docker run`
stands beside them as what people know. Images are in the stores, and workspaces are open, before.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.outcome import Outcome, Table, Target
from benchmarks.program import run, sample_image
from benchmarks.rounds import Settings, interleaved, median
from slimpy.engine.docker import DockerEngine
from slimpy.engine.embedded import namespaces
from slimpy.engine.embedded.engine import EmbeddedEngine
from slimpy.engine.embedded.runs import remove
from slimpy.engine.embedded.store import LayerStore
from slimpy.engine.protocol import RunSpec, Workspace

SAMPLE = "bash-healthcheck"
LIMIT = 1.0
"""Times what Docker takes by the same contract: without a daemon must not be slower."""
SECONDS = 60.0
_TRUE = ("/bin/true",)
_CLI, _DOCKER, _EMBEDDED = "docker run", "Docker", "embedded"


def measure(settings: Settings) -> Outcome:
    """Run a program that does nothing, plainly and traced."""
    name = sample_image(SAMPLE)
    with contextlib.ExitStack() as stack:
        docker = DockerEngine.connect()
        stack.callback(docker.close)
        image = docker.inspect(name, pull=False)
        users = namespaces.mapping()
        place = Path(tempfile.mkdtemp(prefix="slimpy-benchmark-", dir="/var/tmp"))
        stack.callback(remove, place, users)
        embedded = EmbeddedEngine(users, LayerStore(place, users))
        source = stack.enter_context(docker.export(image))
        began = time.monotonic()
        ours = stack.enter_context(embedded.import_image(source))
        imported = time.monotonic() - began
        theirs = stack.enter_context(docker.workspace(image))
        mine = stack.enter_context(embedded.workspace(ours))
        cases: dict[str, Callable[[], float]] = {_CLI: partial(_by_command, name)}
        for traced in (False, True):
            cases[_name(_DOCKER, traced)] = partial(_by_contract, theirs, traced)
            cases[_name(_EMBEDDED, traced)] = partial(_by_contract, mine, traced)
        found = interleaved(cases, settings.rounds(15, 5))
    plain = median(found[_name(_DOCKER, False)])
    rows = tuple(
        (what, 1000 * median(times), 1000 * min(times), median(times) / plain)
        for what, times in found.items()
    )
    columns = ("What", "Median ms", "Best ms", "Times Docker")
    ratio = median(found[_name(_EMBEDDED, False)]) / plain
    return Outcome(
        (Table(f"A container of {name} that runs true", columns, rows),),
        (Target("embedded engine by Docker", ratio, LIMIT, "times"),),
        (f"users: {users.kind}", f"the image's layers came from Docker in {imported:.1f} s"),
    )


def _name(engine: str, traced: bool) -> str:
    return f"{engine}, traced" if traced else engine


def _by_contract(workspace: Workspace, traced: bool) -> float:
    """Seconds from nothing to nothing: made, started, ended, removed."""
    began = time.monotonic()
    spec = RunSpec(traced=traced, entrypoint=_TRUE, command=())
    with workspace.run(spec) as container:
        container.start()
        code = container.wait(SECONDS)
    if code != 0:
        raise RuntimeError(f"true ended with exit code {code}")
    return time.monotonic() - began


def _by_command(image: str) -> float:
    argv = ("docker", "run", "--rm", "--network=none", "--entrypoint", *_TRUE, image)
    done = run(argv, timeout=SECONDS)
    if done.code:
        raise RuntimeError(f"docker run failed: {done.errors.decode()}")
    return done.seconds
