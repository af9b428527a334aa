"""dpkg's database of a slim image, with all that lies around it, as dpkg's own tools read it."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest

from slimpy.sbom.catalogue import survey
from tests.unit.sbom.world import image, keeping, reduced, shipped, write

DPKG = "/var/lib/dpkg"
INFO = f"{DPKG}/info"


def sums(**files: str) -> str:
    """md5sums of files by their paths, in which ``__`` stands for a slash."""
    return "".join(
        f"{hashlib.md5(data.encode(), usedforsecurity=False).hexdigest()}  "
        f"{path.replace('__', '/')}\n"
        for path, data in files.items()
    )


def paragraph(name: str, *more: str, status: str = "install ok installed") -> str:
    fields = (
        f"Package: {name}", f"Status: {status}", "Architecture: amd64", "Version: 1",
        "Maintainer: Some One <one@example.org>", *more, f"Description: {name}\n and more\n",
    )  # fmt: skip
    return "\n".join(fields)


STATUS = "\n".join(
    (
        paragraph("shell"),
        paragraph("other-shell", f"Conffiles:\n /etc/gone {'0' * 32}"),
        paragraph("held", status="hold ok installed"),
        paragraph("waits", "Triggers-Pending: /t", status="install ok triggers-pending"),
        paragraph("half", status="install reinstreq half-installed"),
        paragraph("python3-x"),
        paragraph("only-dirs"),
        paragraph("release"),
        paragraph("removed"),
        paragraph("purged", status="purge ok not-installed"),
    )
)
METADATA = "Name: x\nVersion: 1\n\nA very long story.\n"
SITE = "/usr/lib/python3/dist-packages"
FAT: dict[str, str | bytes] = {
    "/etc/os-release": "ID=debian\nVERSION_ID=12\n",
    "/etc/gone": "g",
    "/etc/alternatives/sh": "-> /usr/bin/other-sh",
    "/usr/bin/sh": "other",
    "/usr/bin/sh.distrib": "shell",
    "/usr/share/shell": "s",
    "/usr/bin/other-sh": "other",
    "/usr/bin/held": "held",
    "/usr/bin/waits": "waits",
    "/usr/bin/half": "half",
    "/usr/bin/removed": "removed",
    "/usr/bin/moved.real": "removed",
    f"{SITE}/x.py": "x",
    f"{SITE}/x-1.dist-info/METADATA": METADATA,
    f"{SITE}/x-1.dist-info/RECORD": "x.py,,\n",
    f"{DPKG}/status": STATUS,
    f"{DPKG}/arch": "amd64\n",
    f"{DPKG}/diversions": (
        "/usr/bin/sh\n/usr/bin/sh.distrib\nother-shell\n/usr/bin/moved\n/usr/bin/moved.real\n:\n"
    ),
    f"{DPKG}/alternatives/sh": "auto\n/usr/bin/sh\n\n/usr/bin/other-sh\n10\n\n",
    f"{DPKG}/statoverride": "root root 4755 /usr/bin/removed\n",
    f"{INFO}/format": "1\n",
    f"{INFO}/shell.list": "/.\n/usr\n/usr/bin\n/usr/bin/sh\n/usr/share/shell\n",
    f"{INFO}/shell.md5sums": sums(usr__bin__sh="shell"),
    f"{INFO}/other-shell.list": "/.\n/usr\n/usr/bin\n/usr/bin/sh\n/usr/bin/other-sh\n/etc/gone\n",
    f"{INFO}/other-shell.md5sums": sums(usr__bin__sh="other", **{"usr__bin__other-sh": "other"}),
    f"{INFO}/held.list": "/.\n/usr\n/usr/bin\n/usr/bin/held\n",
    f"{INFO}/waits.list": "/.\n/usr\n/usr/bin\n/usr/bin/waits\n",
    f"{INFO}/half.list": "/.\n/usr\n/usr/bin\n/usr/bin/half\n",
    f"{INFO}/python3-x.list": (
        f"/.\n/usr\n{SITE}\n{SITE}/x.py\n{SITE}/x-1.dist-info\n{SITE}/x-1.dist-info/METADATA\n"
    ),
    f"{INFO}/python3-x.md5sums": sums(
        **{f"{SITE[1:]}/x.py": "x", f"{SITE[1:]}/x-1.dist-info/METADATA": METADATA}
    ),
    f"{INFO}/only-dirs.list": "/.\n/usr\n",
    f"{INFO}/release.list": "/.\n/etc\n/etc/os-release\n",
    f"{INFO}/removed.list": "/.\n/usr\n/usr/bin\n/usr/bin/removed\n",
    f"{INFO}/removed.prerm": "#!/bin/sh\n",
}
KEPT = (
    "/usr/bin/sh",
    "/usr/bin/sh.distrib",
    "/usr/share/shell",
    "/usr/bin/held",
    "/usr/bin/waits",
    "/usr/bin/half",
    f"{SITE}/x.py",
)


@pytest.fixture
def slim(tmp_path: Path) -> Path:
    fat = write(tmp_path / "fat", FAT)
    (fat / f"{DPKG}/updates".lstrip("/")).mkdir()
    return shipped(fat, reduced(fat, keeping(KEPT)), tmp_path / "slim")


def dpkg(*command: str) -> str:
    """What a tool of dpkg prints; it must not complain."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def query(root: Path, *arguments: str) -> str:
    return dpkg("dpkg-query", f"--admindir={root}{DPKG}", *arguments)


