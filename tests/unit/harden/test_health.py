"""HEALTHCHECK as a Kubernetes probe: a request where it is nothing but one, else the command."""

from __future__ import annotations

import pytest

from slimpy.harden.forms.health import probe
from tests.unit.harden.hardened import image


def of(*test: object, ports: tuple[int, ...] = (80, 8080), **check: object):
    return probe(image({"Healthcheck": {"Test": list(test), **check}}), ports)


@pytest.mark.parametrize(
    ("command", "host", "port", "path"),
    [
        ("curl -f http://localhost:8080/health", "localhost", 8080, "/health"),
        ("curl -fsS http://127.0.0.1:8080/a?b=c || exit 1", "127.0.0.1", 8080, "/a?b=c"),
        ("curl --fail --silent --max-time 3 http://localhost", "localhost", 80, "/"),
        ("curl -sf -o /dev/null -m 2 'http://localhost:8080/'", "localhost", 8080, "/"),
        ("/usr/bin/wget -q --spider http://localhost:8080/x", "localhost", 8080, "/x"),
        ("wget --no-verbose --tries=1 -O /dev/null http://[::1]:8080/", "[::1]", 8080, "/"),
        ("wget -qO- http://localhost:8080/", "localhost", 8080, "/"),
    ],
)
@pytest.mark.parametrize("shell", [True, False])
def test_a_plain_request_is_left_to_the_kubelet(command, host, port, path, shell):
    if not shell:
        command = command.removesuffix(" || exit 1").replace("'", "")
    made = of("CMD-SHELL", command) if shell else of("CMD", *command.split())
    header = {"name": "Host", "value": f"{host}:{port}"}
    assert made["httpGet"] == {"path": path, "port": port, "httpHeaders": [header]}
    assert "exec" not in made


@pytest.mark.parametrize(
    "command",
    [
        "curl http://localhost:8080/health",
        "curl -f http://localhost:9090/health",
        "curl -f http://example.com:8080/health",
        "curl -f https://localhost:8080/health",
        "curl -f -X POST http://localhost:8080/",
        "curl -f -H 'Accept: x' http://localhost:8080/",
        "curl -f http://localhost:8080/ http://localhost:8080/b",
        "curl -f http://localhost:8080/ | grep up",
        "curl -f http://localhost:8080/ && test -e /ready",
        "curl -f http://localhost:$PORT/",
        "curl -f $(cat /url)",
        "wget -q http://localhost:8080/; true",
        "! curl -f http://localhost:8080/",
        "curl -f 'http://localhost:8080/",
        "pg_isready --quiet || exit 1",
        "curl",
        "",
    ],
)
def test_anything_else_stays_the_command(command):
    made = of("CMD-SHELL", command)
    assert made["exec"] == {"command": ["/bin/sh", "-c", command]}
    assert "httpGet" not in made


def test_times_are_the_images_or_dockers_defaults():
    made = of("CMD", "true", Interval=90_000_000_000, Timeout=1, StartPeriod=500_000_000, Retries=7)
    assert {key: value for key, value in made.items() if key != "exec"} == {
        "initialDelaySeconds": 1,
        "periodSeconds": 90,
        "timeoutSeconds": 1,
        "failureThreshold": 7,
    }
    plain = of("CMD", "true")
    assert (plain["periodSeconds"], plain["timeoutSeconds"], plain["failureThreshold"]) == (
        30,
        30,
        3,
    )
    assert "initialDelaySeconds" not in plain


@pytest.mark.parametrize("value", ["x", -1, 0, None, 10**40, [], 1.5])
def test_hostile_times_do_no_harm(value):
    made = of("CMD", "true", Interval=value, Timeout=value, StartPeriod=value, Retries=value)
    numbers = [number for key, number in made.items() if key != "exec"]
    assert all(isinstance(number, int) and 1 <= number <= 86400 for number in numbers)


@pytest.mark.parametrize("test", [["NONE"], []])
def test_no_healthcheck_makes_no_probe(test):
    assert of(*test) is None
