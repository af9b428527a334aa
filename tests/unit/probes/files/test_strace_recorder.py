"""The recorder on logs written by hand: what real programs do rarely, and hostile ones might."""

from __future__ import annotations

import threading

import pytest

from probes.files import recorder as recorder_module
from probes.files.recorder import Recorder, merge
from probes.model import (
    Activity,
    FileEvent,
    Listener,
    Operation,
    Process,
    SyscallUse,
    TraceWarning,
)

START = '1 execve("/bin/app", [...], 0x7ff /* 3 vars */) = 0'
ABSENT = "-1 ENOENT (No such file or directory)"


def record(*lines: str, arch: str = "x86_64", complete: bool = True) -> Activity:
    recorder = Recorder(cwd="/srv", arch=arch)
    recorder.feed("".join(line + "\n" for line in lines).encode("latin-1"))
    return recorder.finish(complete=complete)


def events(activity: Activity) -> list[tuple[str, str, str | None]]:
    """All events but the first start of the program."""
    found = [(event.operation.value, event.path, event.error) for event in activity.events]
    return [event for event in found if event != ("exec", "/bin/app", None)]


def by_executable(activity: Activity) -> set[tuple[str, str]]:
    return {(event.executable, event.path) for event in activity.events}


def warned(activity: Activity) -> dict[str, int]:
    return {warning.code: warning.count for warning in activity.warnings}


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ('open("rel", O_RDONLY) = 3</srv/rel>', [("open", "/srv/rel", None)]),
        ('creat("/c", 0600) = 3</c>', [("create", "/c", None), ("write", "/c", None)]),
        ('openat(9</d>(deleted), "x", O_RDONLY) = ' + ABSENT, [("open", "/d/x", "ENOENT")]),
        ('openat(AT_FDCWD, "x", O_RDONLY) = ' + ABSENT, [("open", "/srv/x", "ENOENT")]),
        ('openat(5, "x", O_RDONLY) = -1 EBADF (Bad file descriptor)', []),
        ("open_by_handle_at(3</>, {handle_bytes=8}, O_RDONLY) = 4</etc/x>",
         [("open", "/etc/x", None)]),
        ('stat64("/s", 0xff) = 0', [("stat", "/s", None)]),
        ("fstat(3</s>, {st_mode=S_IFREG}) = 0", [("stat", "/s", None)]),
        ("fstat(3<pipe:[77]>, {st_mode=S_IFIFO}) = 0", []),
        ("fstat(3</memfd:x>(deleted), {st_mode=S_IFREG}) = 0", []),
        ("fstat(3, {st_mode=S_IFREG}) = 0", []),
        ('newfstatat(3</s>, "", {}, AT_EMPTY_PATH) = 0', [("stat", "/s", None)]),
        ('newfstatat(3</s>, "", 0xff, 0) = ' + ABSENT, []),
        ("statx(3</s>, NULL, AT_EMPTY_PATH, STATX_ALL, {}) = 0", [("stat", "/s", None)]),
        ("access(0xdead, F_OK) = -1 EFAULT (Bad address)", []),
        ('faccessat(AT_FDCWD</srv>, "f", X_OK) = -1 EACCES (Permission denied)',
         [("stat", "/srv/f", "EACCES")]),
        ('readlinkat(AT_FDCWD</srv>, "l", ""..., 99) = 4', [("readlink", "/srv/l", None)]),
        ("getdents(3</d>, 0xff /* 3 entries */, 32768) = 80", [("list", "/d", None)]),
        ('mkdirat(3</d>, "new", 0700) = 0', [("create", "/d/new", None)]),
        ('mknod("/n", S_IFCHR|0600, makedev(0x1, 0x3)) = 0', [("create", "/n", None)]),
        ('linkat(3</d>, "a", AT_FDCWD</srv>, "b", 0) = 0',
         [("open", "/d/a", None), ("create", "/srv/b", None)]),
        ('symlinkat("../target", 3</d>, "l") = 0', [("create", "/d/l", None)]),
        ('renameat(3</d>, "a", 4</e>, "b") = 0',
         [("remove", "/d/a", None), ("create", "/e/b", None)]),
        ('renameat2(3</d>, "a", 3</d>, "b", RENAME_EXCHANGE) = 0',
         [("remove", "/d/a", None), ("create", "/d/a", None),
          ("remove", "/d/b", None), ("create", "/d/b", None)]),
        ('unlinkat(3</d>, "a", AT_REMOVEDIR) = 0', [("remove", "/d/a", None)]),
        ('fchownat(3</d>, "a", 1, 1, 0) = 0', [("write", "/d/a", None)]),
        ('chmod("/m", 0644) = -1 EPERM (Operation not permitted)', [("write", "/m", "EPERM")]),
        ("fchown(3</m>, 1, 1) = 0", [("write", "/m", None)]),
        ("utimensat(3</m>, NULL, [UTIME_NOW, UTIME_NOW], 0) = 0", [("write", "/m", None)]),
        ('lgetxattr("/x", ""..., 0xff, 99) = -1 ENODATA (No data available)',
         [("stat", "/x", "ENODATA")]),
        ('fsetxattr(3</x>, ""..., ""..., 1, 0) = 0', [("write", "/x", None)]),
        ("ftruncate(3</x>, 0) = 0", [("write", "/x", None)]),
        ("fstatfs(3</x>, {f_type=EXT2_SUPER_MAGIC}) = 0", [("stat", "/x", None)]),
        ('inotify_add_watch(3<anon_inode:inotify>, "w", IN_ALL_EVENTS) = 1',
         [("stat", "/srv/w", None)]),
        ('fanotify_mark(3<anon_inode:[fanotify]>, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD</srv>, "w") = 0',
         [("stat", "/srv/w", None)]),
        ('name_to_handle_at(3</d>, "h", {}, [1], 0) = 0', [("stat", "/d/h", None)]),
        ('connect(3<socket:[1]>, {sa_family=AF_UNIX, sun_path="a.sock"}, 110) = 0',
         [("connect", "/srv/a.sock", None)]),
        ('connect(3<socket:[1]>, {sa_family=AF_UNIX, sun_path=@"a.sock"}, 110) = 0', []),
        ('connect(3<socket:[1]>, {sa_family=AF_INET, sin_port=htons(80), '
         'sin_addr=inet_addr("1.1.1.1")}, 16) = 0', []),
        ('sendmmsg(3<socket:[1]>, [{msg_hdr={msg_name={sa_family=AF_UNIX, sun_path="/a"}}, '
         'msg_len=1}, {msg_hdr={msg_name={sa_family=AF_UNIX, sun_path="/b"}}}], 2, 0) = 2',
         [("connect", "/a", None), ("connect", "/b", None)]),
        ('bind(3<socket:[1]>, {sa_family=AF_UNIX, sun_path="/b"}, 5) = -1 EADDRINUSE (In use)',
         [("create", "/b", "EADDRINUSE")]),
        ('openat2(3</d>, "/a", {flags=O_RDONLY, resolve=RESOLVE_IN_ROOT}, 24) = 4</d/a>',
         [("open", "/d/a", None)]),
        ('openat2(3</d>, "/RESOLVE_IN_ROOT", {flags=O_RDONLY, resolve=0}, 24) = ' + ABSENT,
         [("open", "/RESOLVE_IN_ROOT", "ENOENT")]),
        ('stat("/RESOLVE_IN_ROOT", 0xff) = ' + ABSENT, [("stat", "/RESOLVE_IN_ROOT", "ENOENT")]),
        ('open("/a", O_RDONLY) = ? ERESTARTSYS (To be restarted if SA_RESTART is set)',
         [("open", "/a", "?")]),
    ],
)  # fmt: skip
def test_events_of_one_call(call: str, expected: list[tuple[str, str, str | None]]) -> None:
    activity = record(START, f"1 {call}")
    assert events(activity) == expected
    assert warned(activity) == {}


