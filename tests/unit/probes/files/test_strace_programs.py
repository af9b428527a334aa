"""Programs whose calls are known, traced for real: once in the committed logs, once here and now.

The logs in tests/golden/strace were made by strace 6.1 on Linux 6.18 with the options of `command`,
as root, in ``/tmp/probe/cwd`` (tasks and i386: in ``/``), from the sources that lie beside them. Of
files.strace the interpreter's own start was cut out.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from probes.files.recorder import Recorder
from probes.files.strace import command
from probes.model import Activity, Operation

SOURCES = Path(__file__).parents[3] / "golden" / "strace"
ODD = b'a\nb<c>"d\\e\xe9\xff1, = -1 EFAKE (x) #'.decode("utf-8", "surrogateescape")

needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
needs_compiler = pytest.mark.skipif(
    shutil.which("gcc") is None or platform.machine() != "x86_64",
    reason="gcc for x86_64 is not installed",
)


@dataclass(frozen=True)
class Run:
    """A traced run: what was recorded, where it ran, the program's path, and whether as root."""

    activity: Activity
    cwd: str
    program: str
    root: bool
    output: str = ""

    def seen(self, executable: str | None = None) -> set[tuple[str, str, str | None]]:
        """Operation, path and error of all events (of one executable)."""
        return {
            (event.operation.value, event.path, event.error)
            for event in self.activity.events
            if executable in (None, event.executable)
        }

    def final(self, path: str, operation: Operation) -> set[str | None]:
        """Where the kernel found a path."""
        return {
            event.final
            for event in self.activity.events
            if event.path == path and event.operation is operation and event.error is None
        }

    def codes(self) -> set[str]:
        """The codes of the warnings."""
        return {warning.code for warning in self.activity.warnings}


def golden(name: str, cwd: str, program: str) -> Run:
    recorder = Recorder(cwd=cwd)
    recorder.feed((SOURCES / f"{name}.strace").read_bytes())
    return Run(recorder.finish(complete=True), cwd, program, root=True)


