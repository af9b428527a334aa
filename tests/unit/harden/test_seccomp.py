from __future__ import annotations

import json

import pytest

from probes.model import Activity, SyscallUse
from slimpy.harden.calls import ALWAYS, EVERYDAY_DENIAL, FALLBACK, OPENED_BY_TRACER
from slimpy.harden.dangerous import DANGEROUS, still_blocked
from slimpy.harden.floor import ROWS, Runtime, floor
from slimpy.harden.seccomp import profile, to_json, unknown_calls
from slimpy.model import Profile

UNSEEN = FALLBACK - OPENED_BY_TRACER - {"clone3", "openat2", "statx", "close_range"}
BASE = {"execve": {"ok"}, "read": {"ok"}, "exit_group": {"?"}}


def activity(calls: dict[str, set[str]] | None = None, arch: str = "x86_64") -> Activity:
    uses = [
        SyscallUse(name, arch, "/app", frozenset(outcomes))
        for name, outcomes in (BASE | (calls or {})).items()
    ]
    return Activity(syscalls=tuple(uses))


def made(calls: dict[str, set[str]] | None = None, *, nnp: bool = True) -> Profile:
    return profile(activity(calls), no_new_privileges=nnp, margin=False)


def errno_of(result: Profile, name: str) -> int | None:
    """What the filter answers by the document alone: None where it lets the call through."""
    for rule in result.document["syscalls"]:
        if name in rule["names"]:
            return None if rule["action"] == "SCMP_ACT_ALLOW" else rule["errnoRet"]
    return 1


def test_what_ran_is_allowed_and_what_was_never_seen_is_not():
    result = made({"socket": {"ok"}, "fsync": {"EIO"}})
    assert errno_of(result, "fsync") is None
    assert {"socket", "fsync", "read"} <= set(result.allowed)
    assert "mount" not in result.allowed
    assert errno_of(result, "mount") == 1
    assert result.document["defaultAction"] == "SCMP_ACT_ERRNO"


def test_the_first_rule_is_sorted_and_names_are_unique():
    result = made({"zzz": {"ok"}, "accept": {"ok"}, "clone": {"ok"}})
    rules = result.document["syscalls"]
    assert rules[0]["names"] == sorted(set(rules[0]["names"]))
    assert list(result.allowed) == sorted(set(result.allowed))
    in_document = {n for r in rules if r["action"] == "SCMP_ACT_ALLOW" for n in r["names"]}
    assert in_document == set(result.allowed)


@pytest.mark.parametrize(
    ("name", "outcomes", "errno"),
    [
        ("mount", {"EPERM"}, 1),
        ("mbind", {"EPERM"}, 1),
        ("newcall", {"EPERM"}, 1),
        ("mbind", {"EPERM", "ENOSYS"}, 38),
        ("landlock_create_ruleset", {"ENOSYS"}, 38),
        ("keyctl", {"ENOSYS"}, 38),
        ("perf_event_open", {"EACCES"}, 13),
        ("clone3", {"ok"}, 38),
        ("clone3", {"ENOSYS"}, 38),
        ("process_vm_readv", {"ok"}, 1),
        ("pidfd_getfd", {"EBADF"}, 1),
        ("mkdir", {"EACCES"}, None),
        ("kill", {"EPERM"}, None),
        ("setsid", {"EPERM"}, None),
        ("mbind", {"EPERM", "EINVAL"}, None),
        ("mbind", {"EPERM", "ok"}, None),
        ("rt_sigsuspend", {"?"}, None),
    ],
)
def test_only_ever_refused_stays_refused(name, outcomes, errno):
    result = made({name: outcomes})
    assert errno_of(result, name) == errno
    assert (name in result.refused) == (errno is not None)
    assert (name in result.allowed) == (errno is None)
    assert all(result.refused.values())


def test_a_success_of_one_program_outweighs_a_refusal_of_another():
    uses = (
        SyscallUse("mbind", "x86_64", "/a", frozenset({"EPERM"})),
        SyscallUse("mbind", "x86_64", "/b", frozenset({"ok"})),
    )
    result = profile(Activity(syscalls=uses), no_new_privileges=True)
    assert "mbind" in result.allowed


@pytest.mark.parametrize("name", sorted(UNSEEN))
def test_unseen_calls_with_a_fallback_say_enosys(name):
    assert errno_of(made(nnp=False), name) == (None if name == "faccessat2" else 38)
    if name != "faccessat2":
        assert name in made().refused
    assert errno_of(made({name: {"ok"}}), name) is None


