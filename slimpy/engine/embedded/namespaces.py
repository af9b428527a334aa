"""Which users a container can have here: root's own, a range of subordinate ids, or just one."""

from __future__ import annotations

import json
import os
import pwd
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path

from slimpy import proc
from slimpy.errors import EngineUnavailableError, ProgramError

_SYS_ADMIN = 21
_SETFCAP = 31
"""Since Linux 5.12 needed to hand root's own id on (user_namespaces(7))."""
_IDS = 65536
_ONE = ((0, 0, 1),)
_ROOT = Path(__file__).parents[3]
"""Where the package lies, for programs that start without the usual search path."""


class Kind(StrEnum):
    """How users inside become users outside."""

    ROOT = "root"  # no user namespace: they are the same
    OWN = "own"  # root of a container: the same numbers in a new namespace
    RANGES = "ranges"  # newuidmap(1) and the subordinate ids of this user
    SINGLE = "single"  # root inside is this user; there is no other


Rows = tuple[tuple[int, int, int], ...]
"""(first inside, first outside, how many)."""


@dataclass(frozen=True, slots=True)
class Mapping:
    """The users of a container; ``newuidmap`` and ``newgidmap`` are programs of this machine."""

    kind: Kind
    uids: Rows = ()
    gids: Rows = ()
    newuidmap: str = ""
    newgidmap: str = ""

    @property
    def in_user_namespace(self) -> bool:
        """Whether there is a user namespace at all."""
        return self.kind is not Kind.ROOT


MORE_USERS = (
    "Install uidmap, and give this user a line in /etc/subuid and /etc/subgid;"
    " in a container, also add the capabilities SETUID and SETGID (docs/ci.md)."
)
"""What to do about the degraded mode."""

SINGLE_NOTE = (
    "only one user is available here: files of all users count as root's, and nothing can run as"
    f" another user. {MORE_USERS}"
)
"""Said where containers run in the degraded mode."""


@cache
def mapping() -> Mapping:
    """What this process can do: the best that works when it is tried.

    Raises:
        EngineUnavailableError: the system forbids user namespaces; the message names the setting.
    """
    if not sys.platform.startswith("linux"):
        message = "The embedded engine needs Linux."
        raise EngineUnavailableError(message, hint="Use --engine docker.")
    why = ""
    for users in _candidates():
        try:
            proc.run(command_in(users, (proc.find("true") or "/bin/true",)))
            return users
        except ProgramError as error:
            why = why or " ".join(error.details)
    raise forbidden(why)


def _candidates() -> Iterator[Mapping]:
    uid, gid = os.geteuid(), os.getegid()
    if uid == 0:
        own = tuple(Path(f"/proc/self/{kind}_map").read_text("ascii") for kind in ("uid", "gid"))
        uids_here, gids_here = map(same, own)
        if _effective() & 1 << _SYS_ADMIN and not any(map(in_namespace, own)):
            yield Mapping(Kind.ROOT)
        elif (uids_here, gids_here) != (_ONE, _ONE):
            yield Mapping(Kind.OWN, uids_here, gids_here)
    else:
        tools = proc.find("newuidmap"), proc.find("newgidmap")
        (first_uid, uids), (first_gid, gids) = (
            _subordinate("/etc/subuid", uid),
            _subordinate("/etc/subgid", uid),
        )
        if all(tools) and uids and gids:
            yield Mapping(
                Kind.RANGES,
                ((0, uid, 1), (1, first_uid, min(uids, _IDS))),
                ((0, gid, 1), (1, first_gid, min(gids, _IDS))),
                *map(str, tools),
            )
    yield Mapping(Kind.SINGLE, ((0, uid, 1),), ((0, gid, 1),))


def in_namespace(text: str) -> bool:
    """Whether a map (/proc/self/uid_map) is not that of the machine's own namespace, whose root may
    make devices and attributes that others may not.
    """
    return [line.split() for line in text.splitlines()] != [["0", "0", str((1 << 32) - 1)]]


def same(text: str) -> Rows:
    """The ids of a map that images use, each as itself: one row for each of the map's, as no row of
    a further map may reach over two (user_namespaces(7)).
    """
    rows = sorted(tuple(map(int, line.split())) for line in text.splitlines())
    return tuple(
        (inside, inside, min(count, _IDS - inside)) for inside, _, count in rows if inside < _IDS
    )


def _effective() -> int:
    text = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    match = re.search(r"^CapEff:\s*([0-9a-f]+)$", text, re.MULTILINE)
    return int(match[1], 16) if match else 0


def _subordinate(table: str, uid: int) -> tuple[int, int]:
    """(first, how many) of the first line for a user in subuid(5); zeros where there is none."""
    try:
        names = {str(uid), pwd.getpwuid(uid).pw_name}
    except KeyError:
        names = {str(uid)}
    try:
        lines = Path(table).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return 0, 0
    for line in lines:
        name, _, rest = line.partition(":")
        first, _, count = rest.partition(":")
        if name in names and first.isdigit() and count.isdigit() and int(count) > 1:
            return int(first), int(count)
    return 0, 0


def python(module: str, *arguments: str) -> tuple[str, ...]:
    """The command that runs a module of ours with nothing of the user's Python around it."""
    start = f"import sys; sys.path.insert(0, {str(_ROOT)!r}); from {module} import main; main()"
    return (sys.executable, "-I", "-S", "-c", start, *arguments)


def command_in(users: Mapping, argv: Sequence[str]) -> tuple[str, ...]:
    """The command that runs ``argv`` as root of a user namespace with these users (`argv` itself
    where root needs none); the program has to be given by its path.
    """
    if not users.in_user_namespace:
        return tuple(argv)
    return python("slimpy.engine.embedded.inside.enter", json.dumps(asdict(users)), *argv)


def forbidden(why: str) -> EngineUnavailableError:
    """Why no user namespace can be made here, and what can be done."""
    for path, value, setting in _SETTINGS:
        try:
            found = Path(path).read_text(encoding="ascii").strip()
        except OSError:
            continue
        if found == value:
            message = f"The embedded engine needs user namespaces, but {setting} is {value} here."
            good = "15000" if setting.startswith("user.") else str(1 - int(value))
            hint = f"Run as root, or allow them: sudo sysctl -w {setting}={good}"
            return EngineUnavailableError(message, hint=hint)
    reason = why.removeprefix("slimpy: ").strip() or "it was refused"
    if os.geteuid() == 0 and not reason.startswith("unshare") and not _effective() & 1 << _SETFCAP:
        message = "The embedded engine needs the capability SETFCAP where it runs as root."
        hint = "Add SETFCAP, SETUID and SETGID, or run as an ordinary user: see docs/ci.md."
        return EngineUnavailableError(message, hint=hint)
    message = f"The embedded engine needs user namespaces, which this system refuses: {reason}."
    hint = (
        "In a container its seccomp profile and AppArmor have to let unshare and mount pass, such"
        " as by --security-opt seccomp=unconfined: see docs/ci.md. Else run as root."
    )
    return EngineUnavailableError(message, hint=hint)


_SETTINGS = (
    ("/proc/sys/user/max_user_namespaces", "0", "user.max_user_namespaces"),
    ("/proc/sys/kernel/unprivileged_userns_clone", "0", "kernel.unprivileged_userns_clone"),
    (
        "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "kernel.apparmor_restrict_unprivileged_userns",
    ),
)
"""(file, the value that forbids user namespaces, name for sysctl)."""
