"""Layers that attack the machine that unpacks them, and layers with all that may be in one."""

from __future__ import annotations

import io
import os
import stat
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from slimpy.engine.embedded import extract
from slimpy.engine.embedded.extract import OBEYED, SKIPPED, UNSET, Unpacker
from slimpy.errors import SourceError

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to other users")

Member = tuple[str, dict[str, object], bytes]


def member(name: str, data: bytes = b"", **fields: object) -> Member:
    return name, fields, data


def directory(name: str, **fields: object) -> Member:
    return member(name, type=tarfile.DIRTYPE, **{"mode": 0o755, **fields})


def link(name: str, target: str, **fields: object) -> Member:
    return member(name, type=tarfile.SYMTYPE, linkname=target, **fields)


def hard_link(name: str, target: str) -> Member:
    return member(name, type=tarfile.LNKTYPE, linkname=target)


def layer(*members: Member) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, fields, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            info.mode = 0o644
            for key, value in fields.items():
                setattr(info, key, value)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


@pytest.fixture
def unpack(tmp_path: Path) -> Callable[..., Path]:
    """Unpacks members beside a canary, which must be as it was afterwards."""
    (tmp_path / "canary").write_text("untouched")
    (tmp_path / "canary").chmod(0o600)
    (tmp_path / "secrets").mkdir()

    def run(*members: Member, root: bool = True, data: bytes | None = None) -> Path:
        place = tmp_path / "layer"
        place.mkdir(exist_ok=True)
        before = sorted(path.name for path in tmp_path.iterdir())
        try:
            with Unpacker(str(place), root=root, owners=root) as unpacker:
                archive = layer(*members) if data is None else data
                unpacker.unpack(archive[at : at + 700] for at in range(0, len(archive), 700))
                run.skipped = unpacker.skipped  # type: ignore[attr-defined]
        finally:
            assert sorted(path.name for path in tmp_path.iterdir()) == before
            assert (tmp_path / "canary").read_text() == "untouched"
            assert stat.S_IMODE((tmp_path / "canary").stat().st_mode) == 0o600
            assert not list((tmp_path / "secrets").iterdir())
        return place

    return run