def test_clone_cannot_make_namespaces():
    rules = made({"clone": {"ok"}}).document["syscalls"]
    (rule,) = [rule for rule in rules if "clone" in rule["names"]]
    (test,) = rule["args"]
    for flag in (0x10000000, 0x20000, 0x2000000, 0x4000000, 0x8000000, 0x20000000, 0x40000000):
        assert test["value"] & flag, hex(flag)
    threads = 0x3D0F00
    assert not test["value"] & threads
    assert test["op"] == "SCMP_CMP_MASKED_EQ"
    assert test["valueTwo"] == 0


def test_personality_and_socket_keep_their_limits():
    rules = made({"personality": {"ok"}, "socket": {"ok"}}).document["syscalls"]
    tests = [r["args"][0] for r in rules if r["names"] == ["personality"]]
    assert [test["valueTwo"] for test in tests] == [0, 8, 0x20000, 0x20008, 0xFFFFFFFF]
    assert {(test["value"], test["op"]) for test in tests} == {(0xFFFFFFFF, "SCMP_CMP_MASKED_EQ")}
    assert [r["args"][0]["value"] for r in rules if r["names"] == ["socket"]] == [40]


@pytest.mark.parametrize(
    ("arches", "expected"),
    [
        (("x86_64",), ("SCMP_ARCH_X86_64",)),
        (("x86_64", "i386"), ("SCMP_ARCH_X86_64", "SCMP_ARCH_X86")),
        (("i386",), ("SCMP_ARCH_X86_64", "SCMP_ARCH_X86")),
        (("x86_64", "x32"), ("SCMP_ARCH_X86_64", "SCMP_ARCH_X32")),
        (("aarch64",), ("SCMP_ARCH_AARCH64",)),
        (("aarch64", "arm"), ("SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM")),
        (("riscv64",), ()),
    ],
)
def test_architectures_are_those_seen(arches, expected):
    uses = [SyscallUse("read", arch, "/a", frozenset({"ok"})) for arch in arches]
    result = profile(Activity(syscalls=tuple(uses)), no_new_privileges=True)
    assert result.architectures == expected
    assert result.document.get("architectures", []) == list(expected)
    assert ("sigreturn" in result.allowed) == (len(expected) == 2)


def test_unknown_names_are_left_out_with_a_warning():
    odd = activity({"syscall_0x1d4": {"ok"}, "bad name\x1b": {"ok"}})
    result = profile(odd, no_new_privileges=True)
    assert not {"syscall_0x1d4", "bad name\x1b"} & set(result.allowed)
    warnings = unknown_calls(odd)
    assert [warning.code for warning in warnings] == ["unknown-syscall"] * 2
    assert "syscall_0x1d4" in warnings[1].text
    assert "\x1b" not in warnings[0].text
    assert unknown_calls(activity()) == ()


def test_an_empty_trace_still_lets_the_runtime_start():
    result = profile(Activity(), no_new_privileges=True)
    assert result.margin == ()
    assert set(result.allowed) == ALWAYS | floor("any", no_new_privileges=True)


@pytest.mark.parametrize("runtime", ["any", "runc", "crun"])
def test_the_floor_is_shorter_with_no_new_privileges(runtime: Runtime):
    short = floor(runtime, no_new_privileges=True)
    long = floor(runtime, no_new_privileges=False)
    assert short < long
    assert "setuid" not in short
    assert long <= floor("any", no_new_privileges=False)
    assert {"execve", "exit_group", "wait4"} <= short
    if runtime != "crun":
        assert {"fstatfs", "openat2", "tgkill"} <= short
        assert {"setuid", "capset", "faccessat2"} <= long


def test_no_table_undoes_another():
    base = frozenset().union(*(row.names for row in ROWS)) | ALWAYS
    assert not base & DANGEROUS
    assert not EVERYDAY_DENIAL & DANGEROUS
    assert all(row.source and row.case for row in ROWS)


def test_still_blocked_tells_only_of_what_is_blocked():
    blocked = still_blocked(made({"mount": {"ok"}}))
    assert "mount" not in blocked
    assert {"bpf", "ptrace", "keyctl", "unshare", "init_module", "kexec_load"} <= set(blocked)
    assert list(blocked) == sorted(blocked)
    assert len(DANGEROUS) >= 50


def test_the_same_trace_gives_the_same_bytes():
    calls = {"accept": {"ok"}, "zzz": {"ok"}, "mbind": {"EPERM"}}
    backwards = Activity(syscalls=activity(calls).syscalls[::-1])
    text = to_json(profile(activity(calls), no_new_privileges=False))
    assert text == to_json(profile(backwards, no_new_privileges=False))
    assert json.loads(text)["architectures"] == ["SCMP_ARCH_X86_64"]
