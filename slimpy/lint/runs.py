"""The instructions RUN, with their shell code read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from slimpy.lint import shell
from slimpy.lint.shell import Command, Script
from slimpy.lint.source import Text, joined
from slimpy.lint.stages import Recipe, Stage, Step

_POSIX_SHELLS = frozenset({"sh", "bash", "dash", "ash", "zsh", "ksh", "busybox"})


@dataclass(frozen=True, slots=True)
class Run:
    """A RUN of a stage: its code, its mounts, and whether that code is a list of statements in a
    here-document. ``shell`` is False where no shell reads it.
    """

    step: Step
    stage: Stage
    script: Script
    mounts: tuple[Mapping[str, str], ...]
    shell: bool = True

    @property
    def line(self) -> int:
        """The first line."""
        return self.step.line

    def caches(self, directory: str) -> bool:
        """Whether a mount keeps this directory, or one above it, out of the layer."""
        kept = (
            mount.get("target") or mount.get("dst") or mount.get("destination") or ""
            for mount in self.mounts
            if mount.get("type", "bind") in ("cache", "tmpfs")
        )
        return any(place and _within(directory, place) for place in kept)

    def named(self, *names: str) -> Iterator[Command]:
        """Its commands of these programs."""
        return self.script.named(*names)


def runs(recipe: Recipe) -> tuple[Run, ...]:
    """All of them, in order."""
    return tuple(_run(step, stage) for stage in recipe.stages for step in stage.of("RUN"))


def code_of(words: tuple[str, ...] | None, rest: Text, shell_words: tuple[str, ...]) -> Script:
    """The commands of CMD, ENTRYPOINT and HEALTHCHECK in either form."""
    if words is not None:
        return shell.direct(words, rest.line(0))
    return shell.parse(rest) if _is_posix(shell_words) else Script()


def _run(step: Step, stage: Stage) -> Run:
    item = step.instruction
    mounts = tuple(_mount(value) for name, value in item.flags if name == "mount")
    if item.words is not None:
        return Run(step, stage, shell.direct(item.words, item.line), mounts, shell=False)
    text = _code(step)
    if text is None or not _is_posix(step.shell):
        return Run(step, stage, Script(), mounts, shell=False)
    return Run(step, stage, shell.parse(text), mounts)


def _code(step: Step) -> Text | None:
    """The code that the shell gets; None if another interpreter gets it."""
    item = step.instruction
    if not item.heredocs:
        return item.rest
    first = item.heredocs[0]
    if (
        len(item.heredocs) == 1
        and item.rest.value.strip().lstrip("0123456789<-'\"").rstrip("'\"") == first.name
    ):
        if first.body.value.startswith("#!"):
            line = first.body.value.partition("\n")[0]
            program = line[2:].split()
            names = {word.rpartition("/")[2] for word in program[:2]}
            return first.body if names & _POSIX_SHELLS else None
        return first.body
    pieces = [(item.rest.value + "\n", item.line)]
    for heredoc in item.heredocs:
        pieces.append((heredoc.body.value, heredoc.body.line(0)))
        pieces.append((heredoc.name + "\n", item.end))
    whole = joined(pieces)
    # The first piece has lines of its own.
    return Text(whole.value, (*item.rest.marks, *whole.marks[1:]))


def _mount(value: str) -> Mapping[str, str]:
    parts = (part.partition("=") for part in value.split(","))
    return {name.strip().lower(): text.strip() for name, _, text in parts}


def _within(path: str, top: str) -> bool:
    top = "/" + top.strip("/")
    return path == top or path.startswith(f"{top.rstrip('/')}/")


def _is_posix(shell_words: tuple[str, ...]) -> bool:
    name = shell_words[0].rpartition("/")[2] if shell_words else ""
    return name in _POSIX_SHELLS
