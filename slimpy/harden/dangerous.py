"""System calls that a container's app almost never needs and that break-outs are made of."""

from __future__ import annotations

from slimpy.model import Profile

_GROUPS = (
    # File systems: a mount hides or uncovers files; a handle opens files outside of the container.
    "mount umount umount2 pivot_root move_mount open_tree fsopen fsconfig fsmount fspick"
    " mount_setattr open_by_handle_at quotactl quotactl_fd swapon swapoff fanotify_init",
    # Namespaces and identity of the machine.
    "setns unshare sethostname setdomainname",
    # Other processes' memory and files.
    "ptrace process_vm_readv process_vm_writev process_madvise kcmp pidfd_getfd",
    # Wide parts of the kernel that most privilege escalations started from.
    "bpf perf_event_open userfaultfd add_key keyctl request_key io_uring_setup io_uring_enter"
    " io_uring_register vmsplice move_pages lookup_dcookie nfsservctl uselib",
    # The kernel's own code, hardware and log.
    "init_module finit_module delete_module create_module query_module get_kernel_syms"
    " kexec_load kexec_file_load iopl ioperm syslog acct vhangup",
    # The machine's clock and life.
    "clock_settime clock_settime64 settimeofday stime reboot",
)

DANGEROUS = frozenset(name for group in _GROUPS for name in group.split())
"""Refused by Docker's default profile without capabilities, or in some version of it, or made for
debuggers. Sources: Docker's documentation, "Significant syscalls blocked by the default profile",
and the Linux manual page of each."""


def still_blocked(profile: Profile) -> tuple[str, ...]:
    """The dangerous calls that a profile does not let through, sorted."""
    return tuple(sorted(DANGEROUS.difference(profile.allowed)))
