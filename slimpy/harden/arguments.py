"""Limits on arguments: the part of a multiplexing call that an app was seen to use.

Every limit lets through what Docker's default profile lets through, or less (``unshare``, which
Docker refuses altogether, gets here only on an engine that lets it pass). The kernel looks at
the low 32 bits of each of these arguments only, so each test but Docker's own masks the rest out:
a comparison of all 64 bits could be passed by with a bit set above (CVE-2019-10063).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from probes.files.details import INJECTION, OTHER, UNKNOWN

Test = Mapping[str, int | str]
"""One comparison of one argument in Docker's JSON form."""

_WORD = 0xFFFFFFFF

CLONE_NAMESPACES = 0x7E020000
"""All CLONE_NEW* flags of clone(2): a new user namespace opens most of the kernel to anybody."""
UNSHARE_NAMESPACES = CLONE_NAMESPACES | 0x80
"""unshare(2) has CLONE_NEWTIME besides, which clone's exit signal has no room for."""

AF_VSOCK = 40
"""Not bound to a network namespace: it reaches the virtual machine's host."""

FAMILIES: Mapping[str, int] = {
    "AF_UNIX": 1,
    "AF_INET": 2,
    "AF_INET6": 10,
    "AF_NETLINK": 16,
    "AF_PACKET": 17,
    "AF_CAN": 29,
    "AF_TIPC": 30,
    "AF_BLUETOOTH": 31,
    "AF_ALG": 38,
    "AF_VSOCK": AF_VSOCK,
    "AF_XDP": 44,
}
"""Names of strace and their numbers (linux/socket.h)."""

RESOLVER = ("AF_INET", "AF_INET6", "AF_NETLINK", "AF_UNIX")
"""Families that looking up a name takes (getaddrinfo(3)): the margin of any internet socket."""

REQUESTS: Mapping[str, int] = dict(zip(INJECTION, (0x5412, 0x541C), strict=True))
"""ioctl requests that type into a terminal, and their numbers (asm-generic/ioctls.h)."""

PERSONALITIES: Mapping[str, int] = {
    "PER_LINUX": 0,
    "PER_LINUX32": 8,
    "PER_LINUX|UNAME26": 0x20000,
    "PER_LINUX32|UNAME26": 0x20008,
    "0xffffffff": _WORD,
}
"""What Docker's default lets through, the last one a mere query. None of them makes an exploit
easier, as ADDR_NO_RANDOMIZE and READ_IMPLIES_EXEC do."""

OPERATIONS: Mapping[str, int] = {
    "PR_SET_PDEATHSIG": 1,
    "PR_GET_PDEATHSIG": 2,
    "PR_GET_DUMPABLE": 3,
    "PR_SET_DUMPABLE": 4,
    "PR_GET_KEEPCAPS": 7,
    "PR_SET_KEEPCAPS": 8,
    "PR_GET_TIMING": 13,
    "PR_SET_TIMING": 14,
    "PR_SET_NAME": 15,
    "PR_GET_NAME": 16,
    "PR_GET_SECCOMP": 21,
    "PR_SET_SECCOMP": 22,
    "PR_CAPBSET_READ": 23,
    "PR_CAPBSET_DROP": 24,
    "PR_GET_TSC": 25,
    "PR_GET_SECUREBITS": 27,
    "PR_SET_SECUREBITS": 28,
    "PR_SET_TIMERSLACK": 29,
    "PR_GET_TIMERSLACK": 30,
    "PR_SET_MM": 35,
    "PR_SET_CHILD_SUBREAPER": 36,
    "PR_GET_CHILD_SUBREAPER": 37,
    "PR_SET_NO_NEW_PRIVS": 38,
    "PR_GET_NO_NEW_PRIVS": 39,
    "PR_GET_TID_ADDRESS": 40,
    "PR_SET_THP_DISABLE": 41,
    "PR_GET_THP_DISABLE": 42,
    "PR_CAP_AMBIENT": 47,
    "PR_SVE_SET_VL": 50,
    "PR_SVE_GET_VL": 51,
    "PR_GET_SPECULATION_CTRL": 52,
    "PR_SET_SPECULATION_CTRL": 53,
    "PR_PAC_RESET_KEYS": 54,
    "PR_SET_TAGGED_ADDR_CTRL": 55,
    "PR_GET_TAGGED_ADDR_CTRL": 56,
    "PR_SCHED_CORE": 62,
    "PR_SET_PTRACER": 0x59616D61,
    "PR_SET_VMA": 0x53564D41,
}
"""Operations of prctl(2) and their numbers (linux/prctl.h)."""

LIBRARY_OPERATIONS = frozenset(
    f"PR_{name}"
    for line in (
        "CAPBSET_READ GET_DUMPABLE GET_NAME GET_NO_NEW_PRIVS GET_PDEATHSIG GET_SECCOMP",
        "GET_THP_DISABLE GET_TIMERSLACK SET_NAME SET_NO_NEW_PRIVS SET_PDEATHSIG SET_VMA",
    )
    for name in line.split()
)
"""Operations that only ask, name a thread or memory, or give something up: always let through,
because a libc makes them when it likes to."""

