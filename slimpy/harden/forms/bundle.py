"""All forms together: the files of a report's ``hardening`` directory."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

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
)
from slimpy.harden.hardening import Hardening
from slimpy.harden.seccomp import to_json

DIRECTORY = "hardening"
"""Where in the report's directory they lie; the files name each other by their bare names."""

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
    }
    if hardening.apparmor:
        files[APPARMOR] = _apparmor(hardening)
    return MappingProxyType(dict(sorted(files.items())))


def _apparmor(hardening: Hardening) -> str:
    notes = comment(
        f"State: {hardening.apparmor_state}.",
        f"Load it as root: apparmor_parser --replace {APPARMOR}",
    )
    return head(hardening, "The AppArmor profile of") + notes + hardening.apparmor
