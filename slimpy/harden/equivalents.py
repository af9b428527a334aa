"""Groups of system calls that serve the same purpose: a libc, a language or a kernel may take
another of the group tomorrow.

``clone`` has no way to ``clone3`` in here: a filter cannot see that call's flags, so it is never
permitted (`slimpy.harden.calls.NEVER`) and answers ENOSYS, on which callers use ``clone``.
"""

from __future__ import annotations

from collections.abc import Iterable


def _groups(text: str) -> tuple[frozenset[str], ...]:
    return tuple(frozenset(line.split()) for line in text.splitlines() if line.strip())


GROUPS = _groups("""
    open openat openat2 creat
    stat lstat fstat newfstatat statx
    statfs fstatfs
    access faccessat faccessat2
    read readv pread64 preadv preadv2
    write writev pwrite64 pwritev pwritev2
    sendfile copy_file_range splice
    fadvise64 readahead
    close close_range
    getdents getdents64
    readlink readlinkat
    rename renameat renameat2
    unlink unlinkat rmdir
    link linkat
    symlink symlinkat
    mkdir mkdirat
    mknod mknodat
    chdir fchdir
    chmod fchmod fchmodat fchmodat2
    chown fchown lchown fchownat
    utime utimes futimesat utimensat
    truncate ftruncate fallocate
    fsync fdatasync
    getxattr lgetxattr fgetxattr
    listxattr llistxattr flistxattr
    setxattr lsetxattr fsetxattr
    dup dup2 dup3
    pipe pipe2
    select pselect6 poll ppoll
    epoll_create epoll_create1
    epoll_wait epoll_pwait epoll_pwait2
    eventfd eventfd2
    signalfd signalfd4
    inotify_init inotify_init1
    accept accept4
    recvfrom recvmsg recvmmsg
    sendto sendmsg sendmmsg
    futex futex_wait futex_wake futex_waitv futex_requeue
    nanosleep clock_nanosleep
    alarm setitimer
    fork vfork clone
    execve execveat
    wait4 waitid
    getpgrp getpgid
    getrlimit prlimit64
    setrlimit prlimit64
    getuid geteuid getresuid
    getgid getegid getresgid
    setuid setreuid setresuid
    setgid setregid setresgid
    brk mmap munmap mremap madvise mprotect
    mlock mlock2
    semop semtimedop
""")
"""Each call's purpose is that of its group (section 2 of the manual)."""

GROUPS_32BIT = _groups("""
    stat lstat fstat stat64 lstat64 fstat64 fstatat64 statx
    statfs fstatfs statfs64 fstatfs64
    fcntl fcntl64
    lseek _llseek
    mmap mmap2 munmap mremap
    truncate ftruncate truncate64 ftruncate64
    fadvise64 fadvise64_64
    sendfile sendfile64
    select _newselect pselect6 pselect6_time64 poll ppoll ppoll_time64
    futex futex_time64
    nanosleep clock_nanosleep clock_nanosleep_time64
    recvmmsg recvmmsg_time64
    rt_sigtimedwait rt_sigtimedwait_time64
    utimensat utimensat_time64
    timerfd_settime timerfd_settime64
    timerfd_gettime timerfd_gettime64
    getrlimit ugetrlimit prlimit64
    waitpid wait4 waitid
    getuid getuid32 geteuid geteuid32
    getgid getgid32 getegid getegid32
    setuid setuid32
    setgid setgid32
    setgroups setgroups32
    chown chown32 fchown fchown32 lchown lchown32 fchownat
    semtimedop semtimedop_time64
    sigaction rt_sigaction
    sigprocmask rt_sigprocmask
""")
"""The same for 32-bit processes, whose calls have wide variants (64-bit offsets, times and ids)."""


_RENAMES = frozenset(("rename", "renameat", "renameat2"))
_COPYING = frozenset(
    ("chmod", "fchmod", "fchmodat", "fchmodat2", "utime", "utimes", "futimesat", "utimensat")
)
"""A rename between two file systems ends with EXDEV (rename(2)), so programs copy instead. Each
writable place of a confined container is a file system of its own.
"""


def equivalents(names: Iterable[str], *, narrow: bool = False) -> frozenset[str]:
    """The other members of all groups that a name is in, and what a rename may have to become.

    Args:
        narrow: 32-bit processes were seen.
    """
    known = frozenset(names)
    groups = (*GROUPS, *GROUPS_32BIT) if narrow else GROUPS
    reached = frozenset().union(*(group for group in groups if group & known))
    return (reached | (_COPYING if known & _RENAMES else frozenset())) - known