def live(log: Path, cwd: Path, argv: list[str]) -> Run:
    traced = command(("strace",), str(log), argv, daemonise=False)
    done = subprocess.run(traced, cwd=cwd, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    recorder = Recorder(cwd=str(cwd))
    recorder.feed(log.read_bytes())
    activity = recorder.finish(complete=True)
    return Run(activity, str(cwd), argv[0], os.geteuid() == 0, done.stdout.decode())


def compiled(name: str, directory: Path, *options: str) -> str:
    program = directory / name
    argv = ["gcc", "-O1", *options, "-o", str(program), str(SOURCES / f"{name}.c")]
    subprocess.run(argv, check=True, timeout=60)
    return str(program)


def check_tasks(run: Run) -> None:
    """Threads share a directory until they unshare it, forks copy it, a new program keeps it."""
    opened = {
        path for operation, path, error in run.seen() if (operation, error) == ("open", "ENOENT")
    }
    assert opened == {
        "/thread-before",
        "/etc/after-thread",
        "/usr/unshared",
        "/etc/after-unshared",
        "/usr/lib/in-fork",
        "/usr/lib/forked",  # after the fork
        "/etc/forked",  # after the vfork
        "/etc/to-be-killed",
        "/etc/last",
    }
    assert ("exec", "/nowhere/program", "ENOENT") in run.seen(run.program)
    first, *others = run.activity.processes
    assert first.parent == 0
    assert (first.uid, first.gid) == ((65534, 65534) if run.root else (None, None))
    assert len({first.pid, *(other.pid for other in others)}) == 4
    assert {(item.parent, item.executable, item.uid) for item in others} == {
        (first.pid, run.program, None)
    }
    uses = {use.name: use for use in run.activity.syscalls if use.executable == run.program}
    assert uses["kill"].outcomes == {"?"}
    assert uses["pause"].outcomes == {"?"}
    assert uses["execve"].outcomes == {"ok", "ENOENT"}
    assert {use.arch for use in run.activity.syscalls} == {"x86_64"}
    assert run.codes() == set()


def check_calls(run: Run) -> None:
    seen = run.seen(run.program)
    here = {path.removeprefix(run.cwd + "/"): (operation, error) for operation, path, error in seen}
    assert here["/etc/hostname"] == ("open", None)
    assert run.final("/etc/hostname", Operation.OPEN) == {"/etc/hostname"}
    assert here['/etc/missing," = -1 EFAKE ('] == ("open", "ENOENT")
    assert {
        ("stat", "/etc/passwd", None),
        ("stat", "/etc/group", None),
        ("stat", "/etc", None),
    } <= seen
    for path, operations in {
        "made": {"create", "write", "remove"},
        "moved": {"create", "remove", "open", "write"},
        "other": {"create", "open", "write", "remove"},
        "pointer": {"create", "readlink"},
        "second": {"create"},
        "pipe": {"create"},
        ".": {"open", "write"},
        "bound.sock": {"create"},
    }.items():
        name = f"{run.cwd}/{path}"
        assert {item[0] for item in seen if item[1] == name and item[2] is None} == operations, path
    assert not [
        event for event in run.activity.events if "#" in event.path
    ]  # O_TMPFILE has no name
    assert ("stat", "/proc", None) in seen
    assert ("stat", "/etc/ssl", None) in seen or ("stat", "/etc/ssl", "ENOENT") in seen
    assert ("stat", "/nowhere", "ENOENT" if run.root else "EPERM") in seen
    connected = {item[1:] for item in seen if item[0] == "connect"}
    assert connected >= {("/run/absent.sock", "ENOENT"), ("/dev/log-absent", "ENOENT")}
    assert {path for path, _ in connected} == {
        "/run/absent.sock",
        "/dev/log-absent",
        f"{run.cwd}/message.sock",
    }
    uses = {
        use.name: use.outcomes for use in run.activity.syscalls if use.executable == run.program
    }
    assert uses["io_uring_setup"] == {"ENOSYS"}
    assert uses["openat2"] == {"ok", "ENOENT"}
    if run.root:
        check_chroot(run)
    assert run.codes() == {"io-uring"} | ({"chroot"} if run.root else set())


def check_chroot(run: Run) -> None:
    """Below a changed root, all paths are those outside; so is that of the next program."""
    assert run.seen(run.program) >= {
        ("open", "/usr/share/inside", "ENOENT"),
        ("open", "/usr/lib/relative", "ENOENT"),
        ("open", "/usr/share/annotated", "ENOENT"),
        ("open", "/usr/bin/true", None),
        ("exec", "/usr/bin/true", None),
    }
    assert ("open", "/usr/etc/ld.so.cache", "ENOENT") in run.seen("/usr/bin/true")
    assert run.activity.processes[0].executable == "/usr/bin/true"


def check_i386(run: Run) -> None:
    assert {("open", "/etc/hostname", None), ("stat", "/etc/passwd", None)} <= run.seen(run.program)
    by_arch = {
        arch: {use.name for use in run.activity.syscalls if use.arch == arch}
        for arch in ("i386", "x86_64")
    }
    assert by_arch["i386"] == {"open", "stat64", "execve"}
    assert {"execve", "openat", "exit_group"} <= by_arch["x86_64"]
    assert run.codes() == set()


def check_files(run: Run, ports: list[int]) -> None:
    odd, cwd = f"{run.cwd}/{ODD}", run.cwd
    assert run.seen() >= {
        ("create", odd, None),
        ("create", f"{odd}/é", None),
        ("write", f"{odd}/é", None),
        ("remove", f"{odd}/é", None),
        ("create", f"{cwd}/plain (deleted)", None),
        ("open", f"{cwd}/plain (deleted)", None),
        ("list", cwd, None),
        ("stat", f"{odd}/\x01999", "ENOENT"),
        ("chdir", odd, None),
        ("remove", odd, None),
        ("open", f"{odd}/in-deleted-directory", "ENOENT"),
        ("remove", f"{cwd}/plain (deleted)", None),
        ("create", f"{cwd}/l\udcffcal.sock", None),
        ("remove", f"{cwd}/l\udcffcal.sock", None),
    }
    assert run.final(odd, Operation.OPEN) == {odd}
    assert not [event for event in run.activity.events if event.path == "/forged"]
    assert not [use for use in run.activity.syscalls if "EFAKE" in use.outcomes]
    listeners = [(item.protocol, item.address, item.port) for item in run.activity.listeners]
    assert listeners == sorted(
        [("tcp", "127.0.0.1", ports[0]), ("tcp", "::1", ports[1]), ("udp", "0.0.0.0", ports[2])],
        key=lambda item: (item[0], item[2]),
    )
    assert [item.parent for item in run.activity.processes][:1] == [0]
    assert run.codes() == set()


def test_tasks_golden() -> None:
    check_tasks(golden("tasks", "/", "/tmp/probe/tasks"))


def test_calls_golden() -> None:
    check_calls(golden("calls", "/tmp/probe/cwd", "/tmp/probe/calls"))


def test_i386_golden() -> None:
    check_i386(golden("i386", "/", "/tmp/probe/i386"))


def test_files_golden() -> None:
    check_files(golden("files", "/tmp/probe/cwd", "/usr/bin/python3"), [38395, 48039, 32948])


@needs_strace
@needs_compiler
def test_tasks_live(tmp_path: Path) -> None:
    program = compiled("tasks", tmp_path, "-pthread")
    traced = command(("strace",), str(tmp_path / "log"), [program], daemonise=False)
    done = subprocess.run(traced, cwd="/", capture_output=True, timeout=60, check=False)
    assert done.returncode == (0 if os.geteuid() == 0 else 3), done.stderr
    recorder = Recorder(cwd="/")
    recorder.feed((tmp_path / "log").read_bytes())
    check_tasks(Run(recorder.finish(complete=True), "/", program, os.geteuid() == 0))


@needs_strace
@needs_compiler
def test_calls_live(tmp_path: Path) -> None:
    program = compiled("calls", tmp_path)
    cwd = tmp_path / "cwd"
    cwd.mkdir()
    check_calls(live(tmp_path / "log", cwd, [program]))


@needs_strace
@needs_compiler
def test_i386_live(tmp_path: Path) -> None:
    program = compiled("i386", tmp_path, "-m32", "-nostdlib", "-static")
    check_i386(live(tmp_path / "log", Path("/"), [program]))


@needs_strace
def test_files_live(tmp_path: Path) -> None:
    cwd = tmp_path / "cwd"
    cwd.mkdir()
    script = str(SOURCES / "files.py")
    run = live(tmp_path / "log", cwd, [sys.executable, "-I", "-S", script, str(cwd)])
    check_files(run, [int(port) for port in run.output.split()])


@needs_strace
def test_daemonised_tracer_leaves_the_program_its_pid_and_exit_code(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    recorder = Recorder(cwd=str(tmp_path))
    argv = command(("strace",), str(fifo), ["/bin/sh", "-c", "cd /usr; : < /etc/passwd; exit 42"])
    with subprocess.Popen(argv, cwd=tmp_path) as process:
        with fifo.open("rb") as log:
            while data := log.read1():
                recorder.feed(data)
        assert process.wait(timeout=30) == 42
    activity = recorder.finish(complete=True)
    assert [item.pid for item in activity.processes] == [process.pid]
    assert "/etc/passwd" in {event.path for event in activity.events}
    assert activity.warnings == ()


@needs_strace
def test_no_content_is_logged_and_no_path_is_cut(tmp_path: Path) -> None:
    long = "/" + "/".join(["n" * 200] * 15)
    code = "import os, sys; os.write(1, b'secret-content'); os.access(sys.argv[1], 0)"
    log = tmp_path / "log"
    run = live(log, tmp_path, [sys.executable, "-I", "-S", "-c", code, long, "secret-argument"])
    assert b"secret" not in log.read_bytes()
    assert ("stat", long, "ENOENT") in run.seen()


def test_command_without_daemon_differs_in_one_option() -> None:
    plain = command(["ld.so", "strace"], "/log", ["app", "-D"], daemonise=False)
    daemon = command(["ld.so", "strace"], "/log", ["app", "-D"])
    assert daemon == ("ld.so", "strace", "-D", *plain[2:])
    assert plain[-5:] == ("-o", "/log", "--", "app", "-D")
