"""What probes see of a running app, as values. A leaf: nothing here knows slimpy or an engine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, Protocol


class Operation(StrEnum):
    """What a process did with a path."""

    OPEN = "open"  # for reading
    WRITE = (
        "write"  # opened for writing, truncated, or its mode, owner, times or xattrs were changed
    )
    CREATE = (
        "create"  # a name was made: O_CREAT, mkdir, mknod, link, symlink, bind of a unix socket
    )
    REMOVE = "remove"  # a name was taken away: unlink, rmdir, the old name of a rename
    STAT = "stat"  # stat, access, statfs, getxattr, name_to_handle_at: looked at, not opened
    READLINK = "readlink"
    LIST = "list"  # entries of a directory were read
    EXEC = "exec"
    CHDIR = "chdir"  # chdir, fchdir, chroot
    CONNECT = "connect"  # of a unix socket


@dataclass(frozen=True, slots=True)
class FileEvent:
    """One distinct thing done with one path; repetitions are folded into the first.

    ``path`` is absolute but not normalised: the base directory, a slash, and the argument as the
    process gave it,
    so that ``..`` and links can be walked on the image's tree. Undecodable bytes are surrogate
    escapes.
    ``final`` is the path that the kernel resolved it to, where the tracer printed one.
    ``error`` is the errno's name, such as ``ENOENT``, or None where the call succeeded.
    ``executable`` is the path of the program that did it (as exec'ed), ``during`` the probe under
    way.
    """

    path: str
    operation: Operation
    error: str | None
    executable: str
    during: str
    final: str | None = None


@dataclass(frozen=True, slots=True)
class SyscallUse:
    """One system call that one executable made, with every outcome seen.

    ``arch`` is ``x86_64``, ``i386``, ``x32``, ``aarch64`` ...: the personality of the calling
    process.
    ``outcomes`` holds ``ok``, errno names, and ``?`` where the call did not return.
    ``details`` holds facts of the arguments of a few calls only (see `probes.files.details`):
    empty where nothing was recorded, with ``?`` where one was not understood.
    """

    name: str
    arch: str
    executable: str
    outcomes: frozenset[str]
    details: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Listener:
    """A socket that a process listens on: ``port`` 1-65535; ``address`` as bound, such as
    ``0.0.0.0`` or ``::``.
    """

    protocol: Literal["tcp", "udp"]
    address: str
    port: int


@dataclass(frozen=True, slots=True)
class Process:
    """A process as the trace saw it. ``uid`` and ``gid`` are the last ones it set itself, else
    None (unknown).
    """

    pid: int
    parent: int
    executable: str
    uid: int | None
    gid: int | None


@dataclass(frozen=True, slots=True)
class TraceWarning:
    """Something that the trace cannot vouch for: ``code`` is stable, ``text`` is for people."""

    code: str
    text: str
    count: int = 1


@dataclass(frozen=True, slots=True)
class Activity:
    """What one traced process tree did: the outcome of one tracer's log."""

    events: tuple[FileEvent, ...] = ()
    syscalls: tuple[SyscallUse, ...] = ()
    listeners: tuple[Listener, ...] = ()
    processes: tuple[Process, ...] = ()
    warnings: tuple[TraceWarning, ...] = ()
    lines: int = 0
    complete: bool = True  # False: the tracer went away before the traced processes did


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """An HTTP answer. ``headers`` are lower-cased pairs; ``body`` is cut at the client's bound,
    ``size`` is not.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    size: int
    sha256: str

    @property
    def content_type(self) -> str:
        """The media type without parameters, in lower case; empty where there is none."""
        for name, value in self.headers:
            if name == "content-type":
                return value.partition(";")[0].strip().lower()
        return ""


@dataclass(frozen=True, slots=True)
class CommandAnswer:
    """What a command left: exit code, output (each cut at a bound), and files that it was to
    write.
    """

    exit_code: int
    stdout: bytes
    stderr: bytes
    files: tuple[
        tuple[str, bytes | None], ...
    ] = ()  # path in the container -> contents, None: missing


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """Nothing came back: connection refused, time-out, or the app was gone.

    ``kind`` tells them apart: ``closed`` is a connection that ended before an answer, ``garbled``
    an answer that is
    not HTTP, ``ended`` an app that had already exited, ``unasked`` a request that could not be
    made at all.
    """

    reason: str
    kind: Literal["unreachable", "timeout", "closed", "garbled", "ended", "unasked", "other"] = (
        "other"
    )


Answer = HttpAnswer | CommandAnswer | NoAnswer


@dataclass(frozen=True, slots=True)
class Page:
    """What a crawled request asked for: ``target`` is path and query, ``port`` the app's own."""

    scheme: Literal["http", "https"]
    port: int
    target: str


@dataclass(frozen=True, slots=True)
class Exchange:
    """One probe and its answer. ``name`` is unique in a run and the same in the fat and the slim
    run.

    ``again`` is the answer to the same request sent a second time (safe requests only): what
    differs between the
    two is volatile by itself. ``unmet`` holds one sentence for each of the user's expectations
    that was not met.
    ``compare`` is how much of the answer must be equal in the slim image. ``page`` is set on a
    crawled page, so that
    the slim run asks for the same one; ``captured`` are the variables taken out of this answer.
    """

    name: str
    kind: Literal["http", "exec", "run", "healthcheck", "stop"]
    answer: Answer
    again: Answer | None = None
    unmet: tuple[str, ...] = ()
    seconds: float = 0.0
    compare: Literal["full", "status"] = "full"
    page: Page | None = None
    captured: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Trace:
    """All that a run of the original image showed; runs can be merged."""

    image: str  # the image's ID
    activity: Activity
    exchanges: tuple[Exchange, ...] = ()
    ports: tuple[int, ...] = ()  # those that answered
    uids: tuple[
        tuple[int, int], ...
    ] = ()  # (uid, gid) of the processes alive while probed, PID 1 first
    changed: tuple[str, ...] = ()  # paths that the engine says were added, changed or deleted
    warnings: tuple[TraceWarning, ...] = ()


class Target(Protocol):
    """A started app, as far as a probe needs it. The engine implements it."""

    def address(self, port: int) -> tuple[str, int] | None:
        """Where the app's TCP ``port`` can be reached from here (host, port), or None if it is not
        published.
        """

    def listeners(self) -> frozenset[Listener] | None:
        """The listening sockets seen so far, or None where this engine run cannot tell."""

    def exit_code(self) -> int | None:
        """None while the app runs, then its exit code."""

    def execute(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        user: str = "",
        environment: Mapping[str, str] | None = None,
        timeout: float = 60.0,
        during: str = "",
    ) -> CommandAnswer:
        """Run a command in the app's container (traced where the app is), bounded by ``timeout``
        seconds.

        Raises:
            TimeoutError: it did not end in time.
            ConnectionError: the app's container is not running.
        """

    def log_tail(self, lines: int = 20) -> tuple[str, ...]:
        """The last lines that the app printed."""

    def mark(self, during: str) -> None:
        """Say which probe is under way: file events seen from now on belong to it."""


@dataclass(frozen=True, slots=True)
class HttpCall:
    """One HTTP call of the plan; ``body`` is already encoded. ``{name}`` in texts stands for a
    captured variable.
    """

    method: str = "GET"
    path: str = "/"
    name: str = ""
    port: int | None = None
    scheme: Literal["http", "https"] = "http"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    json: object = None
    form: Mapping[str, str] | None = None
    files: tuple[Upload, ...] = ()
    expect: HttpExpectation = field(default_factory=lambda: HttpExpectation())
    capture: Mapping[str, str] = field(
        default_factory=dict
    )  # variable -> "json:$.a.b", "header:name", "regex:..."
    follow: bool = False  # follow redirects
    timeout: float = 30.0
    compare: Literal["full", "status"] = (
        "full"  # how much of the answer must be equal in the slim image
    )


@dataclass(frozen=True, slots=True)
class Upload:
    """One part of a multipart upload."""

    field: str
    filename: str
    content: bytes
    content_type: str = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class HttpExpectation:
    """What the user says the answer must be. Empty: anything below 500."""

    status: tuple[int, ...] = ()
    contains: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)  # name -> text that its value contains