RUNTIME_OPERATIONS = frozenset(
    f"PR_{name}"
    for line in (
        "CAPBSET_DROP CAP_AMBIENT GET_KEEPCAPS GET_SECUREBITS",
        "SET_CHILD_SUBREAPER SET_DUMPABLE SET_KEEPCAPS SET_SECUREBITS",
    )
    for name in line.split()
)
"""What a runtime may still do after it has loaded the filter without no-new-privileges: change
user and drop capabilities (runc, libcontainer's init; crun, libcrun's linux.c)."""


@dataclass(frozen=True, slots=True)
class Limit:
    """``alternatives`` of tests on a call, one of which must hold: none lets nothing through.
    ``text`` says for people what passes.
    """

    alternatives: tuple[tuple[Test, ...], ...]
    text: str


@dataclass(frozen=True, slots=True)
class Setting:
    """What a limit depends on besides the trace."""

    no_new_privileges: bool
    margin: bool


def limit(name: str, details: frozenset[str], setting: Setting) -> Limit | None:
    """The limit of a call whose recorded facts are ``details``; None for a call without one."""
    rule = _RULES.get(name)
    return rule(details, setting) if rule else None


def complement(values: Iterable[int], bits: int = 32) -> tuple[tuple[int, int], ...]:
    """(mask, value) pairs of which one holds for any number of ``bits`` bits but these.

    A profile that refuses by default has no other way to leave single values out: its format has
    no masked inequality, and two tests of one argument cannot be combined.
    """
    return tuple(_others(frozenset(values), 1 << (bits - 1), 0, 0))


def _others(values: frozenset[int], flag: int, mask: int, value: int) -> Iterator[tuple[int, int]]:
    if not flag:
        return
    for side in (0, flag):
        inside = frozenset(number for number in values if number & flag == side)
        if inside:
            yield from _others(inside, flag >> 1, mask | flag, value | side)
        else:
            yield mask | flag, value | side


def _masked(index: int, mask: int, value: int) -> tuple[Test]:
    return ({"index": index, "value": mask, "valueTwo": value, "op": "SCMP_CMP_MASKED_EQ"},)


def _one_of(index: int, values: Iterable[int]) -> tuple[tuple[Test, ...], ...]:
    return tuple(_masked(index, _WORD, value) for value in sorted(set(values)))


def _understood(details: frozenset[str], known: Iterable[str]) -> bool:
    return bool(details) and details <= frozenset(known)


def _clone(_: frozenset[str], __: Setting) -> Limit:
    return Limit((_masked(0, CLONE_NAMESPACES, 0),), "no new namespaces")


def _unshare(_: frozenset[str], __: Setting) -> Limit:
    return Limit((_masked(0, UNSHARE_NAMESPACES, 0),), "no new namespaces")


def _socket(details: frozenset[str], setting: Setting) -> Limit:
    families = frozenset(fact for fact in details if fact.startswith("AF_") or fact == UNKNOWN)
    if not _understood(families, FAMILIES):
        test: Test = {"index": 0, "value": AF_VSOCK, "valueTwo": 0, "op": "SCMP_CMP_NE"}
        return Limit(((test,),), "any family but AF_VSOCK")
    if setting.margin and families & {"AF_INET", "AF_INET6"}:
        families |= frozenset(RESOLVER)
    names = sorted(families - {"AF_VSOCK"})
    return Limit(_one_of(0, (FAMILIES[name] for name in names)), f"only {', '.join(names)}")


def _ioctl(details: frozenset[str], _: Setting) -> Limit | None:
    if not _understood(details, (*REQUESTS, OTHER)):
        return None
    unused = sorted(REQUESTS.keys() - details)
    if not unused:
        return None
    pairs = complement(REQUESTS[name] for name in unused)
    return Limit(tuple(_masked(1, *pair) for pair in pairs), f"not {', '.join(unused)}")


def _personality(details: frozenset[str], _: Setting) -> Limit:
    """What else was asked for, such as ADDR_NO_RANDOMIZE, Docker's default refused as well."""
    names = set(PERSONALITIES)
    if details and UNKNOWN not in details:
        names &= {*details, "0xffffffff"}
    return Limit(
        _one_of(0, (PERSONALITIES[name] for name in names)), f"only {', '.join(sorted(names))}"
    )


def _prctl(details: frozenset[str], setting: Setting) -> Limit | None:
    if not _understood(details, OPERATIONS):
        return None
    names = details | LIBRARY_OPERATIONS
    if not setting.no_new_privileges:
        names |= RUNTIME_OPERATIONS
    return Limit(
        _one_of(0, (OPERATIONS[name] for name in names)), f"only {', '.join(sorted(names))}"
    )


_RULES: Mapping[str, Callable[[frozenset[str], Setting], Limit | None]] = {
    "clone": _clone,
    "unshare": _unshare,
    "socket": _socket,
    "ioctl": _ioctl,
    "personality": _personality,
    "prctl": _prctl,
}

LIMITED = frozenset(_RULES)
"""Calls that may have a limit."""
