"""Turn strace's log, while it grows, into an `Activity`, in bounded memory."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable

from probes.files.calls import FORK_CALLS
from probes.files.details import UNKNOWN
from probes.files.findings import Findings
from probes.files.lines import UNFINISHED, call_name, resumed
from probes.files.meaning import Meaning
from probes.files.sockets import Sockets
from probes.files.tasks import Task, Tasks
from probes.model import Activity, FileEvent, Listener, Process, SyscallUse, TraceWarning

_MAX_LINE = 1 << 20  # bytes; a path of 4095 bytes, each as four characters, is far below
_MAX_HEAD = 1 << 16  # bytes of an interrupted call; two such paths and their directories fit
_MAX_HELD = 1 << 22  # bytes of lines of pids whose parent is not known yet
_MAX_EVENTS = 1_000_000
_MAX_TEXT = 200_000_000  # characters of all paths

_PERSONALITY = re.compile(rb"\[ Process PID=\d+ runs in ([\w ]+) mode\. \]")
_SUPERSEDED = re.compile(rb"\+\+\+ superseded by execve in pid (\d{1,10}) \+\+\+")
_OVER = re.compile(rb"\+\+\+ (?:exited with|killed by) ")
_NOTICE = re.compile(rb"(?:--- .* ---|\+\+\+ .* \+\+\+)$", re.DOTALL)

_NARROW = {"x86_64": "i386", "aarch64": "arm", "ppc64": "ppc", "s390x": "s390", "mips64": "mips"}


class Recorder:
    """Reads one log of ``strace -f -y``. All methods may be called from different threads.

    Events keep the label (``during``) under which they were first seen. A call that never returned
    has the outcome ``?``, which is then the error of its events, too.

    Args:
        cwd: the working directory of the first process, as the traced container sees it.
        root_executable: what the first process counts as until it has started its program.
        arch: the machine's own architecture, as `SyscallUse` names it.
    """

    def __init__(self, *, cwd: str, root_executable: str = "", arch: str = "x86_64") -> None:
        self._lock = threading.Lock()
        self._findings = Findings(_MAX_EVENTS, _MAX_TEXT)
        self._tasks = Tasks(cwd, root_executable, arch)
        self._sockets = Sockets()
        self._meaning = Meaning(self._findings, self._tasks, self._sockets)
        self._arch = arch
        self._rest = bytearray()
        self._skipping = False
        self._held: dict[bytes, list[bytes]] = {}
        self._held_size = 0
        self._lines = 0

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the log, cut anywhere."""
        with self._lock:
            end = data.rfind(b"\n")
            if end < 0:
                self._keep(data)
                return
            lines = (bytes(self._rest) + data[:end]).split(b"\n")
            self._rest.clear()
            if self._skipping:
                del lines[0]
                self._skipping = False
                self._lines += 1
            self._all(lines)
            self._keep(data[end + 1 :])

    def mark(self, during: str) -> None:
        """Label what is seen from now on."""
        with self._lock:
            self._findings.during = during

    def listeners(self) -> frozenset[Listener]:
        """All TCP and UDP sockets seen listening so far; never waits for the log's reader."""
        return self._sockets.listeners

    def finish(self, *, complete: bool) -> Activity:
        """What the whole log says; ``complete``: the tracer lived until the app had ended."""
        with self._lock:
            for pid in tuple(self._held):
                self._tasks.stranger(pid, guess=True)
                self._release(pid)
            for task in self._tasks.by_pid.values():
                if task.head:
                    self._meaning.interrupted(task)
            self._end_of_log(complete=complete)
            if not complete:
                self._findings.warn("strace-incomplete", b"")
            return Activity(
                events=self._findings.events(),
                syscalls=self._findings.uses(),
                listeners=_sorted(self._sockets.listeners),
                processes=self._tasks.processes(),
                warnings=self._findings.warnings(),
                lines=self._lines,
                complete=complete,
            )

    def _keep(self, data: bytes) -> None:
        """Hold the start of a line whose end has not come; skip one that is too long."""
        if self._skipping:
            return
        self._rest += data
        if len(self._rest) > _MAX_LINE:
            self._bad(bytes(self._rest[:1000]))
            self._rest.clear()
            self._skipping = True

    def _end_of_log(self, *, complete: bool) -> None:
        """A last line without its end is the call that was under way: its name can be believed, a
        path cannot.
        """
        pid, _, body = bytes(self._rest).partition(b" ")
        name, task = call_name(body.lstrip(b" ")), self._tasks.by_pid.get(pid)
        if complete and name is not None and task is not None and b'"' not in body:
            self._findings.use(name, task.arch, task.program.executable, "?")
        elif self._rest:
            self._bad(bytes(self._rest))
        if self._rest or self._skipping:
            self._lines += 1
        self._rest.clear()
        self._skipping = False

    def _all(self, lines: list[bytes]) -> None:
        tasks = self._tasks.by_pid
        self._lines += len(lines)
        for line in lines:
            pid, _, body = line.partition(b" ")
            task = tasks.get(pid)
            if task is None or body not in task.seen:
                self._line(line, pid, body, task)

    def _line(self, line: bytes, pid: bytes, body: bytes, task: Task | None) -> None:
        text = body.lstrip(b" ")
        if len(line) > _MAX_LINE or not text or not (pid.isdigit() and len(pid) <= 10):
            if line:
                self._bad(line)
            return
        kind = text[:1]
        name = None if kind in b"<+-[" else call_name(text)
        if kind not in b"<+-[" and name is None:
            self._bad(line)
            return
        if task is None:
            task = self._stranger(pid, line)
            if task is None:
                return
        if name is not None:
            self._call(task, name, text, body)
        elif kind == b"<":
            self._resumed(task, text, line)
        elif not self._notice(task, text):
            self._bad(line)

    def _bad(self, line: bytes) -> None:
        code = "strace-message" if b"strace: " in line[:300] else "strace-unparsed"
        self._findings.warn(code, line)

    def _stranger(self, pid: bytes, line: bytes) -> Task | None:
        """A pid that no clone has returned yet: the root, or a child ahead of its clone."""
        if self._tasks.full():
            self._findings.warn("strace-overflow", line)
            return None
        task = self._tasks.stranger(pid, guess=self._held_size >= _MAX_HELD)
        if task is None:
            self._held.setdefault(pid, []).append(line)
            self._held_size += len(line)
            return None
        self._release(pid)
        return self._tasks.by_pid.get(pid)

    def _release(self, pid: bytes) -> None:
        """Read the lines that were held until their task was known."""
        for line in self._held.pop(pid, ()):
            self._held_size -= len(line)
            body = line.partition(b" ")[2]
            self._line(line, pid, body, self._tasks.by_pid.get(pid))

    def _call(self, task: Task, name: bytes, text: bytes, body: bytes) -> None:
        if task.head:
            self._meaning.interrupted(task)
        if text.endswith(UNFINISHED) and len(text) > _MAX_HEAD:
            self._bad(text)
            return
        if text.endswith(UNFINISHED):
            task.head = text[: -len(UNFINISHED)]
            if name in FORK_CALLS:
                self._tasks.expecting(task, task.head)
            return
        known = self._meaning.apply(task, name, text)
        if known is None:
            self._findings.warn("strace-unparsed", text)
        elif known:
            self._tasks.remember(task, body)
        if name in FORK_CALLS and self._held:
            for pid in [pid for pid in self._held if pid in self._tasks.by_pid]:
                self._release(pid)

    def _resumed(self, task: Task, text: bytes, line: bytes) -> None:
        parts = resumed(text)
        head, task.head = task.head, b""
        name = call_name(head)
        if parts is None or name is None or name != parts[0]:
            self._bad(line)
            return
        whole = head + parts[1]
        if len(whole) > _MAX_LINE:
            self._bad(line)
        elif whole not in task.seen:
            self._call(task, name, whole, whole)

    def _notice(self, task: Task, text: bytes) -> bool:
        """Notes between the calls: signals, ends, changes of architecture. False if it is none."""
        if match := _PERSONALITY.fullmatch(text):
            self._tasks.switch(task, self._architecture(match[1].decode("ascii")))
            return True
        if _NOTICE.match(text) is None:
            return False
        if match := _SUPERSEDED.fullmatch(text):
            successor = self._tasks.by_pid.get(match[1])
            if task.head:
                self._meaning.interrupted(task)
            if successor is not None:
                self._tasks.rename(successor, task.pid)
        elif _OVER.match(text):
            if task.head:
                self._meaning.interrupted(task)
            self._tasks.leave(task)
        return True

    def _architecture(self, mode: str) -> str:
        if mode.startswith("64"):
            return self._arch
        if mode.startswith("32"):
            return _NARROW.get(self._arch, self._arch)
        return mode


