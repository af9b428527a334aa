"""What a build shall give, from what the user says."""

from __future__ import annotations

import pytest

from slimpy.cli.goals import checked_platform, goal_of
from slimpy.errors import UsageError


@pytest.mark.parametrize(
    ("image", "tag", "outputs", "push", "expected"),
    [
        ("app:1", None, (), False, ("app.slim:1", False, (), True)),
        ("app:1", "x:2", (), False, ("x:2", True, (), True)),
        ("app:1", None, ("oci:d",), False, ("app.slim:1", False, ("oci:d",), False)),
        ("app:1", "x:2", ("oci:d",), False, ("x:2", True, ("oci:d",), True)),
        ("app:1", None, ("oci:d:v3",), False, ("app.slim:1", False, ("oci:d:v3",), False)),
        (
            "app:1",
            None,
            ("docker-archive:f.tar:b:3",),
            False,
            ("b:3", True, ("docker-archive:f.tar:b:3",), False),
        ),
        (
            "app:1",
            None,
            ("docker://h.example/b",),
            False,
            ("h.example/b:latest", True, ("docker://h.example/b",), False),
        ),
        (
            "app:1",
            "h.example/b:3",
            (),
            True,
            ("h.example/b:3", True, ("docker://h.example/b:3",), True),
        ),
        ("oci:layouts/app:2", None, (), False, ("app.slim:2", False, (), True)),
        ("docker-archive:my.tar", None, (), False, ("my.slim:latest", False, (), True)),
    ],
)
def test_goals(
    image: str, tag: str | None, outputs: tuple[str, ...], push: bool, expected: tuple[object, ...]
) -> None:
    goal = goal_of(image, tag, outputs, push=push)
    assert (goal.tag, goal.named, goal.outputs, goal.store) == expected


@pytest.mark.parametrize(
    ("image", "outputs"), [("App", ()), ("app", ("plain",)), ("app", ("oci:",)), ("oci:", ())]
)
def test_what_cannot_be(image: str, outputs: tuple[str, ...]) -> None:
    with pytest.raises(UsageError):
        goal_of(image, None, outputs, push=False)


def test_platforms() -> None:
    assert [checked_platform(text) for text in ("", "all", "ARM64")] == ["", "all", "linux/arm64"]
    with pytest.raises(UsageError):
        checked_platform("a/b/c/d")
