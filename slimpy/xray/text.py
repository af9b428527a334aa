"""The result for people: headings and rows, limited, as plain lines or on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TextIO

from slimpy.model import FileType, display
from slimpy.report.text import size_text
from slimpy.xray.facts import LayerFacts, XRay
from slimpy.xray.judge import Judgement
from slimpy.xray.stack import Change, Kind, Stack

Line = tuple[str, str]
"""A style (empty for none) and a text without line breaks."""

_LABEL = 14
_STYLES = {"high": "red", "medium": "yellow", "low": "dim"}
_SHORT = 3  # rows of lists of which the number matters more than the items


def lines(found: XRay, judgements: Sequence[Judgement] = (), top: int = 10) -> tuple[Line, ...]:
    """The whole text.

    Args:
        top: how many rows of each list; what more there is is counted.
    """
    parts = (
        _head(found),
        _layers(found.layers),
        _waste(found, top),
        _listed("left behind", _leftovers(found), top),
        _listed(
            f"same contents more than once, {size_text(found.duplicate_bytes)}",
            _duplicates(found),
            top,
            found.duplicate_contents,
        ),
        _biggest(found, top),
        _rights(found, top),
        _secrets(found, top),
        _software(found),
        _thresholds(judgements),
        [("yellow", f"warning: {text}") for text in found.warnings],
    )
    return tuple(line for part in parts for line in part)


def show(all_lines: Iterable[Line], *, colour: bool, file: TextIO | None = None) -> None:
    """Print lines, on standard output unless told otherwise."""
    out = file or sys.stdout
    if not colour:
        for _, text in all_lines:
            out.write(f"{text.rstrip()}\n")
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(file=out, force_terminal=True, highlight=False, soft_wrap=True)
    for style, text in all_lines:
        console.print(Text(text, style=style))


def layer_lines(found: XRay, stack: Stack, number: int) -> tuple[Line, ...]:
    """Every path that a layer (counted from 1) adds (+), changes (~) or removes (-)."""
    layer = found.layers[number - 1]
    head = f"layer {number}: {layer.instruction or '(the history does not say)'}"
    changes = sorted(stack.changes[number - 1], key=lambda change: change.path)
    return (("bold", head), *(_change(change) for change in changes))


def _change(change: Change) -> Line:
    style, sign = _SIGNS[change.kind]
    size = size_text(change.size) if change.size else ""
    note = " (same contents)" if change.same else ""
    slash = "/" if change.type is FileType.DIRECTORY else ""
    return style, f"{sign} {size:>9}  {display(change.path)}{slash}{note}"


_SIGNS = {Kind.ADDED: ("green", "+"), Kind.CHANGED: ("yellow", "~"), Kind.REMOVED: ("red", "-")}


def dockerfile(found: XRay) -> str:
    """The Dockerfile that the history speaks of."""
    return "".join(f"{text}\n" for text in found.dockerfile)


def _row(label: str, text: str, style: str = "") -> Line:
    return style, f"  {label:<{_LABEL}}{text}"


def _head(found: XRay) -> Iterator[Line]:
    yield "bold", f"{found.reference} ({found.platform}), {found.digest}"
    stored = f", {size_text(found.stored_bytes)} as stored"
    yield _row("size", f"{size_text(found.visible_bytes)} in {found.files:,} files{stored}")
    share = found.wasted_bytes / found.total_bytes if found.total_bytes else 0.0
    waste = f"{size_text(found.wasted_bytes)} wasted ({share:.1%})"
    yield _row("efficiency", f"{found.efficiency:.1%}, {waste}")
    yield _row("user", f"{found.user or 'not set'}{', that is root' if found.root else ''}")
    if found.created:
        yield _row("created", found.created)


def _layers(layers: Sequence[LayerFacts]) -> Iterator[Line]:
    yield from _heading(f"layers: {len(layers)}")
    for layer in layers:
        changes = f"+{layer.added:,} ~{layer.changed:,} -{layer.removed:,}"
        text = layer.instruction or "(the history does not say)"
        yield "", f"  {layer.number:>3} {size_text(layer.bytes):>9}  {changes:<22} {_cut(text, 66)}"


def _waste(found: XRay, top: int) -> Iterator[Line]:
    rows = [
        (size_text(item.bytes), f"{item.path} ({item.note})") for item in found.wasted
    ]  # fmt: skip
    yield from _listed("wasted: stored, but not to be seen", rows, top, found.wasted_paths)


def _leftovers(found: XRay) -> list[tuple[str, str]]:
    return [
        (size_text(item.size), f"{item.kind}, {item.files:,} files: {item.advice}")
        for item in found.leftovers
    ]


def _duplicates(found: XRay) -> list[tuple[str, str]]:
    return [
        (size_text(item.extra), f"{item.count} times {size_text(item.bytes)}: {_few(item.paths)}")
        for item in found.duplicates
    ]


def _biggest(found: XRay, top: int) -> Iterator[Line]:
    if found.biggest:
        yield from _heading("biggest files")
    for item in found.biggest[:top]:
        yield "", f"  {size_text(item.bytes):>9}  {item.path} ({item.note})"


def _rights(found: XRay, top: int) -> Iterator[Line]:
    kinds = (
        ("setuid", found.setuid),
        ("setgid", found.setgid),
        ("file capabilities", found.capabilities),
        ("writable by all", found.world_writable),
    )
    for name, items in kinds:
        yield from _listed(name, [("", f"{item.path} ({item.note})") for item in items], top)


def _secrets(found: XRay, top: int) -> Iterator[Line]:
    if not found.secrets:
        return
    counts = {weight: sum(item.weight == weight for item in found.secrets) for weight in _STYLES}
    said = ", ".join(f"{count:,} {weight}" for weight, count in counts.items() if count)
    yield from _heading(f"secrets: {said}")
    for item in found.secrets[:top]:
        place = f"{item.path}:{item.line}" if item.line else item.path
        text = f"  {item.weight:<7} {item.kind}: {place} ({item.where}): {item.masked}"
        yield _STYLES.get(item.weight, ""), text
    yield from _more(len(found.secrets), top)


def _software(found: XRay) -> Iterator[Line]:
    yield from _heading("software")
    yield _row("system", found.system or "unknown")
    kinds: dict[str, int] = {}
    for package in found.packages:
        kinds[package.kind] = kinds.get(package.kind, 0) + 1
    packages = ", ".join(f"{count:,} {kind}" for kind, count in sorted(kinds.items()))
    yield _row("packages", packages or "none known")
    for label, items in (
        ("shells", found.shells),
        ("compilers", found.compilers),
        ("installers", found.managers),
        ("tools", found.tools),
    ):
        yield _row(label, _few(items) if items else "none")
    login = [user.name for user in found.users if user.login]
    yield _row("accounts", f"{len(found.users)}, {len(login)} with a login shell: {_few(login)}")
    for user in found.users:
        if user.password == "empty":
            yield _row("", f"{user.name} has an empty password", "red")
        elif user.uid == 0 and user.name != "root":
            yield _row("", f"{user.name} is another root", "red")


def _thresholds(judgements: Sequence[Judgement]) -> Iterator[Line]:
    if judgements:
        yield from _heading("thresholds")
    for item in judgements:
        style, word = ("green", "kept") if item.passed else ("bold red", "BROKEN")
        yield style, f"  {word:<7} {item.name}: {item.text}"


def _heading(text: str) -> Iterator[Line]:
    yield "", ""
    yield "bold", text


def _listed(
    title: str, rows: Sequence[tuple[str, str]], top: int, total: int | None = None
) -> Iterator[Line]:
    """A list, if there is anything on it."""
    if not rows:
        return
    count = len(rows) if total is None else total
    yield from _heading(f"{title}: {count:,}")
    for size, text in rows[:top]:
        yield "", f"  {size:>9}  {text}" if size else f"  {text}"
    yield from _more(count, top)


def _more(count: int, top: int) -> Iterator[Line]:
    if count > top:
        yield "dim", f"  and {count - top:,} more"


def _few(items: Sequence[str]) -> str:
    more = f" and {len(items) - _SHORT:,} more" if len(items) > _SHORT else ""
    return ", ".join(items[:_SHORT]) + more


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 3]}..."
