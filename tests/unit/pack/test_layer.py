"""The layer: order, parents, links, owners, what is left out, and the same bytes each time."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import pytest

from slimpy.errors import DiskFullError, OutputError, PackError
from slimpy.image.contents import Contents, Member
from slimpy.image.tree import Tree
from slimpy.model import Account, Entry, FileType, ImagePath, KeepSet, Reason, Rule
from slimpy.pack.layer import Packed, write_layer

TOUCHED = (Reason(Rule.TOUCHED),)


@dataclass
class Memory(Contents):
    """Contents held in memory; remembers what it was asked for."""

    files: dict[str, bytes]
    members: dict[str, Member] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def fetch(self, paths: Iterable[ImagePath]) -> None:
        self.asked += paths

    def open(self, path: ImagePath) -> BinaryIO:
        assert path in self.asked
        if path not in self.files:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        return io.BytesIO(self.files[path])

    def read(self, path: ImagePath, limit: int | None = None) -> bytes:
        return self.open(path).read(-1 if limit is None else limit)

    def member(self, path: ImagePath) -> Member:
        assert path in self.asked
        return self.members.get(path, Member(len(self.files.get(path, b""))))


def entry(path: str, kind: str = "f", mode: int = 0o644, **more: object) -> Entry:
    return Entry(ImagePath(path), FileType(kind), mode, **more)  # type: ignore[arg-type]


def keep(*paths: str, placeholders: tuple[str, ...] = ()) -> KeepSet:
    return KeepSet(
        {ImagePath(path): TOUCHED for path in paths},
        frozenset(ImagePath(path) for path in placeholders),
    )


def pack(
    place: Path,
    entries: list[Entry],
    kept: KeepSet,
    contents: Memory | None = None,
    account: Account | None = None,
    replaced: Mapping[ImagePath, bytes] | None = None,
) -> tuple[Packed, dict[str, tarfile.TarInfo]]:
    """The result, and what Python's reader finds in it."""
    files = {str(e.path): b"" for e in entries if e.type is FileType.FILE}
    memory = contents or Memory(files)
    done = write_layer(
        Tree(entries), kept, account, memory, place / "layer.tar", replaced=replaced or {}
    )
    with tarfile.open(place / "layer.tar", encoding="utf-8") as tar:
        found = {member.name: member for member in tar.getmembers()}
    return done, found


def data_of(place: Path, name: str) -> bytes:
    with tarfile.open(place / "layer.tar") as tar:
        file = tar.extractfile(name)
        assert file is not None
        return file.read()


def owner(uid: int, gid: int, *paths: str) -> Account:
    return Account(f"{uid}:{gid}", uid, gid, "default", "", tuple(map(ImagePath, paths)))


def test_every_parent_comes_with_its_own_metadata(tmp_path: Path) -> None:
    entries = [
        entry("/private", "d", 0o700, uid=5, gid=6, mtime=77),
        entry("/private/group", "d", 0o2775),
        entry("/private/group/file", mtime=88),
        entry("/other"),
    ]
    _, found = pack(tmp_path, entries, keep("/private/group/file"))
    assert list(found) == ["private", "private/group", "private/group/file"]
    assert [member.mode for member in found.values()] == [0o700, 0o2775, 0o644]
    top = found["private"]
    assert (top.uid, top.gid, top.mtime, top.isdir()) == (5, 6, 77, True)
    assert found["private/group/file"].mtime == 88


def test_the_layer_says_what_it_is(tmp_path: Path) -> None:
    entries = [entry("/d", "d", 0o755), entry("/d/a"), entry("/d/b"), entry("/l", "l", target="x")]
    contents = Memory({"/d/a": b"12345", "/d/b": b"6"})
    done, _ = pack(tmp_path, entries, keep("/d/a", "/d/b", "/l"), contents)
    data = (tmp_path / "layer.tar").read_bytes()
    assert done.layer.diff_id == f"sha256:{hashlib.sha256(data).hexdigest()}"
    assert (done.layer.size, done.layer.path) == (len(data), str(tmp_path / "layer.tar"))
    assert (done.layer.files, done.layer.content_size) == (2, 6)
    assert data_of(tmp_path, "d/a") == b"12345"
    assert done.skipped == {}


def test_types_and_modes_survive(tmp_path: Path) -> None:
    entries = [
        entry("/tmp", "d", 0o1777),
        entry("/su", "f", 0o4755),
        entry("/none", "f", 0),
        entry("/pipe", "p", 0o600),
        entry("/null", "c", 0o666),
        entry("/disk", "b", 0o660),
        entry("/dangling", "l", 0o777, target="../no where\n"),
    ]
    contents = Memory({"/su": b"", "/none": b""})
    contents.members = {"/null": Member(0, {}, 1, 3), "/disk": Member(0, {}, 8, 1)}
    _, found = pack(tmp_path, entries, keep(*(str(e.path) for e in entries)), contents)
    modes = {name: member.mode for name, member in found.items()}
    assert modes == {str(e.path)[1:]: e.mode for e in entries}
    assert found["pipe"].isfifo()
    assert (found["null"].devmajor, found["null"].devminor) == (1, 3)
    assert found["null"].ischr()
    assert (found["disk"].devmajor, found["disk"].isblk()) == (8, True)
    assert found["dangling"].linkname == "../no where\n"


