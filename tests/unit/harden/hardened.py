"""A small hardened app for the tests of the forms: a web server with state, logs and a database."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from probes.model import Activity, FileEvent, Listener, Operation, SyscallUse, Trace
from slimpy.harden import apparmor, writable
from slimpy.harden.hardening import Hardening, profile_name
from slimpy.harden.seccomp import profile
from slimpy.image.tree import Tree
from slimpy.model import Account, Entry, FileType, Image, ImagePath, KeepSet, Reason, Rule

REFERENCE = "team/shop.slim:1.0"
D, F, L = FileType.DIRECTORY, FileType.FILE, FileType.LINK

CONFIG: dict[str, Any] = {
    "Entrypoint": ["/app/server"],
    "Volumes": {"/var/lib/shop": {}},
    "WorkingDir": "/app",
    "Healthcheck": {
        "Test": ["CMD-SHELL", "curl -fsS http://localhost:8080/health || exit 1"],
        "Interval": 5_000_000_000,
        "StartPeriod": 2_000_000_000,
    },
}

ENTRIES = (
    ("/app/server", F, 0o755),
    ("/app/libshop.so", F, 0o644),
    ("/app/pages/a b.html", F, 0o644),
    ("/app/pages/c.html", F, 0o644),
    ("/app/unused", F, 0o644),
    ("/run", D, 0o755),
    ("/tmp", D, 0o1777),
    ("/var/lib/shop", D, 0o700),
    ("/srv/cache", D, 0o755),
    ("/srv/cache/seed.bin", F, 0o644),
)
UNUSED = ImagePath("/app/unused")


def image(config: dict[str, Any] | None = None) -> Image:
    return Image("team/shop:1.0", "sha256:5", "amd64", "linux", 1, "", config or CONFIG)


def tree() -> Tree:
    return Tree(Entry(ImagePath(path), kind, mode, 33, 33) for path, kind, mode in ENTRIES)


def keep(entries: Tree) -> KeepSet:
    kept = {item.path: (Reason(Rule.TOUCHED),) for item in entries if item.path != UNUSED}
    return KeepSet(kept)


def trace() -> Trace:
    done = (
        (Operation.EXEC, "/app/server"),
        (Operation.LIST, "/app/pages"),
        (Operation.CREATE, "/run/shop.pid"),
        (Operation.WRITE, "/tmp/upload"),
        (Operation.WRITE, "/var/lib/shop/shop.db"),
        (Operation.WRITE, "/srv/cache/new.bin"),
    )
    events = tuple(FileEvent(path, how, None, "/app/server", "start") for how, path in done)
    families = frozenset({"AF_INET", "AF_UNIX"})
    names = ("read", "openat", "epoll_wait", "accept4", "clone")
    uses = (
        *(SyscallUse(name, "x86_64", "/app/server", frozenset({"ok"})) for name in names),
        SyscallUse("socket", "x86_64", "/app/server", frozenset({"ok"}), families),
        SyscallUse("ioctl", "x86_64", "/app/server", frozenset({"ok"}), frozenset({"other"})),
    )
    listening = (Listener("tcp", "0.0.0.0", 80), Listener("tcp", "0.0.0.0", 8080))
    return Trace("sha256:5", Activity(events, uses, listening), ports=(80, 8080))


def hardened(**changes: Any) -> Hardening:
    """The app's restrictions at their strictest, changed as a test wants them."""
    entries, run = tree(), trace()
    account = Account("33:33", 33, 33, "dropped-to", "The workers do.")
    places = writable.compute(image(), entries, keep(entries), run, account)
    text = apparmor.text(
        apparmor.Confined(profile_name(REFERENCE), entries, keep(entries), run, places)
    )
    strict = Hardening(
        image=REFERENCE,
        original="team/shop:1.0",
        config=image(),
        profile=profile(run.activity, no_new_privileges=True),
        account=account,
        writable=places.places,
        ports=run.ports,
        apparmor=text,
        apparmor_state="not loaded here: the kernel has no AppArmor",
    )
    return replace(strict, **changes)