def test_an_event_is_complete() -> None:
    recorder = Recorder(cwd="/srv", root_executable="/init")
    recorder.feed(START.encode() + b"\n")
    recorder.mark("GET /")
    recorder.feed(b'1 openat(AT_FDCWD</srv>, "../x", O_RDONLY) = 3</usr/x>\n')
    recorder.mark("GET /2")
    recorder.feed(b'1 openat(AT_FDCWD</srv>, "../x", O_RDONLY) = 3</usr/x>\n')
    assert recorder.finish(complete=True).events == (
        FileEvent("/bin/app", Operation.EXEC, None, "/init", ""),
        FileEvent("/srv/../x", Operation.OPEN, None, "/bin/app", "GET /", "/usr/x"),
    )


def test_working_directories() -> None:
    activity = record(
        START,
        '1 chdir("sub") = 0',
        '1 open("a", O_RDONLY) = ' + ABSENT,
        '1 chdir("/nowhere") = ' + ABSENT,
        '1 open("b", O_RDONLY) = ' + ABSENT,
        "1 fchdir(3</real>) = 0",
        '1 open("c", O_RDONLY) = ' + ABSENT,
        '1 getcwd("/seen", 4096) = 6',
        '1 open("d", O_RDONLY) = ' + ABSENT,
        '1 access("e", F_OK) = ' + ABSENT,
        '1 faccessat(AT_FDCWD</printed>, "/f", F_OK) = ' + ABSENT,
        '1 access("e", F_OK) = ' + ABSENT,
        '1 faccessat(AT_FDCWD</printed (deleted)>, "g", F_OK) = ' + ABSENT,
        "1 fchdir(3</gone>(deleted)) = 0",
        '1 access("h", F_OK) = ' + ABSENT,
    )
    assert [path for operation, path, _ in events(activity) if operation != "chdir"] == [
        "/srv/sub/a", "/srv/sub/b", "/real/c", "/seen/d", "/seen/e", "/f",
        "/printed/e", "/printed/g", "/gone/h",
    ]  # fmt: skip


