"""An image's configuration as slimpy reads it: hostile, or just odd."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slimpy.model import HealthCheck, Image

ODD = st.sampled_from(
    [
        *(None, True, 5, "", "text", "../..", "\x1b[31m"),
        *([], [None, 5, "item"], [["inner"]], ["CMD", 5], ["=", "A=1"]),
        *({}, {"80/tcp": None, "x/tcp": {}, "/a/../..": {}}, {5: {}}, {"Test": "CMD"}),
        *({"Test": ["CMD-SHELL", "true"]}, {"Test": ["CMD", None, "true"]}, {"Test": {"CMD": 1}}),
    ]
)
KEYS = (
    "Cmd",
    "Entrypoint",
    "Env",
    "ExposedPorts",
    "Healthcheck",
    "Shell",
    "User",
    "Volumes",
    "WorkingDir",
)


def image(**config: object) -> Image:
    return Image("app", "sha256:1", "amd64", "linux", 1, "", config)


def test_nothing_is_configured():
    empty = image()
    assert (empty.entrypoint, empty.command, empty.environment) == ((), (), {})
    assert (empty.user, empty.workdir, empty.volumes) == ("", "/", ())
    assert (empty.exposed, empty.healthcheck) == ((), None)


def test_ports():
    ports = [
        "80",
        "443/tcp",
        "443",
        "53/udp",
        "abc/tcp",
        "99999/tcp",
        "0/tcp",
        "-1/tcp",
        "1-3/tcp",
        "",
        "²/tcp",
        " 8/tcp",
    ]
    assert image(ExposedPorts={port: {} for port in ports}).exposed == (80, 443)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("", "/"),
        ("/", "/"),
        ("//", "/"),
        ("/a/", "/a"),
        ("//a", "/a"),
        ("a", "/a"),
        ("a/../..", "/"),
        ("../x", "/x"),
        ("/a/./b/../c", "/a/c"),
    ],
)
def test_paths(path, found):
    assert image(WorkingDir=path).workdir == found
    assert image(Volumes={path: {}}).volumes == (found,)


def test_volumes_are_named_once():
    assert image(Volumes={"/b": {}, "/a": {}, "/a/": {}}).volumes == ("/a", "/b")


def test_variables():
    found = image(Env=["A=1", "B", "=", "=x", "A=2=3", None, 5]).environment
    assert found == {"A": "2=3", "B": ""}


@pytest.mark.parametrize(
    ("check", "argv"),
    [
        ({"Test": ["CMD", "curl", "-f"]}, ("curl", "-f")),
        ({"Test": ["CMD-SHELL", "true"]}, ("/bin/sh", "-c", "true")),
        ({"Test": ["NONE"]}, None),
        ({"Test": ["CMD"]}, None),
        ({"Test": ["CMD-SHELL", "a", "b"]}, None),
        ({"Test": []}, None),
        ({"Test": "CMD true"}, None),
        ({"Test": None}, None),
        ({}, None),
        ("odd", None),
    ],
)
def test_health_checks(check, argv):
    assert image(Healthcheck=check).healthcheck == (HealthCheck(argv) if argv else None)


def test_the_shell_of_a_health_check():
    check = {"Test": ["CMD-SHELL", "true"]}
    assert image(Healthcheck=check, Shell=["/bin/ash", "-c"]).healthcheck == HealthCheck(
        ("/bin/ash", "-c", "true")
    )


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(KEYS, ODD)))
def test_no_configuration_is_a_crash(config):
    odd = image(**config)
    texts = (*odd.entrypoint, *odd.command, *odd.environment, *odd.environment.values(), odd.user)
    assert all(isinstance(text, str) for text in texts)
    assert all(path.startswith("/") for path in (odd.workdir, *odd.volumes))
    assert all(".." not in path.split("/") for path in (odd.workdir, *odd.volumes))
    assert all(0 < port < 65536 for port in odd.exposed)
    assert odd.healthcheck is None or all(isinstance(item, str) for item in odd.healthcheck.argv)
