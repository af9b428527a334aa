"""A summary in Markdown, for the comment of a pull request. Names out of an image are quoted."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from slimpy.image.tree import Tree
from slimpy.model import FileType, ImagePath, KeepSet, display
from slimpy.report.schema import Report
from slimpy.report.tables import removed_entries
from slimpy.report.text import size_text

FILE = "summary.md"
MOST_LINES = 10
LONGEST = 160
"""Characters of a quoted text."""


def removed_packages(
    keep: KeepSet, tree: Tree, owners: Mapping[ImagePath, str]
) -> tuple[tuple[str, int], ...]:
    """Packages with the bytes of their removed files, the heaviest first; hard links count once."""
    sizes: Counter[str] = Counter()
    seen: set[int] = set()
    for entry in removed_entries(tree, keep):
        owner = owners.get(entry.path, "")
        if not owner or entry.type is not FileType.FILE or entry.inode in seen:
            continue
        sizes[owner] += entry.size
        if entry.inode:
            seen.add(entry.inode)
    return tuple(sorted(sizes.items(), key=lambda item: (-item[1], item[0])))


def of_report(report: Report, packages: Sequence[tuple[str, int]] = ()) -> str:
    """The summary, ending in a newline; ``packages`` are removed ones with their bytes."""
    return "\n".join(_lines(report, packages)) + "\n"


def code(text: str) -> str:
    """Text as a code span: nothing in it is markup, a link or a mention (GFM, sections 4.10, 6.3).

    It has one line, is shortened, and may stand in a table.
    """
    shown = display(text)
    shown = shown if len(shown) <= LONGEST else f"{shown[: LONGEST - 3]}..."
    longest = max((len(run) for run in re.findall("`+", shown)), default=0)
    fence = "`" * (longest + 1)
    space = " " if longest or not shown.strip() or shown[0] == " " == shown[-1] else ""
    # A table ends its cells before it looks at code; the backslash is for it alone.
    return f"{fence}{space}{shown or ' '}{space}{fence}".replace("|", "\\|")


def _lines(report: Report, packages: Sequence[tuple[str, int]]) -> Iterator[str]:
    mark = "✅" if report.slimmed else "❌"
    outcome = "is slim" if report.slimmed else "was not slimmed"
    yield f"### {mark} {code(report.image.reference or report.image.id)} {outcome}"
    yield ""
    yield "| | original | slim |"
    yield "| --- | ---: | ---: |"
    yield from _sizes(report)
    yield ""
    if not report.slimmed:
        yield f"**{code(report.status)}**"
        yield ""
        yield from _differences(report)
    yield from _hardening(report)
    yield from _removed(packages)
    yield from _not_reached(report)
    yield from _warnings(report)


def _sizes(report: Report) -> Iterator[str]:
    slim = size_text(report.slim.size) if report.slim else "none"
    factor = f" ({report.factor:.1f} times smaller)" if report.factor else ""
    total = len(report.exchanges)
    same = sum(item.verdict == "same" for item in report.exchanges)
    files = report.kept.files + report.removed.files
    yield f"| size | {size_text(report.image.size)} | {slim}{factor} |"
    yield f"| files | {files:,} | {report.kept.files:,} |"
    yield f"| probes answered | {total} | {same} alike |"


def _differences(report: Report) -> Iterator[str]:
    lines = [
        f"- {code(item.name)}: {code('; '.join(item.differences) or item.slim or 'no answer')}"
        for item in report.exchanges
        if item.verdict not in ("same", "unknown")
    ]
    lines += [f"- cause: {code(cause)}" for cause in report.causes]
    yield from _first(lines)
    if lines:
        yield ""


def _hardening(report: Report) -> Iterator[str]:
    hardening, seccomp = report.hardening, report.seccomp
    root = "read-only root" if hardening.read_only else "writable root"
    kept = ", ".join(map(code, hardening.capabilities)) or "no capabilities"
    privileges = "no-new-privileges" if hardening.no_new_privileges else "may gain privileges"
    blocked = f"{len(seccomp.still_blocked)} of {seccomp.dangerous} dangerous ones blocked"
    yield "**Hardening**"
    yield ""
    yield f"- user {code(report.account.user or 'root')}, {kept}, {privileges}, {root}"
    yield f"- {len(seccomp.allowed)} system calls allowed, {blocked}"
    yield from _first([f"- {code(line)}" for line in (*hardening.widened, *hardening.shortfalls)])
    yield ""


def _removed(packages: Sequence[tuple[str, int]]) -> Iterator[str]:
    if not packages:
        return
    yield f"<details><summary>Heaviest removed packages, of {len(packages):,}</summary>"
    yield ""
    yield "| package | removed |"
    yield "| --- | ---: |"
    for name, size in packages[:MOST_LINES]:
        yield f"| {code(name)} | {size_text(size)} |"
    yield ""
    yield "</details>"
    yield ""


def _not_reached(report: Report) -> Iterator[str]:
    routes = report.coverage.routes if report.coverage else ()
    code_idle = (
        [share for share in report.coverage.code if share.own_idle] if report.coverage else []
    )
    if not routes and not code_idle:
        return
    yield "**Not reached by the probes**"
    yield ""
    yield from _first(
        [
            *(f"- {code(f'{route.method} {route.path}')}" for route in routes),
            *(f"- {share.own_idle} of the app's own {share.language} files" for share in code_idle),
        ]
    )
    yield ""


def _warnings(report: Report) -> Iterator[str]:
    if report.warnings:
        yield "**Warnings**"
        yield ""
        yield from _first([f"- {code(warning.text)}" for warning in report.warnings])
        yield ""


def _first(lines: list[str]) -> Iterator[str]:
    yield from lines[:MOST_LINES]
    if len(lines) > MOST_LINES:
        yield f"- and {len(lines) - MOST_LINES:,} more, see the report"