@dataclass(frozen=True, slots=True)
class ExecCall:
    """A command run inside the app's container while it serves."""

    argv: tuple[str, ...]
    name: str = ""
    stdin: bytes = b""
    user: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    expect_exit: int = 0
    expect_contains: tuple[str, ...] = ()
    timeout: float = 60.0
    compare: Literal["full", "status"] = "full"


@dataclass(frozen=True, slots=True)
class RunCall:
    """A whole run of a command-line image: arguments after the entrypoint, files in, files out."""

    args: tuple[str, ...]
    name: str = ""
    entrypoint: tuple[str, ...] | None = None  # None: the image's own
    stdin: bytes = b""
    files_in: tuple[tuple[str, bytes], ...] = ()  # path in the container -> contents
    files_out: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    expect_exit: int = 0
    expect_contains: tuple[str, ...] = ()
    timeout: float = 120.0
    compare: Literal["full", "status"] = "full"


@dataclass(frozen=True, slots=True)
class Ready:
    """When the app counts as ready: by default, when a probed port accepts and, if it speaks HTTP,
    answers.

    ``path`` waits for an answer below 500 there; ``argv`` waits for exit code 0; ``timeout`` is in
    seconds.
    """

    path: str | None = None
    argv: tuple[str, ...] | None = None
    timeout: float = 60.0


@dataclass(frozen=True, slots=True)
class CrawlLimits:
    """How far the default crawl goes; ``depth`` 0 asks only for the start page."""

    enabled: bool = True
    depth: int = 2
    pages: int = 50
    start: str = "/"


@dataclass(frozen=True, slots=True)
class Plan:
    """All that is to be done with the app, from flags and probe file."""

    http: tuple[HttpCall, ...] = ()
    commands: tuple[ExecCall, ...] = ()
    runs: tuple[RunCall, ...] = ()
    ready: Ready = field(default_factory=Ready)
    crawl: CrawlLimits = field(default_factory=CrawlLimits)
    ports: tuple[
        int, ...
    ] = ()  # container ports to probe; empty: EXPOSE and what is seen listening
    environment: Mapping[str, str] = field(
        default_factory=dict
    )  # for the test runs only, never packed
    command: tuple[str, ...] | None = None  # replaces CMD in the test runs only
    stop_timeout: float = 10.0
    network: str = ""  # that the test runs join; empty: one of their own


def lines_of(data: bytes) -> Iterator[str]:
    """The lines of a command's or an app's output, undecodable bytes escaped for display."""
    for line in data.splitlines():
        yield line.decode("utf-8", "backslashreplace")
