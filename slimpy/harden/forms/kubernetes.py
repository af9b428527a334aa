"""``kubernetes.yaml``: a Deployment (with its Service and claims) that meets the Pod Security
standard "restricted" where the restrictions allow it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from slimpy.harden.forms import health
from slimpy.harden.forms.common import (
    LOW_PORTS,
    OPERATOR,
    SECCOMP,
    comment,
    documents,
    head,
    needs_low_ports,
)
from slimpy.harden.hardening import Hardening, volume_name
from slimpy.harden.writable import Writable

STORAGE = "1Gi"
"""What a claim asks for: how much an app writes is not known from a short run."""

_CONTENT = "content"
_STAGE = "/stage"


def file(hardening: Hardening) -> str:
    """The objects, with what has to be done on the cluster in a comment."""
    return head(hardening, "Runs") + _notes(hardening) + documents(objects(hardening))


def objects(hardening: Hardening) -> list[dict[str, Any]]:
    """Claims, Deployment, and a Service where ports are known."""
    claims = [_claim(hardening, place) for place in hardening.volumes]
    found = [*claims, deployment(hardening)]
    return [*found, _service(hardening)] if hardening.ports else found


def localhost_profile(hardening: Hardening) -> str:
    """Where a node keeps the seccomp profile, below the kubelet's ``seccomp`` directory."""
    return f"slimpy/{hardening.name}.json"


def violations(hardening: Hardening) -> tuple[str, ...]:
    """Which controls of the standard "restricted" are not met, and why; empty: it is met."""
    found = []
    if hardening.account.is_root:
        found.append("Running as Non-root: the app needs root")
    if not hardening.no_new_privileges:
        found.append("Privilege Escalation: a program of the app gains privileges")
    extra = [name for name in hardening.capabilities if name != "NET_BIND_SERVICE"]
    if extra:
        found.append(f"Capabilities: the app needs {', '.join(extra)}")
    return tuple(found)


def _notes(hardening: Hardening) -> str:
    lines = [
        f"Every node needs {SECCOMP} as",
        f"/var/lib/kubelet/seccomp/{localhost_profile(hardening)}; with the Security Profiles",
        f"Operator apply {OPERATOR} instead, and write its status.localhostProfile here.",
    ]
    if violations(hardening):
        lines.append('It does not meet the Pod Security standard "restricted":')
        lines += [f"- {violation}" for violation in violations(hardening)]
    else:
        lines.append('It meets the Pod Security standard "restricted".')
    if any(map(_is_prepared, hardening.volumes)):
        lines.append(f"The init container copies out of {hardening.original}, which needs cp.")
    if hardening.volumes:
        lines.append("How much storage the app needs is not known: the claims' sizes are a guess.")
    if hardening.apparmor:
        lines += [
            f"AppArmor: {hardening.apparmor_state}. With the profile on every node, add to the",
            f"container's securityContext: appArmorProfile: {{type: Localhost, localhostProfile:"
            f" {hardening.apparmor_name}}}",
        ]
    return comment(*lines)


def deployment(hardening: Hardening) -> dict[str, Any]:
    """One replica; with a claim, which one pod at a time can use, an old pod ends first."""
    labels = _labels(hardening)
    spec: dict[str, Any] = {"replicas": 1, "selector": {"matchLabels": labels}}
    if hardening.volumes:
        spec["strategy"] = {"type": "Recreate"}
    spec["template"] = {"metadata": {"labels": labels}, "spec": _pod(hardening)}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": hardening.name, "labels": labels},
        "spec": spec,
    }


def _labels(hardening: Hardening) -> dict[str, str]:
    return {"app.kubernetes.io/name": hardening.name}


def _pod(hardening: Hardening) -> dict[str, Any]:
    context: dict[str, Any] = {
        "runAsUser": hardening.account.uid,
        "runAsGroup": hardening.account.gid,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    if not hardening.account.is_root:
        context = {"runAsNonRoot": True, **context}
    if hardening.writable:
        context |= {"fsGroup": hardening.account.gid, "fsGroupChangePolicy": "OnRootMismatch"}
    if needs_low_ports(hardening):
        context["sysctls"] = [{"name": LOW_PORTS, "value": "0"}]
    pod: dict[str, Any] = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": context,
    }
    preparing = [
        _preparing(hardening, place) for place in hardening.writable if _is_prepared(place)
    ]
    if preparing:
        pod["initContainers"] = preparing
    pod["containers"] = [_container(hardening)]
    if hardening.writable:
        pod["volumes"] = list(_volumes(hardening))
    return pod


def _container(hardening: Hardening) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": hardening.name,
        "image": hardening.image,
        "securityContext": _restrictions(hardening)
        | {
            "seccompProfile": {
                "type": "Localhost",
                "localhostProfile": localhost_profile(hardening),
            }
        },
    }
    if hardening.ports:
        found["ports"] = [
            {"name": f"tcp-{port}", "containerPort": port} for port in hardening.ports
        ]
    probe = health.probe(hardening.config, hardening.ports)
    if probe is not None:
        found["livenessProbe"] = probe
    if hardening.writable:
        found["volumeMounts"] = [_mount(place) for place in hardening.writable]
    return found


def _restrictions(hardening: Hardening) -> dict[str, Any]:
    capabilities: dict[str, Any] = {"drop": ["ALL"]}
    if hardening.capabilities:
        capabilities["add"] = list(hardening.capabilities)
    return {
        "allowPrivilegeEscalation": not hardening.no_new_privileges,
        "readOnlyRootFilesystem": hardening.read_only,
        "capabilities": capabilities,
    }


def _is_prepared(place: Writable) -> bool:
    """Whether a fresh volume has to be filled, or made the app's own, before the app starts.

    A volume belongs to root: a program that insists on a private directory of its own (PostgreSQL)
    gets one inside, made by its own user.
    """
    return place.seeded or (place.kind == "volume" and not place.mode & 0o077)


def _preparing(hardening: Hardening, place: Writable) -> dict[str, Any]:
    """Copies what the image has at a place; done again at a restart, it changes nothing else."""
    return {
        "name": f"prepare-{volume_name(place)}",
        "image": hardening.original,
        "command": ["cp", "-a", f"{place.path}/.", f"{_STAGE}/{_CONTENT}"],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": volume_name(place), "mountPath": _STAGE}],
    }


def _mount(place: Writable) -> dict[str, str]:
    mount = {"name": volume_name(place), "mountPath": str(place.path)}
    return mount | {"subPath": _CONTENT} if _is_prepared(place) else mount


def _volumes(hardening: Hardening) -> Iterator[dict[str, Any]]:
    for place in hardening.writable:
        name = volume_name(place)
        if place.kind == "tmpfs":
            yield {"name": name, "emptyDir": {}}
        else:
            claim = {"claimName": f"{hardening.name}-{name}"}
            yield {"name": name, "persistentVolumeClaim": claim}


def _claim(hardening: Hardening, place: Writable) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": f"{hardening.name}-{volume_name(place)}",
            "labels": _labels(hardening),
        },
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": STORAGE}},
        },
    }


def _service(hardening: Hardening) -> dict[str, Any]:
    ports = [
        {"name": f"tcp-{port}", "port": port, "targetPort": f"tcp-{port}"}
        for port in hardening.ports
    ]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": hardening.name, "labels": _labels(hardening)},
        "spec": {"selector": _labels(hardening), "ports": ports},
    }
