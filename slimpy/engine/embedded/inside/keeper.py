"""The keeper of one container: makes its namespaces and its first process, and serves its owner.

It stays outside of the container's processes, but sees its files and its network. It reads requests
from a socket, whose descriptor is its only argument: one JSON object each, with descriptors beside
it. The end of that socket is the end of the container.
"""

from __future__ import annotations

import codecs
import errno
import fcntl
import json
import os
import signal
import socket
import stat
import struct
import sys
from typing import Any

from slimpy.engine.embedded.inside import kernel, mounts, process

ADDRESS = "10.203.0.2"
"""The container's own address: what listens on loopback only is not reached by it, as elsewhere."""
REQUEST = 1 << 20
"""Bytes of one request, at most."""
_CONNECT_SECONDS = 2.0
_SIOCSIFADDR, _SIOCSIFFLAGS, _SIOCSIFNETMASK = 0x8916, 0x8914, 0x891C
_IFF_UP_RUNNING = 0x41
_SYS_PTRACE_CAPABILITY = struct.pack("<5I", 0x02000001, 1 << 19, 0, 0, 0)


def main() -> None:
    """Serve until the owner goes."""
    control = socket.socket(fileno=int(sys.argv[1]))
    # The socket tells when the owner is gone, however it went. A signal for that would leave no
    # time to end a first process that is setuid, and so gets none itself (prctl(2)).
    kernel.prctl(kernel.PR_SET_PDEATHSIG, 0)
    keeper = Keeper(control)
    try:
        keeper.serve()
    finally:
        keeper.end()