ATTACKS: dict[str, tuple[Member, ...]] = {
    "two dots": (member("../canary", b"owned"),),
    "two dots inside": (member("a/../../canary", b"owned"),),
    "absolute name": (member("/canary", b"mine"),),
    "link up, then through it": (link("up", ".."), member("up/canary", b"owned")),
    "absolute link, then through it": (link("abs", "/"), member("abs/canary", b"owned")),
    "link to a link": (link("a", "b"), link("b", "../.."), member("a/secrets/x", b"owned")),
    "a file in the place of a link": (link("x", "../canary"), member("x", b"owned")),
    "mode through a link": (link("x", "../canary"), directory("x")),
    "hard link up": (hard_link("x", "../canary"), member("x", b"owned")),
    "hard link absolute": (hard_link("x", "/canary"), member("x", b"owned")),
    "hard link to a link": (link("l", "../canary"), hard_link("x", "l"), member("x", b"owned")),
    "hard link through a link": (link("up", ".."), hard_link("x", "up/canary"), member("x", b"!")),
    "whiteout up": (link("up", ".."), member("up/.wh.canary")),
    "whiteout of two dots": (member("a/.wh..."), member(".wh..")),
    "opaque through a link": (link("up", "../secrets"), member("up/.wh..wh..opq")),
    "directory through a loop": (link("a", "b"), link("b", "a"), member("a/x", b"x")),
    "below a file": (member("f", b"x"), member("f/x", b"x")),
    "below a device": (member("d", type=tarfile.FIFOTYPE), member("d/x", b"x")),
    "removed through a link": (
        directory("d"),
        member("d/x", b"x"),
        link("d/up", "../.."),
        member("d", b"now a file"),
    ),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_nothing_outside_is_touched(name: str, unpack: Callable[..., Path]) -> None:
    try:
        place = unpack(*ATTACKS[name])
    except SourceError as error:
        assert error.message.startswith("A layer of the image cannot be unpacked: ")
    else:
        assert all(path.is_relative_to(place) for path in place.rglob("*"))


@pytest.mark.parametrize("cut", [1, 511, 512, 700, 1024, 1500])
def test_a_truncated_layer_is_one_clear_error(cut: int, unpack: Callable[..., Path]) -> None:
    whole = layer(member("a", b"x" * 900), member("b", b"y"))
    with pytest.raises(SourceError, match="cannot be unpacked"):
        unpack(data=whole[:cut])


def test_damage_is_one_clear_error(unpack: Callable[..., Path]) -> None:
    whole = bytearray(layer(member("a", b"x")))
    whole[150] ^= 1
    with pytest.raises(SourceError, match="checksum"):
        unpack(data=bytes(whole))


def test_what_may_be_in_a_layer_is_as_it_was(unpack: Callable[..., Path]) -> None:
    place = unpack(
        directory("var", mode=0o2775, uid=1, gid=2, mtime=1000),
        member("var/a", b"data", mode=0o4755, uid=3, gid=4, mtime=2000),
        hard_link("var/b", "var/a"),
        link("var/l", "/etc/passwd", mtime=3000),
        member("var/p", type=tarfile.FIFOTYPE, mode=0o622),
        member("deep/er/file", b"x"),
        member("n" * 200 + "/" + "m" * 200, b"long"),
        member("caf\udce9", b"raw name"),
        member("x", b"old"),
        member("x", b"new"),
        member("cap", b"", pax_headers={"SCHILY.xattr.user.note": "yes"}),
        member("sly", b"", pax_headers={"SCHILY.xattr.trusted.overlay.redirect": "/etc"}),
    )
    found = (place / "var").stat()
    assert (stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid) == (0o2775, 1, 2)
    assert found.st_mtime == 1000
    file = (place / "var/a").stat()
    assert (stat.S_IMODE(file.st_mode), file.st_uid, file.st_mtime) == (0o4755, 3, 2000)
    assert file.st_ino == (place / "var/b").stat().st_ino and file.st_nlink == 2
    assert (place / "var/l").readlink() == Path("/etc/passwd")
    assert stat.S_ISFIFO((place / "var/p").stat().st_mode)
    assert (place / "deep/er/file").read_bytes() == b"x"
    assert (place / ("n" * 200) / ("m" * 200)).read_bytes() == b"long"
    assert (place / "caf\udce9").read_bytes() == b"raw name"
    assert (place / "x").read_bytes() == b"new"
    assert os.listxattr(place / "cap") == ["user.note"]
    assert os.listxattr(place / "sly") == []


def test_whiteouts_become_what_overlayfs_knows(unpack: Callable[..., Path]) -> None:
    place = unpack(
        directory("etc"),
        member("etc/.wh.gone"),
        member("etc/.wh.kept"),
        member("etc/kept", b"in this layer, too"),
        directory("opt"),
        member("opt/.wh..wh..opq"),
        member("opt/.wh..wh.aufs"),
    )
    gone = (place / "etc/gone").lstat()
    assert stat.S_ISCHR(gone.st_mode) and gone.st_rdev == 0
    assert (place / "etc/kept").read_bytes() == b"in this layer, too"
    assert os.getxattr(place / "opt", "trusted.overlay.opaque") == b"y"
    assert [path.name for path in (place / "opt").iterdir()] == []


def test_devices_are_for_root_only(unpack: Callable[..., Path]) -> None:
    device = member("null", type=tarfile.CHRTYPE, devmajor=1, devminor=3)
    place = unpack(device, root=False)
    assert not (place / "null").exists()
    assert unpack.skipped == {SKIPPED: 1}  # type: ignore[attr-defined]
    place = unpack(device)
    assert stat.S_ISCHR((place / "null").stat().st_mode)


IMPOSSIBLE: dict[str, tuple[Member, ...]] = {
    "a zero byte in a name": (member("x", pax_headers={"path": "a\0b"}),),
    "a zero byte in a directory's name": (member("x", pax_headers={"path": "a\0b/c"}),),
    "a zero byte in a link": (link("x", "y", pax_headers={"linkpath": "a\0b"}),),
    "a zero byte in an attribute's name": (
        member("x", pax_headers={"SCHILY.xattr.user.a\0b": "v"}),
    ),
    "a link to nothing": (link("x", ""),),
    "a link of unbelievable length": (link("x", "y" * 5000),),
    "a name that is too long": (member("n" * 300),),
    "a path that is too long": (member("d/" * 3000 + "x"),),
    "an owner beyond all ids": (member("x", uid=2**40),),
    "the owner that means none": (member("x", gid=2**32 - 1),),
    "a file of a petabyte": (
        member(
            "x",
            b"0\n".ljust(512, b"\0"),
            pax_headers={
                "GNU.sparse.major": "1",
                "GNU.sparse.minor": "0",
                "GNU.sparse.realsize": str(1 << 50),
            },
        ),
    ),
}


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_what_cannot_be_is_one_clear_error(name: str, unpack: Callable[..., Path]) -> None:
    with pytest.raises(SourceError, match=r"^A layer of the image cannot be unpacked: "):
        unpack(*IMPOSSIBLE[name])


def test_a_tree_of_any_depth_is_made_and_replaced(unpack: Callable[..., Path]) -> None:
    """A thousand levels end functions that call themselves."""
    levels = 1900
    deep = [member("a/" * depth + "x", b"x") for depth in range(1, levels, 300)]
    place = unpack(*deep, member("a", b"now a file"))
    assert (place / "a").read_bytes() == b"now a file"
    assert [path.name for path in place.iterdir()] == ["a"]


def test_a_directory_that_was_replaced_does_not_come_back(unpack: Callable[..., Path]) -> None:
    place = unpack(
        directory("c", mode=0o711),
        link("l", "c"),
        directory("l/sub"),
        link("l", "nowhere"),
        directory("d", mode=0o700),
        link("d", "c"),
    )
    assert (place / "l").readlink() == Path("nowhere")
    assert (place / "d").readlink() == Path("c")
    assert stat.S_IMODE((place / "c").stat().st_mode) == 0o711  # not that of d


def test_a_replaced_directory_leaves_its_parent_open(unpack: Callable[..., Path]) -> None:
    """Descriptors have other numbers when they are opened again: nothing may hold on to one."""
    spare = os.open("/", os.O_RDONLY)
    at_once = os.open("/", os.O_RDONLY)
    os.close(spare)
    try:
        place = unpack(directory("p"), member("p/d/f", b"x"), member("p/d", b"y"))
    finally:
        os.close(at_once)
    assert (place / "p/d").read_bytes() == b"y"


def test_what_overlayfs_would_obey_and_what_is_too_large_is_counted(
    unpack: Callable[..., Path],
) -> None:
    place = unpack(
        member("a", pax_headers={"SCHILY.xattr.user.overlay.whiteout": "y"}),
        member("b", pax_headers={"SCHILY.xattr.user.big": "v" * 70_000}),
        member("c", mtime=1, pax_headers={"mtime": "9" * 19}),
    )
    assert unpack.skipped == {OBEYED: 1, UNSET: 1}  # type: ignore[attr-defined]
    assert not os.listxattr(place / "a") and not os.listxattr(place / "b")
    assert (place / "c").stat().st_mtime > 1 << 33


def test_a_name_with_a_slash_is_a_directory_in_old_archives(unpack: Callable[..., Path]) -> None:
    assert (unpack(member("old/"), member("old/x", b"x")) / "old/x").read_bytes() == b"x"


@pytest.mark.parametrize("bound", ["MOST_ENTRIES", "LARGEST", "MOST_ATTRIBUTES"])
def test_a_layer_is_bounded(
    bound: str, unpack: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    note = {"SCHILY.xattr.user.note": "n" * 60}
    members = [directory(f"d{n}", pax_headers=note) for n in range(3)] + [member("f", b"x" * 200)]
    monkeypatch.setattr(extract, bound, 4 if bound == "MOST_ENTRIES" else 200)
    unpack(*members)
    monkeypatch.setattr(extract, bound, 3 if bound == "MOST_ENTRIES" else 179)
    with pytest.raises(SourceError, match=r"it has|its directories have"):
        unpack(*members)
