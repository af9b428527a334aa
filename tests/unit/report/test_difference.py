"""`slim diff`: what is different between two builds, or two images."""

from __future__ import annotations

import dataclasses
import io
import json
from pathlib import Path

from click.testing import CliRunner

from slimpy.cli.diff import command
from slimpy.errors import FOUND, UsageError
from slimpy.model import ImagePath, Reason, Rule
from slimpy.report import difference, keepfile
from slimpy.report.difference import MOST_LINES, Change, Side, compare
from slimpy.report.document import build, write
from tests.unit.report.making import BAD, FORMS, KEEP, PROFILE, TREE, outcome

A = Side(
    "a:1",
    5_000_000,
    files={"/x": "file 5 bytes", "/y": "file", "/z": "link -> y"},
    settings={"user": "root"},
    owners={"/x": "tools 1.0", "/y": "tools 1.0", "/z": "other 2"},
    sizes={"/x": 1_000_000, "/y": 2_000_000},
)
B = Side(
    "b\x1b:1",
    1_000_000,
    files={"/x": "file 6 bytes", "/z": "link -> y", "/n\x1b": "file"},
    settings={"user": "root", "port 80": "exposed"},
    sizes={"/x": 1_000_000},
)


def shown(found: difference.Difference, *, everything: bool = False) -> list[str]:
    out = io.StringIO()
    difference.show(found, everything=everything, file=out)
    return out.getvalue().splitlines()


def test_changes_by_kind() -> None:
    found = compare(A, B)
    assert found.files == (
        Change("/n\x1b", "", "file"),
        Change("/x", "file 5 bytes", "file 6 bytes"),
        Change("/y", "file", ""),
    )
    assert found.settings == (Change("port 80", "", "exposed"),)
    # The slim image has no database: its files belong to what they belonged to.
    assert found.packages == (Change("tools", "1.0 (3.0 MB)", "1.0 (1.0 MB)"),)
    assert not found.same and compare(A, A).same


def test_text() -> None:
    assert shown(compare(A, B)) == [
        "a:1 -> b\\x1b:1: 5.0 MB -> 1.0 MB",
        "settings: 1 added, 0 removed, 0 changed",
        "  + port 80: exposed",
        "packages: 0 added, 0 removed, 1 changed",
        "  ~ tools: 1.0 (3.0 MB) -> 1.0 (1.0 MB)",
        "files: 1 added, 1 removed, 1 changed",
        "  + /n\\x1b: file",
        "  ~ /x: file 5 bytes -> file 6 bytes",
        "  - /y: file",
    ]
    assert shown(compare(B, B))[-1] == "no difference"


def test_long_lists_are_cut_unless_all_is_wanted() -> None:
    many = dataclasses.replace(A, files={f"/{number}": "file" for number in range(50)})
    none = dataclasses.replace(A, files={})
    assert "  and 30 more; --all shows them" in shown(compare(none, many))
    assert len(shown(compare(none, many), everything=True)) == 2 + 50
    assert MOST_LINES == 20


def written(directory: Path, *, failed: bool = False, more: str = "") -> Path:
    keep = KEEP.widened({ImagePath(more): (Reason(Rule.INCLUDE),)}) if more else KEEP
    report = build(outcome(BAD) if failed else outcome())
    write(report, keep, TREE, PROFILE, {}, directory, FORMS)
    return directory


def test_reports(tmp_path: Path) -> None:
    a = difference.of_report(keepfile.load(written(tmp_path / "a")), "a")
    b = difference.of_report(
        keepfile.load(written(tmp_path / "b", failed=True, more="/usr/doc")), "b"
    )
    found = compare(a, b)
    assert [change.name for change in found.files] == ["/usr/doc"]
    changed = {change.name: (change.before, change.after) for change in found.settings}
    assert changed["probe version"] == ("same", "broken")
    assert changed["status"][0] == "slimmed"


def test_the_verb(tmp_path: Path) -> None:
    a = str(written(tmp_path / "a"))
    b = str(written(tmp_path / "b", more="/usr/doc"))
    assert CliRunner().invoke(command, [a, a], standalone_mode=False).return_value == 0
    done = CliRunner().invoke(command, [a, b], standalone_mode=False)
    assert done.return_value == FOUND and "  + /usr/doc: whole\n" in done.output
    done = CliRunner().invoke(command, [a, b, "--json"], standalone_mode=False)
    document = json.loads(done.output)
    assert (document["schema"], document["version"]) == ("slimpy-diff", 1)
    assert document["files"] == [{"name": "/usr/doc", "before": "", "after": "whole"}]
    mixed = CliRunner().invoke(command, [a, "some/image"], standalone_mode=False)
    assert isinstance(mixed.exception, UsageError)