def test_a_directory_cannot_grow_without_bound() -> None:
    activity = record(START, *['1 chdir("%s") = 0' % ("./" * 1000)] * 9, '1 stat("x", 0x1) = 0')
    assert len(activity.events[-1].path) < 9000
    assert activity.events[-1].path.startswith("/srv/")


def test_chroot_puts_paths_below_it() -> None:
    activity = record(
        START,
        '1 chroot("/jail") = 0',
        '1 stat("rel", 0x1) = 0',
        '1 chdir("/") = 0',
        '1 stat("rel", 0x1) = 0',
        '1 stat("/abs", 0x1) = 0',
        '1 getcwd("/", 99) = 2',
        '1 connect(3<socket:[1]>, {sa_family=AF_UNIX, sun_path="/s"}, 9) = 0',
        '1 execve("/bin/inner", [...], 0x1) = 0',
        '1 stat("rel", 0x1) = 0',
    )
    found = {path for operation, path, _ in events(activity) if operation != "chdir"}
    assert found == {"/srv/rel", "/jail/rel", "/jail/abs", "/jail/s", "/jail/bin/inner"}
    assert ("/jail/bin/inner", "/jail/rel") in by_executable(activity)
    assert warned(activity) == {"chroot": 1}


def test_forks_threads_and_programs() -> None:
    activity = record(
        START,
        "1 clone(child_stack=NULL, flags=CLONE_CHILD_SETTID|SIGCHLD, child_tidptr=0x1) = 2",
        "1 clone3({flags=CLONE_VM|CLONE_FS|CLONE_THREAD, stack=0x1} => {parent_tid=[3]}, 88) = 3",
        '2 chdir("/two") = 0',
        '3 chdir("/three") = 0',
        '2 stat("a", 0x1) = 0',
        '1 stat("b", 0x1) = 0',
        '2 execve("prog", [...], 0x1) = 0',
        '2 stat("c", 0x1) = 0',
        "3 setuid(1000) = 0",
        "2 vfork() = 4",
        '4 execve("/bin/none", [...], 0x1) = ' + ABSENT,
        '4 stat("d", 0x1) = 0',
    )
    assert by_executable(activity) >= {
        ("/bin/app", "/two/a"), ("/bin/app", "/three/b"), ("/two/prog", "/two/c"),
        ("/two/prog", "/two/d"), ("/two/prog", "/bin/none"), ("/bin/app", "/two/prog"),
    }  # fmt: skip
    assert activity.processes == (
        Process(1, 0, "/bin/app", 1000, None),
        Process(2, 1, "/two/prog", None, None),
        Process(4, 2, "/two/prog", None, None),
    )


