"""The spool: real GNU tar streams, damaged and hostile ones, and its readers."""

from __future__ import annotations

import errno
import io
import os
import random
import shutil
import subprocess
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slimpy.errors import DiskFullError, EngineLostError
from slimpy.image.listing import find_arguments, parse
from slimpy.image.spool import Spool
from slimpy.image.tarstream import TarStream
from slimpy.image.tree import Tree
from slimpy.model import Entry, FileType, ImagePath, encoded

CAPABILITY = bytes.fromhex("0100000200040000000000000000000000000000")
TAR_OPTIONS = (
    "--format=posix", "--xattrs", "--xattrs-include=*", "--numeric-owner", "--sparse",
    "--no-recursion", "--null", "--verbatim-files-from",
)  # fmt: skip


class RealTar:
    """Archives a host directory as an engine does an image, and remembers what it was asked for."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.asked: list[tuple[ImagePath, ...]] = []

    def __call__(self, paths: Sequence[ImagePath]) -> Iterator[bytes]:
        tar = shutil.which("tar")
        if tar is None:
            pytest.skip("GNU tar is not installed here")
        self.asked.append(tuple(paths))
        names = b"".join(b"." + encoded(path) + b"\0" for path in paths)
        command = [tar, "-C", str(self.root), "-c", *TAR_OPTIONS, "-T", "-"]
        done = subprocess.run(command, input=names, capture_output=True, check=True, timeout=60)
        for start in range(0, len(done.stdout), 1000):
            yield done.stdout[start : start + 1000]

    def tree(self) -> Tree:
        find = shutil.which("find")
        if find is None:
            pytest.skip("GNU find is not installed here")
        command = [find, str(self.root), *find_arguments(())[1:]]
        done = subprocess.run(command, capture_output=True, check=True, timeout=60)
        listed = done.stdout.replace(b"\0" + os.fsencode(self.root), b"\0")
        return Tree(parse([listed.replace(b"\0\0\0", b"\0\0/\0")]))


class Canned:
    """Answers with prepared archives, whatever it is asked."""

    def __init__(self, *archives: bytes) -> None:
        self.archives = list(archives)

    def __call__(self, paths: Sequence[ImagePath]) -> Iterator[bytes]:
        yield self.archives.pop(0)


def archive(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for info, data in members:
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def info(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", **pax: str) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type = kind
    made.linkname = link
    made.pax_headers = dict(pax)
    return made


def files(*paths: str) -> Tree:
    return Tree(Entry(ImagePath(path), FileType.FILE) for path in paths)


def path(text: str) -> ImagePath:
    return ImagePath(text)


@pytest.fixture
def image(tmp_path: Path) -> RealTar:
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc" / "small").write_bytes(b"small contents")
    (root / "etc" / "empty").touch()
    (root / "etc" / "link").symlink_to("small")
    (root / "large").write_bytes(random.Random(1).randbytes(3_000_001))
    (root / "aa").hardlink_to(root / "large")
    (root / "etc" / "zz").hardlink_to(root / "large")
    os.mkfifo(root / "fifo")
    return RealTar(root)


def test_contents_come_back_as_they_are(image: RealTar, tmp_path: Path) -> None:
    tree = image.tree()
    with Spool(image, tmp_path, tree) as spool:
        spool.fetch(entry.path for entry in tree)
        assert spool.read(path("/etc/small")) == b"small contents"
        assert spool.read(path("/etc/small"), 5) == b"small"
        assert spool.read(path("/etc/empty")) == b""
        large = (image.root / "large").read_bytes()
        for name in ("/large", "/aa", "/etc/zz"):
            assert spool.read(path(name)) == large
        assert spool.member(path("/large")).size == len(large)
        assert len(image.asked) == 1
        # One name for the three of the hard-linked file.
        assert len(image.asked[0]) == len(tree) - 2


def test_another_name_of_a_file_of_an_earlier_batch(image: RealTar, tmp_path: Path) -> None:
    with Spool(image, tmp_path, image.tree()) as spool:
        spool.fetch([path("/etc/zz")])
        spool.fetch([path("/large"), path("/etc/small"), path("/etc/zz")])
        assert image.asked == [("/aa",), ("/etc/small",)]
        assert spool.read(path("/large")) == (image.root / "large").read_bytes()


def test_open_fetches_on_demand_and_only_once(image: RealTar, tmp_path: Path) -> None:
    with Spool(image, tmp_path, image.tree()) as spool:
        assert spool.read(path("/etc/small")) == spool.read(path("/etc/small"))
        assert image.asked == [("/etc/small",)]


@pytest.mark.parametrize("name", ["/etc", "/etc/link", "/fifo", "/nothing", "/etc/small/x"])
def test_what_is_no_regular_file_cannot_be_opened(
    image: RealTar, tmp_path: Path, name: str
) -> None:
    with Spool(image, tmp_path, image.tree()) as spool, pytest.raises(FileNotFoundError):
        spool.open(path(name))


def test_readers_are_independent_and_seekable(image: RealTar, tmp_path: Path) -> None:
    with Spool(image, tmp_path, image.tree()) as spool:
        large = (image.root / "large").read_bytes()
        with spool.open(path("/large")) as one, spool.open(path("/etc/small")) as two:
            assert one.seek(-5, os.SEEK_END) == len(large) - 5
            assert two.read(3) == b"sma"
            assert one.read() == large[-5:]
            assert two.read() == b"ll contents"
            assert one.seek(1_500_000) == one.tell()
            assert one.read(10) == large[1_500_000:1_500_010]
            assert one.seek(5, os.SEEK_END) == len(large) + 5
            assert one.read() == b""
            assert not one.writable()
            with pytest.raises(OSError, match="argument"):
                one.seek(-1)


def test_closing_gives_the_space_back(image: RealTar, tmp_path: Path) -> None:
    place = tmp_path / "spool"
    place.mkdir()
    with Spool(image, place, image.tree()) as spool:
        reader = spool.open(path("/large"))
        assert list(place.iterdir()) == []
    with pytest.raises(ValueError, match="closed"):
        reader.read()
    reader.close()


def sparse_file(place: Path, segments: dict[int, bytes], size: int) -> None:
    with place.open("wb") as file:
        for offset, data in segments.items():
            file.seek(offset)
            file.write(data)
        file.truncate(size)


@pytest.mark.parametrize(
    ("segments", "size"),
    [
        ({}, 1 << 20),
        ({0: b"start"}, 1 << 20),
        ({1 << 20: b"end"}, (1 << 20) + 3),
        ({4096 * n * 4: bytes([n]) * 4096 for n in range(1, 200)}, 4096 * 900),
    ],
)
def test_sparse_files_are_expanded(tmp_path: Path, segments: dict[int, bytes], size: int) -> None:
    root = tmp_path / "root"
    root.mkdir()
    sparse_file(root / "holes", segments, size)
    (root / "next").write_bytes(b"next")
    image = RealTar(root)
    with Spool(image, tmp_path, image.tree()) as spool:
        spool.fetch([path("/holes"), path("/next")])
        assert spool.read(path("/holes")) == (root / "holes").read_bytes()
        assert spool.read(path("/next")) == b"next"


@pytest.mark.parametrize(
    "raw",
    [
        b"new\nline", b"trailing ", b"back\\slash", b"-dash", b"*[?]", b"\xff\xfe", "é".encode(),
        b"x" * 255, b"/".join([b"d" * 90] * 4), b"\\101", b"%3D=",
    ],
)  # fmt: skip
def test_any_name_is_found_again(tmp_path: Path, raw: bytes) -> None:
    root = tmp_path / "root"
    place = root / os.fsdecode(raw)
    place.parent.mkdir(parents=True)
    place.write_bytes(raw)
    image = RealTar(root)
    with Spool(image, tmp_path, image.tree()) as spool:
        assert spool.read(path("/" + os.fsdecode(raw))) == raw


def test_extended_attributes_are_raw_bytes(tmp_path: Path) -> None:
    def text(raw: bytes) -> str:
        return raw.decode("utf-8", "surrogateescape")

    attributes = {"security.capability": CAPABILITY, "user.x": b"a\n12 b=c\xff\0", "user.e": b""}
    pax = {f"SCHILY.xattr.{key}": text(value) for key, value in attributes.items()}
    data = archive((info("./a", **pax), b"data"), (info("./b"), b"data"))
    with Spool(Canned(data), tmp_path, files("/a", "/b")) as spool:
        spool.fetch([path("/a"), path("/b")])
        assert spool.member(path("/a")).xattrs == attributes
        assert spool.member(path("/b")).xattrs == {}
        assert spool.read(path("/a")) == b"data"


def test_gnu_tar_gives_real_attributes(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "a").write_bytes(b"1")
    attributes = {"user.a=b%": b"\0\xff=\n", "user.plain": b"value"}
    try:
        for key, value in attributes.items():
            os.setxattr(root / "a", key, value)
    except OSError as error:
        if error.errno != errno.ENOTSUP:
            raise
        pytest.skip("this file system has no user attributes")
    image = RealTar(root)
    with Spool(image, tmp_path, image.tree()) as spool:
        found = spool.member(path("/a")).xattrs
        assert {key: found[key] for key in attributes} == attributes


def test_devices_have_their_numbers(tmp_path: Path) -> None:
    device = info("dev/null", tarfile.CHRTYPE)
    device.devmajor, device.devminor = 1, 3
    tree = Tree([Entry(path("/dev/null"), FileType.CHARACTER)])
    with Spool(Canned(archive((device, b""))), tmp_path, tree) as spool:
        member = spool.member(path("/dev/null"))
        assert (member.major, member.minor) == (1, 3)


@pytest.mark.parametrize("name", ["./a", "a", "/a", ".//a/", "././a"])
def test_spellings_of_a_name(tmp_path: Path, name: str) -> None:
    with Spool(Canned(archive((info(name), b"1"))), tmp_path, files("/a")) as spool:
        assert spool.read(path("/a")) == b"1"


@pytest.mark.parametrize("name", ["../a", "b", "a/../b", "/etc/shadow", ".", ""])
def test_a_name_not_asked_for_is_refused(tmp_path: Path, name: str) -> None:
    fetcher = Canned(archive((info(name), b"1")))
    with (
        Spool(fetcher, tmp_path, files("/a", "/b")) as spool,
        pytest.raises(EngineLostError, match="not asked for"),
    ):
        spool.fetch([path("/a")])


def test_a_name_given_twice_is_refused(tmp_path: Path) -> None:
    fetcher = Canned(archive((info("a"), b"1"), (info("a"), b"2")))
    with (
        Spool(fetcher, tmp_path, files("/a")) as spool,
        pytest.raises(EngineLostError, match="not asked for"),
    ):
        spool.fetch([path("/a")])


def test_a_hard_link_in_the_stream_is_the_earlier_file(tmp_path: Path) -> None:
    link = info("./b", tarfile.LNKTYPE, "./a")
    fetcher = Canned(archive((info("./a"), b"data")), archive((link, b"")))
    with Spool(fetcher, tmp_path, files("/a", "/b")) as spool:
        assert spool.read(path("/a")) == spool.read(path("/b")) == b"data"


def test_what_the_stream_does_not_hold_is_missing(tmp_path: Path) -> None:
    fetcher = Canned(archive((info("./a"), b"data")))
    with Spool(fetcher, tmp_path, files("/a", "/b")) as spool:
        spool.fetch([path("/a"), path("/b")])
        with pytest.raises(FileNotFoundError):
            spool.open(path("/b"))
        with pytest.raises(FileNotFoundError):
            spool.member(path("/b"))


def test_sockets_are_never_asked_for(tmp_path: Path) -> None:
    tree = Tree([Entry(path("/s"), FileType.SOCKET)])
    with Spool(Canned(), tmp_path, tree) as spool:
        spool.fetch([path("/s"), path("/not/in/the/tree")])


def test_every_cut_of_a_stream_is_noticed(tmp_path: Path) -> None:
    whole = archive((info("./a", **{"SCHILY.xattr.user.x": "1"}), b"d" * 700), (info("./b"), b"e"))
    end = whole.rindex(b"e") + 512  # from here on there are only zeros
    for cut in [*range(0, end, 97), end - end % 512]:
        with (
            Spool(Canned(whole[:cut]), tmp_path, files("/a", "/b")) as spool,
            pytest.raises(EngineLostError, match="cannot be read"),
        ):
            spool.fetch([path("/a"), path("/b")])


def test_a_full_disk_is_named(
    image: RealTar, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int, data: bytes, offset: int) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwrite", full)
    with (
        Spool(image, tmp_path, image.tree()) as spool,
        pytest.raises(DiskFullError, match="/etc/small"),
    ):
        spool.fetch([path("/etc/small")])


def sparse_archive(text: str, real_size: str, stored: int = 1024) -> bytes:
    """A file in the sparse format 1.0 whose map is ``text``."""
    pax = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "./a"}
    pax["GNU.sparse.realsize"] = real_size
    body = text.encode().ljust(512, b"\0") + b"x" * 512
    return archive((info("./GNUSparseFile.1/a", **pax), body[:stored]))


def test_a_sparse_map_by_hand(tmp_path: Path) -> None:
    fetcher = Canned(sparse_archive("1\n100\n512\n", "700"))
    with Spool(fetcher, tmp_path, files("/a")) as spool:
        assert spool.read(path("/a")) == b"\0" * 100 + b"x" * 512 + b"\0" * 88


@pytest.mark.parametrize(
    ("text", "real_size"),
    [
        ("1\n100\n512\n", "600"),  # beyond the end
        ("1\n100\n511\n", "700"),  # less than what is stored
        ("2\n100\n256\n99\n256\n", "700"),  # backwards
        ("x\n", "700"),
        ("-1\n", "700"),
        ("99999999\n", "700"),
        ("1\n0\n512\n", ""),
        ("1\n0\n512\n", str(1 << 62)),
        ("", "700"),
    ],
)
def test_a_damaged_sparse_map_is_refused(tmp_path: Path, text: str, real_size: str) -> None:
    fetcher = Canned(sparse_archive(text, real_size))
    with (
        Spool(fetcher, tmp_path, files("/a")) as spool,
        pytest.raises(EngineLostError, match="cannot be read"),
    ):
        spool.fetch([path("/a")])


GOOD = archive(
    (info("./a", **{"SCHILY.xattr.user.x": "é\0"}), b"d" * 700), (info("./b"), b"e")
)  # fmt: skip


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), max_size=8))
def test_no_stream_crashes_the_reader(changes: list[tuple[int, int]]) -> None:
    data = bytearray(GOOD)
    for place, value in changes:
        data[place] = value
    stream = TarStream([bytes(data)])
    try:
        for header in stream:
            assert sum(len(piece) for piece in stream.pieces()) <= len(GOOD)
            assert isinstance(header.name, bytes)
    except EngineLostError as error:
        assert "cannot be read" in error.message
