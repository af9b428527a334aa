"""What strace says in the place of a program that it could not start."""

from __future__ import annotations

import pytest

from probes.files.strace import complaint

TOOL = "/.slimpy/bin/strace"


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (
            [f"{TOOL}: Can't stat '/nope': No such file or directory"],
            "/nope: No such file or directory",
        ),
        ([f"{TOOL}: Cannot find executable 'nope'"], "nope is not in the image's PATH"),
        (["strace: exec: Permission denied"], "Permission denied"),
        (
            ["strace: exec: No such file or directory"],
            "its interpreter or loader is not in the image",
        ),
        ([], ""),
        (["the app's own last words"], ""),
        (["first", f"{TOOL}: exec: Permission denied"], ""),
    ],
)
def test_it_is_understood(lines, why):
    assert complaint(lines) == why