def test_clone_with_the_parent_of_its_caller() -> None:
    activity = record(
        START, "1 fork() = 2", "2 clone3({flags=CLONE_PARENT}, 88) = 3", "3 getpid() = 3"
    )
    assert [(item.pid, item.parent) for item in activity.processes] == [(1, 0), (2, 1), (3, 1)]


def test_identities() -> None:
    activity = record(
        START,
        "1 setgid(33) = 0",
        "1 setresuid(-1, 33, -1) = 0",
        "1 setreuid(0, 4294967295) = 0",
        "1 setresgid32(7, 8, 9) = 0",
        "1 setuid(44) = -1 EPERM (Operation not permitted)",
        "1 fork() = 2",
        "2 getuid() = 33",
    )
    assert [(item.uid, item.gid) for item in activity.processes] == [(33, 8), (None, None)]


def test_unfinished_calls_are_joined_per_task() -> None:
    activity = record(
        START,
        "1 fork() = 2",
        '1 openat(AT_FDCWD</srv>, "one",  <unfinished ...>',
        '2 openat(AT_FDCWD</srv>, "two", O_WRONLY <unfinished ...>',
        "2 --- SIGUSR1 {si_signo=SIGUSR1, si_code=SI_USER} ---",
        "1 <... openat resumed>O_RDONLY) = 3</srv/one>",
        "2 <... openat resumed>)             = -1 EACCES (Permission denied)",
        '1 read(3</srv/one>, "" <unfinished ...>',
        "1 <... read resumed> <unfinished ...>) = ?",
    )
    assert events(activity) == [("open", "/srv/one", None), ("write", "/srv/two", "EACCES")]
    assert SyscallUse("read", "x86_64", "/bin/app", frozenset({"?"})) in activity.syscalls
    assert activity.warnings == ()


@pytest.mark.parametrize(
    "end", [(), ("1 +++ killed by SIGKILL +++",), ("1 getpid() = 1",), ("1 +++ exited with 0 +++",)]
)
def test_calls_that_never_return_are_kept(end: tuple[str, ...]) -> None:
    activity = record(
        START, '1 openat(AT_FDCWD</srv>, "fifo", O_RDONLY <unfinished ...>', *end, complete=True
    )
    assert events(activity) == [("open", "/srv/fifo", "?")]
    assert SyscallUse("openat", "x86_64", "/bin/app", frozenset({"?"})) in activity.syscalls
    assert activity.warnings == ()


def test_an_unfinished_address_is_kept() -> None:
    head = '1 connect(3<socket:[1]>, {sa_family=AF_UNIX, sun_path="/db"}, 110 <unfinished ...>'
    assert events(record(START, head)) == [("connect", "/db", "?")]


def test_a_thread_that_starts_a_program_takes_over() -> None:
    activity = record(
        START,
        "1 clone3({flags=CLONE_VM|CLONE_FS|CLONE_THREAD, stack=0x1}, 88) = 2",
        "1 futex(0x1, FUTEX_WAIT, 1, NULL <unfinished ...>",
        '2 execve("/bin/next", [...], 0x1 <unfinished ...>',
        "1 +++ superseded by execve in pid 2 +++",
        "1 <... execve resumed>) = 0",
        '1 stat("/after", 0x1) = 0',
        "1 clone(flags=SIGCHLD) = 2",
        '2 stat("/child", 0x1) = 0',
    )
    assert by_executable(activity) >= {("/bin/next", "/after"), ("/bin/next", "/child")}
    assert [(item.pid, item.parent) for item in activity.processes] == [(1, 0), (2, 1)]
    assert activity.warnings == ()


def test_a_reused_pid_is_another_process() -> None:
    activity = record(
        START,
        "1 fork() = 2",
        '2 execve("/bin/first", [...], 0x1) = 0',
        "2 setuid(5) = 0",
        "2 +++ exited with 0 +++",
        "1 fork() = 2",
        '2 stat("/x", 0x1) = 0',
    )
    assert ("/bin/app", "/x") in by_executable(activity)
    assert activity.processes[1:] == (
        Process(2, 1, "/bin/first", 5, None),
        Process(2, 1, "/bin/app", None, None),
    )


