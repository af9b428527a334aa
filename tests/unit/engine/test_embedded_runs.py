"""What a container left in a directory goes with it, however it lies there."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from slimpy.engine.embedded.namespaces import Kind, Mapping
from slimpy.engine.embedded.runs import remove


def test_deep_directories_and_closed_ones_go_and_links_are_not_followed(tmp_path: Path) -> None:
    outside, place = tmp_path / "outside", tmp_path / "place"
    outside.mkdir()
    (outside / "kept").write_text("kept")
    place.mkdir()
    (place / "link").symlink_to(outside)
    (place / "closed").mkdir(mode=0)
    directory = os.open(place, os.O_RDONLY)
    for _ in range(2500):
        os.mkdir("d", dir_fd=directory)
        deeper = os.open("d", os.O_RDONLY, dir_fd=directory)
        os.close(directory)
        directory = deeper
    os.close(directory)
    try:
        remove(place, Mapping(Kind.ROOT))
        assert not place.exists()
    finally:  # such a tree is more than pytest's own cleaning bears
        subprocess.run(["rm", "-rf", str(place)], check=True, timeout=60)
    assert (outside / "kept").read_text() == "kept"
