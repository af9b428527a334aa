"""What a log has shown so far: distinct events, system calls, warnings; each bounded in number."""

from __future__ import annotations

from probes.files.details import UNKNOWN
from probes.model import FileEvent, Operation, Process, SyscallUse, TraceWarning

_SAMPLE = 200  # characters of a line shown in a warning
_MAX_DETAILS = 64  # facts of one call by one program; no real one comes near

_TEXTS = {
    "strace-unparsed": "a line of the tracer's log was not understood",
    "strace-message": "the tracer itself reported a problem",
    "strace-incomplete": "the tracer went away before the app did, so later file access is unknown",
    "strace-overflow": "more distinct events than can be held; the rest were not recorded",
    "path-cut": "the tracer shortened a path, so the file is unknown",
    "path-unknown-base": "a relative path whose directory the tracer could not name was ignored",
    "syscall-unknown": "the tracer does not know the name of a system call",
    "io-uring": "the app asked for io_uring, which was refused to keep its file access visible",
    "ptrace": "the app uses ptrace, which does not work while it is traced itself",
    "mount-namespace": "the app changes its mounts, so its paths may not be those of the image",
    "chroot": "the app changed its root directory; paths below it were put back in front",
}


class Findings:
    """The collection that a recorder fills; ``during`` labels what is recorded from now on."""

    def __init__(self, limit: int, text: int) -> None:
        """``limit`` distinct events and calls at most, with ``text`` characters of paths in all."""
        self.during = ""
        self._limit = limit
        self._room = text
        self._events: dict[tuple[str, Operation, str | None, str, str | None], str] = {}
        self._uses: dict[tuple[str, str, str], set[str]] = {}
        self._details: dict[tuple[str, str, str], set[str]] = {}
        self._warnings: dict[str, tuple[str, int]] = {}

    def event(
        self, path: str, operation: Operation, error: str | None, executable: str, final: str | None
    ) -> None:
        """Note an event; one that differs from an earlier one in its label alone is folded."""
        key = (path, operation, error, executable, final)
        if key in self._events:
            return
        size = len(path) + len(final or "")
        if len(self._events) >= self._limit or size > self._room:
            self.warn("strace-overflow", path.encode("utf-8", "surrogateescape"))
            return
        self._events[key] = self.during
        self._room -= size

    def use(self, name: bytes, arch: str, executable: str, outcome: str) -> None:
        """Note that a program made a system call, with its outcome."""
        key = (name.decode("ascii", "replace"), arch, executable)
        outcomes = self._uses.get(key)
        if outcomes is not None:
            outcomes.add(outcome)
        elif len(self._uses) < self._limit:
            self._uses[key] = {outcome}
        else:
            self.warn("strace-overflow", name)

    def details(self, name: bytes, arch: str, executable: str, facts: frozenset[str]) -> None:
        """Note facts of a call's arguments; too many of them count as one not understood."""
        known = self._details.setdefault((name.decode("ascii", "replace"), arch, executable), set())
        known |= facts if len(known) + len(facts) <= _MAX_DETAILS else {UNKNOWN}

    def warn(self, code: str, line: bytes) -> None:
        """Count a warning; the first line that caused it is shown."""
        sample, count = self._warnings.get(code, ("", 0))
        self._warnings[code] = (sample if count else _shown(line), count + 1)

    def events(self) -> tuple[FileEvent, ...]:
        """The events in the order in which they were first seen."""
        return tuple(
            FileEvent(path, operation, error, executable, during, final)
            for (path, operation, error, executable, final), during in self._events.items()
        )

    def uses(self) -> tuple[SyscallUse, ...]:
        """The system calls, sorted."""
        return tuple(
            SyscallUse(*key, frozenset(self._uses[key]), frozenset(self._details.get(key, ())))
            for key in sorted(self._uses)
        )

    def warnings(self) -> tuple[TraceWarning, ...]:
        """The warnings, sorted by code."""
        return tuple(
            TraceWarning(code, f"{_TEXTS[code]}: {sample}" if sample else _TEXTS[code], count)
            for code, (sample, count) in sorted(self._warnings.items())
        )


class Ended:
    """The processes that are over: all of the first ones, then one of each kind (bounded)."""

    _WHOLE = 10_000
    _KINDS = 20_000

    def __init__(self) -> None:
        self._processes: list[tuple[int, Process]] = []
        self._kinds: set[tuple[str, int | None, int | None]] = set()

    def add(self, serial: int, process: Process) -> None:
        """Note a process; ``serial`` is its place in the order of births."""
        kind = (process.executable, process.uid, process.gid)
        count = len(self._processes)
        if count >= self._WHOLE and (kind in self._kinds or count >= self._KINDS):
            return
        self._kinds.add(kind)
        self._processes.append((serial, process))

    def items(self) -> list[tuple[int, Process]]:
        """What was noted, each with its serial."""
        return list(self._processes)


def _shown(line: bytes) -> str:
    text = line[: _SAMPLE + 1].decode("ascii", "backslashreplace")
    text = "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)
    return text if len(text) <= _SAMPLE else text[:_SAMPLE] + "..."
