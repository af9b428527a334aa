"""The documents, held against the schemas and readers of those who made the forms."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from hypothesis import given, settings
from hypothesis import strategies as st
from packageurl import PackageURL
from spdx_tools.spdx.parser.parse_anything import parse_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

from slimpy.model import ImagePath
from slimpy.sbom import cyclonedx, spdx
from slimpy.sbom.catalogue import survey
from slimpy.sbom.components import Component, Inventory, inventory, slimmed
from slimpy.sbom.licences import is_expression
from slimpy.sbom.package import Distribution, Ecosystem, Package, State
from tests.unit.sbom.world import APK, DPKG, IMAGE, image, keeping, listed, surveyed, write

GOLDEN = Path(__file__).parents[2] / "golden" / "sbom"
KEEP = keeping(("/usr/lib/libz.so.1", "/usr/lib/base", "/app/node_modules/a/i.js"))
FILES = {
    **DPKG,
    "/lib": "-> usr/lib",
    "/app/node_modules/a/package.json": json.dumps(
        {"name": "a", "version": "1.0.0", "license": "(MIT OR Apache-2.0)"}
    ),
    "/app/node_modules/a/i.js": "",
    "/opt/node_modules/a/package.json": json.dumps(
        {"name": "a", "version": "1.0.0", "license": "see LICENSE"}
    ),
    "/opt/node_modules/a/i.js": "",
}
HOSTILE = Inventory(
    reference="a\\x1b[2J",
    image=IMAGE,
    components=(
        Component(
            Ecosystem.NODE, "<script>\\u202e'\"", "1 2\\x00", "pkg:npm/%3Cscript%3E", "/\\x1b"
        ),
        Component(Ecosystem.GO, "x", "", "pkg:golang/x", "/x", licence="(MIT", files=0, kept=0),
    ),
    distribution=Distribution('de"b', "", ""),
    created=1 << 60,
    warnings=("\\x07 broke",),
)


@pytest.fixture
def whole(tmp_path: Path) -> Inventory:
    return listed(tmp_path, FILES, KEEP)


def valid_cyclonedx(text: str) -> None:
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None


def valid_spdx(text: str, place: Path) -> None:
    file = place / "x.spdx.json"
    file.write_text(text)
    assert validate_full_spdx_document(parse_file(str(file))) == []


def test_golden_documents(whole: Inventory, tmp_path: Path) -> None:
    for name, text in (
        ("fat.cdx.json", cyclonedx.encode(whole)),
        ("fat.spdx.json", spdx.encode(whole)),
    ):
        assert text == (GOLDEN / name).read_text(), f"{name}: see tests/golden/sbom"
    valid_cyclonedx(cyclonedx.encode(whole))
    valid_spdx(spdx.encode(whole), tmp_path)


def test_hostile_names_make_valid_documents(tmp_path: Path) -> None:
    valid_cyclonedx(cyclonedx.encode(HOSTILE))
    valid_spdx(spdx.encode(HOSTILE), tmp_path)


def test_states_and_counts(whole: Inventory) -> None:
    found = {(item.name, item.evidence): (item.state, item.kept) for item in whole.components}
    assert found == {
        ("a", "/app/node_modules/a/package.json"): (State.KEPT, 1),
        ("a", "/opt/node_modules/a/package.json"): (State.REMOVED, 0),
        ("base", "/var/lib/dpkg/status"): (State.KEPT, 1),
        ("libz", "/var/lib/dpkg/status"): (State.PARTLY, 1),
        ("tool", "/var/lib/dpkg/status"): (State.REMOVED, 0),
    }


def test_what_is_left(whole: Inventory, tmp_path: Path) -> None:
    catalogue = surveyed(tmp_path, {})
    left = slimmed(whole, catalogue, KEEP, "team/app.slim:1", "sha256:" + "6" * 64)
    assert [item.name for item in left.components] == ["base", "libz", "a"]
    assert (
        json.loads(cyclonedx.encode(left))["serialNumber"]
        != (json.loads(cyclonedx.encode(whole))["serialNumber"])
    )


def test_what_was_not_looked_into_is_one_sentence_and_only_where_it_matters(tmp_path: Path) -> None:
    owner = {"/var/lib/dpkg/info/base.list": "/usr/lib/base\n/usr/bin/owned\n"}
    programs = {
        f"/usr/bin/{name}": b"\x7fELF" + bytes(200_000) for name in ("owned", "own", "own2")
    }
    root = write(tmp_path, {**DPKG, **owner, **programs, "/opt/a.jar": "PK"})
    for path in (root / "usr/bin").iterdir():
        path.chmod(0o755)
    tree, contents = image(root)
    keep = keeping(("/usr/lib/base",))
    catalogue = survey(tree, contents, whole=keep.reasons)
    fat = inventory(catalogue, "x:1", IMAGE, keep=keep)
    # What belongs to a package is named with it, so that tells all that matters.
    assert fat.warnings == (
        "what may be built into files that were removed is not listed: "
        "2 programs and 1 jar of no package",
    )
    assert slimmed(fat, catalogue, keep, "x.slim:1", IMAGE).warnings == ()
    all_ = map(ImagePath, (*keep.reasons, "/usr/bin/own", "/usr/bin/own2", "/opt/a.jar"))
    assert survey(tree, contents, whole=all_).unsearched == ()


@pytest.mark.parametrize("hostile", [False, True])
def test_a_document_is_read_back_as_it_was(whole: Inventory, hostile: bool) -> None:
    one = replace(HOSTILE, created=5) if hostile else whole
    assert cyclonedx.decode(cyclonedx.encode(one).encode()) == one


@pytest.mark.parametrize(
    "data",
    [
        b"", b"{}", b"[]", b"\xff", b"[" * 5000,
        b'{"metadata": {"component": {"type": "c", "name": "n"}},'
        b' "components": [{"type": "library"}]}',
        b'{"metadata": {"component": {"type": "c", "name": "n"}},'
        b' "components": [{"type": "library", "name": "x"}]}',
    ],
)  # fmt: skip
def test_what_is_no_document_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        cyclonedx.decode(data)


words = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._+~ -]{0,8}[A-Za-z0-9])?", fullmatch=True)


@settings(deadline=None)
@given(st.sampled_from(Ecosystem), words, words, words)
def test_package_urls_are_canonical(
    ecosystem: Ecosystem, name: str, version: str, namespace: str
) -> None:
    item = Package(ecosystem, name, version, ImagePath("/x"), namespace=namespace.lower())
    read = PackageURL.from_string(item.purl).to_string()
    # That reader writes the escapes of some ecosystems with small letters.
    assert re.sub("%..", lambda found: found[0].upper(), read) == item.purl


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("MIT", True), ("(MIT OR Apache-2.0)", True), ("MIT AND (ISC OR Zlib)", True),
        ("", False), ("MIT OR", False), ("OR MIT", False), ("MIT ISC", False), ("(MIT", False),
        ("MIT)", False), ("()", False), ("see LICENSE", False), ("mit", False),
    ],
)  # fmt: skip
def test_expressions(text: str, good: bool) -> None:
    assert is_expression(text) is good


def test_alpine_licences_are_expressions(tmp_path: Path) -> None:
    found = listed(tmp_path, {"/lib/apk/db/installed": APK}).components
    assert [item.licence for item in found] == ["GPL-2.0-only", "MIT"]
