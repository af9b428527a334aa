"""Which process, program and directory a call belongs to."""

from __future__ import annotations

import pytest

from probes.files import recorder as recorder_module
from probes.model import Process, SyscallUse
from tests.unit.probes.files.strace_logs import ABSENT, START, by_executable, events, record, warned


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
