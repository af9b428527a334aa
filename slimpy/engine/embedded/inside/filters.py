"""Loads a seccomp profile in Docker's JSON form through libseccomp (seccomp(3))."""

from __future__ import annotations

import ctypes
import errno
import json
import os
from collections.abc import Iterable, Mapping
from typing import Any

_ALLOW = 0x7FFF0000
_ERRNO = 0x00050000
_ACTIONS = {
    "SCMP_ACT_ALLOW": _ALLOW,
    "SCMP_ACT_LOG": 0x7FFC0000,
    "SCMP_ACT_TRAP": 0x00030000,
    "SCMP_ACT_KILL": 0x00000000,
    "SCMP_ACT_KILL_THREAD": 0x00000000,
    "SCMP_ACT_KILL_PROCESS": 0x80000000,
}
_OPERATORS = {
    "SCMP_CMP_NE": 1,
    "SCMP_CMP_LT": 2,
    "SCMP_CMP_LE": 3,
    "SCMP_CMP_EQ": 4,
    "SCMP_CMP_GE": 5,
    "SCMP_CMP_GT": 6,
    "SCMP_CMP_MASKED_EQ": 7,
}
_ARCHITECTURES = {
    "SCMP_ARCH_X86": 0x40000003,
    "SCMP_ARCH_X86_64": 0xC000003E,
    "SCMP_ARCH_X32": 0x4000003E,
    "SCMP_ARCH_ARM": 0x40000028,
    "SCMP_ARCH_AARCH64": 0xC00000B7,
}
_ATTRIBUTE_NO_NEW_PRIVS = 3
_UNKNOWN = -1

DEFAULT = (
    "add_key bpf delete_module finit_module fsconfig fsmount fsopen fspick init_module"
    " io_uring_enter io_uring_register io_uring_setup kcmp kexec_file_load kexec_load keyctl"
    " lookup_dcookie mount mount_setattr move_mount open_by_handle_at open_tree perf_event_open"
    " pivot_root quotactl quotactl_fd reboot request_key setns swapoff swapon umount umount2"
    " unshare userfaultfd acct create_module get_kernel_syms get_mempolicy ioperm iopl mbind"
    " migrate_pages move_pages name_to_handle_at nfsservctl query_module set_mempolicy settimeofday"
    " clock_settime stime _sysctl sysfs syslog uselib ustat vhangup vm86 vm86old"
)
"""Calls that a container is refused where no profile is given: those that act on the machine."""

NAMESPACES = (
    0x00020000,  # mounts
    0x02000000,  # control groups
    0x04000000,  # host name
    0x08000000,  # inter-process communication
    0x10000000,  # users
    0x20000000,  # processes
    0x40000000,  # network
)
"""Flags of clone(2) that make what unshare(2) is refused. The flags of clone3 are in memory, where
no filter looks; without that call, programs use clone."""

_SAME_MACHINE = {
    "x86_64": ("SCMP_ARCH_X86", "SCMP_ARCH_X32"),
    "aarch64": ("SCMP_ARCH_ARM",),
}
"""Other ways in which programs of a machine call its kernel; one unknown to a filter is killed."""


def _loaded() -> ctypes.CDLL | None:
    try:
        return ctypes.CDLL("libseccomp.so.2")
    except OSError:
        return None


LIBRARY = _loaded()
"""Loaded at once: later the image decides what lies at every path."""


class Argument(ctypes.Structure):
    """struct scmp_arg_cmp."""

    _fields_ = (
        ("arg", ctypes.c_uint),
        ("op", ctypes.c_int),
        ("datum_a", ctypes.c_uint64),
        ("datum_b", ctypes.c_uint64),
    )


class Filter:
    """A compiled profile, ready to be loaded."""

    def __init__(self, text: str | None) -> None:
        """``text`` of None is the default: everything but `DEFAULT`.

        Raises:
            OSError: libseccomp is missing, or the profile says what it does not know.
        """
        if LIBRARY is None:
            raise OSError(errno.ENOENT, "libseccomp is not installed (apt-get install libseccomp2)")
        self._library = LIBRARY
        self._library.seccomp_init.restype = ctypes.c_void_p
        document = json.loads(text) if text is not None else None
        default = _ALLOW if document is None else _action(document, "defaultAction")
        self._context = ctypes.c_void_p(self._library.seccomp_init(ctypes.c_uint32(default)))
        # Whether no_new_privs is set is not for the library to decide.
        self._check(
            self._library.seccomp_attr_set(
                self._context, ctypes.c_int(_ATTRIBUTE_NO_NEW_PRIVS), ctypes.c_uint32(0)
            )
        )
        if document is None:
            self._default()
            return
        self._architectures(document.get("architectures") or ())
        for rule in document.get("syscalls") or ():
            self._add(rule, default)

    def _default(self) -> None:
        self._architectures(_SAME_MACHINE.get(os.uname().machine, ()))
        for call in DEFAULT.split():
            self._rule(call, _ERRNO | errno.EPERM, ())
        for flag in NAMESPACES:
            only = Argument(0, _OPERATORS["SCMP_CMP_MASKED_EQ"], flag, flag)
            self._rule("clone", _ERRNO | errno.EPERM, (only,))
        self._rule("clone3", _ERRNO | errno.ENOSYS, ())

    def _architectures(self, names: Iterable[str]) -> None:
        for name in names:
            token = _ARCHITECTURES.get(name)
            if token is not None:
                # -EEXIST for the machine's own, which is there already.
                self._library.seccomp_arch_add(self._context, ctypes.c_uint32(token))

    def _add(self, rule: Mapping[str, Any], default: int) -> None:
        action = _action(rule, "action")
        if action == default:
            return
        names = rule.get("names") or [rule["name"]]
        arguments = [
            Argument(
                int(item["index"]),
                _OPERATORS[item["op"]],
                int(item.get("value") or 0),
                int(item.get("valueTwo") or 0),
            )
            for item in rule.get("args") or ()
        ]
        for name in names:
            self._rule(name, action, arguments)

    def _rule(self, name: str, action: int, arguments: Any) -> None:
        number = self._library.seccomp_syscall_resolve_name(name.encode())
        if number == _UNKNOWN:
            return  # a call that this machine does not have cannot be made either
        array = (Argument * len(arguments))(*arguments)
        result = self._library.seccomp_rule_add_array(
            self._context,
            ctypes.c_uint32(action),
            ctypes.c_int(number),
            ctypes.c_uint(len(arguments)),
            array,
        )
        if result not in (0, -errno.EEXIST, -errno.EACCES):
            self._check(result)

    def load(self) -> None:
        """Put it in force for this process and what it starts."""
        self._check(self._library.seccomp_load(self._context))

    def _check(self, result: int) -> None:
        if result < 0:
            raise OSError(-result, "the seccomp profile cannot be loaded")


def _action(rule: Mapping[str, Any], key: str) -> int:
    name = rule[key]
    if name == "SCMP_ACT_ERRNO":
        number = rule.get("errnoRet" if key == "action" else "defaultErrnoRet")
        return _ERRNO | int(errno.EPERM if number is None else number)
    return _ACTIONS[name]
