"""Runs a program in a user namespace of its own: `MAPPING PROGRAM [ARGUMENT...]`.

Outside stays a process that writes the maps, waits, and ends as the program did.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any

from slimpy.engine.embedded.inside import kernel

FAILED = 125
"""Exit code where the namespace could not be made; the reason is on standard error."""


def main() -> None:
    """Run it."""
    mapping = json.loads(sys.argv[1])
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    ready, go = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        _inside(ready, go)
    os.close(ready[1])
    os.close(go[0])
    said = os.read(ready[0], 100)
    if said == b"unshared":
        try:
            _map(child, mapping)
            os.write(go[1], b"go")
        except OSError as error:
            print(f"slimpy: {error.strerror}", file=sys.stderr)
    else:
        print(f"slimpy: {said.decode()}", file=sys.stderr)
    os.close(go[1])
    _let_go()
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    os._exit(code if code >= 0 else 128 - code)


def _let_go() -> None:
    """Hold none of the program's streams open."""
    null = os.open("/dev/null", os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    os.closerange(3, 4096)


def _inside(ready: tuple[int, int], go: tuple[int, int]) -> None:
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    os.close(go[1])
    try:
        kernel.unshare(kernel.CLONE_NEWUSER)
    except OSError as error:
        os.write(ready[1], f"unshare: {error.strerror}".encode())
        os._exit(FAILED)
    os.write(ready[1], b"unshared")
    if os.read(go[0], 10) != b"go":
        os._exit(FAILED)
    # Taking on root's identity inside is what lets files of other owners be made.
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)
    kernel.prctl(kernel.PR_SET_DUMPABLE, 1)
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    os.execv(sys.argv[2], sys.argv[2:])


def _map(process: int, mapping: dict[str, Any]) -> None:
    """Write the maps of users and groups: rows of (inside, outside, count)."""
    if mapping["kind"] == "ranges":
        for tool, rows in (("newuidmap", mapping["uids"]), ("newgidmap", mapping["gids"])):
            numbers = [str(number) for row in rows for number in row]
            argv = [mapping[tool], str(process), *numbers]
            spawned = os.posix_spawn(argv[0], argv, {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
            _, status = os.waitpid(spawned, 0)
            if status:
                raise OSError(1, f"{tool} refused {' '.join(numbers)}")
        return
    if mapping["kind"] == "single":
        _write(f"/proc/{process}/setgroups", "deny")
    _write(f"/proc/{process}/uid_map", _rows(mapping["uids"]))
    _write(f"/proc/{process}/gid_map", _rows(mapping["gids"]))


def _rows(rows: list[list[int]]) -> str:
    return "".join(f"{inside} {outside} {count}\n" for inside, outside, count in rows)


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


if __name__ == "__main__":
    main()
