"""Limits on arguments: only where the trace is understood, and never a bit more than Docker's."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.model import Activity, SyscallUse
from slimpy.harden.arguments import (
    AF_VSOCK,
    CLONE_NAMESPACES,
    FAMILIES,
    OPERATIONS,
    REQUESTS,
    complement,
)
from slimpy.harden.seccomp import profile
from slimpy.model import Profile

NEW = {
    "CLONE_NEWNS": 0x20000,
    "CLONE_NEWCGROUP": 0x2000000,
    "CLONE_NEWUTS": 0x4000000,
    "CLONE_NEWIPC": 0x8000000,
    "CLONE_NEWUSER": 0x10000000,
    "CLONE_NEWPID": 0x20000000,
    "CLONE_NEWNET": 0x40000000,
}
HIGH = 1 << 32
"""Above what the kernel looks at."""


def made(
    name: str, *facts: Iterable[str], nnp: bool = True, margin: bool = False, arch: str = "x86_64"
) -> Profile:
    """The profile of programs that each made the call with some facts."""
    uses = (
        SyscallUse(name, arch, f"/bin/{number}", frozenset({"ok"}), frozenset(seen))
        for number, seen in enumerate(facts)
    )
    return profile(Activity(syscalls=tuple(uses)), no_new_privileges=nnp, margin=margin)


def passes(result: Profile, name: str, *arguments: int) -> bool:
    """What libseccomp makes of the document: the first rule that holds, by the manual of the
    comparisons (seccomp_rule_add(3)), on 64-bit registers.
    """
    for rule in result.document["syscalls"]:
        if name not in rule["names"] or rule["action"] != "SCMP_ACT_ALLOW":
            continue
        if all(holds(test, arguments[test["index"]]) for test in rule.get("args", ())):
            return True
    return False


def holds(test: dict[str, int | str], argument: int) -> bool:
    match test["op"]:
        case "SCMP_CMP_EQ":
            return argument == test["value"]
        case "SCMP_CMP_NE":
            return argument != test["value"]
        case "SCMP_CMP_MASKED_EQ":
            return argument & int(test["value"]) == test["valueTwo"]
    raise AssertionError(test)


@given(
    st.sets(st.integers(0, 255), min_size=1, max_size=6),
    st.integers(0, 255),
)
def test_a_complement_holds_for_all_numbers_but_those_left_out(left_out, number):
    pairs = complement(left_out, bits=8)
    assert any(number & mask == value for mask, value in pairs) == (number not in left_out)
    assert len(pairs) <= 8 * len(left_out)


@pytest.mark.parametrize("high", [0, HIGH])
@pytest.mark.parametrize("request_name", REQUESTS)
def test_injected_terminal_input_is_refused_where_it_was_never_seen(request_name, high):
    result = made("ioctl", {"other"})
    assert not passes(result, "ioctl", 0, REQUESTS[request_name] | high)
    for ordinary in (0x5401, 0x5413, 0x5421, 0x541B, 0x541D, 0x5410, 0x80045430, 0xDEADBEEF):
        assert passes(result, "ioctl", 0, ordinary | high), hex(ordinary)
    assert result.limited["ioctl"] == "not TIOCLINUX, TIOCSTI"


def test_injected_terminal_input_stays_possible_where_it_was_seen():
    result = made("ioctl", {"other"}, {"TIOCSTI"})
    assert passes(result, "ioctl", 0, REQUESTS["TIOCSTI"])
    assert not passes(result, "ioctl", 0, REQUESTS["TIOCLINUX"])
    assert "ioctl" not in made("ioctl", {"TIOCSTI", "TIOCLINUX"}).limited


@pytest.mark.parametrize("facts", [[{"other", "?"}], [set()], [{"other"}, set()]])
def test_an_argument_that_was_not_seen_limits_nothing(facts):
    result = made("ioctl", *facts)
    assert "ioctl" not in result.limited
    assert passes(result, "ioctl", 0, REQUESTS["TIOCSTI"])


def test_only_the_families_seen_can_be_opened():
    result = made("socket", {"AF_INET"}, {"AF_UNIX"})
    assert {name for name, number in FAMILIES.items() if passes(result, "socket", number)} == {
        "AF_INET",
        "AF_UNIX",
    }
    assert passes(result, "socket", FAMILIES["AF_INET"] | HIGH)
    assert not passes(result, "socket", FAMILIES["AF_ALG"] | HIGH)
    assert result.limited["socket"] == "only AF_INET, AF_UNIX"


def test_the_margin_adds_what_looking_up_a_name_takes():
    result = made("socket", {"AF_INET", "SOCK_RAW"}, margin=True)
    opened = {name for name, number in FAMILIES.items() if passes(result, "socket", number)}
    assert opened == {"AF_INET", "AF_INET6", "AF_NETLINK", "AF_UNIX"}
    local = made("socket", {"AF_UNIX"}, margin=True)
    assert local.limited["socket"] == "only AF_UNIX"


@pytest.mark.parametrize("facts", [{"?"}, {"AF_INET", "?"}, set(), {"AF_X25"}])
def test_unknown_families_leave_dockers_own_limit(facts):
    result = made("socket", facts)
    assert passes(result, "socket", FAMILIES["AF_ALG"])
    assert not passes(result, "socket", AF_VSOCK)


def test_the_machines_host_is_out_of_reach_even_where_it_was_reached():
    result = made("socket", {"AF_VSOCK", "AF_UNIX"})
    assert not passes(result, "socket", AF_VSOCK)
    alone = made("socket", {"AF_VSOCK"})
    assert "socket" not in alone.allowed
    assert "socket" not in alone.limited
    assert alone.refused["socket"]


@pytest.mark.parametrize("facts", [{"other"}, {"CLONE_NEWUSER"}, set()])
@pytest.mark.parametrize(("name", "extra"), [("clone", {}), ("unshare", {"CLONE_NEWTIME": 0x80})])
def test_no_namespace_is_ever_made(name, extra, facts):
    result = made(name, facts)
    for flag in (NEW | extra).values():
        assert not passes(result, name, flag)
        assert not passes(result, name, flag | 0x200)
        assert not passes(result, name, flag | HIGH)
    assert passes(result, name, 0x200)
    assert sum(NEW.values()) == CLONE_NAMESPACES


def test_threads_and_forks_pass():
    result = made("clone", {"other"})
    assert passes(result, "clone", 0x3D0F00)
    assert passes(result, "clone", 0x1200011)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (set(), {0, 8, 0x20000, 0x20008, 0xFFFFFFFF}),
        ({"?"}, {0, 8, 0x20000, 0x20008, 0xFFFFFFFF}),
        ({"0xffffffff"}, {0xFFFFFFFF}),
        ({"PER_LINUX", "PER_LINUX|ADDR_NO_RANDOMIZE"}, {0, 0xFFFFFFFF}),
        ({"PER_LINUX32|UNAME26"}, {0x20008, 0xFFFFFFFF}),
    ],
)
def test_personalities(facts, expected):
    result = made("personality", facts)
    tried = {0, 8, 0x20000, 0x20008, 0xFFFFFFFF, 0x40000, 0x400000, 0x0004}
    assert {value for value in tried if passes(result, "personality", value)} == expected
    assert not passes(result, "personality", 0x40000 | HIGH)


def test_operations_of_prctl():
    result = made("prctl", {"PR_SET_DUMPABLE"})
    passing = {name for name, number in OPERATIONS.items() if passes(result, "prctl", number)}
    assert {"PR_SET_DUMPABLE", "PR_SET_NAME", "PR_SET_VMA"} <= passing
    assert not passing & {"PR_SET_MM", "PR_SET_PTRACER", "PR_SET_SECCOMP", "PR_CAP_AMBIENT"}
    early = made("prctl", {"PR_SET_DUMPABLE"}, nnp=False)
    assert passes(early, "prctl", OPERATIONS["PR_CAPBSET_DROP"])
    assert not passes(early, "prctl", OPERATIONS["PR_SET_MM"])


@pytest.mark.parametrize("facts", [{"?"}, set(), {"PR_FROM_A_LATER_KERNEL"}])
def test_unknown_operations_limit_nothing(facts):
    result = made("prctl", facts)
    assert "prctl" not in result.limited
    assert passes(result, "prctl", OPERATIONS["PR_SET_MM"])


def test_the_runtimes_own_prctl_is_not_cut_off_where_the_app_makes_none():
    result = profile(Activity(), no_new_privileges=False)
    assert passes(result, "prctl", OPERATIONS["PR_CAPBSET_DROP"])


def test_numbers_are_those_of_the_kernels_headers(tmp_path):
    """Compiled here and now, so that no number of the tables is a slip of memory."""
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    names = [*FAMILIES, *OPERATIONS, *REQUESTS, *NEW]
    source = tmp_path / "numbers.c"
    headers = ("linux/sched.h", "sys/socket.h", "linux/prctl.h", "asm/ioctls.h", "stdio.h")
    lines = [f'#ifdef {name}\nprintf("{name} %ld\\n", (long){name});\n#endif' for name in names]
    source.write_text(
        "".join(f"#include <{header}>\n" for header in headers)
        + "int main(void) {\n"
        + "\n".join(lines)
        + "\nreturn 0; }\n"
    )
    subprocess.run(["gcc", "-o", tmp_path / "numbers", source], check=True, timeout=60)
    done = subprocess.run(
        [tmp_path / "numbers"], check=True, timeout=10, capture_output=True, text=True
    )
    real = {name: int(number) for name, number in map(str.split, done.stdout.splitlines())}
    ours = {**FAMILIES, **OPERATIONS, **REQUESTS, **NEW}
    assert {name: ours[name] for name in real} == real
    assert len(real) >= 0.9 * len(ours)


def test_calls_inside_of_i386_multiplexers_open_those():
    direct = made("socket", {"AF_INET"})
    assert not {"socketcall", "ipc"} & set(direct.allowed)
    narrow = made("socket", {"AF_INET"}, arch="i386")
    assert "socketcall" in narrow.allowed
    assert "ipc" not in narrow.allowed
    assert {"ipc", "shmget"} <= set(made("shmget", set(), arch="i386").allowed)
