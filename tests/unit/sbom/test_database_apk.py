"""apk's database of a slim image: what is installed, with the files that ship."""

from __future__ import annotations

from pathlib import Path

import pytest

from slimpy.sbom.catalogue import survey
from tests.unit.sbom.world import image, keeping, reduced, shipped, write

SITE = "usr/lib/python3.11/site-packages"
INSTALLED = f"""C:Q1first=
P:musl
V:1.2.4-r4
A:x86_64
L:MIT
o:musl
F:lib
M:0:0:755
R:ld-musl.so.1
a:0:0:755
Z:Q1loader=
R:libc.so
a:0:0:777
Z:Q1link=

C:Q1second=
P:py3-x
V:1-r0
A:x86_64
L:MIT
o:py3-x
F:{SITE}
R:x.py
Z:Q1code=
R:y.py
Z:Q1gone=
F:{SITE}/x-1.dist-info
R:METADATA
a:0:0:644
Z:Q1meta=
R:RECORD
Z:Q1record=
F:var/x
M:0:0:700

C:Q1third=
P:alpine-release
V:3.19.1-r0
A:x86_64
L:MIT
F:etc
R:alpine-release
Z:Q1told=

C:Q1fourth=
P:gone
V:2-r0
A:x86_64
L:MIT
F:usr
F:usr/bin
R:gone
Z:Q1gone=

"""


@pytest.fixture(params=["/lib/apk/db/installed", "/usr/lib/apk/db/installed"])
def database(request: pytest.FixtureRequest) -> str:
    """Where Alpine has it: the second is that of a merged /usr, and leads by a link, too."""
    return str(request.param)


@pytest.fixture
def fat(tmp_path: Path, database: str) -> Path:
    files: dict[str, str | bytes] = {
        "/lib/ld-musl.so.1": "m",
        "/lib/libc.so": "-> ld-musl.so.1",
        "/etc/os-release": "ID=alpine\nVERSION_ID=3.19.1\n",
        "/etc/alpine-release": "3.19.1\n",
        "/usr/bin/gone": "g",
        f"/{SITE}/x.py": "x",
        f"/{SITE}/y.py": "y",
        f"/{SITE}/x-1.dist-info/METADATA": "Name: x\nVersion: 1\n\nA very long story.\n",
        f"/{SITE}/x-1.dist-info/RECORD": "x.py,,\ny.py,,\nx-1.dist-info/RECORD,,\n",
        database: INSTALLED,
    }
    if database.startswith("/usr"):
        files = {path.replace("/lib/ld", "/usr/lib/ld"): data for path, data in files.items()}
        files = {path.replace("/lib/libc", "/usr/lib/libc"): data for path, data in files.items()}
        files["/lib"] = "-> usr/lib"
    return write(tmp_path / "fat", files)


def kept(database: str) -> tuple[str, ...]:
    if database.startswith("/usr"):
        return ("/usr/lib/ld-musl.so.1", f"/{SITE}/x.py", "/lib")
    return ("/lib/ld-musl.so.1", f"/{SITE}/x.py")


def test_the_survey_of_the_slim_image_agrees(fat: Path, database: str, tmp_path: Path) -> None:
    keep = reduced(fat, keeping(kept(database)))
    found = survey(*image(shipped(fat, keep, tmp_path / "slim")))
    assert found.warnings == ()
    assert [item.name for item in found.packages if item.ecosystem == "apk"] == [
        "alpine-release", "musl", "py3-x"
    ]  # fmt: skip
    musl = next(item for item in found.packages if item.name == "musl")
    assert musl.files == {kept(database)[0]}


def test_paragraphs_name_what_ships_with_true_digests(fat: Path, database: str) -> None:
    keep = reduced(fat, keeping(kept(database)))
    first, second, third, end = keep.rewritten[database].decode().split("\n\n")
    assert first == INSTALLED.partition("\n\n")[0].partition("\nR:libc.so")[0]
    # METADATA and RECORD ship with other contents than apk's digests are of.
    assert second.splitlines()[6:] == [
        f"F:{SITE}", "R:x.py", "Z:Q1code=",
        f"F:{SITE}/x-1.dist-info", "R:METADATA", "a:0:0:644", "R:RECORD",
    ]  # fmt: skip
    # It is in the image because scanners look for it, and belongs to a package as before.
    assert third.splitlines()[-3:] == ["F:etc", "R:alpine-release", "Z:Q1told="]
    assert end == ""


def test_a_file_is_never_without_its_directory(fat: Path, database: str) -> None:
    keep = reduced(fat, keeping(path for path in kept(database) if path != "/lib"))
    lines = keep.rewritten[database].decode().splitlines()
    assert lines[lines.index("R:ld-musl.so.1") - 2 :][:2] == ["F:lib", "M:0:0:755"]


def test_the_same_input_gives_the_same_bytes(fat: Path, database: str) -> None:
    one = reduced(fat, keeping(kept(database)))
    assert one.rewritten == reduced(fat, keeping(reversed(kept(database)))).rewritten


def test_a_database_that_the_run_read_ships_as_it_is(fat: Path, database: str) -> None:
    keep = reduced(fat, keeping((*kept(database), database)))
    assert database not in keep.rewritten
    assert "ships as it is" in keep.warnings[-1].text


def test_nothing_kept_means_no_database(fat: Path) -> None:
    assert set(reduced(fat, keeping(("/etc/os-release",))).reasons) == {"/etc/os-release"}
