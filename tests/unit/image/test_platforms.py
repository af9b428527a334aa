"""Which entry of an index is for which machine."""

from __future__ import annotations

import pytest

from slimpy.errors import PlatformError, UsageError
from slimpy.image import platforms
from slimpy.image.oci import Descriptor, Platform


def entry(text: str, name: str = "", **annotations: str) -> Descriptor:
    system, architecture, *variant = text.split("/")
    platform = Platform(system, architecture, variant[0] if variant else "")
    return Descriptor("m", f"sha256:{name or text}", 1, platform, annotations)


@pytest.mark.parametrize(
    ("text", "platform"),
    [
        ("linux/amd64", Platform("linux", "amd64")),
        ("arm64", Platform("linux", "arm64")),
        ("Linux/X86_64", Platform("linux", "amd64")),
        ("linux/arm/v7", Platform("linux", "arm", "v7")),
        ("armhf", Platform("linux", "arm", "v7")),
        ("windows/amd64", Platform("windows", "amd64")),
    ],
)
def test_platforms_as_people_write_them(text: str, platform: Platform) -> None:
    assert platforms.parse(text) == platform


@pytest.mark.parametrize("text", ["", "/", "linux/", "linux/a/b/c", "linux/am d64", "all/x/y/z"])
def test_what_is_no_platform(text: str) -> None:
    with pytest.raises(UsageError):
        platforms.parse(text)


ARMS = (entry("linux/arm/v6"), entry("linux/arm/v7"), entry("linux/arm64/v8"), entry("linux/amd64"))


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [
        ("linux/arm64", "linux/arm64/v8"),
        ("linux/arm64/v8", "linux/arm64/v8"),
        ("linux/arm", "linux/arm/v7"),
        ("linux/arm/v6", "linux/arm/v6"),
        ("linux/amd64", "linux/amd64"),
    ],
)
def test_variants(wanted: str, chosen: str) -> None:
    found = platforms.choose(ARMS, platforms.parse(wanted), "app")
    assert str(found[0].platform) == chosen


@pytest.mark.parametrize(
    "wanted", ["linux/arm/v5", "linux/arm64/v9", "linux/s390x", "windows/amd64"]
)
def test_a_missing_one_lists_those_that_exist(wanted: str) -> None:
    with pytest.raises(PlatformError) as caught:
        platforms.choose(ARMS, platforms.parse(wanted), "app")
    assert "linux/arm/v6, linux/arm/v7" in caught.value.message


def test_attestations_are_no_images() -> None:
    attestation = entry("unknown/unknown", "x", **{"vnd.docker.reference.type": "attestation"})
    mine = entry(f"linux/{platforms.here().architecture}")
    assert platforms.choose((attestation, mine), None, "app") == (mine,)
    with pytest.raises(PlatformError):
        platforms.choose((attestation,), None, "app")


def test_which_machine_runs_what() -> None:
    assert platforms.runs_on("amd64", "386") and platforms.runs_on("", "s390x")
    assert not platforms.runs_on("amd64", "arm64") and not platforms.runs_on("386", "amd64")