def test_a_pid_is_free_after_exit_group_even_without_a_note() -> None:
    activity = record(
        START, "1 fork() = 2", '2 execve("/bin/first", [...], 0x1) = 0', "2 exit_group(0) = ?",
        "1 fork() = 2", '2 stat("/x", 0x1) = 0',
    )  # fmt: skip
    assert ("/bin/app", "/x") in by_executable(activity)


def test_a_child_may_be_ahead_of_its_parents_clone() -> None:
    activity = record(
        START,
        '1 chdir("/one") = 0',
        "1 clone(child_stack=NULL, flags=CLONE_CHILD_SETTID|SIGCHLD <unfinished ...>",
        '2 stat("early", 0x1) = 0',
        "1 <... clone resumed>, child_tidptr=0x1) = 2",
        '2 stat("late", 0x1) = 0',
    )
    assert by_executable(activity) >= {("/bin/app", "/one/early"), ("/bin/app", "/one/late")}
    assert [(item.pid, item.parent) for item in activity.processes] == [(1, 0), (2, 1)]


def test_lines_wait_while_two_parents_are_possible() -> None:
    activity = record(
        START,
        "1 fork() = 2",
        '2 execve("/bin/other", [...], 0x1) = 0',
        '2 chdir("/two") = 0',
        "1 clone(child_stack=NULL, flags=SIGCHLD <unfinished ...>",
        "2 clone(child_stack=NULL, flags=SIGCHLD <unfinished ...>",
        '3 stat("x", 0x1) = 0',
        '3 stat("y",  <unfinished ...>',
        '4 stat("z", 0x1) = 0',
        "2 <... clone resumed>) = 3",
        "3 <... stat resumed>0x1) = 0",
        "1 <... clone resumed>) = 4",
    )
    assert by_executable(activity) >= {
        ("/bin/other", "/two/x"), ("/bin/other", "/two/y"), ("/bin/app", "/srv/z"),
    }  # fmt: skip
    assert [(item.pid, item.parent) for item in activity.processes] == [
        (1, 0),
        (2, 1),
        (3, 2),
        (4, 1),
    ]
    assert activity.warnings == ()


def test_waiting_lines_are_not_lost_at_the_end() -> None:
    activity = record(
        START,
        "1 fork() = 2",
        '2 execve("/bin/other", [...], 0x1) = 0',
        "1 fork( <unfinished ...>",
        "2 fork( <unfinished ...>",
        '3 stat("/x", 0x1) = 0',
    )
    assert ("stat", "/x", None) in events(activity)


def test_a_pid_of_a_nested_namespace_leaves_live_tasks_alone() -> None:
    activity = record(
        START,
        "1 fork() = 2",
        '2 execve("/bin/two", [...], 0x1) = 0',
        "1 clone(child_stack=NULL, flags=CLONE_NEWPID|SIGCHLD) = 2",
        '2 stat("/x", 0x1) = 0',
        '9 stat("/y", 0x1) = 0',
    )
    assert by_executable(activity) >= {("/bin/two", "/x"), ("/bin/app", "/y")}


def test_a_failed_clone_expects_no_child() -> None:
    activity = record(
        START,
        "1 fork() = 2",
        '2 execve("/bin/two", [...], 0x1) = 0',
        "1 fork( <unfinished ...>",
        "1 <... fork resumed>) = -1 EAGAIN (Resource temporarily unavailable)",
        "2 fork( <unfinished ...>",
        '3 stat("/x", 0x1) = 0',
    )
    assert ("/bin/two", "/x") in by_executable(activity)


@pytest.mark.parametrize(
    ("native", "mode", "arch"),
    [
        ("x86_64", "32 bit", "i386"),
        ("x86_64", "x32", "x32"),
        ("x86_64", "64 bit", "x86_64"),
        ("aarch64", "32 bit", "arm"),
        ("aarch64", "64 bit", "aarch64"),
    ],
)
def test_architectures(native: str, mode: str, arch: str) -> None:
    notice = f"1 [ Process PID=1 runs in {mode} mode. ]"
    activity = record(START, notice, "1 fork() = 2", "2 getpid() = 2", arch=native)
    assert SyscallUse("getpid", arch, "/bin/app", frozenset({"ok"})) in activity.syscalls
    assert activity.warnings == ()


