"""The listing: real GNU find on a real tree, damaged output, and the engine's traces."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slimpy.errors import EngineLostError
from slimpy.image.listing import FIELDS, MAXIMUM_RECORD, find_arguments, normalised, parse
from slimpy.model import Entry, FileType, ImagePath, encoded


def record(**changes: bytes) -> bytes:
    values = {
        "type": b"f", "mode": b"644", "uid": b"1", "gid": b"2", "size": b"3",
        "mtime": b"1600000000.1234567890", "names": b"1", "identity": b"64:99",
        "target": b"", "path": b"/a",
    }  # fmt: skip
    values.update(changes)
    return b"".join(value + b"\0" for value in values.values())


def run_find(root: Path, prune: tuple[str, ...] = ()) -> bytes:
    find = shutil.which("find")
    if find is None:
        pytest.skip("GNU find is not installed here")
    arguments = find_arguments([f"{root}{path}" for path in prune])
    return subprocess.run(
        [find, str(root), *arguments[1:]], capture_output=True, check=True, timeout=60
    ).stdout


def listed(root: Path, prune: tuple[str, ...] = ()) -> dict[str, Entry]:
    """The entries by their path below ``root``."""
    return {entry.path.removeprefix(str(root)): entry for entry in parse([run_find(root, prune)])}


def test_a_real_tree_is_listed_as_lstat_sees_it(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir(mode=0o2750)
    (tmp_path / "d").chmod(0o2750)
    odd = os.fsdecode(b"new\nline \\ -x*[?\xff ")
    (tmp_path / "d" / odd).write_bytes(b"12345")
    (tmp_path / "hard").hardlink_to(tmp_path / "d" / odd)
    (tmp_path / "link").symlink_to(os.fsdecode(b"to\n\xfe"))
    os.mkfifo(tmp_path / "fifo", 0o600)
    entries = listed(tmp_path)
    for path, entry in entries.items():
        facts = (Path(str(tmp_path) + path)).lstat()
        assert entry.mode == stat.S_IMODE(facts.st_mode)
        assert (entry.uid, entry.gid) == (facts.st_uid, facts.st_gid)
        assert entry.mtime == facts.st_mtime_ns // 10**9
    assert entries["/d/" + odd].size == 5
    assert entries["/d"].size == entries["/link"].size == 0
    assert entries["/link"].target == os.fsdecode(b"to\n\xfe")
    assert entries["/fifo"].type is FileType.FIFO
    assert entries["/hard"].inode == entries["/d/" + odd].inode != 0
    single = [path for path in entries if path not in ("/hard", "/d/" + odd)]
    assert [entries[path].inode for path in single] == [0] * 4


@pytest.mark.parametrize("nanoseconds", [-1_500_000_000, -250_000_000, -3_000_000_000, 1, 0])
def test_times_before_the_epoch_are_rounded_down(tmp_path: Path, nanoseconds: int) -> None:
    path = tmp_path / "old"
    path.touch()
    os.utime(path, ns=(nanoseconds, nanoseconds))
    assert listed(tmp_path)["/old"].mtime == nanoseconds // 10**9


def test_pruned_paths_are_taken_literally(tmp_path: Path) -> None:
    for name in ("a*", "ab", "[x]", "x", "q?", "qq", "back\\slash"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "inside").touch()
    entries = listed(tmp_path, ("/a*", "/[x]", "/q?", "/back\\slash"))
    assert set(entries) == {"", "/ab", "/ab/inside", "/x", "/x/inside", "/qq", "/qq/inside"}


def test_arguments_without_anything_to_prune() -> None:
    assert find_arguments(())[:2] == ("/", "-printf")
    assert find_arguments(("/proc",))[:7] == ("/", "(", "-path", "/proc", ")", "-prune", "-o")


@pytest.mark.parametrize("size", [1, 2, 7, 64, 10_000])
def test_the_size_of_chunks_does_not_matter(size: int) -> None:
    data = b"".join(
        record(path=f"/{n}".encode(), names=b"2", identity=f"1:{n % 3}".encode()) for n in range(40)
    )
    chunks = [data[start : start + size] for start in range(0, len(data), size)]
    entries = list(parse(chunks))
    assert [entry.path for entry in entries] == [f"/{n}" for n in range(40)]
    assert [entry.inode for entry in entries] == [n % 3 + 1 for n in range(40)]


def test_only_files_with_several_names_have_an_inode() -> None:
    data = record() + record(path=b"/d", type=b"d", names=b"5") + record(path=b"/h", names=b"2")
    assert [entry.inode for entry in parse([data])] == [0, 0, 1]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        record()[:-1],
        record() + b"f\0",
        b"find: permission denied\n",
        record(type=b"U"),
        record(mode=b"9"),
        record(mode=b""),
        record(uid=b"-1"),
        record(gid=b"x"),
        record(size=b"1" * 5000),
        record(mtime=b""),
        record(mtime=b"--1"),
        record(names=b""),
        record(identity=b"1"),
        record(path=b""),
        record(path=b"a"),
        record(path=b"/a/../b"),
        record(path=b"//a"),
        record(path=b"/a/"),
        b"x" * (MAXIMUM_RECORD + 1),
    ],
)
def test_damage_is_named(data: bytes) -> None:
    with pytest.raises(EngineLostError, match="listing"):
        list(parse([data]))


@settings(deadline=None)
@given(st.lists(st.binary(max_size=40), max_size=5))
def test_no_output_crashes_the_parser(chunks: list[bytes]) -> None:
    try:
        entries = list(parse(chunks))
    except EngineLostError:
        return
    assert entries


NAME = st.binary(min_size=1, max_size=12).filter(
    lambda raw: b"\0" not in raw and b"/" not in raw and raw not in (b".", b"..")
)


@settings(deadline=None)
@given(st.lists(NAME, min_size=1, max_size=4), st.integers(0, 2**32 - 2), st.integers(-9, 2**40))
def test_any_name_survives(parts: list[bytes], uid: int, mtime: int) -> None:
    path = b"/" + b"/".join(parts)
    data = record(path=path, uid=str(uid).encode(), mtime=b"%d.0000000000" % mtime)
    (entry,) = parse([data])
    assert (encoded(entry.path), entry.uid, entry.mtime) == (path, uid, mtime)


def test_every_field_ends_with_a_nul() -> None:
    assert find_arguments(())[2].count("\\0") == len(FIELDS)


def test_the_engines_traces_are_taken_out() -> None:
    made = 1_700_000_000
    entries = [
        Entry(ImagePath("/"), FileType.DIRECTORY, mtime=made + 1),
        Entry(ImagePath("/.dockerenv"), FileType.FILE, mtime=made),
        Entry(ImagePath("/etc"), FileType.DIRECTORY, mtime=made),
        Entry(ImagePath("/etc/mtab"), FileType.LINK, mtime=made, target="/proc/mounts"),
        Entry(ImagePath("/etc/future"), FileType.FILE, mtime=made + 5),
        Entry(ImagePath("/usr"), FileType.DIRECTORY, mtime=made - 1),
    ]
    out = {e.path: e.mtime for e in normalised(entries, container_time=made, created=42)}
    assert out == {
        "/": 42, "/etc": 42, "/etc/mtab": 42, "/etc/future": made + 5, "/usr": made - 1
    }  # fmt: skip
