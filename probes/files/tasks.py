"""The traced processes and threads: who started whom, what each one runs, and where it stands.

Each task also carries a cache of lines whose meaning is already recorded. Tasks that run the same
program with the same working directory, root and architecture share one: for them, the same line
means the same.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, field

from probes.files.findings import Ended
from probes.model import Process

_MAX_TASKS = 100_000
_MAX_CACHED_LINES = 100_000
_MAX_CACHED_LENGTH = 400  # bytes of a line worth keeping
_MAX_PATH = 8192  # characters of a tracked directory, twice the kernel's PATH_MAX

_FLAG = re.compile(rb"CLONE_[A-Z]+(?:_[A-Z]+)*")


@dataclass(slots=True, eq=False)
class Directories:
    """Working directory and root (empty: not changed), shared by tasks cloned with CLONE_FS."""

    cwd: str
    root: str = ""
    tasks: set[Task] = field(default_factory=set)


@dataclass(slots=True, eq=False)
class Program:
    """A process: what all its threads share."""

    serial: int
    pid: int
    parent: int
    executable: str
    uid: int | None = None
    gid: int | None = None
    ended: bool = False
    tasks: set[Task] = field(default_factory=set)

    def process(self) -> Process:
        """The value that a trace holds of it."""
        return Process(self.pid, self.parent, self.executable, self.uid, self.gid)


@dataclass(slots=True, eq=False)
class Task:
    """One thread. ``head`` is the part of a call seen before its ``<unfinished ...>``."""

    pid: bytes
    program: Program
    directories: Directories
    arch: str
    head: bytes = b""
    ended: bool = False
    seen: set[bytes] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Birth:
    """A clone that has not returned: a pid not seen before may be its child."""

    parent: Task
    flags: frozenset[bytes]

    @property
    def kind(self) -> tuple[int, bool, bool]:
        """Births of one kind make children that start alike."""
        program = self.parent.program.serial
        return program, b"CLONE_THREAD" in self.flags, b"CLONE_FS" in self.flags


class Tasks:
    """The table of live tasks by pid column. ``ended`` collects the processes that are over."""

    def __init__(self, cwd: str, executable: str, arch: str) -> None:
        self.by_pid: dict[bytes, Task] = {}
        self.ended = Ended()
        self._cwd = cwd
        self._executable = executable
        self._arch = arch
        self._serial = 0
        self._births: dict[bytes, _Birth] = {}
        self._adopted: set[bytes] = set()
        self._last_parent: Task | None = None
        self._caches: dict[tuple[str, str, str, str], set[bytes]] = {}
        self._cached = 0

    def full(self) -> bool:
        """Whether no more tasks are taken in; no real system has that many."""
        return len(self.by_pid) >= _MAX_TASKS

    def stranger(self, pid: bytes, *, guess: bool) -> Task | None:
        """Take in a pid that no clone has returned yet.

        None where several running clones could be its origin; with ``guess`` the first is taken.
        """
        births = list(self._births.values())
        if len({birth.kind for birth in births}) > 1 and not guess:
            return None
        if births:
            parent = births[0].parent
            del self._births[parent.pid]
            self._adopted.add(parent.pid)
            return self._child(pid, parent, births[0].flags)
        if self._last_parent is not None:
            return self._child(pid, self._last_parent, frozenset())
        return self._root(pid)

    def expecting(self, parent: Task, head: bytes) -> None:
        """A clone was entered and interrupted: its child may show up before it returns."""
        self._births[parent.pid] = _Birth(parent, frozenset(_FLAG.findall(head)))

    def born(self, parent: Task, pid: bytes, call: bytes) -> None:
        """A clone returned ``pid``; ``call`` is its text, for the flags.

        A live task of that pid stays as it is: then the number comes from a nested pid namespace.
        """
        flags = frozenset(_FLAG.findall(call))
        if self._last_parent is None or b"CLONE_NEWPID" in flags:
            self._last_parent = parent
        if self.settled(parent):
            return
        old = self.by_pid.get(pid)
        if old is not None:
            if not (old.ended or old.program.ended):
                return
            self.leave(old)
        if not self.full():
            self._child(pid, parent, flags)

    def settled(self, parent: Task) -> bool:
        """A clone is over. True if its child was already taken in as a stranger."""
        self._births.pop(parent.pid, None)
        adopted = parent.pid in self._adopted
        self._adopted.discard(parent.pid)
        return adopted

    def leave(self, task: Task) -> None:
        """The task is gone."""
        self.settled(task)
        if self.by_pid.get(task.pid) is task:
            del self.by_pid[task.pid]
        task.directories.tasks.discard(task)
        task.program.tasks.discard(task)
        if not task.program.tasks:
            self.ended.add(task.program.serial, task.program.process())

    def rename(self, task: Task, pid: bytes) -> None:
        """A thread that runs a new program takes over the pid of its process."""
        old = self.by_pid.get(pid)
        self.by_pid.pop(task.pid, None)
        self.settled(task)
        task.pid = pid
        if old is not None and old is not task:
            self.leave(old)
        self.by_pid[pid] = task

    def processes(self) -> tuple[Process, ...]:
        """All processes, ended and live, in the order of their births."""
        programs = {task.program for task in self.by_pid.values()}
        live = [(program.serial, program.process()) for program in programs]
        return tuple(
            process for _, process in sorted(self.ended.items() + live, key=lambda item: item[0])
        )

    def chdir(self, task: Task, cwd: str) -> None:
        """The task, and all that share its directories, work in ``cwd`` now."""
        if cwd != task.directories.cwd:
            task.directories.cwd = _bounded(cwd)
            self._changed(task.directories.tasks)

    def chroot(self, task: Task, root: str) -> None:
        """Absolute paths of the task start at ``root`` now."""
        task.directories.root = _bounded(root).rstrip("/")
        self._changed(task.directories.tasks)

    def unshare(self, task: Task) -> None:
        """The task has directories of its own from now on."""
        task.directories.tasks.discard(task)
        task.directories = Directories(task.directories.cwd, task.directories.root, {task})

    def execute(self, task: Task, executable: str) -> None:
        """The whole process runs another program now."""
        task.program.executable = executable
        self._changed(task.program.tasks)

    def switch(self, task: Task, arch: str) -> None:
        """The task makes its calls by another architecture's numbers now."""
        task.arch = arch
        self._changed({task})

    def remember(self, task: Task, body: bytes) -> None:
        """This line needs no second look while the task stays as it is."""
        if len(body) > _MAX_CACHED_LENGTH:
            return
        task.seen.add(body)
        self._cached += 1
        if self._cached > _MAX_CACHED_LINES:
            self._forget()

    def _root(self, pid: bytes) -> Task:
        self._serial += 1
        program = Program(self._serial, int(pid), 0, self._executable)
        return self._enter(Task(pid, program, Directories(self._cwd), self._arch))

    def _child(self, pid: bytes, parent: Task, flags: frozenset[bytes]) -> Task:
        program, directories = parent.program, parent.directories
        if b"CLONE_THREAD" not in flags:
            self._serial += 1
            origin = program.parent if b"CLONE_PARENT" in flags else program.pid
            program = Program(self._serial, int(pid), origin, program.executable)
        if b"CLONE_FS" not in flags:
            directories = Directories(directories.cwd, directories.root)
        return self._enter(Task(pid, program, directories, parent.arch))

    def _enter(self, task: Task) -> Task:
        task.program.tasks.add(task)
        task.directories.tasks.add(task)
        self.by_pid[task.pid] = task
        if self._last_parent is None:
            self._last_parent = task
        self._changed({task})
        return task

    def _changed(self, tasks: set[Task]) -> None:
        for task in tasks:
            key = (task.program.executable, task.directories.cwd, task.directories.root, task.arch)
            task.seen = self._caches.setdefault(key, set())
        if len(self._caches) > 1024 + 4 * len(self.by_pid):
            self._forget()

    def _forget(self) -> None:
        self._cached = 0
        self._caches = {}
        self._changed(set(self.by_pid.values()))


def _bounded(path: str) -> str:
    """A tracked path; one that ``..`` and the like made too long is shortened lexically."""
    return path if len(path) <= _MAX_PATH else posixpath.normpath(path)[:_MAX_PATH]