def test_dpkg_lists_what_ships_in_its_state(slim: Path) -> None:
    shown = query(slim, "-W", "-f", "${db:Status-Abbrev}|${Package}\n").splitlines()
    assert shown == [
        "iHR|half", "hi |held", "ii |other-shell", "ii |python3-x", "ii |release", "ii |shell",
        "it |waits",
    ]  # fmt: skip
    table = dpkg("dpkg", f"--root={slim}", "-l").splitlines()
    assert [line.split()[1] for line in table[5:]] == [
        "half", "held", "other-shell", "python3-x", "release", "shell", "waits"
    ]  # fmt: skip


def test_the_survey_of_the_slim_image_agrees(slim: Path) -> None:
    found = survey(*image(slim)).packages
    assert sorted(item.name for item in found if item.ecosystem == "deb") == [
        "half", "held", "other-shell", "python3-x", "release", "shell", "waits"
    ]  # fmt: skip


def test_a_diverted_file_is_told_where_it_lies(slim: Path) -> None:
    assert query(slim, "-L", "shell").splitlines() == [
        "/.", "/usr", "/usr/bin", "/usr/bin/sh",
        "diverted by other-shell to: /usr/bin/sh.distrib", "/usr/share/shell",
    ]  # fmt: skip
    found = query(slim, "-S", "/usr/bin/sh").splitlines()
    assert found[:2] == [
        "diversion by other-shell from: /usr/bin/sh",
        "diversion by other-shell to: /usr/bin/sh.distrib",
    ]
    assert set(found[2].split(": ")[0].split(", ")) == {"shell", "other-shell"}
    assert "moved" not in (slim / f"{DPKG}/diversions".lstrip("/")).read_text()


def test_a_diverted_file_that_does_not_ship_is_not_told(tmp_path: Path) -> None:
    fat = write(tmp_path / "fat", FAT)
    kept = [path for path in KEPT if path != "/usr/bin/sh.distrib"]
    keep = reduced(fat, keeping([*kept, "/usr/bin/moved.real"]))
    lists = {path: data.decode() for path, data in keep.rewritten.items() if "/info/" in path}
    assert "/usr/bin/sh\n" not in lists.get(f"{INFO}/shell.list", "")
    assert lists[f"{INFO}/other-shell.list"].endswith("/usr/bin/sh\n")
    assert lists[f"{INFO}/other-shell.md5sums"] == sums(usr__bin__sh="other")
    assert b"\n:\n" in keep.rewritten[f"{DPKG}/diversions"]


def test_dpkg_verifies_all_that_ships(slim: Path) -> None:
    assert dpkg("dpkg", f"--root={slim}", "--verify") == ""
    (slim / "usr/bin/sh").write_text("changed")
    done = subprocess.run(
        ["dpkg", f"--root={slim}", "--verify"], capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["??5??????", "/usr/bin/sh"]


def test_a_file_with_other_contents_is_listed_without_its_digest(slim: Path) -> None:
    metadata = f"{SITE}/x-1.dist-info/METADATA"
    assert (slim / metadata.lstrip("/")).read_text() == "Name: x\nVersion: 1\n"
    assert metadata in query(slim, "-L", "python3-x").splitlines()
    named = (slim / f"{INFO}/python3-x.md5sums".lstrip("/")).read_text()
    assert named == sums(**{f"{SITE[1:]}/x.py": "x"})


def test_nothing_that_only_dpkg_needs_to_install_ships(slim: Path) -> None:
    left = {str(path.relative_to(slim / DPKG.lstrip("/"))) for path in slim.rglob("dpkg/**/*")}
    assert left - {each for each in left if each.startswith("info/")} == {
        "arch", "diversions", "info", "status", "updates"
    }  # fmt: skip
    assert not any("removed" in each or each.endswith(".prerm") for each in left)


def test_distroless_is_surveyed_as_the_build_says(tmp_path: Path) -> None:
    place = f"{DPKG}/status.d"
    fat = write(
        tmp_path / "fat",
        {
            "/etc/os-release": "ID=debian\nVERSION_ID=12\n",
            f"{place}/base": "Package: base\nVersion: 12\nArchitecture: amd64\n",
            f"{place}/base.md5sums": sums(etc__os__release="").replace("s/r", "s-r"),
            f"{place}/libx": "Package: libx\nVersion: 1:2\nArchitecture: amd64\nSource: x (1:3)\n",
            f"{place}/libx.md5sums": sums(usr__lib__libx="x", usr__lib__liby="y"),
            f"{place}/gone": "Package: gone\nVersion: 1\nArchitecture: amd64\n",
            f"{place}/gone.md5sums": sums(usr__lib__gone="g"),
            **{f"/usr/lib/{name}": name[-1] for name in ("libx", "liby", "gone")},
        },
    )
    slim = shipped(fat, reduced(fat, keeping(("/usr/lib/libx",))), tmp_path / "slim")
    assert [item.purl for item in survey(*image(slim)).packages] == [
        "pkg:deb/debian/base@12?arch=amd64&distro=debian-12",
        "pkg:deb/debian/libx@1:2?arch=amd64&distro=debian-12&upstream=x%401:3",
    ]
    assert (slim / f"{place}/libx.md5sums".lstrip("/")).read_text() == sums(usr__lib__libx="x")
