"""Names of programs that say little: words of the language, and tools that build software."""

from __future__ import annotations

import re

WORDS = frozenset(
    {
        *("[", "apply", "apropos", "arch", "ar", "as", "at", "base32", "base64", "batch", "bc"),
        *("cal", "cat", "check", "clear", "column", "comm", "compare", "composite", "convert"),
        *("cut", "date", "dc", "df", "diff", "dir", "display", "du", "echo", "ed", "env", "ex"),
        *("expand", "expr", "factor", "false", "file", "find", "fold", "free", "from", "groups"),
        *("head", "host", "hostname", "id", "identify", "import", "info", "install", "java"),
        *("join", "kill", "last", "ld", "less", "link", "ln", "locale", "login", "logger"),
        *("look", "ls", "mail", "make", "man", "merge", "mesg", "more", "mount", "mv", "nice"),
        *("nl", "node", "od", "partial", "paste", "patch", "perl", "pico", "ping", "pr"),
        *("printf", "ps", "ptx", "pwd", "python", "realpath", "renice", "reset", "rev", "rm"),
        *("ruby", "script", "sed", "select", "seq", "sh", "size", "sleep", "sort", "split"),
        *("stat", "stream", "strings", "strip", "su", "sum", "sync", "tabs", "tac", "tail"),
        *("tee", "test", "time", "timeout", "top", "touch", "tr", "true", "tty", "type"),
        *("uname", "uniq", "unlink", "uptime", "users", "vi", "view", "w", "wait", "wall"),
        *("watch", "wc", "which", "who", "whoami", "write", "xargs", "yes"),
    }
)
"""Words of English, or of code, that are names of programs too."""

_TOOLCHAIN = re.compile(r"(?:[\w]+-linux-\w+-)?([a-z+][a-z+-]*?)(?:-\d[\d.]*)?")

_BUILD_TOOLS = frozenset(
    {
        *("apt", "apt-get", "ar", "as", "c++", "cargo", "cc", "clang", "cmake", "conda", "cpp"),
        *("dpkg", "g++", "gcc", "gcc-ar", "gcc-nm", "gcc-ranlib", "gdb", "gfortran", "git", "hg"),
        *("ld", "lldb", "llvm-config", "make", "mt", "nm", "npm", "objcopy"),
        *("objdump", "pip", "pkg-config", "ranlib", "readelf", "rustc", "strip", "svn", "swig"),
        "yarn",
    }
)


def is_build_tool(name: str) -> bool:
    """Whether it builds or installs software; with or without a target and a version."""
    match = _TOOLCHAIN.fullmatch(name)
    return match is not None and match[1] in _BUILD_TOOLS
