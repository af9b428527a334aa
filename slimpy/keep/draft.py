"""The growing answer: takes wants, walks their links, refuses what cannot ship, and closes up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from types import MappingProxyType

from probes.model import TraceWarning
from slimpy.image.tree import order, parent
from slimpy.keep.refusals import refusal
from slimpy.keep.scene import Finding, Scene, Want
from slimpy.model import Entry, FileType, ImagePath, KeepSet, Reason, Rule, display

NOTHING: Mapping[ImagePath, str] = MappingProxyType({})


class Draft:
    """What is kept so far. It only grows: a name can become whole, nothing is taken back.

    That, and rules that ask for more when more is kept, make the end the same in whatever order
    the wants come.
    """

    def __init__(self, scene: Scene, dropped: Mapping[ImagePath, str] = NOTHING) -> None:
        """Nothing is kept yet. ``dropped`` are paths that never ship, with the user's pattern."""
        self._scene = scene
        self._dropped = dropped
        self._missed: dict[str, set[ImagePath]] = {}  # pattern -> what the run used of it
        self._reasons: dict[ImagePath, set[Reason]] = {}
        self._whole: set[ImagePath] = set()
        self._leads: dict[ImagePath, set[ImagePath]] = {}  # link -> where walks through it ended
        self._refused: dict[ImagePath, str] = {}
        self._warnings: dict[tuple[str, str], int] = {}
        self._fresh: set[ImagePath] = set()

    def __contains__(self, path: object) -> bool:
        return path in self._reasons

    def is_whole(self, path: ImagePath) -> bool:
        """Whether the path is kept with what is in it, not by its name alone."""
        return path in self._whole

    def rules(self, path: ImagePath) -> frozenset[Rule]:
        """The rules that asked for a path so far; empty if it is not kept."""
        return frozenset(reason.rule for reason in self._reasons.get(path, ()))

    @property
    def is_settled(self) -> bool:
        """Whether nothing was added since the last `take`."""
        return not self._fresh

    def absorb(self, findings: Iterable[Finding]) -> None:
        """Take in what a rule found."""
        for finding in findings:
            if isinstance(finding, TraceWarning):
                key = finding.code, finding.text
                self._warnings[key] = self._warnings.get(key, 0) + finding.count
            else:
                self._want(finding)

    def take(self) -> tuple[Entry, ...]:
        """What was added, or became whole, since the last call; in the tree's order."""
        paths = sorted(self._fresh, key=order)
        self._fresh.clear()
        return tuple(entry for path in paths if (entry := self._scene.tree.get(path)))

    def finish(self) -> KeepSet:
        """The answer: with all parents, reasons in order, and stand-ins named."""
        reasons = {path: tuple(sorted(why)) for path, why in self._reasons.items()}
        for link, ends in self._leads.items():
            # That a link was followed for something is the better answer than where it points.
            useful = ends - {self._scene.walk(link).real} or ends
            if useful or not reasons[link]:
                reasons[link] = (*reasons[link], _summary(Rule.LINK, "leads to", useful))
        for directory, inside in self._above(reasons).items():
            found = _summary(Rule.PARENT, "holds", inside)
            reasons[directory] = (*reasons.get(directory, ()), found)
        ordered = {path: reasons[path] for path in sorted(reasons, key=order)}
        self.absorb(self._used_but_dropped())
        refused = {path: self._refused[path] for path in sorted(self._refused, key=order)}
        return KeepSet(
            reasons=MappingProxyType(ordered),
            placeholders=frozenset(path for path in ordered if self._stands_in(path, ordered)),
            refused=MappingProxyType(refused),
            warnings=tuple(
                TraceWarning(code, text, count)
                for (code, text), count in sorted(self._warnings.items())
            ),
        )

    def _used_but_dropped(self) -> Iterable[TraceWarning]:
        for pattern, paths in sorted(self._missed.items()):
            text = f"--drop {display(pattern)} leaves out what the run used: {display(min(paths))}"
            yield TraceWarning("drop", text, len(paths))

    def _want(self, want: Want) -> None:
        found = self._scene.walk(want.path, follow=want.follow)
        for link in found.links:
            self._keep_link(link, found.real)
        if found.real is not None:
            self._keep(found.real, want.reason, whole=want.whole)

    def _keep_link(self, link: ImagePath, end: ImagePath | None) -> None:
        if self._is_refused(link):
            return
        ends = self._leads.setdefault(link, set())
        if end is not None and end != link:
            ends.add(end)
        if link not in self._reasons:
            self._reasons[link] = set()
            self._fresh.add(link)

    def _keep(self, path: ImagePath, reason: Reason, *, whole: bool) -> None:
        if self._is_refused(path):
            if path in self._dropped and reason.rule is Rule.TOUCHED:
                self._missed.setdefault(self._dropped[path], set()).add(path)
            return
        if path not in self._reasons:
            self._fresh.add(path)
        self._reasons.setdefault(path, set()).add(reason)
        if whole and path not in self._whole:
            self._whole.add(path)
            self._fresh.add(path)

    def _is_refused(self, path: ImagePath) -> bool:
        if path in self._refused or self._scene.is_ignored(path):
            return True
        entry = self._scene.tree.get(path)
        why = refusal(entry) if entry is not None else "the image's listing does not have it"
        if path in self._dropped:
            why = f"dropped by the user: --drop {display(self._dropped[path])}"
        if why:
            self._refused[path] = why
        return bool(why)

    def _above(self, kept: Iterable[ImagePath]) -> Mapping[ImagePath, set[ImagePath]]:
        """Every directory above something kept, with the kept entries directly in it."""
        above: dict[ImagePath, set[ImagePath]] = {}
        for path in kept:
            while path != (directory := parent(path)):
                known = directory in above
                above.setdefault(directory, set()).add(path)
                if known:
                    break
                path = directory
        return above

    def _stands_in(self, path: ImagePath, kept: Mapping[ImagePath, tuple[Reason, ...]]) -> bool:
        entry = self._scene.tree.get(path)
        if entry is None or path in self._whole:
            return False
        if entry.type is FileType.FILE:
            return entry.size > 0
        if entry.type is not FileType.DIRECTORY or path not in self._reasons:
            return False
        inside = self._scene.tree.children(path)
        return bool(inside) and not any(child.path in kept for child in inside)


def _summary(rule: Rule, verb: str, paths: AbstractSet[ImagePath]) -> Reason:
    """One reason for many: the first path by name, and how many others there are."""
    if not paths:
        return Reason(rule, "", "was passed on the way to something that the image does not have")
    first = min(paths)
    others = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    return Reason(rule, first, f"{verb} {display(first)}{others}")
