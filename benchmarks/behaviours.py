"""Behaviours of a sample app that its probe file does not exercise, out of its ``survival.yaml``:

    version: 1
    behaviours:
      - name: the other theme
        environment: {THEME: dark}
        http: [GET /]

Each has a ``name`` and the keys of a probe file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from benchmarks.program import SAMPLES, environment
from probes import planfile
from probes.commands import exec_name
from probes.model import CrawlLimits, Plan, Ready

OWN_CONTAINER = frozenset({"environment", "command", "ready", "ports", "stop_timeout"})
"""Keys of a behaviour that asks for a container of its own."""


class UnfitError(Exception):
    """A behaviour cannot be measured: it does not even work on the fat image."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """Something that a user of the app may do; ``given`` are the keys that it has in its file.

    The names of its probes begin with its ``key``, so that each exchange finds its way back.
    """

    key: str
    name: str
    plan: Plan
    given: frozenset[str]

    @property
    def own(self) -> bool:
        """Whether it is observed in a container of its own."""
        return bool(self.plan.runs or OWN_CONTAINER & self.given)


def load(sample: str) -> tuple[Behaviour, ...]:
    """The behaviours of a sample's ``survival.yaml``; what one does not say (how to wait, ports,
    environment) is as in the probe file.

    Raises:
        UnfitError: the file is not of this form.
        probes.errors.PlanError: a probe in it has an error.
    """
    folder = SAMPLES / sample
    base = planfile.load(folder / "probe.yaml")
    base = replace(base, environment={**base.environment, **environment(sample)})
    path = folder / "survival.yaml"
    return tuple(
        _behaviour(number, entry, base, path)
        for number, entry in enumerate(_entries(path.read_text(encoding="utf-8"), path), 1)
    )


def _entries(text: str, path: Path) -> list[dict[str, yaml.Node]]:
    root = _mapping(yaml.compose(text, yaml.SafeLoader), path)
    version, behaviours = root.get("version"), root.get("behaviours")
    if root.keys() != {"version", "behaviours"} or getattr(version, "value", None) != "1":
        raise UnfitError(f"{path}: must have version: 1 and behaviours, and nothing else")
    if not isinstance(behaviours, yaml.SequenceNode):
        raise UnfitError(f"{path}: behaviours must be a list")
    return [_mapping(item, path) for item in behaviours.value]


def _mapping(node: yaml.Node | None, path: Path) -> dict[str, yaml.Node]:
    if not isinstance(node, yaml.MappingNode):
        raise UnfitError(f"{path}: must be a mapping")
    return {str(key.value): value for key, value in node.value}


def _behaviour(number: int, entry: dict[str, yaml.Node], base: Plan, path: Path) -> Behaviour:
    name = entry.pop("name", None)
    if not isinstance(name, yaml.ScalarNode) or not name.value:
        raise UnfitError(f"{path}: behaviour {number} has no name")
    # Nodes, not values, go to the parser of probe files: it sees the text as it was written.
    pairs = [(yaml.ScalarNode("tag:yaml.org,2002:str", key), node) for key, node in entry.items()]
    text = yaml.serialize(yaml.MappingNode("tag:yaml.org,2002:map", pairs))
    plan = planfile.parse(text, name=str(path), format="yaml")
    key = f"{number:02d}."
    serves = not plan.runs or bool(plan.http or plan.commands)
    ready = plan.ready if "ready" in entry else base.ready
    plan = replace(
        _named(key, plan),
        ready=ready if serves else Ready(),
        ports=(plan.ports or base.ports) if serves else (),
        environment={**base.environment, **plan.environment},
        command=plan.command or base.command,
        stop_timeout=plan.stop_timeout if "stop_timeout" in entry else base.stop_timeout,
        crawl=CrawlLimits(enabled=False),
    )
    return Behaviour(key, str(name.value), plan, frozenset(entry))


def _named(key: str, plan: Plan) -> Plan:
    """The plan with the behaviour's key before the name of every probe."""
    http = (replace(c, name=f"{key} {c.name or f'{c.method} {c.path}'}") for c in plan.http)
    commands = (replace(c, name=f"{key} {exec_name(c)}") for c in plan.commands)
    runs = (replace(c, name=f"{key} {c.name}") for c in plan.runs)
    return replace(plan, http=tuple(http), commands=tuple(commands), runs=tuple(runs))


def groups(behaviours: Sequence[Behaviour]) -> Iterator[tuple[Behaviour, ...]]:
    """Those that share one container, then each that wants its own."""
    shared = tuple(item for item in behaviours if not item.own)
    if shared:
        yield shared
    yield from ((item,) for item in behaviours if item.own)


def together(group: Sequence[Behaviour]) -> Plan:
    """One plan for all of a group."""
    first = group[0].plan
    return replace(
        first,
        http=tuple(call for item in group for call in item.plan.http),
        commands=tuple(call for item in group for call in item.plan.commands),
    )
