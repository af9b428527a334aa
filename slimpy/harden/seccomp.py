"""A seccomp profile from what a trace showed: what was not seen, or only ever refused, is refused.

A container that replaces Docker's default profile by this one must not gain a single call: hence
calls that the default profile refused during the trace stay refused, and its limits on arguments
are kept.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from probes.model import Activity, TraceWarning
from slimpy.harden.calls import (
    ALLOWED_ARGUMENTS,
    ALWAYS,
    ALWAYS_32BIT,
    EVERYDAY_DENIAL,
    FALLBACK,
    NEVER,
    OPENED_BY_TRACER,
)
from slimpy.harden.dangerous import DANGEROUS
from slimpy.harden.floor import Runtime, floor
from slimpy.model import Profile, display

EPERM = 1
EACCES = 13
ENOSYS = 38

_REFUSALS = frozenset({"EPERM", "ENOSYS", "EACCES"})
_KNOWN_NAME = re.compile(r"(?!syscall_)[a-z_][a-z0-9_]{0,63}")
_NATIVE = {
    "x86_64": "SCMP_ARCH_X86_64",
    "i386": "SCMP_ARCH_X86_64",
    "x32": "SCMP_ARCH_X86_64",
    "aarch64": "SCMP_ARCH_AARCH64",
    "arm": "SCMP_ARCH_AARCH64",
}
_SECOND = {"i386": "SCMP_ARCH_X86", "x32": "SCMP_ARCH_X32", "arm": "SCMP_ARCH_ARM"}


@dataclass(frozen=True, slots=True)
class _Decision:
    """One name of the trace: ``errno`` is None where it is allowed."""

    errno: int | None
    why: str = ""


def profile(activity: Activity, *, no_new_privileges: bool, runtime: Runtime = "any") -> Profile:
    """The narrowest profile under which the traced app still starts and does what it did.

    ``no_new_privileges`` says that the container will be run with that option, which spares the
    runtime's early calls; without the option such a profile cannot start. Names that the tracer
    does not know are left out: `unknown_calls` tells of them.
    """
    outcomes = _outcomes(activity)
    decisions = {name: _decide(name, seen) for name, seen in outcomes.items()}
    seconds = {use.arch for use in activity.syscalls} & _SECOND.keys()
    allowed = {name for name, decision in decisions.items() if decision.errno is None}
    allowed |= ALWAYS | floor(runtime, no_new_privileges=no_new_privileges)
    if seconds:
        allowed |= ALWAYS_32BIT
    allowed -= NEVER
    missing = {name for name in (FALLBACK | NEVER) - allowed if name not in decisions}
    refused = {name: decision for name, decision in decisions.items() if name not in allowed}
    refused |= {name: _Decision(ENOSYS, "never seen; callers fall back") for name in missing}
    names = tuple(sorted(allowed))
    architectures = _architectures(activity)
    return Profile(
        document=_document(names, refused, architectures),
        allowed=names,
        architectures=architectures,
        refused=MappingProxyType({name: refused[name].why for name in sorted(refused)}),
    )


def to_json(result: Profile) -> str:
    """The document as text, for ``--security-opt seccomp=FILE`` and the engine's API."""
    return json.dumps(result.document, indent=2, sort_keys=True) + "\n"


def unknown_calls(activity: Activity) -> tuple[TraceWarning, ...]:
    """One warning for each call that the tracer could only number: no profile can name it."""
    names = sorted({use.name for use in activity.syscalls if not _KNOWN_NAME.fullmatch(use.name)})
    return tuple(
        TraceWarning(
            "unknown-syscall",
            f"the tracer has no name for the system call {display(name[:80])},"
            " so the seccomp profile refuses it",
        )
        for name in names
    )


def _outcomes(activity: Activity) -> dict[str, set[str]]:
    outcomes: defaultdict[str, set[str]] = defaultdict(set)
    for use in activity.syscalls:
        if _KNOWN_NAME.fullmatch(use.name):
            outcomes[use.name] |= use.outcomes
    return outcomes


def _decide(name: str, seen: set[str]) -> _Decision:
    if name in NEVER:
        return _Decision(ENOSYS, "its arguments cannot be checked; callers fall back to clone")
    if name in OPENED_BY_TRACER:
        return _Decision(EPERM, "only the traced run had the capability that opens it")
    if not seen or seen - _REFUSALS:
        return _Decision(None)
    if "ENOSYS" in seen:
        return _Decision(ENOSYS, "the run got only ENOSYS: not available in a container")
    if "EPERM" in seen and name not in EVERYDAY_DENIAL:
        return _Decision(EPERM, "the run got only EPERM: refused before, refused now")
    if name in DANGEROUS:
        return _Decision(EACCES, "the run got only EACCES, and the call is dangerous")
    return _Decision(None)


def _architectures(activity: Activity) -> tuple[str, ...]:
    """The native architecture and what else was seen; empty (the engine's own) where unknown."""
    seen = sorted({use.arch for use in activity.syscalls})
    natives = [_NATIVE[arch] for arch in seen if arch in _NATIVE]
    seconds = [_SECOND[arch] for arch in seen if arch in _SECOND]
    return tuple(dict.fromkeys([*natives, *seconds]))


def _document(
    allowed: tuple[str, ...], refused: Mapping[str, _Decision], architectures: tuple[str, ...]
) -> dict[str, Any]:
    """Docker's JSON form. EPERM is the default action's errno, so only other errnos need a rule."""
    plain = [name for name in allowed if name not in ALLOWED_ARGUMENTS]
    rules: list[dict[str, Any]] = [_rule(plain, "SCMP_ACT_ALLOW")]
    for name in sorted(ALLOWED_ARGUMENTS.keys() & set(allowed)):
        for tests in ALLOWED_ARGUMENTS[name]:
            rules.append(
                {**_rule([name], "SCMP_ACT_ALLOW"), "args": [dict(test) for test in tests]}
            )
    for errno in (EACCES, ENOSYS):
        names = sorted(name for name, decision in refused.items() if decision.errno == errno)
        if names:
            rules.append({**_rule(names, "SCMP_ACT_ERRNO"), "errnoRet": errno})
    document: dict[str, Any] = {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": rules}
    if architectures:
        document["architectures"] = list(architectures)
    return document


def _rule(names: list[str], action: str) -> dict[str, Any]:
    return {"names": names, "action": action}
