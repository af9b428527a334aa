"""Patterns of paths."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slimpy.image.globs import matches


@pytest.mark.parametrize(
    ("pattern", "path", "full", "above"),
    [
        ("a", "a", True, True),
        ("a", "a/b", False, True),
        ("a/b", "a", False, False),
        ("*", "a/b", False, True),
        ("**", "a/b", True, True),
        ("**/b", "b", True, True),
        ("**/b", "a/a/b", True, True),
        ("a/**/b", "a/b", True, True),
        ("a/**/b", "a/x/y/b/c", False, True),
        ("a/**", "a", True, True),
        ("**/**/a", "a", True, True),
        ("a?[bc]", "axb", True, True),
        ("a?[bc]", "axd", False, False),
        ("*.so*", "libz.so.1", True, True),
    ],
)
def test_matches(pattern: str, path: str, full: bool, above: bool) -> None:
    parts, names = pattern.split("/"), path.split("/")
    assert matches(parts, names) is full
    assert matches(parts, names, above=True) is above


@given(
    st.lists(st.sampled_from(["a", "b", "*", "a*"]), min_size=1, max_size=4),
    st.lists(st.sampled_from(["a", "b", "ab"]), min_size=1, max_size=4),
)
def test_without_any_number_of_components_it_is_one_by_one(
    pattern: list[str], path: list[str]
) -> None:
    expected = len(pattern) == len(path) and all(map(fnmatchcase, path, pattern))
    assert matches(pattern, path) is expected
    assert matches(["**", *pattern], ["x", *path]) >= expected
