from __future__ import annotations

from slimpy.image.tree import Tree
from slimpy.model import Entry, FileType, ImagePath, KeepSet, Reason, Rule
from slimpy.report.costs import Counted, costs
from slimpy.report.document import build
from slimpy.report.schema import RuleCost, decode, encode
from tests.unit.report.making import KEEP, TREE, outcome

P = ImagePath


def test_a_path_counts_for_all_its_rules_and_alone_only_for_a_single_one():
    assert costs(TREE, KEEP) == (
        # /app/again comes first in the tree, so it carries the bytes of both names.
        RuleCost("hard-link", 1, 2_000_000, 1, 2_000_000),
        RuleCost("elf-needed", 1, 400, 1, 400),
        RuleCost("touched", 2, 3, 1, 3),
        RuleCost("image-config", 1, 0, 0, 0),
        RuleCost("link", 1, 0, 1, 0),
        RuleCost("listed", 1, 0, 1, 0),
        RuleCost("parent", 1, 0, 1, 0),
    )


def test_what_two_rules_ask_for_is_no_ones_alone():
    tree = Tree([Entry(P("/a"), FileType.FILE, size=10), Entry(P("/b"), FileType.FILE, size=7)])
    both = (Reason(Rule.TOUCHED), Reason(Rule.PYTHON), Reason(Rule.PYTHON, "/x"))
    keep = KeepSet({P("/a"): both, P("/b"): (Reason(Rule.PYTHON),)})
    assert costs(tree, keep) == (
        RuleCost("python-reach", 2, 17, 1, 7),
        RuleCost("touched", 1, 10, 0, 0),
    )


def test_a_kept_name_carries_the_bytes_of_a_hard_linked_file():
    names = [Entry(P(f"/{name}"), FileType.FILE, size=5, inode=3) for name in "abcd"]
    tree = Tree(names)
    keep = KeepSet(
        {P("/b"): (Reason(Rule.LISTED),), P("/c"): (Reason(Rule.TOUCHED),)},
        placeholders=frozenset({P("/b")}),
    )
    counted = Counted(tree, keep)
    assert [entry.path for entry in names if counted(entry)] == ["/c"]
    assert [entry.path for entry in names if Counted(tree, KeepSet({}))(entry)] == ["/a"]


def test_the_document_has_costs_and_configuration():
    report = build(outcome())
    assert report.rule_costs == costs(TREE, KEEP)
    assert report.config is not None
    assert (report.config.os, report.config.architecture) == ("linux", "amd64")
    assert decode(encode(report).encode()) == report
