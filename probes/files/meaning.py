"""What a finished call means: events on files, listening sockets, and changes to its task."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from probes.files.calls import FORK_CALLS, ID_CALLS, PATH_CALLS, SOCKET_CALLS, Use, open_operations
from probes.files.details import DETAILED, UNKNOWN, details
from probes.files.findings import Findings
from probes.files.lines import Call, annotation, is_cut, parse, quick_outcome, quoted
from probes.files.lines import outcome as outcome_of
from probes.files.sockets import Sockets
from probes.files.tasks import Task, Tasks
from probes.model import Operation

_SUN_PATH = re.compile(rb'sun_path=("(?:[^"\\]++|\\.)*")(?!\.\.\.)', re.DOTALL)
_PID = re.compile(rb"\d{1,10}")
_NUMBER = re.compile(rb"-?\d{1,10}")

_MOUNT_CALLS = frozenset(b"mount umount umount2 pivot_root setns move_mount fsmount".split())
_EXIT_CALLS = frozenset((b"exit", b"exit_group"))
_ATTEMPTS = {b"ptrace": "ptrace", b"io_uring_setup": "io-uring"}  # worth a warning even if refused


class Meaning:
    """Applies finished calls to the tasks, the sockets and the findings."""

    def __init__(self, findings: Findings, tasks: Tasks, sockets: Sockets) -> None:
        self._findings = findings
        self._tasks = tasks
        self._sockets = sockets
        self._effects: dict[bytes, Callable[[Task, Call], None]] = {
            **dict.fromkeys(ID_CALLS, self._identity),
            **dict.fromkeys((b"execve", b"execv", b"execveat"), self._execute),
            **dict.fromkeys((b"chdir", b"fchdir"), self._chdir),
            **dict.fromkeys((b"socket", b"bind", b"listen", b"getsockname"), self._socket),
            b"getcwd": self._getcwd,
            b"chroot": self._chroot,
            b"unshare": self._unshare,
        }
        # These change more than the findings: a second line with the same text counts again.
        self._lasting = frozenset(
            (*self._effects, *FORK_CALLS, *_EXIT_CALLS, *_ATTEMPTS, *_MOUNT_CALLS)
        )
        self._parsed = self._lasting.union(PATH_CALLS, SOCKET_CALLS, DETAILED)

    def apply(self, task: Task, name: bytes, text: bytes) -> bool | None:
        """Record a whole call. None if it is not one; True if the same line can never tell more."""
        if name not in self._parsed:
            return self._plain(task, name, text)
        call = parse(text)
        if call is None:
            return None
        outcome = outcome_of(call.result)
        self._findings.use(name, task.arch, task.program.executable, outcome)
        self._details(task, name, call)
        error = None if outcome == "ok" else outcome
        cut = self._paths(task, call, error)
        if name in self._lasting:
            self._change(task, call, outcome)
            return False
        return not cut

    def interrupted(self, task: Task) -> None:
        """A call that never came back: what its first half tells, with an unknown outcome."""
        head, task.head = task.head, b""
        name = head.partition(b"(")[0]
        # Arguments that were not printed yet are results, which do not matter here.
        call = parse(head.rstrip(b", ") + b") = ?") or parse(head + b"}) = ?")
        self._findings.use(name, task.arch, task.program.executable, "?")
        self._details(task, name, call)
        if call is not None and name in self._parsed:
            self._paths(task, call, "?")

    def _details(self, task: Task, name: bytes, call: Call | None) -> None:
        if name in DETAILED:
            facts = details(call) if call else frozenset({UNKNOWN})
            self._findings.details(name, task.arch, task.program.executable, facts)

    def _plain(self, task: Task, name: bytes, text: bytes) -> bool | None:
        outcome = quick_outcome(text)
        if outcome is None:
            return None
        self._findings.use(name, task.arch, task.program.executable, outcome)
        if name.startswith((b"syscall_0x", b"?")):
            self._findings.warn("syscall-unknown", text)
            return False
        return True

    def _paths(self, task: Task, call: Call, error: str | None) -> bool:
        """Record the paths of a call. True if a warning was counted for one of them."""
        warned = False
        final = annotation(call.result)
        resolved = final.text if final and final.is_path else None
        exchange = call.name == b"renameat2" and b"RENAME_EXCHANGE" in call.arg(4)
        for use in PATH_CALLS.get(call.name, ()):
            if self._unusable(call, use, error):
                warned = True
                continue
            path, known = self._locate(task, call, use, error)
            if path is None:
                continue
            for operation in _operations(call, use, exchange):
                self._event(task, path, operation, error, resolved or known)
        for path, operation in _sun_paths(call):
            self._event(task, _absolute(task, path), operation, error, None)
        return warned

    def _event(
        self, task: Task, path: str, operation: Operation, error: str | None, final: str | None
    ) -> None:
        self._findings.event(path, operation, error, task.program.executable, final)

    def _unusable(self, call: Call, use: Use, error: str | None) -> bool:
        """Whether a path of the call cannot be told; then it is counted as a warning."""
        if use.path is None:
            return False
        text = call.arg(use.path)
        if is_cut(text):
            self._findings.warn("path-cut", b"%s(%s" % (call.name, text[:100]))
            return True
        relative = text.startswith(b'"') and not text.startswith((b'"/', b'""'))
        base = call.arg(use.base) if use.base is not None else b"AT_FDCWD"
        if relative and error is None and not base.startswith(b"AT_FDCWD") and b"<" not in base:
            self._findings.warn("path-unknown-base", b"%s(%s, %s" % (call.name, base, text))
            return True
        return False

    def _locate(
        self, task: Task, call: Call, use: Use, error: str | None
    ) -> tuple[str | None, str | None]:
        """The absolute path of a use, and the resolved one where the base alone names it."""
        base = self._base(task, call.arg(use.base)) if use.base is not None else None
        path = quoted(call.arg(use.path)) if use.path is not None else None
        if path:
            in_base = call.name == b"openat2" and b"RESOLVE_IN_ROOT" in call.arg(2)
            if path.startswith("/") and not in_base:
                return task.directories.root + path, None
            start = task.directories.cwd if use.base is None else base
            return (_joined(start, path), None) if start is not None else (None, None)
        if use.base is None:
            found = annotation(call.result) if use.path is None else None
            return (found.text, found.text) if found and found.is_path else (None, None)
        # No name, so the descriptor itself is meant (AT_EMPTY_PATH, or NULL as in futimens).
        if path is None and use.path is not None and call.arg(use.path) != b"NULL":
            return None, None
        found = annotation(call.arg(use.base))
        if found is None or not found.is_path or error == "ENOENT":
            return None, None
        return found.text, found.text

    def _base(self, task: Task, arg: bytes) -> str | None:
        """The directory that a descriptor stands for; a printed working directory is believed."""
        found = annotation(arg)
        known = found.text if found and found.text.startswith("/") else None
        if not arg.startswith(b"AT_FDCWD"):
            return known
        if known is not None and known != task.directories.cwd:
            # Only here strace prints the kernel's note on a removed directory as part of the name.
            self._tasks.chdir(task, known.removesuffix(" (deleted)"))
        return task.directories.cwd

    def _change(self, task: Task, call: Call, outcome: str) -> None:
        """What the call changes for later ones; failed calls change nothing."""
        if call.name in FORK_CALLS:
            self._fork(task, call, outcome)
        elif call.name in _EXIT_CALLS:
            task.ended = True
            task.program.ended |= call.name == b"exit_group"
        elif call.name in _ATTEMPTS:
            self._findings.warn(_ATTEMPTS[call.name], _shown(call))
        elif outcome == "ok":
            if call.name in _MOUNT_CALLS:
                self._findings.warn("mount-namespace", _shown(call))
            else:
                self._effects[call.name](task, call)

    def _fork(self, task: Task, call: Call, outcome: str) -> None:
        pid = _PID.match(call.result)
        if pid is None or outcome != "ok":
            self._tasks.settled(task)
            return
        flags = b",".join(call.args)
        self._tasks.born(task, pid[0], flags)
        if b"CLONE_NEWNS" in flags:
            self._findings.warn("mount-namespace", _shown(call))

    def _execute(self, task: Task, call: Call) -> None:
        use = PATH_CALLS[call.name][0]
        path, _ = self._locate(task, call, use, None)
        if path is None and use.base is not None and (found := annotation(call.arg(use.base))):
            path = found.text  # a deleted or anonymous file
        if path is not None:
            self._tasks.execute(task, path)

    def _chdir(self, task: Task, call: Call) -> None:
        path, _ = self._locate(task, call, PATH_CALLS[call.name][0], None)
        if path is None and (found := annotation(call.arg(0))) and found.text.startswith("/"):
            path = found.text  # a deleted directory
        if path is not None:
            self._tasks.chdir(task, path)

    def _getcwd(self, task: Task, call: Call) -> None:
        path = quoted(call.arg(0))
        if path is not None and path.startswith("/"):
            self._tasks.chdir(task, _joined(task.directories.root, path.lstrip("/")))

    def _chroot(self, task: Task, call: Call) -> None:
        self._findings.warn("chroot", _shown(call))
        path, _ = self._locate(task, call, PATH_CALLS[call.name][0], None)
        if path is not None:
            self._tasks.chroot(task, path.removesuffix("/."))

    def _unshare(self, task: Task, call: Call) -> None:
        if b"CLONE_FS" in call.arg(0) or b"CLONE_NEWNS" in call.arg(0):
            self._tasks.unshare(task)
        if b"CLONE_NEWNS" in call.arg(0):
            self._findings.warn("mount-namespace", _shown(call))

    def _identity(self, task: Task, call: Call) -> None:
        field, index = ID_CALLS[call.name]
        number = _NUMBER.fullmatch(call.arg(index))
        if number is None or int(number[0]) in (-1, 0xFFFFFFFF):
            return
        if field == "uid":
            task.program.uid = int(number[0])
        else:
            task.program.gid = int(number[0])

    def _socket(self, task: Task, call: Call) -> None:
        owner = b"%d" % task.program.pid
        match call.name:
            case b"socket":
                self._sockets.created(owner, call)
            case b"bind":
                self._sockets.bound(owner, call)
            case b"listen":
                self._sockets.listening(owner, call)
            case _:
                self._sockets.named(owner, call)


def _shown(call: Call) -> bytes:
    return b"%s(%s) = %s" % (call.name, b", ".join(call.args), call.result)


def _operations(call: Call, use: Use, exchange: bool) -> tuple[Operation, ...]:
    if use.operation is None:
        return open_operations(call.arg(use.flags or 0))
    if exchange:  # both names were taken away, and both made anew
        return (Operation.REMOVE, Operation.CREATE)
    return (use.operation,)


def _sun_paths(call: Call) -> Iterator[tuple[str, Operation]]:
    """The unix sockets named in the file system; an abstract name has ``@`` before its quotes."""
    if call.name not in SOCKET_CALLS:
        return
    operation, index = SOCKET_CALLS[call.name]
    for match in _SUN_PATH.finditer(call.arg(index)):
        if path := quoted(match[1]):
            yield path, operation


def _absolute(task: Task, path: str) -> str:
    if path.startswith("/"):
        return task.directories.root + path
    return _joined(task.directories.cwd, path)


def _joined(base: str, path: str) -> str:
    return base.rstrip("/") + "/" + path.lstrip("/")
