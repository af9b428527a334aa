"""Changes, waste and the score, against examples reckoned by hand."""

from __future__ import annotations

import tarfile

import pytest

from slimpy.errors import SourceError
from slimpy.xray.members import LayerReader
from slimpy.xray.stack import Kind, Stack, stacked
from tests.unit.xray.images import directory, file, layer, link


def stack(*layers: bytes) -> Stack:
    reader = LayerReader(lambda _path, _size: 0, lambda _path, _data: None)
    return stacked([reader.read([item], "of the test") for item in layers])


def changes(found: Stack, number: int) -> dict[str, Kind]:
    return {change.path: change.kind for change in found.changes[number]}


def test_the_example_of_the_documentation() -> None:
    # docs/xray.md, "Waste and the score", reckons these figures by hand.
    found = stack(
        layer(file("a", b"a" * 1000), file("b", b"b" * 600), file("d/c", b"c" * 400)),
        layer(file("a", b"A" * 1500), file(".wh.b"), file("e", b"e" * 500)),
        layer(file(".wh.d"), file("e", b"e" * 500, mode=0o600)),
    )
    assert (found.minimum, found.discovered) == (1000 + 0 + 0 + 500, 2500 + 600 + 400 + 1000)
    assert found.efficiency == pytest.approx(1500 / 4500)
    assert found.stored == 4500
    assert found.wasted_bytes == 1000 + 600 + 400 + 500
    assert [(item.path, item.size, item.copies, item.reason) for item in found.wasted] == [
        ("/a", 1000, 2, "overwritten"),
        ("/b", 600, 1, "removed"),
        ("/e", 500, 2, "same contents"),
        ("/d/c", 400, 1, "removed"),
    ]


def test_an_image_that_stores_nothing_twice_is_perfect() -> None:
    found = stack(layer(file("a", b"1")), layer(file("b", b"2")))
    assert (found.efficiency, found.wasted_bytes) == (1.0, 0)
    assert stack().efficiency == stack(layer()).efficiency == 1.0


def test_an_opaque_directory_hides_what_was_in_it_but_not_its_own_files() -> None:
    found = stack(
        layer(directory("d"), file("d/old", b"1"), file("d/both", b"2"), file("x/old", b"3")),
        layer(file("d/.wh..wh..opq"), file("d/both", b"4"), file("d/new", b"5")),
    )
    assert changes(found, 1) == {
        "/d/both": Kind.CHANGED,
        "/d/new": Kind.ADDED,
        "/d/old": Kind.REMOVED,
    }
    assert set(found.visible) == {"/d", "/d/both", "/d/new", "/x", "/x/old"}


def test_a_whiteout_speaks_of_lower_layers_only() -> None:
    found = stack(layer(file("a", b"1")), layer(file("a", b"2"), file(".wh.a")))
    assert found.visible["/a"].layer == 1
    assert changes(found, 1) == {"/a": Kind.CHANGED}


def test_hard_links_are_one_file() -> None:
    found = stack(
        layer(file("a", b"1" * 100), link("b", "a", tarfile.LNKTYPE)),
        layer(file(".wh.a")),
    )
    assert found.stored == 100
    assert found.wasted_bytes == 0, "its other name still shows it"
    assert found.visible["/b"].member.length == 100
    gone = stack(
        layer(file("a", b"1" * 100), link("b", "a", tarfile.LNKTYPE)),
        layer(file(".wh.a"), file(".wh.b")),
    )
    assert gone.wasted_bytes == 100


def test_a_file_in_place_of_a_directory_removes_what_was_below() -> None:
    found = stack(layer(file("d/a/b", b"1")), layer(file("d", b"file")))
    assert changes(found, 1) == {
        "/d": Kind.CHANGED,
        "/d/a": Kind.REMOVED,
        "/d/a/b": Kind.REMOVED,
    }
    assert set(found.visible) == {"/d"}


def test_a_path_below_a_link_lies_where_the_link_leads() -> None:
    found = stack(
        layer(directory("usr/lib"), link("lib", "usr/lib"), file("usr/lib/x", b"1" * 10)),
        layer(file("lib/x", b"2" * 20)),
    )
    assert changes(found, 1) == {"/usr/lib/x": Kind.CHANGED}
    assert found.wasted_bytes == 10


def test_links_in_a_circle_and_out_of_the_image_end() -> None:
    found = stack(
        layer(link("a", "b"), link("b", "a"), link("up", "../../..")),
        layer(file("a/x", b"1"), file("up/y", b"2")),
    )
    assert "/y" in found.visible


def test_a_directory_again_is_no_change() -> None:
    found = stack(layer(directory("d")), layer(directory("d"), directory("e")))
    assert changes(found, 1) == {"/e": Kind.ADDED}
    other = stack(layer(directory("d")), layer(directory("d", 0o700)))
    assert changes(other, 1) == {"/d": Kind.CHANGED}


def test_names_that_lead_out_are_counted_and_left_out() -> None:
    reader = LayerReader(lambda _path, _size: 0, lambda _path, _data: None)
    hostile = (file("../x", b"1"), file("a/../../y", b"2"), file("z" * 5000, b"3"))
    read = reader.read([layer(*hostile, link("h", "nothing", tarfile.LNKTYPE))], "l")
    assert set(read.members) == {"/h"}
    assert sorted(read.skipped.values()) == [1, 3]


@pytest.mark.parametrize("cut", [1, 100, 700, 1500])
def test_a_layer_that_was_cut_off_is_an_error(cut: int) -> None:
    reader = LayerReader(lambda _path, _size: 0, lambda _path, _data: None)
    whole = layer(file("a", b"1" * 1000))
    with pytest.raises(SourceError, match="The layer l cannot be read: it ended early"):
        reader.read([whole[:cut]], "l")


def test_a_layer_that_is_no_archive_is_an_error() -> None:
    reader = LayerReader(lambda _path, _size: 0, lambda _path, _data: None)
    with pytest.raises(SourceError, match="The layer l cannot be read"):
        reader.read([b"\x80" * 4096], "l")
