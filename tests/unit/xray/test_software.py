"""Packages and accounts of layered images: the last layer's word counts, wherever it lies."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from slimpy.xray import software
from slimpy.xray.facts import XRay
from slimpy.xray.inspect import inspected
from tests.unit.sbom import rpms
from tests.unit.xray.images import file, image, layer, link

STATUS = "var/lib/dpkg/status"


def paragraph(name: str, version: str = "1") -> bytes:
    text = f"Package: {name}\nStatus: install ok installed\nVersion: {version}\n\n"
    return text.encode()


def looked_at(*layers: bytes) -> XRay:
    return inspected(image(layers))[0]


def names(found: XRay) -> list[tuple[str, str, str]]:
    return [(item.kind, item.name, item.version) for item in found.packages]


def tar_of(root: Path) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        archive.add(root, ".")
    return out.getvalue()


def test_rpm(tmp_path: Path) -> None:
    built = [
        rpms.built(tmp_path, "tool", "/usr/bin/tool", epoch=2),
        rpms.built(tmp_path, "lib", "/usr/lib/x"),
    ]
    found = looked_at(tar_of(rpms.installed(tmp_path / "root", *built)), layer(file("a", b"1")))
    assert names(found) == [("rpm", "lib", "1.2-4.el9"), ("rpm", "tool", "2:1.2-4.el9")]
    assert found.warnings == ("the history speaks of 0 layers, but there are 2: makers unknown",)


def test_databases_that_are_not_read_are_named() -> None:
    found = looked_at(layer(file("var/lib/rpm/Packages", b"b" * 100)))
    assert any("Berkeley DB" in text for text in found.warnings)


def test_the_last_layer_counts() -> None:
    first = layer(file(STATUS, paragraph("old") + paragraph("kept")))
    second = layer(file(STATUS, paragraph("kept", "2")))
    assert names(looked_at(first, second)) == [("deb", "kept", "2")]
    assert names(looked_at(first, layer(file("var/lib/dpkg/.wh.status")))) == []


def test_a_database_that_comes_through_a_link_is_found() -> None:
    """The second layer's path leads through a link of the first."""
    first = layer(link("lib", "usr/lib"), file("usr/lib/apk/db/installed", b"P:old\nV:1\n\n"))
    second = layer(file("lib/apk/db/installed", b"P:new\nV:2\n\n"))
    assert names(looked_at(first, second)) == [("apk", "new", "2")]


def test_further_names_of_a_file_are_that_file() -> None:
    same = layer(
        file(STATUS, paragraph("a")), link("copy", STATUS, tarfile.LNKTYPE), file("etc/x", b"")
    )
    moved = layer(file("var/lib/dpkg/.wh.status"))
    assert names(looked_at(same)) == [("deb", "a", "1")]
    assert names(looked_at(same, moved)) == []


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(software, "MOST_BYTES", 1000)
    small, large = paragraph("small"), paragraph("large") + b"\n" * 990
    found = looked_at(layer(file(STATUS, small)), layer(file(STATUS, large)))
    assert names(found) == []
    assert "1 files that name packages or accounts are too large to be held" in found.warnings
    assert "dpkg's status cannot be read" in found.warnings
    again = [layer(file(STATUS, small + b"\n" * 900))] * 3
    assert names(looked_at(*again)) == [("deb", "small", "1")], "what is replaced does not count"


def test_accounts_of_the_last_layer() -> None:
    first = layer(file("etc/passwd", b"root:x:0:0::/:/bin/sh\nold:x:1:1::/:/bin/sh\n"))
    second = layer(file("etc/passwd", b"root:x:0:0::/:/bin/sh\n"), file("etc/shadow", b"root:*:\n"))
    found = looked_at(first, second)
    assert [(user.name, user.password) for user in found.users] == [("root", "locked")]
