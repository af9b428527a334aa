"""The databases of a slim image: true, valid for the tools that read them, always the same."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path

import pytest

from slimpy.model import KeepSet, Rule
from slimpy.sbom.catalogue import state_of, survey
from slimpy.sbom.package import State
from tests.unit.sbom import world
from tests.unit.sbom.world import APK, DPKG, image, keeping, shipped, surveyed, write

KEPT = ("/usr/lib/libz.so.1", "/etc/z.conf", "/usr/lib/base", "/lib")
DEBIAN = {**DPKG, "/lib": "-> usr/lib"}


def reduced(root: Path, files: dict[str, str | bytes], keep: KeepSet) -> KeepSet:
    return world.reduced(write(root, files), keep)


def dpkg(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


@pytest.fixture
def debian(tmp_path: Path) -> Path:
    keep = reduced(tmp_path / "fat", DEBIAN, keeping(KEPT))
    return shipped(tmp_path / "fat", keep, tmp_path / "slim")


def test_dpkg_itself_reads_the_database(debian: Path) -> None:
    place = f"--admindir={debian}/var/lib/dpkg"
    shown = dpkg("dpkg-query", place, "-W", "-f", "${binary:Package} ${Version} ${Status}\n")
    assert shown.splitlines() == [
        "base 1.0-1 install ok installed",
        "libz:amd64 1:1.2.13-1+b1 install ok installed",
    ]
    assert dpkg("dpkg-query", place, "-L", "libz").split() == [
        "/.", "/etc", "/etc/z.conf", "/lib", "/lib/libz.so.1"
    ]  # fmt: skip
    assert dpkg("dpkg-query", place, "-L", "base").split() == [
        "/.", "/usr", "/usr/lib", "/usr/lib/base"
    ]  # fmt: skip


def test_dpkg_verifies_what_ships_and_sees_a_change(debian: Path) -> None:
    status = debian / "var/lib/dpkg/status"
    (debian / "etc/z.conf").write_text("z")
    zed = hashlib.md5(b"z", usedforsecurity=False).hexdigest()
    status.write_text(status.read_text().replace("0123456789abcdef" * 2, zed))
    sums = debian / "var/lib/dpkg/info/libz:amd64.md5sums"
    whole = hashlib.md5(b"z" * 9, usedforsecurity=False).hexdigest()
    sums.write_text(f"{whole}  lib/libz.so.1\n")
    assert dpkg("dpkg", f"--root={debian}", "--verify") == ""
    (debian / "usr/lib/libz.so.1").write_text("changed")
    done = subprocess.run(
        ["dpkg", f"--root={debian}", "--verify"], capture_output=True, text=True, check=False
    )
    assert "/lib/libz.so.1" in done.stdout


def test_only_what_ships_is_named(debian: Path) -> None:
    status = (debian / "var/lib/dpkg/status").read_text()
    assert "/etc/z.conf" in status
    assert "/etc/gone.conf" not in status
    assert "Package: tool" not in status
    assert "Package: left" not in status
    assert not (debian / "var/lib/dpkg/info/tool.list").exists()
    assert not (debian / "var/lib/dpkg/info/tool.postinst").exists()
    assert (debian / "var/lib/dpkg/info/base.md5sums").read_text().split()[1:] == ["usr/lib/base"]


def test_the_slim_image_is_surveyed_as_the_build_says(debian: Path, tmp_path: Path) -> None:
    tree, contents = image(tmp_path / "fat")
    before = survey(tree, contents)
    left = [item for item in before.packages if state_of(item, keeping(KEPT)) != State.REMOVED]
    after = survey(*image(debian))
    assert [item.purl for item in after.packages] == [item.purl for item in left]
    assert after.distribution == before.distribution


def test_states_are_by_files(tmp_path: Path) -> None:
    packages = surveyed(tmp_path, DEBIAN).packages
    states = {item.name: state_of(item, keeping(KEPT)) for item in packages}
    assert states == {
        "base": State.KEPT,  # its copyright is no loss
        "libz": State.PARTLY,
        "tool": State.REMOVED,
    }


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    one = reduced(tmp_path / "one", DEBIAN, keeping(KEPT))
    other = reduced(tmp_path / "two", DEBIAN, keeping(reversed(KEPT)))
    assert one.rewritten == other.rewritten
    assert len(one.rewritten) == 5
    for path in one.rewritten:
        assert {reason.rule for reason in one.reasons[path]} == {Rule.DATABASE}


def test_a_database_that_the_run_read_ships_as_it_is(tmp_path: Path) -> None:
    keep = reduced(tmp_path, DEBIAN, keeping((*KEPT, "/var/lib/dpkg/status")))
    assert not keep.rewritten
    assert "ships as it is" in keep.warnings[-1].text


def test_nothing_kept_means_no_database(tmp_path: Path) -> None:
    keep = reduced(tmp_path, DEBIAN, keeping(("/etc/passwd",)))
    assert set(keep.reasons) == {"/etc/passwd"}


def test_distroless_keeps_a_file_for_each_package(tmp_path: Path) -> None:
    place = "/var/lib/dpkg/status.d"
    files: dict[str, str | bytes] = {
        f"{place}/a": "Package: a\nVersion: 1\n",
        f"{place}/a.md5sums": "0  opt/a\n1  opt/gone\n",
        f"{place}/b": "Package: b\nVersion: 1\n",
        f"{place}/b.md5sums": "0  opt/b\n",
        "/opt/a": "a", "/opt/b": "b", "/opt/gone": "g",
    }  # fmt: skip
    keep = reduced(tmp_path, files, keeping(("/opt/a",)))
    assert set(keep.reasons) == {"/opt/a", f"{place}/a", f"{place}/a.md5sums"}
    assert keep.rewritten == {f"{place}/a.md5sums": b"0  opt/a\n"}


def test_apk(tmp_path: Path) -> None:
    files = {
        "/lib/apk/db/installed": APK,
        "/lib/ld-musl-x86_64.so.1": "m", "/lib/gone.so": "g", "/usr/gone/x": "x",
        "/bin/busybox": "b", "/etc/alpine-release": "3.19.1\n",
    }  # fmt: skip
    keep = reduced(tmp_path, files, keeping(("/lib/ld-musl-x86_64.so.1", "/usr/bin")))
    assert keep.rewritten["/lib/apk/db/installed"].decode() == (
        "C:Q1abc=\nP:musl\nV:1.2.4_git20230717-r4\nA:x86_64\nL:MIT\no:musl\n"
        "F:lib\nR:ld-musl-x86_64.so.1\na:0:0:755\nZ:Q1def=\nF:usr\n\n"
    )
    assert "/etc/alpine-release" in keep.reasons


def test_python(tmp_path: Path) -> None:
    base = "/lib/python3/site-packages"
    info = f"{base}/a-1.dist-info"
    files = {
        f"{info}/METADATA": "Name: a\nVersion: 1\n\nA very long story.\n",
        f"{info}/RECORD": "a/x.py,sha256=q,1\na/y.py,sha256=r,1\na-1.dist-info/RECORD,,\n"
        "a-1.dist-info/METADATA,sha256=s,9\n",
        f"{base}/a/x.py": "x",
        f"{base}/a/y.py": "y",
    }
    keep = reduced(tmp_path, files, keeping((f"{base}/a/x.py",)))
    assert keep.rewritten == {
        f"{info}/METADATA": b"Name: a\nVersion: 1\n",
        # The METADATA that ships has another digest than the one in the list.
        f"{info}/RECORD": b"a/x.py,sha256=q,1\na-1.dist-info/RECORD,,\n",
    }


def test_node(tmp_path: Path) -> None:
    top = "/app/node_modules"
    files = {
        f"{top}/{name}/{file}": json.dumps({"name": name, "version": "1.0.0"})
        for name in ("a", "b")
        for file in ("package.json", "index.js")
    }
    keep = reduced(tmp_path, files, keeping((f"{top}/a/index.js",)))
    assert set(keep.reasons) == {f"{top}/a/index.js", f"{top}/a/package.json"}


def test_an_rpm_database_is_told(tmp_path: Path) -> None:
    keep = reduced(tmp_path, {"/var/lib/rpm/Packages": "x", "/a": "a"}, keeping(("/a",)))
    assert "rpm" in keep.warnings[-1].text
