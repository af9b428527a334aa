"""Owners of paths, from the databases in the image."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from slimpy.sbom.owners import MOST_BYTES, owners, survey
from tests.unit.keep.worlds import Store, Thing, file, link, program, tree_from

STATUS = """Package: libc6
Status: install ok installed
Architecture: amd64
Version: 2.36-9
Description: C library
 Version: not this one
Conffiles:
 /etc/ld.so.conf.d/x.conf 0123

Package: zlib1g
Architecture: amd64
Version: 1:1.2.13

Package: zlib1g
Architecture: i386
Version: 1:1.2.12

"""
DPKG = {
    "/lib": link("usr/lib"),
    "/bin": link("usr/bin"),
    "/usr/lib/libc.so.6": program(),
    "/usr/lib/libz.so.1": link("libz.so.1.2.13"),
    "/usr/lib/libz.so.1.2.13": file(),
    "/usr/bin/tool": program(),
    "/opt/mine": file(),
    "/var/lib/dpkg/status": file(STATUS),
    "/var/lib/dpkg/info/libc6:amd64.list": file(
        "/.\n/lib\n/lib/libc.so.6\n/gone/away\n\nrelative\n"
    ),
    "/var/lib/dpkg/info/zlib1g:amd64.list": file("/usr\n/lib/libz.so.1\n/usr/lib/libz.so.1.2.13\n"),
    "/var/lib/dpkg/info/lost.list": file(b"/bin/tool\n/\xff\xfe\n/lib/libc.so.6\n"),
    "/var/lib/dpkg/info/libc6:amd64.md5sums": file("0  usr/bin/tool\n"),
}


def found(things: dict[str, Thing]) -> dict[str, str]:
    return dict(owners(tree_from(things), Store(things)))


def test_dpkg_with_the_paths_of_before_the_usr_merge() -> None:
    assert found(DPKG) == {
        "/usr/lib/libc.so.6": "libc6 2.36-9",
        "/usr/lib/libz.so.1": "zlib1g 1:1.2.13",
        "/usr/lib/libz.so.1.2.13": "zlib1g 1:1.2.13",
        "/usr/bin/tool": "lost",
    }


def test_all_lists_are_fetched_in_one_batch() -> None:
    store = Store(DPKG)
    owners(tree_from(DPKG), store)
    (batch,) = store.batches
    assert set(batch) == {path for path in DPKG if path.endswith(("status", ".list"))}


def test_distroless() -> None:
    where = "/var/lib/dpkg/status.d"
    assert found(
        {
            f"{where}/tzdata": file("Package: tzdata\nVersion: 2024a-0\n"),
            f"{where}/tzdata.md5sums": file("9e107d9d  usr/share/zoneinfo/UTC\nbroken\n"),
            f"{where}/netbase": file("Package: netbase\nVersion: 6.4\n"),
            "/usr/share/zoneinfo/UTC": file(),
            "/etc/protocols": file(),
        }
    ) == {
        "/usr/share/zoneinfo/UTC": "tzdata 2024a-0",
        f"{where}/tzdata": "tzdata 2024a-0",
        f"{where}/netbase": "netbase 6.4",
    }


def test_apk() -> None:
    text = (
        "C:Q1abc=\nP:musl\nV:1.2.4-r2\nF:lib\nR:ld-musl-x86_64.so.1\na:0:0:755\n"
        "R:libc.musl-x86_64.so.1\nF:\nR:top\n\nP:busybox\nV:1.36-r2\nF:bin\nR:busybox\nR:gone\n"
    )
    assert found(
        {
            "/lib/apk/db/installed": file(text),
            "/lib/ld-musl-x86_64.so.1": program(),
            "/lib/libc.musl-x86_64.so.1": link("ld-musl-x86_64.so.1"),
            "/bin/busybox": program(),
            "/top": file(),
        }
    ) == {
        "/lib/ld-musl-x86_64.so.1": "musl 1.2.4-r2",
        "/lib/libc.musl-x86_64.so.1": "musl 1.2.4-r2",
        "/bin/busybox": "busybox 1.36-r2",
        "/top": "musl 1.2.4-r2",
    }


def test_a_damaged_rpm_database_is_told() -> None:
    things = {"/var/lib/rpm/rpmdb.sqlite": file("no database"), "/usr/bin/x": file()}
    ownership = survey(tree_from(things), Store(things))
    assert not ownership.owners
    assert [(w.code, w.count) for w in ownership.warnings] == [("packages", 1)]


def test_a_file_that_was_diverted_belongs_to_its_package_where_it_lies() -> None:
    """dpkg-divert(1): dash took the place of /bin/sh from bash, but not from itself."""
    things = {
        "/var/lib/dpkg/status": file(STATUS),
        "/var/lib/dpkg/diversions": file("/bin/sh\n/bin/sh.distrib\ndash\n"),
        "/var/lib/dpkg/info/bash.list": file("/bin/sh\n/bin/bash\n"),
        "/var/lib/dpkg/info/dash.list": file("/bin/sh\n/bin/dash\n"),
        **{f"/bin/{name}": program() for name in ("sh", "sh.distrib", "bash", "dash")},
    }
    found = owners(tree_from(things), Store(things))
    assert {path: owner.split()[0] for path, owner in found.items() if "/bin" in path} == {
        "/bin/sh": "dash",
        "/bin/sh.distrib": "bash",
        "/bin/bash": "bash",
        "/bin/dash": "dash",
    }


def test_an_image_without_packages_says_nothing() -> None:
    ownership = survey(tree_from({"/app": program()}), Store({}))
    assert not ownership.owners
    assert not ownership.warnings


def test_a_huge_database_is_passed_over_and_told() -> None:
    things = DPKG | {"/var/lib/dpkg/info/a.list": file("/usr/bin/tool\n", size=MOST_BYTES + 1)}
    ownership = survey(tree_from(things), Store(things))
    assert ownership.owners["/usr/bin/tool"] == "lost"
    assert [(w.code, w.count) for w in ownership.warnings] == [("packages", 1)]


@settings(deadline=None)
@given(st.binary(max_size=200), st.binary(max_size=200), st.binary(max_size=200))
def test_no_database_can_break_it(status: bytes, names: bytes, installed: bytes) -> None:
    things = {
        "/usr/bin/x": file(),
        "/var/lib/dpkg/status": file(status),
        "/var/lib/dpkg/info/a.list": file(names),
        "/var/lib/dpkg/status.d/b": file(status),
        "/var/lib/dpkg/status.d/b.md5sums": file(names),
        "/lib/apk/db/installed": file(installed),
    }
    assert set(found(things)) <= set(things)