class Keeper:
    """See the module. ``init`` is the container's first process, 0 before it is made."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._init = 0
        self._exits: dict[int, int] = {}
        self._go = self._status = -1
        self._last_capability = kernel.last_capability()
        self._null = os.open("/dev/null", os.O_RDWR)

    def serve(self) -> None:
        """Answer requests one by one."""
        while True:
            data, fds, _, _ = socket.recv_fds(self._control, REQUEST, 4)
            if not data:
                return
            request = json.loads(data)
            try:
                answer, given = self._answer(request, fds)
            except OSError as error:
                name = f"{error.filename}: " if error.filename else ""
                answer, given = {"errno": error.errno, "error": f"{name}{error.strerror}"}, []
            for fd in fds:
                os.close(fd)
            socket.send_fds(self._control, [json.dumps(answer).encode()], given)
            for fd in given:
                os.close(fd)

    def end(self) -> None:
        """Let nothing of the container live on."""
        if self._init:
            try:
                os.kill(self._init, signal.SIGKILL)
                os.waitpid(self._init, 0)
            except (ProcessLookupError, ChildProcessError):
                pass

    def _answer(self, request: dict[str, Any], fds: list[int]) -> tuple[Any, list[int]]:
        match request["do"]:
            case "make":
                return self._make(request), []
            case "start":
                return self._start(), []
            case "spawn":
                return self._spawn(request, fds), []
            case "poll":
                self._reap()
                return {str(pid): code for pid, code in self._exits.items()}, []
            case "kill":
                self._kill(request["process"], request["signal"])
                return {}, []
            case "connect":
                return {}, [_connected(request["port"])]
            case "read":
                return {}, [_opened(request["path"])]
            case "put":
                _put(request["path"], fds[0])
                return {}, []
            case "identities":
                return _identities(), []
        raise OSError(errno.ENOSYS, "unknown request")

    def _make(self, spec: dict[str, Any]) -> dict[str, Any]:
        """Namespaces, file system and the first process, which waits for `start`."""
        if spec["toolbox"]:
            _give_capability(os.path.join(spec["toolbox"], "ld-trace.so"))
        flags = kernel.CLONE_NEWNS | kernel.CLONE_NEWPID | kernel.CLONE_NEWIPC
        flags |= kernel.CLONE_NEWUTS
        if not spec["host_network"]:
            flags |= kernel.CLONE_NEWNET
        kernel.unshare(flags)
        socket.sethostname(spec["hostname"])
        if not spec["host_network"]:
            _bring_up_loopback()
        _forget_the_host()
        go, status = os.pipe(), os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(go[1])
            _first_process(spec, self._last_capability, go[0], status[1])
        os.close(go[0])
        os.close(status[1])
        for number in (0, 1, 2):
            os.dup2(self._null, number)
        self._init, self._go, self._status = pid, go[1], status[0]
        said = os.read(self._status, 2000)
        if said != b"ready":
            return _refusal(said)
        os.chdir("/")
        return {"init": pid}

    def _start(self) -> dict[str, Any]:
        os.write(self._go, b"go")
        os.close(self._go)
        said = os.read(self._status, 2000)
        os.close(self._status)
        return _refusal(said) if said else {}

    def _spawn(self, spec: dict[str, Any], fds: list[int]) -> dict[str, Any]:
        """One more process; its streams are the three descriptors given."""
        if self._init in self._exits:
            raise ProcessLookupError(errno.ESRCH, "the container is not running")
        status = os.pipe()
        pid = os.fork()
        if pid == 0:
            kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
            os.setsid()
            for number, fd in enumerate(fds):
                os.dup2(fd, number)
            _close_others(status[1])
            process.become(spec, self._last_capability, status[1])
        os.close(status[1])
        said = os.read(status[0], 2000)
        os.close(status[0])
        return _refusal(said) if said else {"process": pid}

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            code = os.waitstatus_to_exitcode(status)
            self._exits[pid] = code if code >= 0 else 128 - code

    def _kill(self, pid: int, number: int) -> None:
        self._reap()
        if pid not in self._exits:
            os.kill(pid, number)


def _first_process(spec: dict[str, Any], last_capability: int, go: int, status: int) -> None:
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    os.setsid()
    try:
        mounts.assemble(spec)
    except OSError as error:
        name = error.filename or ""
        os.write(status, f"{error.errno} {name}: {error.strerror}".encode()[:1000])
        os._exit(125)
    os.write(status, b"ready")
    if os.read(go, 10) != b"go":
        os._exit(125)
    _close_others(status)
    process.become(spec, last_capability, status)


def _forget_the_host() -> None:
    """From here on nothing is imported: the image decides what lies at every path."""
    for name in ("ascii", "latin-1", "utf-8", "idna"):
        codecs.lookup(name)
    sys.path.clear()
    sys.path_importer_cache.clear()
    del sys.meta_path[2:]  # what remains are built in and frozen modules


def _close_others(kept: int) -> None:
    os.closerange(3, kept)
    os.closerange(kept + 1, 4096)


def _refusal(said: bytes) -> dict[str, Any]:
    number, _, text = said.decode("utf-8", "replace").partition(" ")
    known = number.isdigit()
    return {"errno": int(number) if known else errno.EIO, "error": text or "it ended at once"}


def _give_capability(loader: str) -> None:
    """The tracer's loader may trace programs that change their user; for a user namespace the
    kernel notes whose capability it is (capabilities(7), "Namespaced file capabilities").
    """
    name = "security.capability"
    if name not in os.listxattr(loader):
        os.setxattr(loader, name, _SYS_PTRACE_CAPABILITY)


def _bring_up_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        up = struct.pack("16sh14x", b"lo", _IFF_UP_RUNNING)
        fcntl.ioctl(control, _SIOCSIFFLAGS, up)
        for request, address in ((_SIOCSIFADDR, ADDRESS), (_SIOCSIFNETMASK, "255.255.255.255")):
            value = struct.pack("HH4s8x", socket.AF_INET, 0, socket.inet_aton(address))
            fcntl.ioctl(control, request, struct.pack("16s16s8x", b"lo:1", value))


def _connected(port: int) -> int:
    """A connection to what listens on a port of the container."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as made:
        made.settimeout(_CONNECT_SECONDS)
        made.connect((ADDRESS, port))
        made.setblocking(True)
        return made.detach()


def _opened(path: str) -> int:
    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise OSError(errno.EINVAL, "not a regular file", path)
    return file


def _put(path: str, source: int) -> None:
    os.makedirs(os.path.dirname(path) or "/", exist_ok=True)
    flags = os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_NONBLOCK | os.O_CLOEXEC
    file = os.open(path, flags, 0o644)
    try:
        os.fchmod(file, 0o644)
        while data := os.read(source, 1 << 20):
            os.write(file, data)
    finally:
        os.close(file)


def _identities() -> list[tuple[int, int, int, str]]:
    """(pid inside, uid, gid, name) of every process, by the container's own /proc."""
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            file = os.open(f"/proc/{name}/status", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            continue
        text = os.read(file, 1 << 16).decode("utf-8", "replace")
        os.close(file)
        rows = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
        uid, gid = rows["Uid"].split()[1], rows["Gid"].split()[1]
        found.append((int(name), int(uid), int(gid), rows["Name"].strip()))
    return sorted(found)


if __name__ == "__main__":
    main()
