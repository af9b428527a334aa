"""The tree: order, synthesised parents, hard links, and the pure path functions."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slimpy.errors import EngineLostError
from slimpy.image.tree import Tree, join, name, order, parent
from slimpy.model import ROOT, Entry, FileType, ImagePath


def file(path: str, **facts: int) -> Entry:
    return Entry(ImagePath(path), FileType.FILE, **{"mode": 0o644, **facts})


def directory(path: str, mode: int = 0o755) -> Entry:
    return Entry(ImagePath(path), FileType.DIRECTORY, mode)


@pytest.mark.parametrize(
    ("base", "component", "joined"),
    [("/", "a", "/a"), ("/a", "b", "/a/b"), ("/a", "b/c", "/a/b/c"), ("/", "a\n", "/a\n")],
)
def test_join_parent_and_name_belong_together(base: str, component: str, joined: str) -> None:
    assert join(ImagePath(base), component) == joined
    assert name(ImagePath(joined)) == component.rpartition("/")[2]
    assert join(parent(ImagePath(joined)), name(ImagePath(joined))) == joined


def test_the_root_is_its_own_parent_and_has_no_name() -> None:
    assert parent(ROOT) == ROOT
    assert name(ROOT) == ""


def test_missing_parents_are_made_up_and_real_ones_are_kept() -> None:
    tree = Tree([file("/a/b/c"), directory("/a", 0o700)])
    assert [entry.path for entry in tree] == ["/", "/a", "/a/b", "/a/b/c"]
    made = tree.get("/a/b")
    kept = tree.get("/a")
    assert made == Entry(ImagePath("/a/b"), FileType.DIRECTORY, 0o755, 0, 0)
    assert kept is not None
    assert kept.mode == 0o700
    assert len(tree) == 4


def test_an_empty_tree_is_a_root() -> None:
    tree = Tree([])
    assert [entry.path for entry in tree] == ["/"]
    assert tree.children(ROOT) == ()


def test_of_duplicates_the_last_wins() -> None:
    tree = Tree([file("/a", size=1), file("/a", size=2)])
    assert len(tree) == 2
    assert [entry.size for entry in tree.children(ROOT)] == [2]


def test_something_below_a_file_is_refused() -> None:
    with pytest.raises(EngineLostError, match="/a/b below"):
        Tree([file("/a"), file("/a/b")])


def test_order_is_by_the_bytes_of_the_components() -> None:
    paths = ["/a-b", "/a", "/a/z", "/a.b", "/\udcff", "/é", "/\U0001f600", "/B"]
    tree = Tree([directory("/a"), *(file(path) for path in paths if path != "/a")])
    expected = ["/", "/B", "/a", "/a/z", "/a-b", "/a.b", "/é", "/\U0001f600", "/\udcff"]
    assert [entry.path for entry in tree] == expected


def test_children_and_below() -> None:
    tree = Tree([file("/a/x/1"), file("/a/y"), file("/ab"), file("/a/x/0")])
    assert [entry.path for entry in tree.children(ImagePath("/a"))] == ["/a/x", "/a/y"]
    below = [entry.path for entry in tree.below(ImagePath("/a"))]
    assert below == ["/a/x", "/a/x/0", "/a/x/1", "/a/y"]
    assert list(tree.below(ImagePath("/a/y"))) == []
    assert tree.children(ImagePath("/nothing")) == ()
    assert ImagePath("/ab") in tree
    assert ImagePath("/b") not in tree


def test_hardlinks_name_all_of_the_group_in_order() -> None:
    tree = Tree([file("/b", inode=7), file("/a", inode=7), file("/c", inode=8), file("/d")])
    lone, single = tree.get("/d"), tree.get("/c")
    assert lone is not None
    assert single is not None
    for path in ("/a", "/b"):
        entry = tree.get(path)
        assert entry is not None
        assert [other.path for other in tree.hardlinks(entry)] == ["/a", "/b"]
    assert tree.hardlinks(lone) == (lone,)
    assert tree.hardlinks(single) == (single,)


def test_parents_run_from_the_root_down() -> None:
    tree = Tree([])
    assert list(tree.parents(ImagePath("/a/b/c"))) == ["/", "/a", "/a/b"]
    assert list(tree.parents(ImagePath("/a"))) == ["/"]
    assert list(tree.parents(ROOT)) == []


def test_a_deep_tree_does_not_exhaust_the_stack() -> None:
    tree = Tree([file("/d" * 3000)])
    assert sum(1 for _ in tree) == 3001


NAME = st.sampled_from(["a", "b", "a-", "a.", "é", "\udcff", "\n", "\x01"])


@settings(deadline=None)
@given(st.lists(st.lists(NAME, min_size=1, max_size=4), max_size=12))
def test_iteration_is_sorted_and_complete(paths: list[list[str]]) -> None:
    tree = Tree(directory("/" + "/".join(parts)) for parts in paths)
    found = [entry.path for entry in tree]
    assert found == sorted(found, key=order)
    assert len(found) == len(set(found)) == len(tree)
    for path in found:
        assert all(above in tree for above in tree.parents(path))
        inside = [other for other in found if other.startswith(path.rstrip("/") + "/")]
        assert [entry.path for entry in tree.below(path)] == [p for p in inside if p != "/"]


def test_seventy_thousand_entries_stay_small() -> None:
    tracemalloc.start()
    tree = Tree(
        file(f"/usr/lib/modules/package{n // 400:05}/dist/sub{n // 12:05}/file-{n:06}.js", size=n)
        for n in range(70_000)
    )
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert len(tree) > 70_000
    assert held < 60_000_000
