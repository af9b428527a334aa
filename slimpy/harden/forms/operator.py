"""``seccomp-profile.yaml``: the profile as an object of the Security Profiles Operator."""

from __future__ import annotations

from typing import Any

from slimpy.harden.forms.common import comment, documents, head
from slimpy.harden.hardening import Hardening


def file(hardening: Hardening) -> str:
    """The object; the operator puts it on every node and tells its path."""
    notes = comment(
        f"kubectl get seccompprofile {hardening.name} -o jsonpath='{{.status.localhostProfile}}'",
        "tells what to write for localhostProfile.",
    )
    return head(hardening, "The seccomp profile of") + notes + documents([profile(hardening)])


def profile(hardening: Hardening) -> dict[str, Any]:
    """SeccompProfile v1beta1, whose spec has the OCI runtime's keys; no namespace is named, because
    newer operators have it for the whole cluster.
    """
    document = hardening.profile.document
    keys = ("defaultAction", "architectures", "syscalls")
    return {
        "apiVersion": "security-profiles-operator.x-k8s.io/v1beta1",
        "kind": "SeccompProfile",
        "metadata": {"name": hardening.name},
        "spec": {key: document[key] for key in keys if key in document},
    }
