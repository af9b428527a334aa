"""Names of images: what may be one, and what is made of it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slimpy.errors import UsageError
from slimpy.settings import (
    checked_reference,
    checked_tag,
    default_report_directory,
    default_tag,
)

DIGEST = "sha256:" + "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("reference", "tag"),
    [
        ("app", "app.slim:latest"),
        ("app:1.0", "app.slim:1.0"),
        ("team/app_x:1.0-rc_1", "team/app_x.slim:1.0-rc_1"),
        ("registry.example:5000/app", "registry.example:5000/app.slim:latest"),
        ("localhost:5000/a/b:2", "localhost:5000/a/b.slim:2"),
        (f"app@{DIGEST}", "app.slim:0123456789ab"),
        (f"app:1@{DIGEST}", "app.slim:1"),
        (DIGEST, "image-0123456789ab.slim:latest"),
        ("0123456789ab", "image-0123456789ab.slim:latest"),
    ],
)
def test_names_that_are_good(reference, tag):
    assert checked_reference(reference) == reference
    assert checked_tag(default_tag(reference)) == tag


@pytest.mark.parametrize(
    "reference",
    [
        "",
        " ",
        "App",
        "a b",
        "-a",
        "a-",
        "a//b",
        "/a",
        "a/",
        ".",
        "..",
        "../a",
        "a/../b",
        "a:",
        ":1",
        "a:b:c",
        "a@b",
        "a@sha256:12",
        f"@{DIGEST}",
        "a\n",
        "a\x1b",
        "é",
        "a" * 300,
        "a:" + "1" * 129,
        "http://a",
    ],
)
def test_names_that_are_not(reference):
    with pytest.raises(UsageError) as caught:
        checked_reference(reference)
    assert repr(reference) in caught.value.message
    with pytest.raises(UsageError):
        checked_tag(reference)


@given(st.text(max_size=40))
def test_any_text_is_refused_or_safe(text):
    try:
        checked_reference(text)
    except UsageError:
        return
    assert re.fullmatch(r"[A-Za-z0-9._:/@-]+", text) and ".." not in text
    assert checked_tag(default_tag(text))
    (part,) = default_report_directory(text).relative_to("slim-report").parts
    assert part not in (".", "..")
