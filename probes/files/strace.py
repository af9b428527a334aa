"""The command line of strace whose log `probes.files.recorder` reads."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Sequence

_OPTIONS = (
    "-f",  # follow forks and threads; every line then starts with the task's pid
    "-y",  # print paths after descriptors: the base of a relative name, and where an open ended up
    # Only the notes about attaching are unwanted. Exits stay, because they make the reuse of a pid
    # visible; and so must the notes about 32-bit mode, which tell the architecture of the calls.
    "--quiet=attach",
    # No byte of what is read, written or passed as an argument. Paths and socket addresses are
    # printed whole whatever the limit is.
    "-s",
    "0",
    # Files opened through an io_uring are invisible to ptrace. Without one, programs fall back to
    # ordinary calls. The question mark is for a tracer that does not know the call.
    "-e",
    "inject=?io_uring_setup:error=ENOSYS",
)


def command(
    strace: Sequence[str], output: str, argv: Sequence[str], *, daemonise: bool = True
) -> tuple[str, ...]:
    """The argument list that runs ``argv`` under strace (6.1 or newer).

    Args:
        strace: how strace itself is started, such as a loader with its options and the program.
        output: where the log goes, as the traced container sees it; usually a FIFO.
        argv: the traced program and its arguments.
        daemonise: make strace the grandchild and the program the direct child, so that the program
            keeps its pid, its exit code and its signals.
    """
    own = ("-D",) if daemonise else ()
    return (*strace, *own, *_OPTIONS, "-o", output, "--", *argv)


def complaint(lines: Sequence[str]) -> str:
    """Why strace could not start the program; empty where it did.

    Then it says so in the program's place, on one line, and ends with exit code 1.
    """
    found = re.fullmatch(r"\S*strace: (.*)", lines[0]) if len(lines) == 1 else None
    said = found[1] if found else ""
    if missing := re.fullmatch(r"Cannot find executable '(.*)'", said):
        return f"{missing[1]} is not in the image's PATH"
    if unseen := re.fullmatch(r"Can't stat '(.*)': (.*)", said):
        return f"{unseen[1]}: {unseen[2]}"
    if said == f"exec: {os.strerror(errno.ENOENT)}":  # the program itself was found before
        return "its interpreter or loader is not in the image"
    return said.removeprefix("exec: ")