def test_syscalls_have_all_outcomes_of_each_program() -> None:
    activity = record(
        START,
        "1 getpid() = 1",
        "1 dup(9) = -1 EBADF (Bad file descriptor)",
        "1 dup(1</x>) = 3</x>",
        '1 execve("/bin/b", [...], 0x1) = 0',
        "1 dup(1</x>) = 3</x>",
        "1 exit_group(0) = ?",
    )
    assert activity.syscalls == (
        SyscallUse("dup", "x86_64", "/bin/app", frozenset({"EBADF", "ok"})),
        SyscallUse("dup", "x86_64", "/bin/b", frozenset({"ok"})),
        SyscallUse("execve", "x86_64", "", frozenset({"ok"})),
        SyscallUse("execve", "x86_64", "/bin/app", frozenset({"ok"})),
        SyscallUse("exit_group", "x86_64", "/bin/b", frozenset({"?"})),
        SyscallUse("getpid", "x86_64", "/bin/app", frozenset({"ok"})),
    )


def socket(kind: str, inode: int, family: str = "AF_INET") -> str:
    return f"1 socket({family}, {kind}|SOCK_CLOEXEC, IPPROTO_IP) = 3<socket:[{inode}]>"


def bound(inode: int, port: int, address: str = "0.0.0.0") -> str:
    name = f'{{sa_family=AF_INET, sin_port=htons({port}), sin_addr=inet_addr("{address}")}}'
    return f"1 bind(3<socket:[{inode}]>, {name}, 16) = 0"


SIX = '{sa_family=AF_INET6, sin6_port=htons(443), inet_pton(AF_INET6, "::", &sin6_addr)}'


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([socket("SOCK_STREAM", 5), bound(5, 80), "1 listen(3<socket:[5]>, 5) = 0"],
         {("tcp", "0.0.0.0", 80)}),
        ([socket("SOCK_STREAM", 5), bound(5, 80)], set()),
        ([socket("SOCK_STREAM", 5), "1 listen(3<socket:[5]>, 5) = 0"], set()),
        ([socket("SOCK_DGRAM", 5), bound(5, 53, "127.0.0.1")], {("udp", "127.0.0.1", 53)}),
        ([socket("SOCK_DGRAM", 5), bound(5, 0)], set()),
        ([socket("SOCK_STREAM", 5), bound(5, 80),
          "1 listen(3<socket:[5]>, 5) = -1 EADDRINUSE (Address already in use)"], set()),
        ([socket("SOCK_STREAM", 5, "AF_INET6"), f"1 bind(3<socket:[5]>, {SIX}, 28) = 0",
          "2 listen(9<socket:[5]>, 5) = 0"], {("tcp", "::", 443)}),
        ([bound(5, 80), "1 listen(3<socket:[5]>, 5) = 0"], {("tcp", "0.0.0.0", 80)}),
        ([socket("SOCK_STREAM", 5), bound(5, 80), socket("SOCK_STREAM", 5),
          "1 listen(3<socket:[5]>, 5) = 0"], set()),
        (["1 socket(AF_INET, SOCK_STREAM, IPPROTO_TCP) = 3<TCP:[7]>",
          bound(7, 81).replace("socket", "TCP"), "1 listen(3<TCP:[0.0.0.0:81]>, 5) = 0"],
         {("tcp", "0.0.0.0", 81)}),
        (["1 listen(3<TCPv6:[[::1]:82]>, 5) = 0"], {("tcp", "::1", 82)}),
        (["1 socket(AF_INET, SOCK_DGRAM, IPPROTO_IP) = 3<UDP:[7]>",
          bound(7, 81).replace("socket", "UDP")], {("udp", "0.0.0.0", 81)}),
        (["1 socket(AF_INET, SOCK_STREAM, IPPROTO_IP) = 3",
          bound(5, 83).replace("<socket:[5]>", ""), "1 listen(3, 5) = 0"],
         {("tcp", "0.0.0.0", 83)}),
        ([socket("SOCK_RAW", 5), bound(5, 80)], set()),
        (["1 socket(AF_UNIX, SOCK_STREAM, 0) = 3<socket:[5]>",
          '1 bind(3<socket:[5]>, {sa_family=AF_UNIX, sun_path="sin_port=htons(80)"}, 9) = 0',
          "1 listen(3<socket:[5]>, 5) = 0"], set()),
    ],
)  # fmt: skip
def test_listeners(lines: list[str], expected: set[tuple[str, str, int]]) -> None:
    found = {(item.protocol, item.address, item.port) for item in record(START, *lines).listeners}
    assert found == expected


