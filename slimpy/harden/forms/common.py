"""What the forms share: names of files, heads of comments, low ports, YAML."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from slimpy.harden.capabilities import PRIVILEGED_PORTS
from slimpy.harden.hardening import Hardening
from slimpy.harden.writable import Writable
from slimpy.model import Account, display

_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(?::[A-Za-z0-9_][A-Za-z0-9_.-]*)?")

SECCOMP = "seccomp.json"
APPARMOR = "apparmor.profile"
DOCKER_RUN = "docker-run.sh"
COMPOSE = "compose.yaml"
KUBERNETES = "kubernetes.yaml"
OPERATOR = "seccomp-profile.yaml"

LOW_PORTS = "net.ipv4.ip_unprivileged_port_start"
"""The first port that needs no capability. Docker 20.10 and newer set it to 0 in a network of a
container's own; older engines, Podman and Kubernetes do not."""


def needs_low_ports(hardening: Hardening) -> bool:
    """Whether the app listens below 1024 without the capability for it."""
    low = any(port < PRIVILEGED_PORTS for port in hardening.ports)
    return low and "NET_BIND_SERVICE" not in hardening.capabilities


def user(account: Account) -> str:
    """USER as the image has it, or its numbers where a form could misread the words."""
    return account.user if _USER.fullmatch(account.user) else f"{account.uid}:{account.gid}"


def tmpfs(place: Writable) -> str:
    """Path and options of a temporary place, as ``docker run --tmpfs`` and Compose take them."""
    run = "exec" if place.executable else "noexec"
    owner = f"uid={place.uid},gid={place.gid}"
    return f"{place.path}:rw,nosuid,nodev,{run},mode={place.mode:o},{owner}"


def comment(*lines: str) -> str:
    """Lines as a comment of a shell script, YAML or AppArmor; any text is safe in it."""
    plain = (display(line).encode("ascii", "backslashreplace").decode() for line in lines)
    return "".join(f"# {line}".rstrip() + "\n" for line in plain)


def head(hardening: Hardening, purpose: str) -> str:
    """The first lines of every form: what it does, and what it cannot promise."""
    return comment(f"{purpose} {hardening.image}.", *hardening.shortfalls())


class _Dumper(yaml.SafeDumper):
    """Writes equal parts out each time: people edit one of them without the others."""

    def ignore_aliases(self, _data: object) -> bool:
        return True


def documents(values: Iterable[Mapping[str, Any]]) -> str:
    """YAML documents, keys in their order, ASCII."""
    plain = [dict(value) for value in values]
    return str(yaml.dump_all(plain, Dumper=_Dumper, sort_keys=False, default_flow_style=False))