def merge(activities: Iterable[Activity]) -> Activity:
    """Several logs as one: what is distinct, in the order given. Complete only if all are."""
    events: dict[tuple[object, ...], FileEvent] = {}
    uses: dict[tuple[str, str, str], SyscallUse] = {}
    listeners: set[Listener] = set()
    processes: dict[Process, None] = {}
    warnings: dict[tuple[str, str], int] = {}
    lines, complete = 0, True
    for activity in activities:
        for event in activity.events:
            key = (event.path, event.operation, event.error, event.executable, event.final)
            events.setdefault(key, event)
        for use in activity.syscalls:
            name = (use.name, use.arch, use.executable)
            uses[name] = _joined(uses[name], use) if name in uses else use
        listeners.update(activity.listeners)
        processes.update(dict.fromkeys(activity.processes))
        for warning in activity.warnings:
            text = (warning.code, warning.text)
            warnings[text] = warnings.get(text, 0) + warning.count
        lines += activity.lines
        complete = complete and activity.complete
    return Activity(
        events=tuple(events.values()),
        syscalls=tuple(uses[name] for name in sorted(uses)),
        listeners=_sorted(listeners),
        processes=tuple(processes),
        warnings=tuple(TraceWarning(*text, count) for text, count in warnings.items()),
        lines=lines,
        complete=complete,
    )


def _joined(one: SyscallUse, other: SyscallUse) -> SyscallUse:
    """One call of one program in two logs; facts that one log lacks are not known of both."""
    details = one.details | other.details
    if bool(one.details) != bool(other.details):
        details |= {UNKNOWN}
    outcomes = one.outcomes | other.outcomes
    return SyscallUse(one.name, one.arch, one.executable, outcomes, details)


def _sorted(listeners: Iterable[Listener]) -> tuple[Listener, ...]:
    return tuple(sorted(listeners, key=lambda item: (item.protocol, item.port, item.address)))
