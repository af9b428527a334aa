"""``compose.yaml``: a service of the Compose specification."""

from __future__ import annotations

from typing import Any

from slimpy.harden.forms.common import (
    LOW_PORTS,
    SECCOMP,
    comment,
    documents,
    head,
    needs_low_ports,
    tmpfs,
    user,
)
from slimpy.harden.hardening import Hardening, volume_name


def file(hardening: Hardening) -> str:
    """The file; run it from its own directory, where the seccomp profile lies."""
    value: dict[str, Any] = {"services": {hardening.name: service(hardening)}}
    if hardening.volumes:
        value["volumes"] = {volume_name(place): {} for place in hardening.volumes}
    notes = comment(
        "Run docker compose in this directory: the seccomp profile lies beside this file."
    )
    return head(hardening, "A service of") + notes + _apparmor(hardening) + documents([value])


def _apparmor(hardening: Hardening) -> str:
    if not hardening.apparmor:
        return ""
    return comment(
        f"AppArmor: {hardening.apparmor_state}. Where the profile is loaded, add to security_opt:",
        f"apparmor:{hardening.apparmor_name}",
    )


def service(hardening: Hardening) -> dict[str, Any]:
    """The service itself; a dollar in a text is doubled, because Compose expands variables."""
    options = [f"seccomp:./{SECCOMP}"]
    if hardening.no_new_privileges:
        options.insert(0, "no-new-privileges:true")
    found: dict[str, Any] = {"image": _literal(hardening.image)}
    if not hardening.account.is_root:
        found["user"] = user(hardening.account)
    found |= {"read_only": hardening.read_only, "cap_drop": ["ALL"]}
    if hardening.capabilities:
        found["cap_add"] = list(hardening.capabilities)
    found["security_opt"] = options
    if hardening.temporary:
        found["tmpfs"] = [_literal(tmpfs(place)) for place in hardening.temporary]
    if hardening.volumes:
        found["volumes"] = [
            f"{volume_name(place)}:{_literal(place.path)}" for place in hardening.volumes
        ]
    if needs_low_ports(hardening):
        found["sysctls"] = {LOW_PORTS: 0}
    if hardening.ports:
        found["ports"] = [f"${{PORT_{port}:-{port}}}:{port}" for port in hardening.ports]
    return found


def _literal(text: str) -> str:
    return text.replace("$", "$$")
