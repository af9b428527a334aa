"""A Dockerfile understood: its stages, and what is known at each of their instructions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from slimpy.lint.dockerfile import Dockerfile, Instruction
from slimpy.lint.words import Values, names, pairs, plain, split

_SHELL = ("/bin/sh", "-c")
_PREDEFINED = frozenset(
    {
        *("TARGETPLATFORM", "TARGETOS", "TARGETARCH", "TARGETVARIANT"),
        *("BUILDPLATFORM", "BUILDOS", "BUILDARCH", "BUILDVARIANT"),
    }
)
"""Arguments that a build sets by itself."""

MOST_VARIABLES = 200
"""Variables of a stage that are followed; others count as not known."""


@dataclass(frozen=True, slots=True)
class Base:
    """What a stage starts from: as it is written, its name with variables filled in (None where
    that is not known), and the index of the stage that has that name.

    ``empty`` are variables in it that no ARG before it declares.
    """

    written: str
    name: str | None
    stage: int | None = None
    empty: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """An instruction of a stage, and what is known where it stands: all variables, those that
    stay in the image, the shell, and the working directory (None: it is the base's).
    """

    instruction: Instruction
    values: Values
    environment: Values
    shell: tuple[str, ...]
    workdir: str | None

    @property
    def line(self) -> int:
        """The instruction's first line."""
        return self.instruction.line


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage: the instruction FROM and what follows it. ``name`` is in small letters."""

    index: int
    name: str
    base: Base
    start: Instruction
    steps: tuple[Step, ...]

    def of(self, *keywords: str) -> Iterator[Step]:
        """Its steps with one of these keywords, in order."""
        return (step for step in self.steps if step.instruction.keyword in keywords)


@dataclass(frozen=True, slots=True)
class Recipe:
    """All stages of a Dockerfile; ``before`` are the instructions in front of the first FROM.

    ``shipped`` are the stages whose layers are in the image, the first of them first.
    """

    file: Dockerfile
    before: tuple[Instruction, ...]
    stages: tuple[Stage, ...]
    shipped: tuple[Stage, ...]

    def last(self, keyword: str) -> Step | None:
        """The last instruction of a kind in the image, which is the one that counts."""
        steps = [step for stage in self.shipped for step in stage.of(keyword)]
        return steps[-1] if steps else None

    def stage_named(self, name: str, before: int) -> int | None:
        """The index of the stage that a name or number means in the stage ``before``."""
        for stage in reversed(self.stages[:before]):
            if stage.name and stage.name == name.lower():
                return stage.index
        return int(name) if name.isascii() and name.isdecimal() and int(name[:9]) < before else None


def understand(file: Dockerfile) -> Recipe:
    """Divide a Dockerfile into its stages."""
    starts = [at for at, item in enumerate(file.instructions) if item.keyword == "FROM"]
    before = file.instructions[: starts[0] if starts else None]
    globals_ = _globals(before, file.escape)
    stages: list[Stage] = []
    for index, start in enumerate(starts):
        end = starts[index + 1] if index + 1 < len(starts) else None
        body = file.instructions[start + 1 : end]
        stages.append(_stage(index, file.instructions[start], body, globals_, stages, file.escape))
    return Recipe(file, before, tuple(stages), _shipped(stages))


def _shipped(stages: list[Stage]) -> tuple[Stage, ...]:
    chain = stages[-1:]
    while chain and chain[-1].base.stage is not None:
        chain.append(stages[chain[-1].base.stage])
    return tuple(reversed(chain))


def _globals(before: tuple[Instruction, ...], escape: str) -> Mapping[str, str | None]:
    values: dict[str, str | None] = dict.fromkeys(_PREDEFINED)
    for item in before:
        if item.keyword == "ARG":
            for name, raw, _ in pairs(item.rest.value, escape):
                has_default = "=" in item.rest.value
                values[name] = plain(raw, escape, values) if has_default else None
    return values


def _stage(
    index: int,
    start: Instruction,
    body: tuple[Instruction, ...],
    globals_: Values,
    earlier: list[Stage],
    escape: str,
) -> Stage:
    raw = [word.text for word in split(start.rest.value, escape)]
    named = len(raw) >= 3 and raw[1].upper() == "AS"
    base = _base(raw[0] if raw else "", globals_, earlier, escape)
    state = _State(globals_, escape, earlier[base.stage] if base.stage is not None else None)
    steps = tuple(state.step(item) for item in body)
    return Stage(index, raw[2].lower() if named else "", base, start, steps)


def _base(written: str, globals_: Values, earlier: list[Stage], escape: str) -> Base:
    empty = tuple(name for name in names(written) if name not in globals_)
    name = plain(written, escape, globals_)
    if name is None:
        return Base(
            written, None, None, tuple(name for name in empty if f"${{{name}:" not in written)
        )
    stage = next((item.index for item in reversed(earlier) if item.name == name.lower()), None)
    return Base(written, name, stage if name else None)


class _State:
    """What is known while the instructions of a stage are gone through."""

    def __init__(self, globals_: Values, escape: str, base: Stage | None) -> None:
        self.globals = globals_
        self.escape = escape
        last = base.steps[-1] if base and base.steps else None
        after = _After(last, escape) if last else None
        self.environment: dict[str, str | None] = dict(after.environment) if after else {}
        self.values: dict[str, str | None] = dict(self.environment)
        self.shell: tuple[str, ...] = after.shell if after else _SHELL
        self.workdir: str | None = after.workdir if after else None

    def step(self, item: Instruction) -> Step:
        """The instruction with what is known before it; then take in what it says itself."""
        step = Step(item, self.values, self.environment, self.shell, self.workdir)
        self.take(item)
        return step

    def take(self, item: Instruction) -> None:
        """Learn what an instruction sets."""
        match item.keyword:
            case "ENV":
                found = {
                    name: plain(raw, self.escape, self.values)
                    for name, raw, _ in pairs(item.rest.value, self.escape)
                }
                self.environment = _bounded({**self.environment, **found})
                self.values = _bounded({**self.values, **found})
            case "ARG":
                self.values = _bounded({**self.values, **self._arguments(item)})
            case "SHELL":
                self.shell = item.words or self.shell
            case "WORKDIR":
                path = plain(item.rest.value, self.escape, self.values)
                self.workdir = path or item.rest.value

    def _arguments(self, item: Instruction) -> dict[str, str | None]:
        found: dict[str, str | None] = {}
        for name, raw, offset in pairs(item.rest.value, self.escape):
            if name in self.environment:
                continue  # ENV has the last word
            has_default = item.rest.value[offset + len(name) :].startswith("=")
            default = plain(raw, self.escape, self.values) if has_default else None
            found[name] = default if has_default else self.globals.get(name)
        return found


def _bounded(values: dict[str, str | None]) -> dict[str, str | None]:
    return dict(list(values.items())[:MOST_VARIABLES]) if len(values) > MOST_VARIABLES else values


class _After(_State):
    """What is known behind a step."""

    def __init__(self, step: Step, escape: str) -> None:
        self.globals: Values = {}
        self.escape = escape
        self.environment = dict(step.environment)
        self.values = dict(step.environment)
        self.shell, self.workdir = step.shell, step.workdir
        self.take(step.instruction)