def test_listeners_can_be_read_while_the_log_grows() -> None:
    recorder = Recorder(cwd="/")
    lines = "\n".join(
        [START, socket("SOCK_STREAM", 5), bound(5, 80), "1 listen(3<socket:[5]>, 5) = 0\n"]
    )
    seen: list[bool] = []
    stop = threading.Event()

    def watch() -> None:
        while not stop.is_set():
            if recorder.listeners() == {Listener("tcp", "0.0.0.0", 80)}:
                seen.append(True)
                return

    watcher = threading.Thread(target=watch)
    watcher.start()
    assert recorder.listeners() == frozenset()
    for code in lines.encode():
        recorder.feed(bytes((code,)))
    watcher.join(10)
    stop.set()
    assert seen


def test_sockets_are_bounded_and_bound_ones_stay() -> None:
    recorder = Recorder(cwd="/")
    recorder.feed("\n".join([START, socket("SOCK_STREAM", 1), bound(1, 80)]).encode() + b"\n")
    for inode in range(2, 6000):
        recorder.feed(socket("SOCK_STREAM", inode).encode() + b"\n")
    recorder.feed(b"1 listen(3<socket:[1]>, 5) = 0\n")
    assert recorder.listeners() == {Listener("tcp", "0.0.0.0", 80)}


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("1 io_uring_setup(4, {}) = -1 ENOSYS (Function not implemented) (INJECTED)", "io-uring"),
        ("1 ptrace(PTRACE_TRACEME) = -1 EPERM (Operation not permitted)", "ptrace"),
        ('1 mount(""..., "/mnt", NULL, MS_BIND, NULL) = 0', "mount-namespace"),
        ('1 pivot_root(".", ".") = 0', "mount-namespace"),
        ("1 unshare(CLONE_NEWNS|CLONE_NEWUTS) = 0", "mount-namespace"),
        ("1 setns(3<mnt:[4026531840]>, CLONE_NEWNS) = 0", "mount-namespace"),
        ("1 clone(child_stack=NULL, flags=CLONE_NEWNS|SIGCHLD) = 2", "mount-namespace"),
        ("1 syscall_0x1d0(0x1, 0x2) = 0", "syscall-unknown"),
        ('1 open("/cut"..., O_RDONLY) = 3</cut/short>', "path-cut"),
        ('1 openat(5, "x", O_RDONLY) = 3', "path-unknown-base"),
        ("strace: Process 5 attached", "strace-message"),
        ("no pid at all", "strace-unparsed"),
        ("1 gibberish", "strace-unparsed"),
        ("1 open(", "strace-unparsed"),
        ("1 getpid(", "strace-unparsed"),
        ("1 <... read resumed>) = 0", "strace-unparsed"),
        ("1 [ something else ]", "strace-unparsed"),
        ("1 +++ cut", "strace-unparsed"),
        ("12345678901 getpid() = 1", "strace-unparsed"),
    ],
)
def test_warnings_are_counted(line: str, code: str) -> None:
    activity = record(START, line, line)
    assert warned(activity) == {code: 2}
    assert activity.lines == 3
    assert activity.warnings[0].text.isprintable()


@pytest.mark.parametrize(
    "line",
    [
        '1 mount(""..., "/mnt", NULL, MS_BIND, NULL) = -1 EPERM (Operation not permitted)',
        "1 unshare(CLONE_FILES) = 0",
        '1 chroot("/x") = -1 EPERM (Operation not permitted)',
        "1 --- SIGCHLD {si_signo=SIGCHLD, si_status=0} ---",
        "",
    ],
)
def test_harmless_lines_give_no_warning(line: str) -> None:
    assert record(START, line).warnings == ()


def test_an_incomplete_log_says_so() -> None:
    activity = record(START, complete=False)
    assert not activity.complete
    assert warned(activity) == {"strace-incomplete": 1}


