from __future__ import annotations

import base64
import tracemalloc
import zlib

from hypothesis import given
from hypothesis import strategies as st

from slimpy.image.tree import Tree
from slimpy.model import Entry, FileType, ImagePath, KeepSet, Reason, Rule
from slimpy.report.html.listing import MOST_REASONS, Cut, Files, compressed, cut, lines
from slimpy.report.tsv import escape, unescape
from tests.unit.report.html.unfold import rows
from tests.unit.report.making import HOSTILE, KEEP, TREE

P = ImagePath
OWNERS = {P("/usr/doc"): "docs 1.0", P("/usr/doc2"): "docs 1.0", P("/app/lib.so"): "lib \x1b2"}


def listed(files: Files, limit: Cut | None = None) -> dict[str, list[str]]:
    return dict(rows("".join(lines(files, limit or cut(files)))))


def test_every_path_is_there_with_its_state_and_size():
    found = listed(Files(TREE, KEEP, {}))
    assert list(found) == [escape(entry.path) for entry in TREE][1:]
    assert found["/app"][:2] == ["dk", "0"]
    assert found["/app/again"][:2] == ["fk", "2000000"]
    assert found["/app/main"][:2] == ["fK", "2000000"], "its bytes are counted at /app/again"
    assert found["/app/listed"][:2] == ["fn", "5000"]
    assert found["/app/latest"][:2] == ["lk", "0"]
    assert found["/usr/doc"][:2] == ["fr", "80000000"]
    assert (found["/usr/doc2"][0], found["/usr/doc3"][0]) == ("fr", "fR")
    assert found["/usr/pipe"][:2] == ["pr", "0"]


def test_reasons_follow_in_threes():
    found = listed(Files(TREE, KEEP, {}))
    # A path that is its own reason is not written twice.
    assert found["/app/main"][3:] == [
        *("touched", "", "exec"),
        *("image-config", "ENTRYPOINT", "the entrypoint"),
    ]
    assert found[escape(HOSTILE)][3:] == ["touched", "", "open\\tby \\u001b"]
    assert found["/usr/doc"][3:] == []


def test_packages_are_written_once():
    found = listed(Files(TREE, KEEP, OWNERS))
    assert found["/app/lib.so"][2] == "+lib \\u001b2"
    assert found["/usr/doc"][2] == "+docs 1.0"
    assert found["/usr/doc2"][2] == "1"
    assert found["/usr/doc3"][2] == ""


def test_a_languages_package_owns_what_no_system_package_does():
    path = P("/opt/venv/lib/python3.11/site-packages/flask/app.py")
    found = listed(Files(Tree([Entry(path, FileType.FILE, size=1)]), KeepSet({}), {}))
    assert found[path][2] == "+flask (python)"


def test_a_path_that_ships_though_the_original_lacks_it_is_in_its_place():
    keep = KeepSet({P("/b/new"): (Reason(Rule.STATE),), P("/new"): (Reason(Rule.STATE),)})
    tree = Tree([Entry(P(path), FileType.FILE) for path in ("/a", "/b/x", "/c")])
    found = listed(Files(tree, keep, {}))
    assert list(found) == ["/a", "/b", "/b/new", "/b/x", "/c", "/new"]
    assert found["/b/new"][:2] == ["dk", "0"]


def test_many_reasons_are_counted():
    many = tuple(Reason(Rule.LIBRARY, f"/lib/{n}") for n in range(MOST_REASONS + 5))
    tree = Tree([Entry(P("/a"), FileType.FILE)])
    fields = listed(Files(tree, KeepSet({P("/a"): many}), {}))["/a"][3:]
    assert len(fields) == 3 * (MOST_REASONS + 1)
    assert fields[-3:] == ["", "5", ""]


def test_of_too_many_paths_the_largest_stay():
    entries = [Entry(P(f"/d{n % 7}/f{n}"), FileType.FILE, size=n) for n in range(100)]
    files = Files(Tree(entries), KeepSet({}), {})
    assert cut(files, 200) == Cut()
    limit = cut(files, 10)
    found = listed(files, limit)
    assert sorted(int(fields[1]) for fields in found.values()) == list(range(90, 100))
    assert len(found) + limit.paths == len(files.tree) - 1


COMPONENT = st.text(min_size=1, max_size=6).filter(
    lambda name: "/" not in name and "\0" not in name and name not in (".", "..")
)


def is_path(name: str) -> bool:
    """Whether an image can hold the name: raw bytes come as surrogate escapes only."""
    return not any(0xD800 <= ord(char) < 0xDC80 or 0xDCFF < ord(char) < 0xE000 for char in name)


@given(st.lists(st.lists(COMPONENT.filter(is_path), min_size=1, max_size=4), max_size=12))
def test_any_paths_survive(parts):
    entries = [Entry(P("/" + "/".join(way)), FileType.DIRECTORY) for way in parts]
    tree = Tree(entries)
    text = "".join(lines(Files(tree, KeepSet({}), {}), Cut()))
    found = [unescape(path) for path, _ in rows(text)] if text else []
    assert found == [entry.path for entry in tree][1:]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]))))
def test_compressed_is_one_stream(texts):
    data = base64.b64decode("".join(compressed(texts)), validate=True)
    assert zlib.decompress(data).decode() == "".join(texts)


def test_a_large_listing_needs_no_memory():
    entries = (f"/d{n % 400}/some-rather-long-file-name-{n}" for n in range(100_000))
    files = Files(Tree(Entry(P(path), FileType.FILE, size=1) for path in entries), KeepSet({}), {})
    tracemalloc.start()
    length = sum(len(piece) for piece in compressed(lines(files, Cut())))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert length > 200_000
    assert peak < 1_000_000
