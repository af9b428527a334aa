"""Thresholds as options and the project's file say them."""

from __future__ import annotations

import pytest

from slimpy.xray.thresholds import CI, KEYS, Thresholds, of_table, share_of, size_of, waste_of


@pytest.mark.parametrize(
    ("text", "size"),
    [("4096", 4096), ("200MB", 200_000_000), ("1.5 GiB", 3 << 29), ("3k", 3000), ("2kib", 2048)],
)
def test_sizes(text: str, size: int) -> None:
    assert size_of(text) == size


@pytest.mark.parametrize("text", ["", "MB", "-1", "1TB", "1e9", "1.5.2"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match="is no size"):
        size_of(text)


def test_shares() -> None:
    assert share_of("95%") == share_of("0.95") == 0.95
    assert waste_of("5%") == (None, 0.05)
    assert waste_of("5MB") == (5_000_000, None)
    for text in ("95", "101%", "-1", "x"):
        with pytest.raises(ValueError, match="is no share"):
            share_of(text)


def test_flags_come_over_the_project() -> None:
    project = Thresholds(max_size=10, max_waste_share=0.1, no_root=True)
    flags = Thresholds(max_size=20, max_waste=5)
    assert flags.over(project) == Thresholds(max_size=20, max_waste=5, no_root=True)
    assert Thresholds().over(CI) == CI


def test_the_table_of_the_project() -> None:
    table = {"max-size": "200MB", "max-waste": "5%", "min-efficiency": 0.95, "max-layers": 9}
    said = {key: True for key in KEYS if key.startswith("no-")}
    assert of_table({**table, **said}) == Thresholds(
        200_000_000, None, 0.05, 0.95, 9, True, True, True, True, True, True, True
    )
    assert of_table({"max-size": 4096}) == Thresholds(max_size=4096)


@pytest.mark.parametrize(
    "table",
    [
        3,
        {"max": 1},
        {"max-layers": True},
        {"max-layers": -1},
        {"max-layers": "3"},
        {"no-root": 1},
        {"no-root": "yes"},
        {"max-size": True},
        {"max-size": []},
        {"min-efficiency": 95},
    ],
)
def test_tables_that_are_none(table: object) -> None:
    with pytest.raises(ValueError):  # the configuration names file, line and key
        of_table(table)
