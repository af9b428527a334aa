"""All forms together: the files of a report's ``hardening`` directory."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import msgspec

from slimpy.harden.forms import compose, docker_run, kubernetes, operator
from slimpy.harden.forms.common import (
    APPARMOR,
    COMPOSE,
    DOCKER_RUN,
    KUBERNETES,
    OPERATOR,
    SECCOMP,
    comment,
    head,
    tmpfs,
)
from slimpy.harden.hardening import Hardening
from slimpy.harden.seccomp import to_json
from slimpy.model import display

DIRECTORY = "hardening"
"""Where in the report's directory they lie; the files name each other by their bare names."""

MACHINE = "hardening.json"

EXECUTABLE = frozenset({DOCKER_RUN})
"""Files that want the execute bits."""


def bundle(hardening: Hardening) -> Mapping[str, str]:
    """File name -> text, sorted; all of them ASCII, each ending in a newline."""
    files = {
        SECCOMP: to_json(hardening.profile),
        DOCKER_RUN: docker_run.script(hardening),
        COMPOSE: compose.file(hardening),
        KUBERNETES: kubernetes.file(hardening),
        OPERATOR: operator.file(hardening),
        MACHINE: _machine(hardening),
    }
    if hardening.apparmor:
        files[APPARMOR] = _apparmor(hardening)
    return MappingProxyType(dict(sorted(files.items())))


@dataclass(frozen=True, slots=True)
class Machine:
    """The restrictions for programs; ``seccomp.json`` is the rest. ``tmpfs``: path -> options."""

    schema: str
    version: int
    image: str
    user: str
    no_new_privileges: bool
    capabilities: tuple[str, ...]
    read_only: bool
    tmpfs: Mapping[str, str]
    volumes: tuple[str, ...]


def _machine(hardening: Hardening) -> str:
    places = (tmpfs(place).partition(":") for place in hardening.temporary)
    value = Machine(
        schema="slimpy-hardening",
        version=1,
        image=display(hardening.image),
        user=hardening.account.user,
        no_new_privileges=hardening.no_new_privileges,
        capabilities=hardening.capabilities,
        read_only=hardening.read_only,
        tmpfs={path: options for path, _, options in places},
        volumes=tuple(place.path for place in hardening.volumes),
    )
    return json.dumps(msgspec.to_builtins(value), indent=2) + "\n"


def _apparmor(hardening: Hardening) -> str:
    notes = comment(
        f"State: {hardening.apparmor_state}.",
        f"Load it as root: apparmor_parser --replace {APPARMOR}",
    )
    return head(hardening, "The AppArmor profile of") + notes + hardening.apparmor
