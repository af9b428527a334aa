"""What is known of single system calls: invisible ones, ones with a fallback, everyday denials."""

from __future__ import annotations


def _names(*groups: str) -> frozenset[str]:
    return frozenset(name for group in groups for name in group.split())


ALWAYS = _names(
    # Behind the vDSO (vdso(7)): real calls where the clock cannot be read from user space.
    "clock_getres clock_gettime getcpu gettimeofday time",
    # Made by the kernel's and the libc's own hand: signal frames, interrupted calls, the end.
    "exit exit_group restart_syscall rt_sigreturn",
    # abort(3), raise(3) and a crashing libc: a dying app must die of its own signal.
    "getpid gettid rt_sigaction rt_sigprocmask tgkill",
)
"""Allowed though a trace may not show them."""

ALWAYS_32BIT = _names("clock_getres_time64 clock_gettime64 sigreturn")
"""Allowed besides `ALWAYS` where 32-bit processes were seen."""

FALLBACK = _names(
    "cachestat clone3 close_range copy_file_range epoll_pwait2 faccessat2 fchmodat2 futex_requeue",
    "futex_wait futex_waitv futex_wake io_uring_enter io_uring_register io_uring_setup",
    "landlock_add_rule landlock_create_ruleset landlock_restrict_self map_shadow_stack membarrier",
    "memfd_secret mseal openat2 pidfd_open preadv2 process_madvise pwritev2 rseq",
    "set_mempolicy_home_node statx",
)
"""Newer calls for which callers have another way, and take it only on ENOSYS.

With EPERM they fail instead: containers/crun issue 671, opencontainers/runc issue 4984, moby/moby
issue 42871.
"""

NEVER = _names("clone3")
"""Never allowed: its flags lie in memory, where a filter cannot tell threads from namespaces."""

OPENED_BY_TRACER = _names("kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev")
"""Let through by Docker's default profile for SYS_PTRACE, which only the traced run has.

What a trace says of them is no evidence that the app could use them before; seen on Docker 20.10.
"""

EVERYDAY_DENIAL = _names(
    "bind capset chmod chown chown32 connect execve execveat fchmod fchmodat fchown fchown32",
    "fchownat fcntl fcntl64 fremovexattr fsetxattr ftruncate futimesat ioctl ioprio_set kill",
    "lchown lchown32 link linkat lremovexattr lsetxattr mknod mknodat mlock mlock2 mlockall mremap",
    "open openat prctl prlimit64 removexattr rename renameat renameat2 rmdir rt_sigqueueinfo",
    "rt_tgsigqueueinfo sched_setaffinity sched_setattr sched_setparam sched_setscheduler sendmmsg",
    "sendmsg sendto setfsgid setfsuid setgid setgid32 setgroups setgroups32 setpgid setpriority",
    "setregid setregid32 setresgid setresgid32 setresuid setresuid32 setreuid setreuid32 setrlimit",
    "setsid setsockopt setuid setuid32 setxattr shmctl symlink symlinkat tgkill tkill truncate",
    "unlink unlinkat utime utimensat utimes socket write writev",
)
"""Calls that answer EPERM because of their arguments or the caller's rights (their manual pages).

Docker's default profile allows them without a capability, so an EPERM of theirs is no filter's.
Refusing them for good would break what no probe reached: a kill of a child after a stranger's.
"""

SOCKETCALL = _names(
    "accept accept4 bind connect getpeername getsockname getsockopt listen recv recvfrom recvmmsg",
    "recvmsg send sendmmsg sendmsg sendto setsockopt shutdown socket socketpair",
)
"""What i386 programs may do through ``socketcall`` instead, see socketcall(2): strace prints the
inner call, whose name alone would let nothing through."""

IPC = _names(
    "msgctl msgget msgrcv msgsnd semctl semget semop semtimedop shmat shmctl shmdt shmget",
)
"""The same for ``ipc``, see ipc(2)."""
