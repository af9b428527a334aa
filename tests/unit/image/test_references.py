"""Where an image is: every form, what results are called after it, and clear errors."""

from __future__ import annotations

from pathlib import Path

import pytest

from slimpy.errors import UsageError
from slimpy.image.references import Transport, parse, parse_destination

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "transport", "path", "name"),
    [
        ("app", Transport.STORE, "", "app"),
        ("team/app:1.0", Transport.STORE, "", "team/app:1.0"),
        ("docker:24", Transport.STORE, "", "docker:24"),
        ("host:5000/a/b", Transport.STORE, "", "host:5000/a/b"),
        ("docker-archive:a.tar", Transport.DOCKER_ARCHIVE, "a.tar", ""),
        ("docker-archive:a.tar:app", Transport.DOCKER_ARCHIVE, "a.tar", "app"),
        ("docker-archive:x/a.tar:app:1", Transport.DOCKER_ARCHIVE, "x/a.tar", "app:1"),
        ("docker-archive:a.tar:h:5000/b:1", Transport.DOCKER_ARCHIVE, "a.tar", "h:5000/b:1"),
        ("docker-archive:a.tar:@2", Transport.DOCKER_ARCHIVE, "a.tar", "@2"),
        ("docker-archive:C:/images/a.tar", Transport.DOCKER_ARCHIVE, "C:/images/a.tar", ""),
        ("docker-archive:C:\\a.tar", Transport.DOCKER_ARCHIVE, "C:\\a.tar", ""),
        ("docker-archive:C:/a.tar:app:1", Transport.DOCKER_ARCHIVE, "C:/a.tar", "app:1"),
        ("docker-archive:my app (1).tar", Transport.DOCKER_ARCHIVE, "my app (1).tar", ""),
        ("docker-archive:-rf.tar", Transport.DOCKER_ARCHIVE, "-rf.tar", ""),
        ("oci:dir", Transport.OCI, "dir", ""),
        ("oci:/abs/dir/:v1", Transport.OCI, "/abs/dir", "v1"),
        ("oci:dir:app:1.0", Transport.OCI, "dir", "app:1.0"),
        ("oci:.", Transport.OCI, ".", ""),
        ("oci:..", Transport.OCI, "..", ""),
        ("oci-archive:a.tar:v1", Transport.OCI_ARCHIVE, "a.tar", "v1"),
        ("docker://app", Transport.REGISTRY, "", "app:latest"),
        ("docker://h:5000/a:1", Transport.REGISTRY, "", "h:5000/a:1"),
        (f"docker://h/a@{DIGEST}", Transport.REGISTRY, "", f"h/a@{DIGEST}"),
        ("docker-daemon:app:1", Transport.DOCKER_DAEMON, "", "app:1"),
        (f"docker-daemon:{DIGEST}", Transport.DOCKER_DAEMON, "", DIGEST),
        ("podman:app", Transport.PODMAN, "", "app:latest"),
    ],
)
def test_forms(text: str, transport: Transport, path: str, name: str) -> None:
    found = parse(text)
    assert (found.transport, found.path, found.name) == (transport, Path(path), name)
    assert found.text == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        " app",
        "app\n",
        "App",
        "a//b",
        "docker-archive:",
        "docker-archive:a.tar:",
        "docker-archive:dir/",
        "docker-archive::app",
        "oci:",
        "oci-archive:",
        "oci-archive:dir/",
        "docker://",
        "docker:///app",
        "docker://App",
        "docker://app:?",
        "docker:/app",
        "docker://app@sha256:12",
        "docker-daemon:",
        "docker-daemon:App",
        "podman://app",
        "containers-storage:app",
        "dir:/tmp/x",
        "ostree:app@/repo",
        "https://example.com/app",
    ],
)
def test_what_is_none_is_one_clear_error(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(text)
    assert caught.value.message.endswith(".")
    assert caught.value.hint


def test_a_store_that_is_not_read_directly_is_named_with_the_way_to_it() -> None:
    with pytest.raises(UsageError) as caught:
        parse("containers-storage:app")
    assert "podman:NAME" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "suggested"),
    [
        ("team/app:1", "team/app:1"),
        ("docker-archive:/x/My App-1.0.tar.gz", "my-app-1-0"),
        ("docker-archive:a.tar:team/app:2", "team/app:2"),
        ("docker-archive:a.tar:@0", "a"),
        ("docker-archive:/x/___.tar", "image"),
        ("oci:layouts/app:1.0", "app:1.0"),
        ("oci:layouts/app:team/x:3", "team/x:3"),
        ("oci:layouts/app", "app"),
        ("oci-archive:app.tar:v1+b/c", "app:v1-b-c"),
        ("docker://h:5000/a:1", "h:5000/a:1"),
        ("docker-daemon:a:1", "a:1"),
    ],
)
def test_results_are_called_after_it(text: str, suggested: str) -> None:
    assert parse(text).suggested == suggested


def test_names_that_an_image_carries_come_before_its_files() -> None:
    assert parse("docker-archive:x.tar").called(("team/app:1",)) == "team/app:1"
    assert parse("oci:x:v1").called(("team/app:1",)) == "team/app:1"
    assert parse("docker-archive:x.tar:other:2").called(("team/app:1",)) == "other:2"
    assert parse("docker-archive:x.tar").called(()) == "x"
    assert parse("app:3").called(("team/app:1",)) == "app:3"


@pytest.mark.parametrize("text", ["app", f"docker://a@{DIGEST}", "oci:x:@0", "docker-archive:a:@1"])
def test_what_cannot_be_written_to(text: str) -> None:
    with pytest.raises(UsageError):
        parse_destination(text)


def test_a_destination_in_a_registry_has_a_tag() -> None:
    assert parse_destination("docker://h:5000/a").name == "h:5000/a:latest"
    assert parse_destination("oci:x").name == ""
