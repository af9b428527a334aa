"""System calls that a container's runtime makes after it has loaded the filter, with their source.

A profile without them cannot start any container, whatever the app itself needs. The measured rows
are minimal sets: a static program of three instructions was started under default-refuse profiles,
and names were taken away until the start failed. Nothing in here is refused by Docker's own default
profile, under which every runtime starts: so no row may hold a call such as fsopen or mount.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Runtime = Literal["any", "runc", "crun"]
"""Which OCI runtime the profile is for; ``any`` is the union."""


@dataclass(frozen=True, slots=True)
class FloorRow:
    """Calls that one runtime needs in one case.

    ``privileged_start`` rows fall away with no-new-privileges: the runtime then loads the filter
    last, after it has dropped user and capabilities.
    """

    runtime: Runtime
    case: str
    source: str
    names: frozenset[str]
    privileged_start: bool = False


def _row(runtime: Runtime, case: str, source: str, names: str, *, early: bool = False) -> FloorRow:
    return FloorRow(runtime, case, source, frozenset(names.split()), early)


ROWS = (
    _row("any", "the start of the app itself", "execve(2)", "execve exit_group"),
    _row(
        "runc",
        "any start",
        "measured on runc 1.1.5 with no-new-privileges",
        "close fstatfs getdents64 openat write",
    ),
    _row(
        "runc",
        "the filter is loaded before user and capabilities are dropped",
        "measured on runc 1.1.5 without no-new-privileges",
        "capget capset chdir fstat getcwd faccessat2 getppid newfstatat prctl read setgid setgroups"
        " setuid",
        early=True,
    ),
    _row(
        "any",
        "docker run --init",
        "measured on docker-init 0.19",
        "arch_prctl clone ioctl mmap mprotect rt_sigaction rt_sigprocmask rt_sigtimedwait setpgid"
        " wait4",
    ),
    _row(
        "runc",
        "Go's scheduler, at some starts only",
        "measured: without these 20-60 % of starts failed, with them 25 of 25 succeeded",
        "futex getpid rt_sigreturn tgkill",
    ),
    _row(
        "runc",
        "Go's scheduler, memory and poller under load",
        "Go runtime sources, os_linux and netpoll_epoll; epoll_ctl and fcntl seen in an audit log",
        "clone epoll_ctl epoll_pwait fchown fcntl gettid madvise mmap munmap nanosleep"
        " rt_sigprocmask sched_yield sigaltstack",
    ),
    _row(
        "runc",
        "safe opening of /proc since runc 1.2.8 and 1.3.3",
        "opencontainers/runc issue 4984; kubernetes-sigs/security-profiles-operator pull 3041",
        "close_range openat2 statx",
    ),
    _row(
        "crun",
        "the filter is loaded before user and capabilities are dropped",
        "measured on crun 1.8.1 without no-new-privileges",
        "capset prctl rt_sigaction rt_sigprocmask setresgid setresuid write",
        early=True,
    ),
)


def floor(runtime: Runtime, *, no_new_privileges: bool) -> frozenset[str]:
    """The names that a container's start needs besides the app's own."""
    rows = (
        row
        for row in ROWS
        if runtime == "any" or row.runtime in ("any", runtime)
        if not (row.privileged_start and no_new_privileges)
    )
    return frozenset().union(*(row.names for row in rows))
