"""Becomes a program of the container: its user, its rights, its filter, then execve(2)."""

from __future__ import annotations

import errno
import os
import signal
import stat
from collections.abc import Mapping
from typing import Any

from slimpy.engine.embedded.inside import kernel
from slimpy.engine.embedded.inside.filters import Filter
from slimpy.engine.embedded.inside.users import Identity, UnknownUserError, identify

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_SINGLE = "only one user is available for containers here"


def become(spec: Mapping[str, Any], last_capability: int, status: int) -> None:
    """Run the program of a specification; what is in the way is told on ``status`` as a line of
    ``errno text``.
    """
    number, text = errno.EINVAL, ""
    try:
        number = _become(spec, last_capability)
        text = f"{spec['argv'][0]}: {os.strerror(number)}"
    except UnknownUserError as error:
        text = str(error)
    except OSError as error:
        number = error.errno or errno.EINVAL
        text = f"{error.filename or ''}: {error.strerror}".removeprefix(": ")
    os.write(status, f"{number} {text}".encode("utf-8", "replace")[:1000])
    os._exit(126 if number == errno.EACCES else 127)


def _become(spec: Mapping[str, Any], last_capability: int) -> int:
    who = identify(spec["user"])
    if spec["single"] and (who.uid or who.gid):
        raise OSError(errno.EPERM, _SINGLE, f"user {spec['user']}")
    environment = dict(spec["environment"])
    environment.setdefault("PATH", PATH)
    environment.setdefault("HOME", who.home)
    os.umask(0o022)
    for number in (signal.SIGPIPE, signal.SIGINT, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    os.makedirs(spec["workdir"], exist_ok=True)
    os.chdir(spec["workdir"])
    program = _found(spec["argv"][0], environment["PATH"])
    _hand_over_streams(who)
    seccomp = Filter(spec["seccomp"])
    kept = spec["capabilities"]
    started = kernel.Program(program, spec["argv"], tuple(environment.items()))
    kernel.clear_ambient()
    kernel.drop_bounding(kept, last_capability)
    if not spec["no_new_privileges"]:
        seccomp.load()
    if not spec["single"]:
        os.setgroups(who.groups)
    os.setgid(who.gid)
    os.setuid(who.uid)
    kernel.set_capabilities(kept if who.uid == 0 else ())
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    if spec["no_new_privileges"]:
        kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
        seccomp.load()
    return started.start()


def _hand_over_streams(who: Identity) -> None:
    """Programs open their output again by name (/dev/stderr), which only its owner may do."""
    for number in (0, 1, 2):
        if stat.S_ISFIFO(os.fstat(number).st_mode):
            os.fchown(number, who.uid, who.gid)


def _found(name: str, search: str) -> str:
    """The program that a name means, as execvp(3) finds it."""
    if "/" in name:
        return name
    refused = False
    for directory in search.split(":"):
        path = os.path.join(directory or ".", name)
        try:
            found = os.stat(path)
        except OSError:
            continue
        if not stat.S_ISREG(found.st_mode):
            continue
        if found.st_mode & 0o111:
            return path
        refused = True
    if refused:
        raise OSError(errno.EACCES, os.strerror(errno.EACCES), name)
    raise OSError(errno.ENOENT, "executable file not found in $PATH", name)
