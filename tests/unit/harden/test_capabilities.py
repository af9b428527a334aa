"""Capabilities: what a trace suggests, what a refusal asks for, and what is left at the end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.model import Activity, FileEvent, Listener, Operation, Process, SyscallUse
from slimpy.harden.capabilities import (
    DEFAULT,
    candidates,
    next_to_try,
    privileged_programs,
    smallest,
)
from slimpy.image.tree import Tree
from slimpy.model import Account, Entry, FileType, ImagePath

ROOT = Account("", 0, 0, "root", "")
USER = Account("33:33", 33, 33, "dropped-to", "")


def use(name: str, *outcomes: str, details: tuple[str, ...] = ()) -> SyscallUse:
    seen = frozenset(outcomes or ("ok",))
    return SyscallUse(name, "x86_64", "/app", seen, frozenset(details))


def refused(path: str, error: str = "EACCES", operation: Operation = Operation.OPEN) -> FileEvent:
    return FileEvent(path, operation, error, "/app", "start")


NGINX = Activity(
    syscalls=(use("chown"), use("setgroups"), use("setgid"), use("setuid"), use("kill")),
    processes=(Process(1, 0, "/nginx", None, None), Process(7, 1, "/nginx", 33, 33)),
    listeners=(Listener("tcp", "0.0.0.0", 80),),
)


def test_a_user_that_is_not_root_needs_none():
    assert candidates(NGINX, USER, first_free_port=1024) == ()


def test_nginx_as_root():
    assert candidates(NGINX, ROOT) == ("SETUID", "SETGID", "CHOWN", "KILL")
    assert "NET_BIND_SERVICE" in candidates(NGINX, ROOT, first_free_port=1024)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (use("fchownat"), ("CHOWN",)),
        (use("chown32"), ("CHOWN",)),
        (use("setresgid"), ("SETGID",)),
        (use("setreuid"), ("SETUID",)),
        (use("mknodat"), ("MKNOD",)),
        (use("chroot"), ("SYS_CHROOT",)),
        (use("socket", details=("AF_INET", "SOCK_RAW")), ("NET_RAW",)),
        (use("socket", details=("AF_PACKET",)), ("NET_RAW",)),
        (use("socket", details=("AF_INET",)), ()),
        (use("socket", "EPERM", details=("AF_PACKET",)), ()),
        (use("prctl", details=("PR_CAPBSET_DROP",)), ("SETPCAP",)),
        (use("prctl", details=("PR_SET_NAME",)), ()),
        (use("chown", "EPERM"), ()),
        (use("kill"), ()),
    ],
)
def test_signs_of_a_capability(seen, expected):
    assert candidates(Activity(syscalls=(seen,)), ROOT) == expected


def test_all_candidates_are_dockers_own():
    names = ("chown", "setgid", "setuid", "mknod", "chroot", "kill", "setgroups32", "mount", "bpf")
    everything = Activity(
        syscalls=(
            *map(use, names),
            use("socket", details=("AF_PACKET",)),
            use("prctl", details=("PR_SET_SECUREBITS",)),
        ),
        processes=(Process(9, 1, "/a", 5, 5),),
        listeners=(Listener("udp", "::", 53),),
    )
    found = candidates(everything, ROOT, first_free_port=1024)
    assert len(found) == 9
    assert set(found) <= set(DEFAULT)


@pytest.mark.parametrize(
    ("activity", "expected"),
    [
        (Activity(), None),
        (Activity(events=(refused("/var/lib/nginx/body"),)), "DAC_OVERRIDE"),
        (Activity(events=(refused("/var/x", "ENOENT"),)), None),
        (Activity(events=(refused("/proc/1/mem"),)), None),
        (Activity(syscalls=(use("chown", "EPERM"),)), "CHOWN"),
        (Activity(syscalls=(use("setgroups", "EPERM"), use("setuid", "EPERM"))), "SETGID"),
        (Activity(syscalls=(use("setuid", "EPERM"),)), "SETUID"),
        (Activity(syscalls=(use("fchmod", "EPERM"),)), "FOWNER"),
        (Activity(syscalls=(use("kill", "EPERM"),)), "KILL"),
        (Activity(syscalls=(use("socket", "EPERM"),)), "NET_RAW"),
        (Activity(syscalls=(use("bind", "EACCES"),)), "NET_BIND_SERVICE"),
        (Activity(syscalls=(use("bind", "EADDRINUSE"),)), None),
        (Activity(syscalls=(use("mount", "EPERM"),)), None),
    ],
)
def test_a_refusal_names_its_capability(activity, expected):
    assert next_to_try(activity, ()) == expected


def test_a_refusal_that_the_original_met_too_explains_nothing():
    denied = Activity(events=(refused("/etc/secret"),), syscalls=(use("chown", "EPERM", "ok"),))
    assert next_to_try(denied, ()) == "DAC_OVERRIDE"
    assert next_to_try(denied, (), normal=denied) is None
    assert next_to_try(denied, (), normal=Activity(events=denied.events)) == "CHOWN"


def test_what_the_failed_run_had_is_not_proposed_again():
    denied = Activity(
        events=(refused("/etc/secret"),),
        syscalls=(use("chown", "EPERM"), use("setuid", "EPERM"), use("mount", "EPERM")),
    )
    have: list[str] = []
    while (name := next_to_try(denied, have)) is not None:
        have.append(name)
    assert have == ["DAC_OVERRIDE", "CHOWN", "SETUID"]


@given(st.sets(st.sampled_from(DEFAULT)), st.sets(st.sampled_from(DEFAULT)))
def test_nothing_can_be_taken_away_from_the_smallest_set(needed, more):
    runs: list[tuple[str, ...]] = []

    def passes(capabilities: tuple[str, ...]) -> bool:
        runs.append(capabilities)
        return needed <= set(capabilities)

    assert smallest(sorted(needed | more), passes) == tuple(sorted(needed))
    assert len(runs) == len(needed | more)


def test_programs_that_no_new_privileges_would_change():
    tree = Tree(
        [
            Entry(ImagePath("/usr/bin/sudo"), FileType.FILE, 0o4755),
            Entry(ImagePath("/usr/bin/wall"), FileType.FILE, 0o2755),
            Entry(ImagePath("/usr/bin/ls"), FileType.FILE, 0o755),
            Entry(ImagePath("/usr/bin/su"), FileType.FILE, 0o4755),
            Entry(ImagePath("/bin"), FileType.LINK, target="usr/bin"),
        ]
    )
    events = (
        FileEvent("/bin/sudo", Operation.EXEC, None, "/app", ""),
        FileEvent("/bin/wall", Operation.EXEC, None, "/app", ""),
        FileEvent("/bin/ls", Operation.EXEC, None, "/app", ""),
        FileEvent("/bin/su", Operation.EXEC, "EACCES", "/app", ""),
        FileEvent("/bin/su", Operation.STAT, None, "/app", ""),
        FileEvent("/gone", Operation.EXEC, None, "/app", ""),
    )
    assert privileged_programs(tree, Activity(events)) == ("/usr/bin/sudo", "/usr/bin/wall")
