"""What each rule costs: all that it asks for, and what ships because of it alone."""

from __future__ import annotations

from collections import Counter

from slimpy.image.tree import Tree
from slimpy.model import Entry, ImagePath, KeepSet
from slimpy.report.schema import RuleCost
from slimpy.report.tables import content_size, kept_entries


class Counted:
    """Which name of a hard-linked file carries its bytes: a kept one if there is any."""

    __slots__ = ("_keep", "_names", "_tree")

    def __init__(self, tree: Tree, keep: KeepSet) -> None:
        self._tree = tree
        self._keep = keep
        self._names: dict[int, ImagePath] = {}

    def __call__(self, entry: Entry) -> bool:
        """Whether the bytes of this file are counted at this name."""
        if not entry.inode:
            return True
        if entry.inode not in self._names:
            self._names[entry.inode] = self._first(entry)
        return self._names[entry.inode] == entry.path

    def _first(self, entry: Entry) -> ImagePath:
        names = [each.path for each in self._tree.hardlinks(entry)]
        whole = (p for p in names if p in self._keep and p not in self._keep.placeholders)
        return next(whole, names[0])


def costs(tree: Tree, keep: KeepSet) -> tuple[RuleCost, ...]:
    """Every rule's cost, the heaviest first. A path counts for each rule that asks for it."""
    paths: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    alone_paths: Counter[str] = Counter()
    alone_sizes: Counter[str] = Counter()
    counted = Counted(tree, keep)
    for entry in kept_entries(tree, keep):
        rules = {reason.rule.value for reason in keep.reasons[entry.path]}
        size = content_size(entry, keep) if counted(entry) else 0
        for rule in rules:
            paths[rule] += 1
            sizes[rule] += size
        if len(rules) == 1:
            alone_paths.update(rules)
            alone_sizes.update(dict.fromkeys(rules, size))
    found = (
        RuleCost(rule, paths[rule], sizes[rule], alone_paths[rule], alone_sizes[rule])
        for rule in paths
    )
    return tuple(sorted(found, key=lambda item: (-item.bytes, -item.paths, item.rule)))
