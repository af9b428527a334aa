"""What the panes of `slim xray --interactive` show, without a terminal."""

from __future__ import annotations

import tarfile
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slimpy.model import FileType
from slimpy.xray.inspect import inspected
from slimpy.xray.interactive import wording
from slimpy.xray.interactive.outline import FEW, Outline
from slimpy.xray.interactive.scene import Look, Row, Scene
from slimpy.xray.interactive.timeline import TOP, Timeline, timeline
from slimpy.xray.members import LayerReader, Member
from slimpy.xray.stack import Kind, Stack, stacked
from tests.unit.xray.images import directory, file, image, layer, link

BASE = layer(
    directory("etc"),
    file("etc/a", b"a" * 1000, mode=0o640, uid=7, gid=8),
    file("etc/old", b"o" * 300),
    file("opt/tool/bin/x", b"x" * 5000, mode=0o4755),
    link("opt/tool/bin/y", "opt/tool/bin/x", tarfile.LNKTYPE),
    link("bin", "opt/tool/bin"),
)
SECOND = layer(
    file("etc/a", b"A" * 2000, mode=0o600),
    file("etc/.wh.old"),
    file("etc/new", b"n" * 50),
)
THIRD = layer(file(".wh.opt"))


def stack(*layers: bytes) -> Stack:
    reader = LayerReader(lambda _path, _size: 0, lambda _path, _data: None)
    return stacked([reader.read([item], "of the test") for item in layers])


@pytest.fixture(scope="module")
def story() -> Timeline:
    return timeline(stack(BASE, SECOND, THIRD))


def rows(scene: Scene) -> dict[str, Row]:
    """All rows that are shown, folded or not."""
    outline = Outline(scene)
    outline.unfold_below(TOP)
    found = [scene.row(line.index) for line in outline.lines]
    return {row.path: row for row in found}


def shown(story: Timeline, look: Look) -> list[str]:
    signs = {None: " ", **wording.SIGNS}
    return [f"{signs[row.kind]}{path}" for path, row in rows(Scene(story, look)).items()]


def test_each_layer_shows_what_it_did_and_what_was_there_before(story: Timeline) -> None:
    assert shown(story, Look(0)) == [
        "+/bin",
        "+/etc",
        "+/etc/a",
        "+/etc/old",
        " /opt",
        " /opt/tool",
        " /opt/tool/bin",
        "+/opt/tool/bin/x",
        "+/opt/tool/bin/y",
    ]
    assert shown(story, Look(1))[:5] == [" /bin", " /etc", "~/etc/a", "+/etc/new", "-/etc/old"]
    assert shown(story, Look(2))[1:5] == [" /etc", " /etc/a", " /etc/new", "-/opt"]


def test_only_the_changes_of_a_layer_and_only_some_kinds(story: Timeline) -> None:
    changes = Look(1, changes=True)
    assert shown(story, changes) == [" /etc", "~/etc/a", "+/etc/new", "-/etc/old"]
    removed = replace(changes, kinds=frozenset({Kind.REMOVED}))
    assert shown(story, removed) == [" /etc", "-/etc/old"]
    both = Look(1, kinds=frozenset({Kind.REMOVED, Kind.ADDED}))
    assert shown(story, both) == [" /etc", "+/etc/new", "-/etc/old"]
    assert shown(story, Look(2, kinds=frozenset({Kind.ADDED}))) == []


def test_mode_owner_and_size_are_those_of_the_layer(story: Timeline) -> None:
    before, after = rows(Scene(story, Look(0)))["/etc/a"], rows(Scene(story, Look(1)))["/etc/a"]
    facts = [(r.entry.member.mode, r.entry.member.uid, r.size) for r in (before, after)]
    assert facts == [(0o640, 7, 1000), (0o600, 0, 2000)]


def test_directories_show_the_sum_with_each_file_once(story: Timeline) -> None:
    found = rows(Scene(story, Look(0)))
    assert (found["/etc"].size, found["/opt"].size) == (1300, 5000), "y is another name of x"
    assert found["/opt/tool/bin/y"].size == 5000
    gone = rows(Scene(story, Look(2)))["/opt"]
    assert (gone.kind, gone.size, gone.freed) == (Kind.REMOVED, 0, 5000)
    assert Scene(story, Look(1, changes=True)).size == 2050


