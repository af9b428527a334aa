"""What the arguments of multiplexing calls come to: one bounded set of facts for each program."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.files.details import DETAILED, details
from probes.files.lines import Call
from probes.files.recorder import merge
from probes.model import Activity, SyscallUse
from tests.unit.probes.files.strace_logs import START, record


def facts(*lines: str, name: str, executable: str = "/bin/app") -> set[str]:
    uses = record(START, *lines).syscalls
    (use,) = [use for use in uses if use.name == name and use.executable == executable]
    return set(use.details)


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID|SIGCHLD, tls=0x1) = 9", {"other"}),
        ("clone(flags=CLONE_NEWUSER|CLONE_NEWNS) = 9", {"CLONE_NEWUSER", "CLONE_NEWNS"}),
        ("clone(child_stack=NULL, flags=CLONE_VM|0x4000000000|SIGCHLD) = 9", {"?"}),
        ("clone3({flags=CLONE_NEWUTS, stack=NULL} => {pidfd=[3]}, 64) = 9", {"CLONE_NEWUTS"}),
        ("clone3({flags=0, exit_signal=SIGCHLD, stack=NULL}, 64) = 9", {"other"}),
        ("clone3(NULL, 64) = -1 EFAULT (Bad address)", {"?"}),
        ("unshare(CLONE_FS|CLONE_NEWTIME) = -1 EPERM (Operation not permitted)", {"CLONE_NEWTIME"}),
        ("unshare(CLONE_FS) = 0", {"other"}),
        ("unshare(0) = 0", {"other"}),
        ("unshare(0x100 /* CLONE_??? */) = 0", {"?"}),
        ("socket(AF_UNIX, SOCK_STREAM|SOCK_CLOEXEC, 0) = 3<socket:[7]>", {"AF_UNIX"}),
        ("socket(AF_INET, SOCK_RAW, IPPROTO_ICMP) = -1 EPERM (Operation)", {"AF_INET", "SOCK_RAW"}),
        ("socket(AF_NETLINK, SOCK_RAW|SOCK_CLOEXEC, NETLINK_ROUTE) = 3", {"AF_NETLINK"}),
        ("socket(0x63 /* AF_??? */, SOCK_STREAM, 0) = -1 EAFNOSUPPORT (Address)", {"?"}),
        ("socketpair(AF_UNIX, SOCK_STREAM, 0, [3, 4]) = 0", {"AF_UNIX"}),
        ('ioctl(0</dev/null>, TIOCSTI, ""...) = -1 ENOTTY (Inappropriate)', {"TIOCSTI"}),
        ("ioctl(0</dev/pts/0>, TIOCLINUX, 0) = 0", {"TIOCLINUX"}),
        ("ioctl(3</a, TIOCSTI, b>, TCGETS, {c_iflag=0}) = 0", {"other"}),
        ("ioctl(3<socket:[9]>, _IOC(_IOC_READ, 0xbe, 0xef, 0x1ead), 0) = 0", {"other"}),
        ("personality(0xffffffff) = 0 (PER_LINUX)", {"0xffffffff"}),
        ("personality(PER_LINUX32|UNAME26) = 0 (PER_LINUX)", {"PER_LINUX32|UNAME26"}),
        ("personality(0x67 /* PER_??? */|UNAME26) = 0 (PER_LINUX)", {"?"}),
        ('prctl(PR_SET_NAME, ""...) = 0', {"PR_SET_NAME"}),
        ("prctl(0x3039 /* PR_??? */, 0, 0, 0, 0) = -1 EINVAL (Invalid argument)", {"?"}),
    ],
)  # fmt: skip
def test_an_argument_becomes_a_fact(call, expected):
    assert facts(f"1 {call}", name=call.partition("(")[0]) == expected


def test_facts_of_one_program_add_up_and_those_of_another_stay_apart():
    lines = (
        '1 prctl(PR_SET_NAME, ""...) = 0',
        "1 prctl(PR_GET_DUMPABLE) = 1",
        '1 execve("/bin/b", [...], 0x7ff /* 3 vars */) = 0',
        "1 prctl(PR_SET_PDEATHSIG, SIGKILL) = 0",
    )
    assert facts(*lines, name="prctl") == {"PR_SET_NAME", "PR_GET_DUMPABLE"}
    assert facts(*lines, name="prctl", executable="/bin/b") == {"PR_SET_PDEATHSIG"}


def test_a_call_that_never_came_back_has_facts_too():
    assert facts("1 ioctl(0</dev/pts/0>, TIOCSTI <unfinished ...>", name="ioctl") == {"TIOCSTI"}
    assert facts("1 prctl( <unfinished ...>", name="prctl") == {"?"}


def test_more_facts_than_any_program_has_are_one_unknown():
    letters = string.ascii_uppercase
    lines = [f"1 prctl(PR_X{a}{b}) = 0" for a in letters[:10] for b in letters[:10]]
    found = facts(*lines, name="prctl")
    assert "?" in found
    assert len(found) <= 65


def test_other_calls_have_none():
    (use,) = [use for use in record(START, "1 getpid() = 1").syscalls if use.name == "getpid"]
    assert use.details == frozenset()


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        ({"AF_INET"}, {"AF_UNIX"}, {"AF_INET", "AF_UNIX"}),
        (set(), set(), set()),
        ({"AF_INET"}, set(), {"AF_INET", "?"}),
        (set(), {"AF_INET"}, {"AF_INET", "?"}),
    ],
)
def test_merging_never_turns_an_unseen_argument_into_a_known_one(one, other, both):
    logs = (
        Activity(
            syscalls=(SyscallUse("socket", "x86_64", "/a", frozenset({"ok"}), frozenset(seen)),)
        )
        for seen in (one, other)
    )
    (use,) = merge(logs).syscalls
    assert use.details == both


@given(st.sampled_from(sorted(DETAILED)), st.lists(st.binary(max_size=60), max_size=6))
def test_any_bytes_give_few_printable_facts(name, args):
    found = details(Call(name, tuple(args), b"0"))
    assert 1 <= len(found) <= 9
    assert all(fact.isprintable() and len(fact) < 500 for fact in found)
