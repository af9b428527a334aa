"""The order of versions, by known cases of each ecosystem's own documentation and tools."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slimpy.sbom.package import Ecosystem
from slimpy.scan.versions import LONGEST, compare

ASCENDING = {
    Ecosystem.DEB: [
        "0.9~~", "0.9~rc1", "0.9", "0.9+b1", "1.0-1", "1.0-1+b1", "1.0-1+deb12u2",
        "1.0-1+deb12u10", "1.0-2", "1.0a", "1.9", "1.10", "1:0.1", "2:0",
    ],
    Ecosystem.APK: [
        "0.9_alpha1", "0.9_beta1", "0.9_pre1", "0.9_rc1", "0.9_rc2", "0.9", "0.9_git20230717-r4",
        "0.9_p1", "1.02", "1.1", "1.1.1v-r3", "1.1.1w-r0", "1.1.1w-r1", "1.2-r0", "1.2-r9",
        "1.2-r10", "1.2.0", "1.2.4_git20230717-r4", "1.2.5-r0", "1.10",
    ],
    Ecosystem.PYTHON: [
        "0.9.dev1", "0.9a1", "0.9b1", "0.9rc1", "0.9", "0.9.post1", "1.0", "1.9", "1.10", "1!0.1",
    ],
    Ecosystem.NODE: [
        "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2",
        "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.9.0", "1.10.0",
    ],
    Ecosystem.GO: [
        "v0.0.0-20190101000000-abcdefabcdef", "v0.0.0-20230101000000-abcdefabcdef", "0.17.0",
        "1.21rc2", "1.21.0", "1.21.5", "1.22rc1", "1.22", "v1.22.1", "2.0.0+incompatible",
    ],
    Ecosystem.JAVA: [
        "1-alpha", "1-beta", "1-milestone", "1-rc", "1-SNAPSHOT", "1", "1-sp", "1-abc", "1-1",
        "1.9", "1.10", "2.0.0.RC1", "2.0.0", "2.9.10", "2.9.10.8",
    ],
    Ecosystem.RUBY: [
        "1.0.a", "1.0.pre", "1.0.rc1", "1.0", "1.9", "1.10", "5.0.0.beta1.1", "5.0.0.beta2",
        "5.0.0.rc1", "5.0.0",
    ],
    Ecosystem.PHP: [
        "1.0.0-dev", "1.0.0-alpha1", "1.0.0-beta2", "1.0.0-beta10", "1.0.0-RC1", "1.0", "1.0.0-p1",
        "1.0.0.1", "v1.9", "1.10.0",
    ],
    Ecosystem.RPM: ["1.0~rc1-1", "1.0-1.el8", "1.0-2.el8", "1.0-10.el8", "1.10-1", "1:0.1-1"],
    Ecosystem.RUST: ["0.9.9", "1.0.0-rc.1", "1.0.0"],
}  # fmt: skip
PAIRS = [
    (ecosystem, one, other)
    for ecosystem, ordered in ASCENDING.items()
    for at, one in enumerate(ordered)
    for other in ordered[at + 1 :]
]


@pytest.mark.parametrize("ecosystem", ASCENDING)
def test_known_orders(ecosystem: Ecosystem) -> None:
    wrong = [
        (one, other)
        for kind, one, other in PAIRS
        if kind is ecosystem and (compare(kind, one, other), compare(kind, other, one)) != (-1, 1)
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("ecosystem", "one", "other"),
    [
        (Ecosystem.JAVA, "1.0", "1"), (Ecosystem.JAVA, "1.0.Final", "1"),
        (Ecosystem.JAVA, "1-cr1", "1-rc1"), (Ecosystem.PYTHON, "1.0", "1.0.0"),
        (Ecosystem.DEB, "0:1.0", "1.0"), (Ecosystem.GO, "v1.21.0", "1.21"),
        (Ecosystem.PHP, "1.0", "1.0.0"), (Ecosystem.RUBY, "1.0", "1.0.0"),
        (Ecosystem.NODE, "1.0.0+a", "1.0.0+a"), (Ecosystem.APK, "1.2-r0", "1.2-r0"),
    ],
)  # fmt: skip
def test_equal_versions(ecosystem: Ecosystem, one: str, other: str) -> None:
    assert compare(ecosystem, one, other) == 0


@pytest.mark.parametrize("ecosystem", ASCENDING)
@pytest.mark.parametrize("text", ["", "1" * (LONGEST + 1), "\u0661.0", "not a version", "1.0\n2"])
def test_what_is_no_version_has_no_place(ecosystem: Ecosystem, text: str) -> None:
    if ecosystem in (Ecosystem.JAVA, Ecosystem.RPM) and text.startswith(("not", "1.0")):
        return  # any text is a version to these
    assert compare(ecosystem, text, "1.0.0") is None
    assert compare(ecosystem, "1.0.0", text) is None


debian = st.from_regex(
    r"(?:[0-3]:)?[0-9][0-9a-z.+~]{0,6}(?:-[0-9][0-9a-z.+~]{0,3})?", fullmatch=True
)


@settings(max_examples=40, deadline=None)
@given(debian, debian)
def test_debian_agrees_with_dpkg(one: str, other: str) -> None:
    done = subprocess.run(["dpkg", "--compare-versions", one, "lt", other], timeout=60, check=False)
    assert (compare(Ecosystem.DEB, one, other) == -1) is (done.returncode == 0)
