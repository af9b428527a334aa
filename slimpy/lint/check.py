"""Lints one Dockerfile: text in, findings out. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from slimpy.lint import dockerfile
from slimpy.lint.context import Context
from slimpy.lint.finding import EVERYTHING, Choice, Finding
from slimpy.lint.ignores import ignores
from slimpy.lint.rules import CHECKS
from slimpy.lint.runs import runs
from slimpy.lint.stages import Recipe, understand
from slimpy.lint.subject import Subject, started_paths

MOST_FINDINGS = 1000


def lint(
    text: str,
    choice: Choice = EVERYTHING,
    look: Callable[[Iterable[str]], Context | None] = lambda _paths: None,
) -> tuple[Finding, ...]:
    """What is to be said about a Dockerfile, by line.

    Args:
        look: gives the build context with the contents of the named scripts, None where there is
            none.
    """
    file = dockerfile.parse(text)
    recipe = understand(file)
    subject = _subject(recipe, look(started_paths(recipe)))
    hidden = ignores(file)
    found = {
        finding
        for check in CHECKS
        for finding in check(subject)
        if choice.tells(finding.rule) and not hidden.hides(finding)
    }
    order = sorted(found, key=lambda item: (item.line, item.rule.id, item.message))
    return tuple(order[:MOST_FINDINGS])


def _subject(recipe: Recipe, context: Context | None) -> Subject:
    shipped = frozenset(stage.index for stage in recipe.shipped)
    return Subject(recipe, runs(recipe), context, shipped)
