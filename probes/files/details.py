"""Facts of the arguments of system calls that do many things: what of each an app really uses.

A fact is a name as strace prints it: a namespace flag (``CLONE_NEWNS``), a socket family
(``AF_INET``), a terminal request that injects input (``TIOCSTI``), a personality
(``PER_LINUX|UNAME26``), an operation of prctl (``PR_SET_NAME``). Each recorded call gives at least
one, so that a call without facts is one that was never looked at.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from probes.files.lines import Call

UNKNOWN = "?"
"""The argument was not understood, so nothing may be concluded from the other facts."""
OTHER = "other"
"""An ordinary argument, of which nothing more is told."""
RAW = "SOCK_RAW"
"""An internet socket for packets of one's own making."""

INJECTION = ("TIOCSTI", "TIOCLINUX")
"""Requests that put characters into a terminal's input, see ioctl_tty(2)."""

_NAMESPACE = re.compile(rb"CLONE_NEW[A-Z]{2,10}")
_FLAGS = re.compile(rb"\{?flags=([^,{}]{0,800})")
_NAMES = re.compile(rb"0|[A-Z][A-Z0-9_]{1,40}(?:\|[A-Z][A-Z0-9_]{1,40})*")
_FAMILY = re.compile(rb"AF_[A-Z0-9_]{1,30}")
_OPERATION = re.compile(rb"PR_[A-Z0-9_]{1,40}")
_PERSONALITY = re.compile(rb"0xffffffff|PER_[A-Z0-9_]{1,30}(?:\|[A-Z0-9_]{1,30}){0,12}")


def _cloned(call: Call) -> frozenset[str]:
    found = (match[1] for arg in call.args if (match := _FLAGS.match(arg)))
    return _namespaces(next(found, b""))


def _namespaces(flags: bytes) -> frozenset[str]:
    if not _NAMES.fullmatch(flags):
        return frozenset({UNKNOWN})
    return frozenset(name.decode() for name in _NAMESPACE.findall(flags)) or frozenset({OTHER})


def _socket(call: Call) -> frozenset[str]:
    family = _whole(_FAMILY, call)
    raw = b"SOCK_RAW" in call.arg(1) and family <= {"AF_INET", "AF_INET6"}
    return family | {RAW} if raw else family


def _ioctl(call: Call) -> frozenset[str]:
    request = call.arg(1).decode("ascii", "replace")
    return frozenset({request if request in INJECTION else OTHER if request else UNKNOWN})


def _whole(pattern: re.Pattern[bytes], call: Call) -> frozenset[str]:
    match = pattern.fullmatch(call.arg(0))
    return frozenset({match[0].decode() if match else UNKNOWN})


_READERS: dict[bytes, Callable[[Call], frozenset[str]]] = {
    b"clone": _cloned,
    b"clone3": _cloned,
    b"unshare": lambda call: _namespaces(call.arg(0)),
    b"socket": _socket,
    b"socketpair": lambda call: _whole(_FAMILY, call),
    b"ioctl": _ioctl,
    b"personality": lambda call: _whole(_PERSONALITY, call),
    b"prctl": lambda call: _whole(_OPERATION, call),
}

DETAILED = frozenset(_READERS)
"""The calls whose arguments are looked at."""


def details(call: Call) -> frozenset[str]:
    """The facts of one call; empty for a call that is not in `DETAILED`."""
    reader = _READERS.get(call.name)
    return reader(call) if reader else frozenset()
