"""Values of a whole run, small ones."""

from __future__ import annotations

from probes.model import (
    Activity,
    CommandAnswer,
    Exchange,
    FileEvent,
    HttpAnswer,
    Listener,
    NoAnswer,
    Operation,
    Process,
    SyscallUse,
    Trace,
    TraceWarning,
)
from slimpy.harden.forms.bundle import bundle
from slimpy.harden.hardening import Hardening
from slimpy.harden.seccomp import profile
from slimpy.harden.writable import Writable
from slimpy.image.tree import Tree
from slimpy.model import (
    Account,
    Comparison,
    Entry,
    FileType,
    Image,
    ImagePath,
    KeepSet,
    Reason,
    Rule,
    Sameness,
    Verdict,
)
from slimpy.report.document import Outcome

P = ImagePath
HOSTILE = P("/app/evil\t\n\r\\n\x1b[31m\udcff\u202ename")

ENTRIES = (
    Entry(P("/app"), FileType.DIRECTORY),
    Entry(P("/app/main"), FileType.FILE, size=2_000_000, inode=7),
    Entry(P("/app/again"), FileType.FILE, size=2_000_000, inode=7),
    Entry(P("/app/lib.so"), FileType.FILE, size=400),
    Entry(P("/app/listed"), FileType.FILE, size=5_000),
    Entry(P("/app/latest"), FileType.LINK, target="main"),
    Entry(HOSTILE, FileType.FILE, size=3),
    Entry(P("/usr"), FileType.DIRECTORY),
    Entry(P("/usr/doc"), FileType.FILE, size=80_000_000),
    Entry(P("/usr/doc2"), FileType.FILE, size=9, inode=8),
    Entry(P("/usr/doc3"), FileType.FILE, size=9, inode=8),
    Entry(P("/usr/link"), FileType.LINK, target="doc"),
    Entry(P("/usr/pipe"), FileType.FIFO),
)
TREE = Tree(ENTRIES)
KEEP = KeepSet(
    {
        P("/"): (Reason(Rule.PARENT, "/app"),),
        P("/app"): (Reason(Rule.PARENT, "/app/main"),),
        P("/app/main"): (
            Reason(Rule.TOUCHED, "/app/main", "exec"),
            Reason(Rule.CONFIG, "ENTRYPOINT", "the entrypoint"),
        ),
        P("/app/again"): (Reason(Rule.HARDLINK, "/app/main"),),
        P("/app/lib.so"): (Reason(Rule.LIBRARY, "/app/main", "lib.so"),),
        P("/app/listed"): (Reason(Rule.LISTED, "/app", "GET /"),),
        P("/app/latest"): (Reason(Rule.LINK, "/app/main"),),
        HOSTILE: (Reason(Rule.TOUCHED, HOSTILE, "open\tby \x1b"),),
    },
    placeholders=frozenset({P("/app/listed")}),
    refused={P("/dev/\x1bzero"): "a device\x1b"},
    warnings=(TraceWarning("elf", "1 ELF file is damaged"),),
)
IMAGE = Image("web:1", "sha256:aa", "amd64", "linux", 84_005_403, "", {})
SLIM = Image("", "sha256:bb", "amd64", "linux", 2_000_403, "", {})
ACTIVITY = Activity(
    events=(
        FileEvent("/app/main", Operation.EXEC, None, "/app/main", "start"),
        FileEvent("/app/lib.so", Operation.OPEN, None, "/app/main", "start"),
        FileEvent("/app/lib.so", Operation.STAT, None, "/app/main", "start"),
    ),
    syscalls=(
        SyscallUse("read", "x86_64", "/app/main", frozenset({"ok"})),
        SyscallUse("syscall_0x1f4", "x86_64", "/app/main", frozenset({"ok"})),
    ),
    listeners=(Listener("tcp", "0.0.0.0", 8080),),
    processes=(Process(1, 0, "/app/main", None, None), Process(2, 1, "/app/main", 33, 33)),
    warnings=(TraceWarning("line", "a line was not understood", 2),),
)
TRACE = Trace(
    "sha256:aa",
    ACTIVITY,
    (
        Exchange("GET /", "http", HttpAnswer(200, (), b"hi", 2, "x")),
        Exchange("version", "exec", CommandAnswer(0, b"1\n", b"")),
        Exchange("gone", "exec", NoAnswer("timed\x1bout")),
    ),
    ports=(8080,),
    warnings=(TraceWarning("line", "a line was not understood", 3),),
)
PROFILE = profile(ACTIVITY, no_new_privileges=True)
ACCOUNT = Account(
    "33:33",
    33,
    33,
    "dropped-to",
    "The app's own processes drop from root to uid 33.",
    (P("/run"),),
)
HARDENING = Hardening(
    image="web.slim:1",
    original="web:1",
    config=IMAGE,
    profile=PROFILE,
    account=ACCOUNT,
    writable=(Writable(P("/run"), "tmpfs", 33, 33, 0o755, "the run made /run/pid"),),
    ports=(8080,),
    apparmor="profile slimpy-web {\n}\n",
)
FORMS = bundle(HARDENING)
GOOD = Verdict(
    (
        Comparison("GET /", "http", Sameness.SAME, "200, 2 bytes", "200, 2 bytes"),
        Comparison("version", "exec", Sameness.SAME, "exit 0", "exit 0"),
    )
)
BAD = Verdict(
    (
        Comparison("GET /", "http", Sameness.SAME, "200, 2 bytes", "200, 2 bytes"),
        Comparison(
            "GET /x\x1b",
            "http",
            Sameness.DIFFERENT,
            "200",
            "500",
            ("the status is 500 instead of 200",),
        ),
        Comparison("version", "exec", Sameness.BROKEN, "exit 0", ""),
    ),
    causes=("missing: /usr/doc (missed in round 1: open by /app/main)",),
)


def outcome(verdict: Verdict | None = GOOD, slim: Image | None = SLIM, tag: str = "web.slim:1"):
    return Outcome(
        image=IMAGE,
        tree=TREE,
        trace=TRACE,
        keep=KEEP,
        account=ACCOUNT,
        profile=PROFILE,
        hardening=HARDENING,
        widened=("a read-only root is in the way (/srv)",),
        verdict=verdict,
        slim=slim,
        tag=tag,
        seconds={"trace": 3.04159, "prove": 2.0},
        slimpy="0.1.0",
        directory="slim-report/web-1",
        warnings=(TraceWarning("rpm", "owners are unknown"),),
    )
