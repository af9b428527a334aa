"""The recorder on logs written by hand: events, calls, warnings and bounds."""

from __future__ import annotations

import pytest

from probes.files import recorder as recorder_module
from probes.files.recorder import Recorder, merge
from probes.model import Activity, FileEvent, Operation, SyscallUse, TraceWarning
from tests.unit.probes.files.strace_logs import ABSENT, START, bound, events, record, socket, warned


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


def test_a_call_under_way_when_the_tracer_ended_is_known_by_its_name() -> None:
    recorder = Recorder(cwd="/")
    recorder.feed(START.encode() + b"\n1 epoll_wait(4<anon_inode:[eventpoll]>, ")
    activity = recorder.finish(complete=True)
    assert not activity.warnings
    assert "epoll_wait" in {use.name for use in activity.syscalls}


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