def test_a_name_that_goes_frees_nothing_while_another_is_left() -> None:
    one = layer(file("d/a", b"1" * 100), link("d/b", "d/a", tarfile.LNKTYPE))
    found = rows(Scene(timeline(stack(one, layer(file("d/.wh.a")))), Look(1)))
    assert (found["/d"].size, found["/d"].freed) == (100, 0)


def test_texts_are_found_in_whole_paths_in_any_case(story: Timeline) -> None:
    assert shown(story, Look(0, text="TOOL/bin/X")) == [
        " /opt",
        " /opt/tool",
        " /opt/tool/bin",
        "+/opt/tool/bin/x",
    ]
    assert shown(story, Look(0, text="nowhere")) == []
    assert Scene(story, Look(0, text="x")).matches == 1


def test_the_biggest_come_first_by_size_and_when_jumping(story: Timeline) -> None:
    scene = Scene(story, Look(1, by_size=True))
    assert [story.paths[i] for i in scene.below(TOP)] == ["/opt", "/etc", "/bin"]
    assert [story.paths[i] for i in scene.biggest()] == [
        "/opt/tool/bin/x",
        "/opt/tool/bin/y",
        "/etc/a",
        "/etc/new",
    ]
    freed = Scene(story, Look(2, by_size=True))
    assert story.paths[freed.below(TOP)[0]] == "/opt", "what goes counts as what comes"


def test_a_path_that_comes_back_is_added_again() -> None:
    again = timeline(
        stack(layer(file("a", b"1")), layer(file(".wh.a")), layer(file("b")), layer(file("a")))
    )
    looks = [shown(again, Look(number)) for number in range(4)]
    assert looks == [["+/a"], ["-/a"], ["+/b"], ["+/a", " /b"]]


def test_a_file_in_place_of_a_directory() -> None:
    told = timeline(stack(layer(file("d/a/b", b"1")), layer(file("d", b"file"))))
    assert shown(told, Look(1)) == ["~/d", "-/d/a", "-/d/a/b"]


def test_files_that_a_layer_has_and_removes_itself_are_not_told() -> None:
    told = timeline(stack(layer(file("d/a", b"1"), file("d", b"2"))))
    assert shown(told, Look(0)) == ["+/d"]


NAMES = ("a", "b", "d/a", "d/b", "d/e/a", "d", "d/e", "l")


def made(what: str, name: str, number: int) -> tuple[tarfile.TarInfo, bytes]:
    above, _, last = name.rpartition("/")
    match what:
        case "file":
            return file(name, b"x" * number)
        case "directory":
            return directory(name, 0o700 + number)
        case "link":
            return link(name, "d")
        case "whiteout":
            return file(f"{above}/.wh.{last}")
    return file(f"{name}/.wh..wh..opq")


members = st.tuples(
    st.sampled_from(["file", "file", "directory", "link", "whiteout", "opaque"]),
    st.sampled_from(NAMES),
    st.integers(0, 2),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.lists(members, max_size=6), max_size=4))
def test_after_each_layer_there_is_what_the_stack_says(
    told: list[list[tuple[str, str, int]]],
) -> None:
    layers = [layer(*(made(*item) for item in items)) for items in told]
    whole = timeline(stack(*layers))
    for number in range(len(layers)):
        scene = Scene(whole, Look(number))
        found = {path: row.entry for path, row in rows(scene).items() if row.kind != Kind.REMOVED}
        upto = stack(*layers[: number + 1])
        assert set(found) == set(upto.visible)
        # Odd layers store something below the name of a file; here that makes it a directory.
        above = {path.rpartition("/")[0] for path in whole.paths} & set(found)
        for path in set(found) - above:
            member = upto.visible[path].member
            assert (found[path].member == member) or member.type is FileType.DIRECTORY
            assert found[path].member.type == member.type
        if not any(upto.visible[path].member.is_file for path in above):  # of odd layers
            assert scene.size == upto.stored - upto.wasted_bytes


def test_lines_are_unfolded_one_directory_at_a_time(story: Timeline) -> None:
    outline = Outline(Scene(story, Look(0)))

    def lines() -> list[tuple[str, int]]:
        return [(story.paths[line.index], line.depth) for line in outline.lines]

    assert lines() == [("/bin", 0), ("/etc", 0), ("/opt", 0)]
    outline.toggle(outline.lines[1].index)
    assert lines()[1:4] == [("/etc", 0), ("/etc/a", 1), ("/etc/old", 1)]
    outline.toggle(outline.lines[0].index)
    assert not outline.is_open(outline.lines[0].index), "a link has nothing to unfold"
    outline.toggle(outline.lines[1].index)
    outline.unfold_below(outline.lines[2].index)
    assert lines()[2:] == [
        ("/opt", 0),
        ("/opt/tool", 1),
        ("/opt/tool/bin", 2),
        ("/opt/tool/bin/x", 3),
        ("/opt/tool/bin/y", 3),
    ]
    outline.fold_all()
    assert len(lines()) == 3
    assert outline.reveal(story.paths.index("/opt/tool/bin/y")) == 6
    outline.fold_all()
    assert outline.line_of(story.paths.index("/opt/tool/bin/y")) == 2


