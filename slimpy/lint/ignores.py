"""What a Dockerfile itself says is not to be told: `# slim-lint ignore=SL001,SL002`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from slimpy.lint.dockerfile import Dockerfile
from slimpy.lint.finding import Finding

_COMMENT = re.compile(r"slim-lint\s+(ignore|ignore-file)\s*=\s*([A-Za-z0-9 ,-]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Ignores:
    """Rules that are ignored in the whole file, and by line."""

    everywhere: frozenset[str]
    lines: Mapping[int, frozenset[str]]

    def hides(self, finding: Finding) -> bool:
        """Whether the finding is one of them; rules may be given by number or name."""
        wanted = {finding.rule.id.lower(), finding.rule.name}
        return bool(wanted & (self.everywhere | self.lines.get(finding.line, frozenset())))


def ignores(file: Dockerfile) -> Ignores:
    """Read the comments of a file. One counts for the instruction behind it, all of its lines; a
    comment within an instruction for that instruction.
    """
    everywhere: set[str] = set()
    waiting: dict[int, frozenset[str]] = {}
    for line, text in file.comments.items():
        found = _COMMENT.match(text)
        if found is None:
            continue
        rules = frozenset(part.strip().lower() for part in found[2].split(",") if part.strip())
        if found[1].lower() == "ignore-file":
            everywhere |= rules
        else:
            waiting[line] = rules
    return Ignores(frozenset(everywhere), _by_line(file, waiting) if waiting else {})


def known(names: Iterable[str], rules: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Those of the names that are no rule's number or name."""
    good = {form for number, name in rules for form in (number.lower(), name)}
    return tuple(name for name in names if name.lower() not in good)


def _by_line(file: Dockerfile, waiting: Mapping[int, frozenset[str]]) -> dict[int, frozenset[str]]:
    lines: dict[int, frozenset[str]] = {}
    comments = sorted(waiting)
    at = 0
    for item in file.instructions:
        rules: set[str] = set()
        while at < len(comments) and comments[at] <= item.end:
            rules |= waiting[comments[at]]
            at += 1
        if rules:
            lines.update(dict.fromkeys(range(item.line, item.end + 1), frozenset(rules)))
    return lines
