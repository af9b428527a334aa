"""Headers, read back by Python's and GNU's readers."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slimpy.errors import PackError
from slimpy.pack import tarball
from slimpy.pack.tarball import BLOCK, RECORD, Header, Writer


def archive(*entries: tuple[Header, bytes | None]) -> bytes:
    out = io.BytesIO()
    writer = Writer(out.write)
    for header, data in entries:
        writer.add(header, None if data is None else io.BytesIO(data))
    writer.finish()
    assert writer.size == len(out.getvalue())
    return out.getvalue()


def read_back(data: bytes) -> tarfile.TarInfo:
    with tarfile.open(fileobj=io.BytesIO(data), encoding="utf-8") as tar:
        (member,) = tar.getmembers()
    return member


def raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


NAME = st.binary(min_size=1, max_size=300).filter(
    lambda name: b"\0" not in name and not name.startswith(b"/") and not name.endswith(b"/")
)
XATTRS = st.dictionaries(
    st.text("abcdefg.", min_size=1, max_size=9).map("user.{}".format), st.binary(max_size=120)
)


@settings(deadline=None)
@given(
    name=NAME,
    link=NAME,
    ids=st.tuples(st.integers(0, 2**32 - 2), st.integers(0, 2**32 - 2)),
    size=st.integers(0, 2**50),
    mtime=st.integers(-(2**40), 2**40),
    mode=st.integers(0, 0o7777),
    xattrs=XATTRS,
)
def test_any_header_is_read_back(
    name: bytes,
    link: bytes,
    ids: tuple[int, int],
    size: int,
    mtime: int,
    mode: int,
    xattrs: dict[str, bytes],
) -> None:
    header = Header(name, tarball.SYMBOLIC_LINK, mode, *ids, size, mtime, link, xattrs=xattrs)
    found = tarfile.TarInfo.frombuf(header.encoded()[-BLOCK:], "utf-8", "surrogateescape")
    blocks = header.encoded()
    assert len(blocks) % BLOCK == 0
    if len(blocks) > BLOCK:
        found = read_back(blocks + bytes(2 * BLOCK))
    assert (raw(found.name), raw(found.linkname)) == (name, link)
    assert (found.uid, found.gid) == ids
    assert (found.size, found.mtime, found.mode) == (size, mtime, mode)
    assert (found.uname, found.gname) == ("", "")
    pax = {key.removeprefix("SCHILY.xattr."): value for key, value in found.pax_headers.items()}
    assert {key: raw(pax[key]) for key in xattrs} == xattrs


@pytest.mark.parametrize(
    ("header", "blocks"),
    [
        (Header(b"a", b"0", 0o644), 1),
        (Header(b"a" * 100, b"0", 0o644), 1),
        (Header(b"a" * 101, b"0", 0o644), 3),
        (Header(b"p" * 155 + b"/" + b"n" * 100, b"0", 0o644), 1),
        (Header(b"p" * 156 + b"/" + b"n" * 100, b"0", 0o644), 3),
        (Header(b"p" * 100 + b"/" + b"n" * 99 + b"/", b"5", 0o755), 1),
        (Header(b"p" * 100 + b"/" + b"n" * 100 + b"/", b"5", 0o755), 3),
        (Header(b"/".join([b"d" * 20] * 11), b"0", 0o644), 1),
        (Header(b"/".join([b"d" * 20] * 12), b"0", 0o644), 3),
        (Header("é".encode(), b"0", 0o644), 3),
        (Header(b"l", b"2", 0o777, link=b"t" * 100), 1),
        (Header(b"l", b"2", 0o777, link=b"t" * 101), 3),
        (Header(b"l", b"2", 0o777, link=b"\xff"), 3),
        (Header(b"a", b"0", 0o644, uid=0o7777777, gid=0o7777777), 1),
        (Header(b"a", b"0", 0o644, uid=0o10000000), 3),
        (Header(b"a", b"0", 0o644, gid=4_000_000_000), 3),
        (Header(b"a", b"0", 0o644, size=8 * 1024**3 - 1), 1),
        (Header(b"a", b"0", 0o644, size=8 * 1024**3), 3),
        (Header(b"a", b"0", 0o644, mtime=-1), 3),
        (Header(b"a", b"0", 0o644, xattrs={"user.x": b""}), 3),
    ],
)
def test_an_extended_header_only_where_it_is_needed(header: Header, blocks: int) -> None:
    assert len(header.encoded()) == blocks * BLOCK


@pytest.mark.parametrize("length", range(80, 110))
def test_the_length_of_a_record_counts_itself(length: int) -> None:
    value = b"v" * length
    found = read_back(archive((Header(b"a", b"0", 0o644, xattrs={"user.x": value}), b"")))
    assert found.pax_headers == {"SCHILY.xattr.user.x": value.decode()}


def test_gnu_tar_reads_it(tmp_path: Path) -> None:
    tar = shutil.which("tar")
    if tar is None:
        pytest.skip("GNU tar is not installed here")
    names = [
        b"plain", b"new\nline", b"\xff\xfe", b"space ", b"-dash", b"n" * 255, b"back\\slash",
        b"/".join([b"d" * 90] * 4),
    ]  # fmt: skip
    entries = [(Header(name, b"0", 0o640, size=len(name)), name) for name in names]
    done = subprocess.run(
        [tar, "-x", "-C", str(tmp_path), "-f", "-"],
        input=archive(*entries), capture_output=True, check=True, timeout=60,
    )  # fmt: skip
    assert done.stderr == b""
    for name in names:
        assert (tmp_path / os.fsdecode(name)).read_bytes() == name


def test_the_archive_fills_whole_records() -> None:
    data = archive((Header(b"a", b"0", 0o644, size=700), b"x" * 700))
    assert len(data) % RECORD == 0
    assert data[BLOCK : BLOCK + 1024] == b"x" * 700 + bytes(324)
    assert not any(data[3 * BLOCK :])


@pytest.mark.parametrize("actual", [0, 699, 701])
def test_contents_of_another_size_are_refused(actual: int) -> None:
    with pytest.raises(PackError, match="700 bytes"):
        archive((Header(b"a", b"0", 0o644, size=700), b"x" * actual))


def test_an_impossible_device_is_refused() -> None:
    with pytest.raises(PackError, match="dev/x"):
        Header(b"dev/x", tarball.CHARACTER, 0o600, major=1 << 30).encoded()