def test_the_first_kept_name_of_a_hard_link_has_the_contents(tmp_path: Path) -> None:
    entries = [entry(path, inode=4) for path in ("/a", "/b", "/d/c", "/e")]
    contents = Memory({str(e.path): b"data" for e in entries})
    _, found = pack(tmp_path, entries, keep("/b", "/d/c", "/e"), contents)
    assert [(name, member.islnk()) for name, member in found.items()] == [
        ("b", False), ("d", False), ("d/c", True), ("e", True),
    ]  # fmt: skip
    assert found["d/c"].linkname == found["e"].linkname == "b"
    assert data_of(tmp_path, "b") == b"data"


def test_one_name_of_a_hard_link_is_a_plain_file(tmp_path: Path) -> None:
    entries = [entry("/a", inode=4), entry("/b", inode=4)]
    contents = Memory({"/a": b"data", "/b": b"data"})
    _, found = pack(tmp_path, entries, keep("/b"), contents)
    assert found["b"].isreg()


def test_owners_change_only_where_the_account_says(tmp_path: Path) -> None:
    entries = [
        entry("/data", "d", 0o755, uid=1, gid=1),
        entry("/data/a", inode=9),
        entry("/data/b", inode=9),
        entry("/data/c"),
    ]
    kept = keep("/data/a", "/data/b", "/data/c")
    _, found = pack(tmp_path, entries, kept, account=owner(33, 44, "/data/b", "/not/there"))
    ids = {name: (member.uid, member.gid) for name, member in found.items()}
    # Both names of the hard-linked file: there is one owner to have.
    assert ids == {"data": (1, 1), "data/a": (33, 44), "data/b": (33, 44), "data/c": (0, 0)}


@pytest.mark.parametrize(
    ("root", "account", "present"),
    [
        (entry("/", "d", 0o755), None, False),
        (entry("/", "d", 0o755, mtime=5), owner(1, 1), False),
        (entry("/", "d", 0o700), None, True),
        (entry("/", "d", 0o755, gid=1), None, True),
        (entry("/", "d", 0o755), owner(1, 1, "/"), True),
    ],
)
def test_the_root_is_there_only_if_it_is_unusual(
    tmp_path: Path, root: Entry, account: Account | None, present: bool
) -> None:
    _, found = pack(tmp_path, [root, entry("/a")], keep("/", "/a"), account=account)
    assert ("." in found) == present


def test_extended_attributes_survive_except_the_mounts(tmp_path: Path) -> None:
    capability = bytes.fromhex("0100000200040000000000000000000000000000")
    contents = Memory({"/ping": b"x", "/odd": b""})
    contents.members = {
        "/ping": Member(1, {"security.capability": capability, "security.selinux": b"host"}),
        "/odd": Member(0, {"user.a=b": b"1", "user.c": b"2"}),
        "/": Member(0, {"user.root": b"1"}),
    }
    done, found = pack(tmp_path, [entry("/ping"), entry("/odd")], keep("/ping", "/odd"), contents)
    pax = found["ping"].pax_headers
    value = pax["SCHILY.xattr.security.capability"].encode("utf-8", "surrogateescape")
    assert (value, len(pax)) == (capability, 1)
    assert found["odd"].pax_headers == {"SCHILY.xattr.user.c": "2"}
    assert "user.a=b" in done.skipped[ImagePath("/odd")]
    assert found["."].pax_headers == {"SCHILY.xattr.user.root": "1"}


def test_later_names_of_a_file_repeat_its_attributes(tmp_path: Path) -> None:
    contents = Memory({"/a": b"x", "/b": b"x"})
    contents.members = {path: Member(1, {"user.x": b"1"}) for path in ("/a", "/b")}
    entries = [entry("/a", inode=2), entry("/b", inode=2)]
    _, found = pack(tmp_path, entries, keep("/a", "/b"), contents)
    assert found["b"].islnk()
    assert found["b"].pax_headers["SCHILY.xattr.user.x"] == "1"


