"""What a rule looks at, and the table that a file of rules has."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from slimpy.lint import shell
from slimpy.lint.context import Context
from slimpy.lint.finding import Finding
from slimpy.lint.runs import Run, code_of
from slimpy.lint.shell import Script
from slimpy.lint.source import Text
from slimpy.lint.stages import Recipe, Stage, Step
from slimpy.lint.words import plain, split


@dataclass(frozen=True, slots=True)
class Subject:
    """A Dockerfile understood, its RUN instructions read, and its context, if one was looked at.

    ``shipped`` are the indices of the stages whose layers are in the image.
    """

    recipe: Recipe
    runs: tuple[Run, ...]
    context: Context | None = None
    shipped: frozenset[int] = frozenset()

    @property
    def escape(self) -> str:
        """The file's escape character."""
        return self.recipe.file.escape

    def ships(self, stage: Stage) -> bool:
        """Whether the layers of a stage are in the image."""
        return stage.index in self.shipped

    def steps(self) -> Iterator[Step]:
        """The instructions of all stages."""
        return (step for stage in self.recipe.stages for step in stage.steps)

    def words(self, step: Step) -> tuple[str, ...]:
        """The arguments of COPY, ADD, EXPOSE and the like, variables filled in where known."""
        item = step.instruction
        if item.words is not None:
            return item.words
        raw = [word.text for word in split(item.rest.value, self.escape)]
        known = (plain(text, self.escape, step.values) for text in raw)
        return tuple(
            text if value is None else value for text, value in zip(raw, known, strict=True)
        )

    def copies(self, stage: Stage) -> Iterator[tuple[Step, tuple[str, ...], str]]:
        """COPY and ADD out of the context: the step, its sources, its destination."""
        for step in stage.of("COPY", "ADD"):
            words = self.words(step)
            if step.instruction.flag("from") is None and len(words) > 1:
                sources = (word for word in words[:-1] if not word.startswith("<<"))
                yield step, tuple(sources), words[-1]

    def started(self) -> Script:
        """The code that a container starts with, and that of the script it names, if the context
        has that.
        """
        found = []
        for keyword in ("ENTRYPOINT", "CMD"):
            step = self.recipe.last(keyword)
            if step is not None:
                item = step.instruction
                found.append(code_of(item.words, item.rest, step.shell))
        script = self.start_script()
        if script is not None:
            found.append(script[1])
        return Script(tuple(command for each in found for command in each.commands))

    def start_script(self) -> tuple[str, Script] | None:
        """The script that a container starts with, by its path in the context."""
        for path in started_paths(self.recipe):
            data = self.context.scripts.get(path) if self.context else None
            if data is not None and _is_shell(path, data):
                return path, shell.parse(Text(data.decode("utf-8", "replace")))
        return None


Check = Callable[[Subject], Iterator[Finding]]


def started_paths(recipe: Recipe) -> tuple[str, ...]:
    """Paths of the context that may be the script which a container starts with."""
    found: list[str] = []
    subject = Subject(recipe, ())
    for name in _started_names(recipe):
        base = posixpath.basename(name)
        for stage in reversed(recipe.shipped):
            for _, sources, target in subject.copies(stage):
                found.extend(_candidates(name, base, sources, target))
    return tuple(dict.fromkeys(posixpath.normpath(path.lstrip("/")) for path in found))[:50]


def _started_names(recipe: Recipe) -> Iterator[str]:
    for keyword in ("ENTRYPOINT", "CMD"):
        step = recipe.last(keyword)
        words = step.instruction.words if step else None
        if step and words is None:
            words = tuple(word.text for word in split(step.instruction.rest.value, "\\"))[:3]
        yield from (word for word in (words or ())[:4] if word and not word.startswith("-"))


def _candidates(name: str, base: str, sources: tuple[str, ...], target: str) -> Iterator[str]:
    for source in sources:
        if posixpath.basename(source) == base or (
            len(sources) == 1 and posixpath.basename(target) == base
        ):
            yield source
        else:
            yield posixpath.join(source, base)
            inside = name.removeprefix(target.rstrip("/") + "/")
            if target.startswith("/") and inside != name:
                yield posixpath.join(source, inside)


def _is_shell(path: str, data: bytes) -> bool:
    first = data.partition(b"\n")[0]
    if not first.startswith(b"#!"):
        return path.endswith((".sh", ".bash"))
    words = first[2:].split()[:2]
    return any(word.rpartition(b"/")[2] in (b"sh", b"bash", b"dash", b"ash") for word in words)