def test_few_matches_are_unfolded_and_fold_again_when_the_filter_goes(story: Timeline) -> None:
    outline = Outline(Scene(story, Look(0)))
    outline.put(Scene(story, Look(0, text="bin/x")))
    assert len(outline.lines) == 4
    outline.put(Scene(story, Look(0)))
    assert len(outline.lines) == 3
    many = timeline(stack(layer(*(file(f"d/f{number}") for number in range(FEW + 1)))))
    outline.put(Scene(many, Look(0, text="f")))
    assert len(outline.lines) == 1


def test_hostile_depth_needs_no_recursion() -> None:
    deep = "/".join("d" * 1900)
    told = timeline(stack(layer(file(deep, b"deep"))))
    outline = Outline(Scene(told, Look(0)))
    outline.unfold_below(TOP)
    assert len(outline.lines) == 1900
    last = outline.lines[-1]
    text = "".join(t for _, t in wording.row_pieces(outline.scene.row(last.index), last,
                                                     unfolded=False))  # fmt: skip
    assert len(text) < 100


def test_texts_are_safe_to_show_and_told_as_they_are() -> None:
    evil = "[red]\x1b[31m\n\u202e".encode() + b"\xff"
    name = evil.decode("utf-8", "surrogateescape")
    history = [{"created_by": "RUN /bin/sh -c \x1b[2J [bold]x && y # buildkit"}]
    source = image([layer(file(name, b"1"), link("l", name))], history=history)
    found, told = inspected(source)
    scene = Scene(timeline(told), Look(0))
    outline = Outline(scene)
    pieces = [
        *(piece for line in outline.lines
          for piece in wording.row_pieces(scene.row(line.index), line, unfolded=False)),
        *(piece for line in outline.lines for piece in wording.path_lines(scene.row(line.index))),
        *wording.layer_pieces(found.layers[0]),
        *wording.layer_lines(found.layers[0], 1),
        *wording.image_lines(found),
        ("", wording.look_text(Scene(timeline(told), Look(0, text="\x1b[")))),
    ]  # fmt: skip
    assert all(text.isprintable() for _, text in pieces)
    texts = [text for _, text in pieces]
    assert "[red]\\x1b[31m\\x0a\\u202e\\xff" in texts
    assert "  && y" in texts


@pytest.mark.parametrize(
    ("member", "told"),
    [
        (Member("/x", FileType.FILE, 0o4755), "-rwsr-xr-x"),
        (Member("/x", FileType.DIRECTORY, 0o1777), "drwxrwxrwt"),
        (Member("/x", FileType.LINK, 0o777), "lrwxrwxrwx"),
        (Member("/x", FileType.CHARACTER, 0o600), "crw-------"),
        (Member("/x", FileType.FIFO, 0o7777777), "prwsrwsrwt"),
    ],
)
def test_modes(member: Member, told: str) -> None:
    assert wording.mode_text(member) == told


def test_what_is_said_of_a_path() -> None:
    plain = stack(
        layer(file("d/a", b"1" * 1234, uid=5)),
        layer(file("d/a", b"1" * 1234)),
        layer(file(".wh.d")),
    )
    told = timeline(plain)

    def said(path: str, number: int) -> list[str]:
        row = Scene(told, Look(number)).row(told.paths.index(path))
        return [text for _, text in wording.path_lines(row)]

    assert said("/d", 0) == [
        "drwxr-xr-x (0755), owner 0:0, stored by no layer, first needed by layer 1",
        "/d",
    ]
    assert said("/d/a", 0)[0] == (
        "-rw-r--r-- (0644), owner 5:0, 1,234 bytes, added by layer 1"
    )  # fmt: skip
    assert said("/d/a", 1)[0].endswith("stored again by layer 2 with the same contents")
    assert said("/d/a", 2)[0].endswith("removed by layer 3")