def test_what_a_layer_cannot_hold_is_reported(tmp_path: Path) -> None:
    entries = [
        entry("/run/app.sock", "s"),
        entry("/a/.wh.file"),
        entry("/.wh..opq", "d"),
        entry("/.wh..opq/below"),
        entry("/a.wh.b"),
        entry("/gone", "c"),
    ]
    done, found = pack(tmp_path, entries, keep(*(str(e.path) for e in entries)))
    assert set(found) == {"run", "a", "a.wh.b"}
    assert set(done.skipped) == {
        "/run/app.sock", "/a/.wh.file", "/.wh..opq", "/.wh..opq/below", "/gone"
    }  # fmt: skip
    assert "socket" in done.skipped[ImagePath("/run/app.sock")]
    assert "deletion" in done.skipped[ImagePath("/a/.wh.file")]


def test_placeholders_are_names_without_contents(tmp_path: Path) -> None:
    entries = [
        entry("/d", "d", 0o750), entry("/d/x"), entry("/full", uid=3, mtime=9),
        entry("/hard", inode=1), entry("/hard2", inode=1),
    ]  # fmt: skip
    contents = Memory({"/full": b"contents", "/hard": b"1", "/hard2": b"1"})
    kept = keep("/full", "/hard2", placeholders=("/d", "/full", "/hard"))
    done, found = pack(tmp_path, entries, kept, contents)
    assert {"d", "full", "hard", "hard2"} == set(found)
    assert (found["full"].size, found["full"].uid, found["full"].mtime) == (0, 3, 9)
    assert (found["d"].isdir(), found["d"].mode) == (True, 0o750)
    # The other name still has the contents.
    assert (found["hard"].size, found["hard2"].islnk(), found["hard2"].size) == (0, False, 1)
    assert "/full" not in contents.asked
    assert done.layer.content_size == 1


def test_generated_contents(tmp_path: Path) -> None:
    entries = [
        entry("/etc/passwd", mode=0o600, uid=2, mtime=7, inode=3), entry("/copy", inode=3)
    ]  # fmt: skip
    contents = Memory({"/etc/passwd": b"old", "/copy": b"old"})
    replaced = {ImagePath("/etc/passwd"): b"new lines", ImagePath("/new/group"): b"g"}
    done, found = pack(tmp_path, entries, keep("/copy"), contents, replaced=replaced)
    assert list(found) == ["copy", "etc", "etc/passwd", "new", "new/group"]
    assert data_of(tmp_path, "etc/passwd") == b"new lines"
    assert data_of(tmp_path, "copy") == b"old"
    passwd, group = found["etc/passwd"], found["new/group"]
    assert (passwd.mode, passwd.uid, passwd.mtime) == (0o600, 2, 7)
    assert (group.mode, group.uid, group.mtime, group.size) == (0o644, 0, 0, 1)
    assert done.layer.content_size == 3 + 9 + 1


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    entries = [entry(f"/d/{n}", mtime=n) for n in range(20)]
    paths = [str(e.path) for e in entries]
    digests = []
    for shuffled in (entries, entries[::-1]):
        kept = keep(*(paths if shuffled is entries else paths[::-1]))
        done, _ = pack(tmp_path, shuffled, kept)
        digests.append(done.layer.diff_id)
    assert digests[0] == digests[1]


def test_a_path_through_a_link_is_a_bug_and_named(tmp_path: Path) -> None:
    entries = [entry("/lib", "l", target="usr/lib"), entry("/usr/lib/x")]
    with pytest.raises(PackError, match=r"/lib/x is to be kept.*leads to /usr/lib/x"):
        pack(tmp_path, entries, keep("/lib/x"))


def test_an_unknown_path_is_a_bug_and_named(tmp_path: Path) -> None:
    with pytest.raises(PackError, match="/nothing is to be kept"):
        pack(tmp_path, [entry("/a")], keep("/nothing"))
    with pytest.raises(PackError, match="/nothing is to be kept"):
        pack(tmp_path, [entry("/a")], keep(placeholders=("/nothing",)))


@pytest.mark.parametrize("path", ["/link", "/directory", "/file/below"])
def test_only_regular_files_can_be_replaced(tmp_path: Path, path: str) -> None:
    entries = [entry("/link", "l", target="a"), entry("/directory", "d"), entry("/file")]
    with pytest.raises(PackError, match=path):
        pack(tmp_path, entries, keep(), replaced={ImagePath(path): b""})


def test_unreadable_contents_are_named(tmp_path: Path) -> None:
    with pytest.raises(PackError, match="/a is in the image's listing"):
        pack(tmp_path, [entry("/a")], keep("/a"), Memory({}))


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="no/such"):
        write_layer(Tree([]), keep(), None, Memory({}), tmp_path / "no" / "such")


def test_a_full_disk_is_named() -> None:
    full = Path("/dev/full")
    if not full.is_char_device():
        pytest.skip("this system has no /dev/full")
    with pytest.raises(DiskFullError, match="No space"):
        write_layer(Tree([]), keep(), None, Memory({}), full)