def test_a_line_without_its_end_is_not_believed() -> None:
    recorder = Recorder(cwd="/")
    recorder.feed(START.encode() + b'\n1 open("/etc/pass", O_RDONLY) = 3')
    first = recorder.finish(complete=True)
    assert (len(first.events), first.lines, warned(first)) == (1, 2, {"strace-unparsed": 1})
    assert recorder.finish(complete=True) == first


def test_endless_lines_take_no_memory() -> None:
    recorder = Recorder(cwd="/")
    recorder.feed(START.encode() + b"\n1 open(")
    for _ in range(40):
        recorder.feed(b"x" * 100_000)
    recorder.feed(b'", O_RDONLY) = 3\n1 stat("/next", 0x1) = 0\n')
    activity = recorder.finish(complete=True)
    assert events(activity) == [("stat", "/next", None)]
    assert (activity.lines, warned(activity)) == (3, {"strace-unparsed": 1})


def test_events_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder_module, "_MAX_EVENTS", 3)
    activity = record(START, *[f'1 stat("/{number}", 0x1) = 0' for number in range(9)])
    assert len(activity.events) == 3
    assert warned(activity) == {"strace-overflow": 7}


def test_the_text_of_events_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder_module, "_MAX_TEXT", 1000)
    activity = record(START, *[f'1 stat("/{number:0200}", 0x1) = 0' for number in range(9)])
    assert len(activity.events) == 5
    assert warned(activity) == {"strace-overflow": 5}


def test_an_endless_first_half_is_not_kept() -> None:
    activity = record(START, '1 stat("/' + "x" * 100_000 + " <unfinished ...>", "1 getpid() = 1")
    assert events(activity) == []
    assert warned(activity) == {"strace-unparsed": 1}


def test_waiting_lines_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder_module, "_MAX_HELD", 100)
    activity = record(
        START,
        "1 fork() = 2",
        '2 execve("/bin/other", [...], 0x1) = 0',
        "1 fork( <unfinished ...>",
        "2 fork( <unfinished ...>",
        *[f'3 stat("/{number}", 0x1) = 0' for number in range(50)],
        "2 <... fork resumed>) = 4",
    )
    assert [path for _, path, _ in events(activity)][1:] == [f"/{number}" for number in range(50)]
    assert ("/bin/app", "/49") in by_executable(activity)


def test_many_short_processes_are_folded() -> None:
    lines = [START]
    for _ in range(12_000):
        lines += ["1 fork() = 2", "2 exit_group(0) = ?", "2 +++ exited with 0 +++"]
    lines += ["1 fork() = 2", "2 setuid(77) = 0", "2 +++ exited with 0 +++"]
    processes = record(*lines).processes
    assert len(processes) == 10_002
    assert processes[-1] == Process(2, 1, "/bin/app", 77, None)


def test_programs_without_a_name_in_the_image() -> None:
    activity = record(
        START,
        '1 execveat(3</memfd:x>(deleted), "", [...], 0x1, AT_EMPTY_PATH) = 0',
        "1 getpid() = 1",
    )
    assert events(activity) == []
    assert ("getpid", "/memfd:x") in {(use.name, use.executable) for use in activity.syscalls}


def test_merge_folds_what_is_the_same() -> None:
    one = record(START, '1 stat("/a", 0x1) = 0', "1 dup(9) = 3", "1 x", *LISTEN)
    two = record(START, '1 stat("/a", 0x1) = 0', "1 dup(9) = -1 EBADF (Bad)", "1 x", complete=False)
    merged = merge([one, two])
    assert merged.events == one.events
    assert SyscallUse("dup", "x86_64", "/bin/app", frozenset({"ok", "EBADF"})) in merged.syscalls
    assert merged.listeners == one.listeners
    assert merged.processes == one.processes
    assert warned(merged) == {"strace-unparsed": 2, "strace-incomplete": 1}
    assert merged.lines == one.lines + two.lines
    assert not merged.complete
    assert merge([one]) == one
    assert merge([]) == Activity()


LISTEN = (socket("SOCK_STREAM", 5), bound(5, 80), "1 listen(3<socket:[5]>, 5) = 0")


def test_warnings_show_hostile_text_safely() -> None:
    (warning,) = record("1 \x1b[31m" + "\xff" * 400).warnings
    assert isinstance(warning, TraceWarning)
    assert warning.text.isascii()
    assert warning.text.isprintable()
    assert len(warning.text) < 300
