"""The image's configuration is honoured as the engine will honour it."""

from __future__ import annotations

from typing import Any

import pytest

from slimpy.model import Reason, Rule
from tests.unit.keep.worlds import World, directory, file, files_kept, link, program, rules

THINGS = {
    "/usr/local/bin/app": program(),
    "/usr/bin/app": program(),
    "/usr/bin/curl": program(),
    "/usr/bin/dash": program(),
    "/bin": link("usr/bin"),
    "/usr/bin/sh": link("dash"),
    "/srv/app/start": program(),
    "/srv/app/data": file(),
    "/home/app/.rc": file(),
}


@pytest.mark.parametrize(
    ("config", "kept"),
    [
        ({"Entrypoint": ["/usr/bin/app"]}, {"/usr/bin/app"}),
        ({"Entrypoint": ["app"]}, {"/usr/local/bin/app"}),
        ({"Entrypoint": ["app"], "Env": ["PATH=/bin"]}, {"/usr/bin/app"}),
        ({"Entrypoint": ["/bin/app"], "Cmd": ["curl", "-v"]}, {"/usr/bin/app", "/usr/bin/curl"}),
        ({"Entrypoint": ["./start"], "WorkingDir": "/srv/app"}, {"/srv/app/start"}),
        ({"Cmd": ["start"], "WorkingDir": "/srv/app", "Env": ["PATH=:/bin"]}, {"/srv/app/start"}),
        ({"Cmd": ["--flag"]}, set()),
        ({"Cmd": [""]}, set()),
        ({"Cmd": ["/bin/sh", "-c", "app"]}, {"/usr/bin/dash"}),
        ({"Healthcheck": {"Test": ["CMD", "curl", "-f", "x"]}}, {"/usr/bin/curl"}),
        ({"Healthcheck": {"Test": ["CMD-SHELL", "curl -f x"]}}, {"/usr/bin/dash"}),
        ({"Healthcheck": {"Test": ["NONE"]}}, set()),
    ],
)  # fmt: skip
def test_programs_of_the_configuration(config: dict[str, Any], kept: set[str]) -> None:
    world = World(THINGS, config)
    keep = world.decide()
    assert files_kept(keep, world) == kept
    for path in kept:
        assert rules(keep, path) == {Rule.CONFIG}


def test_the_working_directory_is_kept_without_what_is_in_it() -> None:
    keep = World(THINGS, {"WorkingDir": "/srv/app"}).decide()
    assert keep.reasons["/srv/app"] == (Reason(Rule.CONFIG, "", "WORKDIR"),)
    assert "/srv/app/data" not in keep


def test_a_volume_is_kept_with_what_the_image_has_in_it() -> None:
    world = World(
        {"/data": link("var/data"), "/var/data/a/b": file(), "/var/data/c": link("a")},
        {"Volumes": {"/data": {}}},
    )
    keep = world.decide()
    for path in ("/data", "/var/data", "/var/data/a", "/var/data/a/b", "/var/data/c"):
        assert path in keep
    assert not keep.placeholders


@pytest.mark.parametrize("user", ["app", "1000", "1000:0", "app:root"])
def test_the_home_of_the_images_user_is_kept_empty(user: str) -> None:
    passwd = file("root:x:0:0:root:/root:/bin/sh\nbroken\napp:x:1000:1000::/home/app:/bin/sh\n")
    world = World(THINGS | {"/etc/passwd": passwd, "/root": directory(0o700)}, {"User": user})
    keep = world.decide()
    assert rules(keep, "/home/app") == {Rule.CONFIG}
    assert "/home/app/.rc" not in keep
    assert "/root" not in keep


def test_without_a_user_it_is_the_home_of_root() -> None:
    passwd = file("root:x:0:0:root:/root:/bin/sh\n")
    keep = World({"/etc/passwd": passwd, "/root/.profile": file()}).decide()
    assert rules(keep, "/root") == {Rule.CONFIG}
    assert "/root/.profile" not in keep


def test_home_of_the_environment_counts_without_an_account() -> None:
    keep = World(THINGS, {"Env": ["HOME=/home/app"]}).decide()
    assert rules(keep, "/home/app") == {Rule.CONFIG}


def test_state_directories_are_kept_empty_where_the_image_has_them() -> None:
    world = World(
        {
            "/tmp": directory(0o1777),
            "/var/tmp/left-over": file(),
            "/run/lock": directory(0o1777),
            "/var/run": link("/run"),
            "/var/lock": link("/run/lock"),
        }
    )
    keep = world.decide()
    for path in ("/tmp", "/var/tmp", "/run", "/run/lock"):
        assert rules(keep, path) & {Rule.STATE}
    assert {"/var/run", "/var/lock"} <= set(keep.reasons)
    assert "/var/tmp/left-over" not in keep
