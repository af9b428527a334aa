"""A seccomp profile from what a trace showed: what was not seen, or only ever refused, is refused.

A container that replaces Docker's default profile by this one must not gain a single call: hence
calls that the default profile refused during the trace stay refused, and its limits on arguments
are kept or tightened.

Two things make it hold when a file or the kernel below changes. Newer calls that a libc tries first
answer ENOSYS, on which it takes the older one. And the margin lets the other calls of a group pass
that serves the same purpose as one that was seen: no probe reaches every path of a program, and a
refused ``pread64`` beside an allowed ``read`` protects nobody. No dangerous call is in any group,
and the profile tells which names are there for the margin alone, so it is on unless switched off.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from probes.files.details import UNKNOWN
from probes.model import Activity, TraceWarning
from slimpy.harden.arguments import LIMITED, Limit, Setting, limit
from slimpy.harden.calls import (
    ALWAYS,
    ALWAYS_32BIT,
    EVERYDAY_DENIAL,
    FALLBACK,
    IPC,
    NEVER,
    OPENED_BY_TRACER,
    SOCKETCALL,
)
from slimpy.harden.dangerous import DANGEROUS
from slimpy.harden.equivalents import equivalents
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


def profile(
    activity: Activity,
    *,
    no_new_privileges: bool,
    runtime: Runtime = "any",
    margin: bool = True,
) -> Profile:
    """The narrowest profile under which the traced app still starts and does what it did.

    Args:
        activity: what the traced runs did. Calls that the tracer does not know by name are left
            out: `unknown_calls` tells of them.
        no_new_privileges: the container will be run with that option, which spares the runtime's
            early calls; without the option such a profile cannot start.
        runtime: the OCI runtime that has to start under it.
        margin: also allow calls that serve the same purpose as an allowed one, and the socket
            families of name resolution where the app uses the internet.
    """
    decisions = {name: _decide(name, seen) for name, seen in _outcomes(activity).items()}
    kinds = {use.arch for use in activity.syscalls} & _SECOND.keys()
    needed = {name for name, decision in decisions.items() if decision.errno is None}
    needed |= ALWAYS | floor(runtime, no_new_privileges=no_new_privileges)
    if kinds:
        needed |= ALWAYS_32BIT
    if "i386" in kinds:
        needed |= _multiplexed(needed)
    needed -= NEVER
    limits = _limits(activity, needed, Setting(no_new_privileges, margin))
    for name in [name for name, found in limits.items() if not found.alternatives]:
        decisions[name] = _Decision(EPERM, "every argument that the run used is dangerous")
        needed.discard(name)
        del limits[name]
    added = _margin(needed, decisions, narrow=bool(kinds)) if margin else frozenset[str]()
    limits |= _limits(Activity(), added, Setting(no_new_privileges, margin))
    return _profile(needed, added, decisions, limits, _architectures(activity))


def _profile(
    needed: set[str],
    added: frozenset[str],
    decisions: Mapping[str, _Decision],
    limits: Mapping[str, Limit],
    architectures: tuple[str, ...],
) -> Profile:
    names = needed | added
    refused = {name: decision for name, decision in decisions.items() if name not in names}
    missing = (FALLBACK | NEVER) - names - decisions.keys()
    refused |= {name: _Decision(ENOSYS, "never seen; callers fall back") for name in missing}
    allowed = tuple(sorted(names))
    return Profile(
        document=_document(allowed, refused, limits, architectures),
        allowed=allowed,
        architectures=architectures,
        refused=MappingProxyType({name: refused[name].why for name in sorted(refused)}),
        margin=tuple(sorted(added)),
        limited=MappingProxyType({name: limits[name].text for name in sorted(limits)}),
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


def _multiplexed(names: set[str]) -> set[str]:
    """The real calls of i386 behind names that strace may have taken out of their arguments."""
    found = {"socketcall"} if names & SOCKETCALL else set()
    return found | ({"ipc"} if names & IPC else set())


def _margin(
    needed: set[str], decisions: Mapping[str, _Decision], *, narrow: bool
) -> frozenset[str]:
    """Equivalents of what the app did, not of what its runtime does. What the run was refused stays
    refused, and nothing dangerous comes in by a side door.
    """
    unwanted = NEVER | DANGEROUS | OPENED_BY_TRACER | needed | decisions.keys()
    return equivalents(needed & decisions.keys(), narrow=narrow) - unwanted


def _limits(activity: Activity, names: Iterable[str], setting: Setting) -> dict[str, Limit]:
    facts: defaultdict[str, set[str]] = defaultdict(set)
    for use in activity.syscalls:
        if use.name in LIMITED:
            facts[use.name] |= use.details or {UNKNOWN}
    found = {name: limit(name, frozenset(facts[name]), setting) for name in LIMITED & set(names)}
    return {name: each for name, each in found.items() if each is not None}


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
    allowed: tuple[str, ...],
    refused: Mapping[str, _Decision],
    limits: Mapping[str, Limit],
    architectures: tuple[str, ...],
) -> dict[str, Any]:
    """Docker's JSON form. EPERM is the default action's errno, so only other errnos need a rule."""
    plain = [name for name in allowed if name not in limits]
    rules: list[dict[str, Any]] = [_rule(plain, "SCMP_ACT_ALLOW")]
    for name in sorted(limits):
        for tests in limits[name].alternatives:
            arguments = [dict(test) for test in tests]
            rules.append({**_rule([name], "SCMP_ACT_ALLOW"), "args": arguments})
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
