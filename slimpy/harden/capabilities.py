"""Which capabilities a root account may need: suggested by the trace, decided by verified runs.

A non-root account needs none: an engine gives a process that is not root no effective capability,
and with no-new-privileges no program's file bits can add one (capabilities(7)).

How to come to the smallest set: run with `candidates`; while the probes fail, add `next_to_try` of
a traced failed run, and where that knows no more, all of `DEFAULT`; then drop what can be dropped
(`smallest`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from probes.files.details import RAW
from probes.model import Activity, FileEvent, Operation
from slimpy.harden.ownership import runtime_path
from slimpy.image.links import resolve
from slimpy.image.tree import Tree
from slimpy.model import Account, FileType, ImagePath

DEFAULT = (
    *("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD"),
    *("NET_BIND_SERVICE", "NET_RAW", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"),
)
"""What Docker gives a container by default, so all that the run of the original image can have
used: nothing else is ever proposed (Docker documentation, "Runtime privilege and Linux
capabilities")."""


def _calls(names: str, *, numbered: bool = True) -> frozenset[str]:
    """Names; those with numeric ids have a 32-bit variant besides."""
    widths = ("", "32") if numbered else ("",)
    return frozenset(name + width for name in names.split() for width in widths)


_CHOWN = _calls("chown fchown lchown fchownat")
_GROUPS = _calls("setgid setregid setresgid setfsgid setgroups")
_USERS = _calls("setuid setreuid setresuid setfsuid")
_SIGNALS = _calls(
    "kill tkill tgkill pidfd_send_signal rt_sigqueueinfo rt_tgsigqueueinfo", numbered=False
)
_OWNERS_ONLY = _calls(
    "chmod fchmod fchmodat fchmodat2 utime utimes futimesat utimensat unlink unlinkat rmdir rename"
    " renameat renameat2 link linkat setxattr lsetxattr fsetxattr",
    numbered=False,
)
_NODES = frozenset(("mknod", "mknodat"))
_DROPPING = frozenset(("PR_CAPBSET_DROP", "PR_SET_SECUREBITS"))

PRIVILEGED_PORTS = 1024
"""Ports below need NET_BIND_SERVICE where the engine does not free them (ip(7))."""


def candidates(
    activity: Activity, account: Account, *, first_free_port: int = 0
) -> tuple[str, ...]:
    """Capabilities that the run of the original suggests, those that can do most harm first, so
    that `smallest` tries to do without them first.

    DAC_OVERRIDE and FOWNER leave no sign in a run that had them: see `next_to_try`.

    Args:
        activity: what the original image did.
        account: whom the slim image runs as.
        first_free_port: the engine's ``net.ipv4.ip_unprivileged_port_start`` (0 at Docker since
            20.10 and containerd, 1024 where nothing was set).
    """
    if not account.is_root:
        return ()
    found = set(_suggested(activity, first_free_port))
    return tuple(name for name in _BY_HARM if name in found)


_BY_HARM = (
    *("SETPCAP", "SYS_CHROOT", "MKNOD", "NET_RAW", "DAC_OVERRIDE", "FOWNER", "SETUID", "SETGID"),
    *("CHOWN", "KILL", "SETFCAP", "FSETID", "AUDIT_WRITE", "NET_BIND_SERVICE"),
)


def _suggested(activity: Activity, first_free_port: int) -> Iterator[str]:
    done = {use.name for use in activity.syscalls if "ok" in use.outcomes}
    facts = {fact for use in activity.syscalls for fact in use.details if "ok" in use.outcomes}
    strangers = any(process.uid for process in activity.processes)
    signs: Mapping[str, bool] = {
        "CHOWN": bool(done & _CHOWN),
        "SETGID": bool(done & _GROUPS),
        "SETUID": bool(done & _USERS),
        "KILL": strangers and bool(done & _SIGNALS),
        "MKNOD": bool(done & _NODES),
        "SYS_CHROOT": "chroot" in done,
        "SETPCAP": bool(facts & _DROPPING),
        "NET_RAW": bool(facts & {RAW, "AF_PACKET"}),
        "NET_BIND_SERVICE": any(
            listener.port < min(first_free_port, PRIVILEGED_PORTS)
            for listener in activity.listeners
        ),
    }
    return (name for name, sign in signs.items() if sign)


def next_to_try(
    denials: Activity, have: Iterable[str], *, normal: Activity | None = None
) -> str | None:
    """The capability behind the first refusal of a traced failed run of a root account.

    Files come first, in their order; calls carry no order, so they follow in that of a daemon's
    start. None where no refusal is left that a capability could lift.

    Args:
        denials: what the failed run did, traced without our own seccomp profile.
        have: the capabilities that it had.
        normal: the run of the original: what was refused there too explains nothing.
    """
    known = frozenset(have)
    wanted = (name for name in _lifting(denials, normal or Activity()) if name not in known)
    return next(wanted, None)


def _lifting(denials: Activity, normal: Activity) -> Iterator[str]:
    usual = {(event.path, event.operation, event.error) for event in normal.events}
    for event in denials.events:
        unusual = (event.path, event.operation, event.error) not in usual
        if unusual and event.error == "EACCES" and not runtime_path(event.path):
            yield "DAC_OVERRIDE"
    before = {(use.name, outcome) for use in normal.syscalls for outcome in use.outcomes}
    refused = {
        use.name
        for use in denials.syscalls
        if "EPERM" in use.outcomes and (use.name, "EPERM") not in before
    }
    for names, capability in _LIFTED_BY:
        if refused & names:
            yield capability
    unbound = any(use.name == "bind" and "EACCES" in use.outcomes for use in denials.syscalls)
    if unbound and ("bind", "EACCES") not in before:
        yield "NET_BIND_SERVICE"


_LIFTED_BY = (
    (_CHOWN, "CHOWN"),
    (_GROUPS, "SETGID"),
    (_USERS, "SETUID"),
    (_OWNERS_ONLY, "FOWNER"),
    (_NODES, "MKNOD"),
    (frozenset(("chroot",)), "SYS_CHROOT"),
    (frozenset(("prctl", "capset")), "SETPCAP"),
    (frozenset(("socket",)), "NET_RAW"),
    (_SIGNALS, "KILL"),
)


def smallest(start: Iterable[str], passes: Callable[[tuple[str, ...]], bool]) -> tuple[str, ...]:
    """What is left of a sufficient set when each capability was tried to be done without.

    ``passes`` runs all probes with exactly the given capabilities: one start for each. The result
    is minimal in that nothing can be taken away from it; sorted.
    """
    kept = list(dict.fromkeys(start))
    for name in tuple(kept):
        fewer = tuple(sorted(other for other in kept if other != name))
        if passes(fewer):
            kept.remove(name)
    return tuple(sorted(kept))


def privileged_programs(tree: Tree, activity: Activity) -> tuple[ImagePath, ...]:
    """Programs that the run started and whose set-user-ID or set-group-ID bit changes who they run
    as: with no-new-privileges they stay the caller's (execve(2)). In the tree's order.
    """
    found = {
        real
        for event in activity.events
        if _started(event) and (real := resolve(tree, event.path).real) is not None
    }
    return tuple(sorted(path for path in found if _has_bits(tree, path)))


def _started(event: FileEvent) -> bool:
    return event.operation is Operation.EXEC and event.error is None


def _has_bits(tree: Tree, path: ImagePath) -> bool:
    entry = tree.get(path)
    return entry is not None and entry.type is FileType.FILE and bool(entry.mode & 0o6000)
