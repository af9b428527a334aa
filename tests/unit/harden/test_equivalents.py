"""The margin: calls of the same purpose, nothing dangerous, nothing that the run was refused."""

from __future__ import annotations

import pytest

from probes.model import Activity, SyscallUse
from slimpy.harden.calls import NEVER, OPENED_BY_TRACER
from slimpy.harden.dangerous import DANGEROUS, still_blocked
from slimpy.harden.equivalents import GROUPS, GROUPS_32BIT, equivalents
from slimpy.harden.seccomp import profile
from slimpy.model import Profile


def made(calls: dict[str, set[str]], *, margin: bool = True, arch: str = "x86_64") -> Profile:
    uses = (SyscallUse(name, arch, "/app", frozenset(seen)) for name, seen in calls.items())
    activity = Activity(syscalls=tuple(uses))
    # crun's own calls are few, so that these cases are not hidden behind them.
    return profile(activity, no_new_privileges=True, margin=margin, runtime="crun")


@pytest.mark.parametrize("group", [*GROUPS, *GROUPS_32BIT], ids=lambda group: sorted(group)[0])
def test_a_group_holds_nothing_that_may_not_be_added(group):
    assert len(group) >= 2
    assert not group & (DANGEROUS | NEVER | OPENED_BY_TRACER)


@pytest.mark.parametrize(
    ("seen", "added"),
    [
        ("openat", "openat2"),
        ("epoll_wait", "epoll_pwait2"),
        ("select", "ppoll"),
        ("newfstatat", "statx"),
        ("read", "preadv2"),
        ("accept", "accept4"),
        ("dup2", "dup3"),
        ("pipe", "pipe2"),
        ("futex", "futex_waitv"),
        ("rename", "renameat2"),
        ("renameat2", "utimensat"),
    ],
)
def test_a_call_brings_its_equivalents(seen, added):
    result = made({seen: {"ok"}})
    assert added in result.allowed
    assert added in result.margin
    assert added not in result.refused
    assert added in equivalents([seen])
    assert added not in made({seen: {"ok"}}, margin=False).allowed


def test_a_call_that_was_seen_is_no_margin_and_needs_no_group():
    result = made({"read": {"ok"}, "pread64": {"ok"}, "sync": {"ok"}})
    assert not {"read", "pread64", "sync"} & set(result.margin)
    assert set(result.margin) == set(result.allowed) - set(
        made({"read": {"ok"}, "pread64": {"ok"}, "sync": {"ok"}}, margin=False).allowed
    )


def test_what_the_runtime_alone_does_brings_nothing():
    """docker-init waits for children; the app of this trace does not."""
    result = made({"sync": {"ok"}})
    assert "wait4" in result.allowed
    assert "waitid" not in result.allowed
    assert result.margin == ()


def test_what_the_run_was_refused_stays_refused():
    result = made({"epoll_wait": {"ok"}, "epoll_pwait2": {"ENOSYS"}})
    assert "epoll_pwait2" not in result.allowed
    assert "epoll_pwait2" in result.refused


def test_clone_brings_no_clone3_and_its_own_limit_stays():
    result = made({"fork": {"ok"}})
    assert "clone" in result.allowed
    assert result.limited["clone"] == "no new namespaces"
    assert "clone3" in result.refused


def test_wide_calls_come_only_with_32_bit_processes():
    assert "stat64" not in made({"stat": {"ok"}}).allowed
    assert "stat64" in made({"stat": {"ok"}}, arch="i386").margin


def test_the_margin_opens_nothing_dangerous():
    names = {name: {"ok"} for group in (*GROUPS, *GROUPS_32BIT) for name in group}
    assert set(still_blocked(made(names, arch="i386"))) == DANGEROUS
