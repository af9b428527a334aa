from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import pytest

from slimpy.errors import DiskFullError, OutputError, ReportError
from slimpy.image.tree import Tree
from slimpy.model import Entry, FileType, ImagePath, KeepSet, Reason, Rule
from slimpy.report import keepfile
from slimpy.report.document import build, check_writable, encode, write
from slimpy.report.files import temporary
from slimpy.report.html.page import page
from slimpy.report.tables import kept_lines, removed_lines
from slimpy.report.text import plain
from tests.unit.report.making import FORMS, HOSTILE, KEEP, PROFILE, TREE, outcome

OWNERS = {ImagePath("/usr/doc"): "docs 1.0\t\x1b"}
NAMES = [
    "hardening",
    "junit.xml",
    "kept-files.tsv",
    "removed-files.tsv",
    "report.html",
    "report.json",
    "report.sarif",
    "report.txt",
    "seccomp.json",
    "summary.md",
]


@pytest.fixture
def written(tmp_path: Path) -> Path:
    directory = tmp_path / "a" / "report"
    write(build(outcome()), KEEP, TREE, PROFILE, OWNERS, directory, FORMS)
    return directory


def test_all_files_are_there_and_nothing_else(written):
    assert sorted(path.name for path in written.iterdir()) == NAMES
    report = build(outcome())
    assert (written / "report.json").read_text() == encode(report)
    assert (written / "report.txt").read_text() == plain(report)
    assert json.loads((written / "seccomp.json").read_text()) == PROFILE.document


def test_the_ledger_of_removed_paths(written):
    assert (written / "removed-files.tsv").read_text().splitlines() == [
        "path\ttype\tsize\tpackage",
        "/usr\td\t0\t",
        "/usr/doc\tf\t80000000\tdocs 1.0\\t\\u001b",
        "/usr/doc2\tf\t9\t",
        "/usr/doc3\tf\t9\t",
        "/usr/link\tl\t0\t",
        "/usr/pipe\tp\t0\t",
    ]


def test_hostile_names_stay_one_line_with_all_columns(written):
    data = (written / "kept-files.tsv").read_bytes()
    assert b"\x1b" not in data
    lines = data.decode().splitlines()
    assert len(lines) == 1 + len(KEEP.reasons)
    assert {line.count("\t") for line in lines} == {4}
    assert keepfile.load(written).keep.reasons[HOSTILE] == KEEP.reasons[HOSTILE]


def test_writing_again_replaces_and_leaves_others_files_alone(written):
    (written / "notes.txt").write_text("mine")
    (written / "report.json").write_text("old")
    write(build(outcome()), KEEP, TREE, PROFILE, {}, written, FORMS)
    assert sorted(path.name for path in written.iterdir()) == sorted([*NAMES, "notes.txt"])
    assert (written / "report.json").read_text() == encode(build(outcome()))


def test_a_failure_leaves_the_old_report_whole(written):
    before = {path: path.read_bytes() for path in written.rglob("*") if path.is_file()}
    temporary(written, "report.txt").mkdir()
    with pytest.raises(OutputError, match="cannot be written"):
        write(build(outcome()), KEEP, TREE, PROFILE, OWNERS, written, FORMS)
    temporary(written, "report.txt").rmdir()
    assert {path: path.read_bytes() for path in written.rglob("*") if path.is_file()} == before


def test_a_full_disk_is_told_as_such(tmp_path):
    temporary(tmp_path, "removed-files.tsv").symlink_to("/dev/full")
    with pytest.raises(DiskFullError, match="no space left") as caught:
        write(build(outcome()), KEEP, TREE, PROFILE, OWNERS, tmp_path, FORMS)
    assert caught.value.exit_code == 11
    assert list(tmp_path.iterdir()) == []


def test_check_writable_makes_the_directory_and_nothing_else(tmp_path):
    check_writable(tmp_path / "x" / "y")
    check_writable(tmp_path / "x" / "y")
    assert list((tmp_path / "x" / "y").iterdir()) == []


@pytest.mark.parametrize("kind", ["file", "below a file", "proc"])
def test_what_cannot_be_written_is_said_in_one_sentence(tmp_path, kind):
    file = tmp_path / "file\x1b"
    file.write_text("")
    where = {"file": file, "below a file": file / "report", "proc": Path("/proc/slim-report")}[kind]
    with pytest.raises(OutputError) as caught:
        check_writable(where)
    assert caught.value.message.startswith("The report cannot be written to ")
    assert "\x1b" not in caught.value.message
    assert caught.value.hint
    with pytest.raises(OutputError):
        write(build(outcome()), KEEP, TREE, PROFILE, OWNERS, where, FORMS)


def big_tree(count: int) -> Tree:
    names = (f"/d{n % 400}/some-rather-long-file-name-{n}" for n in range(count))
    return Tree(Entry(ImagePath(path), FileType.FILE, size=1) for path in names)


