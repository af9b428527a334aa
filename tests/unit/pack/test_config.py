"""The configuration: what is taken over, what is replaced, and what stays out."""

from __future__ import annotations

import json
from types import MappingProxyType
from typing import Any

import pytest

from slimpy.model import Account, Image, Layer
from slimpy.pack.config import EPOCH, serialised, slim_config

LAYER = Layer("/x", "sha256:" + "0" * 64, 10240, 1, 1)
ACCOUNT = Account("33:34", 33, 34, "dropped-to", "")

FULL = {
    "Hostname": "abc", "Domainname": "", "User": "root", "AttachStdin": True, "Tty": True,
    "OpenStdin": True, "Image": "sha256:1", "MacAddress": "x", "NetworkDisabled": True,
    "ExposedPorts": {"80/tcp": {}, "53/udp": {}}, "Env": ["PATH=/bin", "EMPTY=", "A=b=c"],
    "Entrypoint": ["/init"], "Cmd": ["serve", "--all"], "WorkingDir": "/srv",
    "Volumes": {"/data": {}}, "Labels": {"a": "1", "b": "2"}, "StopSignal": "SIGQUIT",
    "Healthcheck": {"Test": ["CMD", "true"], "Interval": 5000000000}, "OnBuild": ["RUN true"],
    "Shell": ["/bin/bash", "-c"], "ArgsEscaped": True,
}  # fmt: skip


def image(config: dict[str, Any], **more: str) -> Image:
    facts = {"created": "2024-01-02T03:04:05.678Z", **more}
    return Image("app:1", "sha256:2", "arm64", "linux", 1, config=config, **facts)  # type: ignore[arg-type]


def test_run_time_settings_are_taken_over() -> None:
    config = slim_config(image(FULL), LAYER, ACCOUNT, {"b": "new", "c": "3"}, ports=(8080, 80))
    assert config["config"] == {
        **{key: FULL[key] for key in (
            "Env", "Entrypoint", "Cmd", "WorkingDir", "Volumes", "StopSignal", "Healthcheck",
            "OnBuild", "Shell", "ArgsEscaped",
        )},
        "User": "33:34",
        "ExposedPorts": {"80/tcp": {}, "53/udp": {}, "8080/tcp": {}},
        "Labels": {"a": "1", "b": "new", "c": "3"},
    }  # fmt: skip


def test_platform_time_and_layer() -> None:
    config = slim_config(image(FULL, variant="v8"), LAYER, ACCOUNT, {})
    assert (config["architecture"], config["variant"], config["os"]) == ("arm64", "v8", "linux")
    assert config["created"] == config["history"][0]["created"] == "2024-01-02T03:04:05.678Z"
    assert config["rootfs"] == {"type": "layers", "diff_ids": [LAYER.diff_id]}
    assert len(config["history"]) == 1


def test_what_is_not_set_stays_out() -> None:
    empty = {"Env": None, "Cmd": None, "Labels": None, "Volumes": {}, "ExposedPorts": None}
    account = Account("", 0, 0, "root", "")
    config = slim_config(image(empty, created=""), LAYER, account, {})
    assert config["config"] == {}
    assert config["created"] == EPOCH
    assert "variant" not in config


def test_a_health_check_that_is_off_stays_off() -> None:
    off = {"Healthcheck": {"Test": ["NONE"]}}
    assert (
        slim_config(image(off), LAYER, ACCOUNT, {})["config"]["Healthcheck"] == off["Healthcheck"]
    )


def test_the_original_is_not_changed() -> None:
    before = json.dumps(FULL)
    slim_config(image(FULL), LAYER, ACCOUNT, {"c": "3"}, ports=(1,))
    assert json.dumps(FULL) == before


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"b": 1, "a": [True, None]}, b'{"a":[true,null],"b":1}'),
        ({"a": MappingProxyType({"y": (1, 2), "x": "é"})}, b'{"a":{"x":"\\u00e9","y":[1,2]}}'),
        ({}, b"{}"),
    ],
)
def test_serialised_depends_on_values_only(document: dict[str, Any], expected: bytes) -> None:
    assert serialised(document) == expected


def test_order_does_not_matter() -> None:
    reverse = dict(reversed(FULL.items()))
    one = slim_config(image(FULL), LAYER, ACCOUNT, {"x": "1", "y": "2"})
    two = slim_config(image(reverse), LAYER, ACCOUNT, {"y": "2", "x": "1"})
    assert serialised(one) == serialised(two)
