"""A fresh workbench for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.elf.workbench import Workbench


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    """An image with nothing but loaders in it."""
    for name in ("root", "scratch"):
        (tmp_path / name).mkdir()
    bench = Workbench(tmp_path / "root", tmp_path / "scratch")
    bench.loaders()
    return bench