def test_200_000_removed_paths_need_no_memory(tmp_path):
    tree = big_tree(200_000)
    keep = KeepSet({})
    report = build(outcome())
    "".join(page(report, keep, Tree(()), {}))  # what is loaded once, whatever the size
    tracemalloc.start()
    write(report, keep, tree, PROFILE, {}, tmp_path, FORMS)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    size = (tmp_path / "removed-files.tsv").stat().st_size
    with (tmp_path / "removed-files.tsv").open() as table:
        assert sum(1 for _ in table) == 200_000 + 400 + 1
    assert size > 8_000_000
    assert peak < 2_000_000


def test_a_report_is_read_back(written):
    loaded = keepfile.load(written)
    assert loaded.report == build(outcome())
    assert dict(loaded.keep.reasons) == dict(KEEP.reasons)
    assert loaded.keep.placeholders == KEEP.placeholders
    assert set(loaded.keep.refused) == set(KEEP.refused)
    assert len(loaded.removed) == 6


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/app/main", "/app/main is kept whole:"),
        ("app//main/", "/app/main is kept whole:"),
        ("/app/listed", "/app/listed is kept by its name only, without contents:"),
        ("/usr/doc", "docs 1.0\\x09\\x1b."),
        ("/usr/doc", "(file, 80,000,000 bytes)"),
        ("/usr", "/usr was removed (directory)"),
        ("/usr/link", "/usr/link was removed (link)"),
        ("/dev/\x1bzero", "refused: a device"),
        ("/dev/\\u001bzero", "refused: a device"),
        ("/", "/ is kept whole:"),
    ],
)
def test_why(written, path, expected):
    told = "\n".join(keepfile.load(written).why(path))
    assert expected in told
    assert "\x1b" not in told


def test_why_follows_the_chain_and_takes_names_as_tables_write_them(written):
    loaded = keepfile.load(written)
    lines = loaded.why("/app/lib.so")
    assert "elf-needed" in lines[1]
    assert "/app/main" in lines[2]
    table = (written / "kept-files.tsv").read_text().splitlines()
    (name,) = [line.split("\t")[0] for line in table if "evil" in line.split("\t")[0]]
    assert loaded.why(name) == loaded.why(HOSTILE)


def test_an_unknown_path_is_an_error_that_names_a_link_on_the_way(written):
    loaded = keepfile.load(written)
    with pytest.raises(ReportError, match=r"no path /no\\x1b") as caught:
        loaded.why("/no\x1b")
    assert "root" in caught.value.hint
    with pytest.raises(ReportError) as caught:
        loaded.why("/usr/link/below")
    assert caught.value.hint.startswith("/usr/link is a symbolic link")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("report.json", "{"),
        ("report.json", "{}"),
        ("report.json", "\xff"),
        ("kept-files.tsv", ""),
        ("kept-files.tsv", "path\ttype\n"),
        ("kept-files.tsv", "path\ttype\tsize\treasons\tcontents\n/a\tf\t1\t[]"),
        ("kept-files.tsv", "path\ttype\tsize\treasons\tcontents\n/a\tf\t1\tnope\twhole\n"),
        (
            "kept-files.tsv",
            'path\ttype\tsize\treasons\tcontents\n/a\tf\t1\t[["x","",""]]\twhole\n',
        ),
        ("kept-files.tsv", "path\ttype\tsize\treasons\tcontents\n\\q\tf\t1\t[]\twhole\n"),
        ("removed-files.tsv", "path\ttype\tsize\tpackage\n/a\n"),
        ("removed-files.tsv", "path\ttype\tsize\tpackage\n/a\tf\t1\t\\q\n"),
        ("removed-files.tsv", "path\ttype\tsize\tpackage\n/a\tf\t-1\t\n"),
        ("removed-files.tsv", "path\ttype\tsize\tpackage\n/a\tf\t²\t\n"),
        ("removed-files.tsv", "\udcff\n"),
    ],
)
def test_a_damaged_report_is_an_error_and_no_crash(written, name, content):
    (written / name).write_bytes(content.encode("latin-1", "surrogateescape"))
    with pytest.raises(ReportError, match=r"damaged") as caught:
        keepfile.load(written)
    assert name in caught.value.message


@pytest.mark.parametrize("name", ["report.json", "kept-files.tsv", "removed-files.tsv"])
def test_a_missing_file_is_an_error(written, name):
    (written / name).unlink()
    with pytest.raises(ReportError, match="cannot be read: No such file"):
        keepfile.load(written)


def test_another_version_is_not_guessed_at(written):
    document = json.loads((written / "report.json").read_text())
    (written / "report.json").write_text(json.dumps(document | {"version": 99}))
    with pytest.raises(ReportError, match="version 99"):
        keepfile.load(written)


def test_a_kept_path_that_the_tree_lacks_is_not_lost():
    keep = KeepSet({ImagePath("/made-up"): (Reason(Rule.STATE),)})
    assert '/made-up\t?\t0\t[["state-directory","",""]]\twhole\n' in list(kept_lines(keep, TREE))


def test_the_same_values_give_the_same_bytes():
    backwards = KeepSet(dict(reversed(KEEP.reasons.items())), KEEP.placeholders)
    assert list(kept_lines(backwards, TREE)) == list(kept_lines(KEEP, TREE))
    assert list(removed_lines(backwards, TREE, {})) == list(removed_lines(KEEP, TREE, {}))
