"""Why paths ship or do not, for many at a time, as a tree, and what would change it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from slimpy.image.globs import WILD, matches
from slimpy.image.tree import order
from slimpy.keep.policy import TABLE
from slimpy.keep.why import Chain, chains
from slimpy.model import ROOT, ImagePath, Level, Reason, Rule, display
from slimpy.report.keepfile import LoadedReport

if TYPE_CHECKING:
    from rich.console import RenderableType

SCHEMA = "slimpy-why"
VERSION = 1
"""Raised when a key changes its meaning or goes; a new key does not raise it."""

MOST_PATHS = 100_000
_LEVELS = {policy.rule: policy.level for policy in TABLE}
"""Rule -> the level of caution from which it applies; other rules apply at any level."""


@dataclass(frozen=True, slots=True)
class Why:
    """What a report says of one path.

    ``state`` is ``kept``, ``name-only``, ``removed`` or ``refused``; ``told`` says why in one line,
    ``advice`` what would change it.
    """

    path: ImagePath
    state: str
    told: str
    chains: tuple[Chain, ...]
    advice: tuple[str, ...]


def found(loaded: LoadedReport, path: str) -> tuple[ImagePath, ...]:
    """The paths of the original that are meant: that path, or all that a pattern matches.

    A pattern without a leading slash matches at any depth, as with --keep.

    Raises:
        ReportError: the report knows none.
    """
    known = loaded.find(path)
    if known is not None:
        return (known,)
    if not WILD & set(path):
        raise loaded.unknown(path)
    pattern = [part for part in path.split("/") if part]
    if not path.startswith("/"):
        pattern = ["**", *pattern]
    every = {*loaded.keep.reasons, *loaded.removed, *loaded.keep.refused}
    fitting = [each for each in every if each != ROOT and matches(pattern, each.split("/")[1:])]
    if not fitting:
        raise loaded.unknown(path)
    return tuple(sorted(fitting, key=order)[:MOST_PATHS])


def why(loaded: LoadedReport, path: ImagePath) -> Why:
    """All that is known of a path."""
    keep = loaded.keep
    if path in keep.refused:
        dropped = keep.refused[path].startswith("dropped by the user")
        advice = (
            "To keep it: leave out that --drop."
            if dropped
            else "Nothing brings it in: it cannot or must not ship.",
        )
        return Why(path, "refused", f"refused: {display(keep.refused[path])}", (), advice)
    if path in keep:
        reasons = keep.reasons[path]
        state = "name-only" if path in keep.placeholders else "kept"
        first = _reason(reasons[0]) if reasons else "no reason was noted"
        more = f" and {len(reasons) - 1:,} more" if len(reasons) > 1 else ""
        return Why(path, state, f"{first}{more}", chains(keep, path), tuple(_to_lose(loaded, path)))
    return Why(path, "removed", _removed(loaded, path), (), tuple(_to_gain(loaded, path)))


def lines(loaded: LoadedReport, path: ImagePath) -> tuple[str, ...]:
    """The chains of a path and what would change it, line by line."""
    return (*loaded.why(path), *why(loaded, path).advice)


def brief(item: Why) -> str:
    """One line of a list."""
    return f"{item.state:<9} {display(item.path)}  {item.told}"


def renderable(item: Why) -> RenderableType:
    """The chains of a path as a tree, for a rich console."""
    from rich.console import Group
    from rich.text import Text
    from rich.tree import Tree

    colour = {"kept": "green", "name-only": "green", "removed": "yellow"}.get(item.state, "red")
    top = Tree(Text.assemble((display(item.path), "bold"), " ", (item.state, colour)))
    if not item.chains:
        top.add(Text(item.told))
    for chain in item.chains:
        branch = top
        for depth, link in enumerate(chain):
            where = f"{display(link.path)}: " if depth else ""
            branch = branch.add(Text.assemble((where, "bold"), _reason(link.reason)))
    return Group(top, *(Text(line, style="cyan") for line in item.advice))


def encode(items: tuple[Why, ...]) -> str:
    """The JSON document, ending in a newline."""
    import msgspec

    from slimpy.report.tsv import escape

    document = {
        "schema": SCHEMA,
        "version": VERSION,
        "paths": [
            {
                "path": escape(item.path),
                "state": item.state,
                "told": item.told,
                "chains": [
                    [
                        {
                            "path": escape(link.path),
                            "rule": link.reason.rule.value,
                            "by": escape(link.reason.by),
                            "detail": display(link.reason.detail),
                        }
                        for link in chain
                    ]
                    for chain in item.chains
                ],
                "advice": list(item.advice),
            }
            for item in items
        ],
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"


def _reason(reason: Reason) -> str:
    by = f" ({display(reason.by)})" if reason.by and reason.rule in _LEVELS else ""
    detail = f": {display(reason.detail)}" if reason.detail else ""
    return f"{reason.rule.value}{detail}{by}"


def _removed(loaded: LoadedReport, path: ImagePath) -> str:
    item = loaded.removed[path]
    owner = f", of {display(item.package)}" if item.package else ""
    return f"{item.size:,} bytes{owner}: the run did not use it"


def _to_gain(loaded: LoadedReport, path: ImagePath) -> Iterator[str]:
    yield f"To bring it back: slim restore {_quoted(path)}"
    yield f"To keep it in every build: --keep {_quoted(path)}"
    package = loaded.removed[path].package
    if package:
        yield f"With its package: --keep-package {_quoted(package.split()[0])}"


def _to_lose(loaded: LoadedReport, path: ImagePath) -> Iterator[str]:
    """What would leave a kept path out, as far as its own reasons tell."""
    rules = {reason.rule for reason in loaded.keep.reasons[path]}
    if rules == {Rule.INCLUDE}:
        yield "It is kept because the build was told to: leave out that --keep option."
        return
    levels = [_LEVELS[rule] for rule in rules if rule in _LEVELS]
    if len(levels) == len(rules) and levels:
        lower = Level.BALANCED if all(level is Level.SAFE for level in levels) else Level.MINIMAL
        yield f"Only rules of the level ask for it: --level {lower} does not keep it."
    used = rules - _LEVELS.keys() - {Rule.INCLUDE}
    risk = " (the proof may then fail)" if used else ""
    yield f"To leave it out: --drop {_quoted(path)}{risk}"


def _quoted(text: str) -> str:
    """A word for a shell; patterns in it are taken for what they are by slimpy, too."""
    import shlex

    return shlex.quote(display(text))
