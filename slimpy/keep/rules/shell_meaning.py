"""What a command line starts: the program itself, and those that it is told to start."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from slimpy.keep.rules.shell_syntax import Script, Use
from slimpy.keep.rules.shell_values import UNKNOWN

DEEPEST = 8
"""Wrappers within wrappers that are looked through."""

SHELLS = frozenset({"sh", "bash", "dash", "ash", "ksh", "ksh93", "mksh", "zsh", "hush", "yash"})

BUILTINS = frozenset(
    {
        *(
            ".",
            ":",
            "[",
            "[[",
            "alias",
            "bg",
            "bind",
            "break",
            "builtin",
            "caller",
            "cd",
            "command",
        ),
        *("compgen", "complete", "compopt", "continue", "coproc", "declare", "dirs", "disown"),
        *("echo", "enable", "eval", "exec", "exit", "export", "false", "fc", "fg", "getopts"),
        *("hash", "help", "history", "jobs", "kill", "let", "local", "logout", "mapfile", "popd"),
        *("printf", "pushd", "pwd", "read", "readarray", "readonly", "return", "set", "shift"),
        *("shopt", "source", "suspend", "test", "times", "trap", "true", "type", "typeset"),
        *("ulimit", "umask", "unalias", "unset", "wait", "((", "!", "{", "}", "time"),
    }
)
"""Words that bash or dash carry out themselves (bash(1), dash(1))."""

_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\+?=")


@dataclass(frozen=True, slots=True)
class _Wrapper:
    """A program that starts another one: its options that take a value in the next word, and how
    many arguments come before the command.
    """

    valued: frozenset[str] = frozenset()
    before: int = 0


def _wrapper(valued: str = "", before: int = 0) -> _Wrapper:
    return _Wrapper(frozenset(valued.split()), before)


_WRAPPERS = {
    "exec": _wrapper("-a"),
    "command": _wrapper(),
    "builtin": _wrapper(),
    "coproc": _wrapper(),
    "time": _wrapper("-f -o"),
    "type": _wrapper(),
    "hash": _wrapper("-p"),
    "which": _wrapper(),
    "env": _wrapper("-u -C -S --unset --chdir"),
    "nohup": _wrapper(),
    "nice": _wrapper("-n"),
    "ionice": _wrapper("-c -n"),
    "chrt": _wrapper("", 1),
    "taskset": _wrapper("", 1),
    "timeout": _wrapper("-k -s", 1),
    "stdbuf": _wrapper("-i -o -e"),
    "unbuffer": _wrapper(),
    "setsid": _wrapper(),
    "chroot": _wrapper("", 1),
    "sudo": _wrapper("-u -g -C -D -h -p -R -r -t -T -U"),
    "doas": _wrapper("-u -C"),
    "gosu": _wrapper("", 1),
    "su-exec": _wrapper("", 1),
    "setpriv": _wrapper(
        "--reuid --regid --groups --inh-caps --ambient-caps --bounding-set --securebits --pdeathsig"
    ),
    "runuser": _wrapper("-u -g -G -s"),
    "chpst": _wrapper("-u -U -b -e -d -n -l -L -m -o -p -f -c -t -r -0 -/"),
    "setuidgid": _wrapper("", 1),
    "s6-setuidgid": _wrapper("", 1),
    "envdir": _wrapper("", 1),
    "s6-envdir": _wrapper("", 1),
    "softlimit": _wrapper("-m -d -s -l -a -o -p -f -c -r -t"),
    "with-contenv": _wrapper(),
    "tini": _wrapper("-p -e"),
    "tini-static": _wrapper("-p -e"),
    "docker-init": _wrapper("-p -e"),
    "catatonit": _wrapper("-P"),
    "dumb-init": _wrapper("-r --rewrite"),
    "xargs": _wrapper("-a -d -E -I -L -n -P -s"),
    "parallel": _wrapper("-j -N"),
    "flock": _wrapper("-w -E", 1),
    "watch": _wrapper("-n"),
    "fakeroot": _wrapper("-l -i -s"),
    "capsh": _wrapper(),
    "prlimit": _wrapper(),
    "unshare": _wrapper(),
    "strace": _wrapper("-e -o -p -s"),
    "busybox": _wrapper(),
    "toybox": _wrapper(),
    "entr": _wrapper(),
    "caffeinate": _wrapper(),
    "wait-for-it": _wrapper("-h -p -t"),
}

Words = Sequence[tuple[str, ...]]
"""The words of a command, each with all that it can stand for."""


@dataclass(slots=True)
class Found:
    """What command lines start: ``programs`` by name or path, ``scripts`` read by a shell, and
    ``texts`` of shell code.
    """

    programs: set[str] = field(default_factory=set)
    scripts: set[str] = field(default_factory=set)
    texts: set[str] = field(default_factory=set)
    directories: set[str] = field(default_factory=set)  # that are changed into


class Meaning:
    """Understands command lines. Functions stand before programs of the same name."""

    def __init__(self, functions: Collection[str], runners: Collection[str]) -> None:
        self._functions = functions
        self._runners = runners
        self.found = Found()

    def look(self, words: Words, depth: int = 0) -> None:
        """Note what one command line starts."""
        start = next(
            (n for n, word in enumerate(words) if not _ASSIGNMENT.match(word[0])), len(words)
        )
        words = words[start:]
        if not words or depth > DEEPEST:
            return
        for first in words[0]:
            self._start(first, words[1:], depth)

    def _start(self, first: str, arguments: Words, depth: int) -> None:
        name = first.rpartition("/")[2]
        if first in self._functions:
            if first in self._runners:
                self.look(arguments, depth + 1)
            return
        if not name or not first.strip(UNKNOWN):
            return
        if first not in BUILTINS and not first.startswith("-"):
            self.found.programs.add(first)
        match name:
            case "." | "source":
                self.found.scripts.update(*arguments[:1])
            case "cd" | "pushd":
                self.found.directories.update(*arguments[:1])
            case "eval":
                if len(arguments) <= 64:
                    self.found.texts.add(" ".join(word[0] for word in arguments))
            case "trap":
                self.found.texts.update(*(word for word in arguments[:1] if word[0] != "-"))
            case "su":
                self._code(arguments)
            case "find":
                self._find(arguments, depth)
            case "start-stop-daemon":
                self._daemon(arguments)
            case _ if name in SHELLS:
                self._shell(arguments)
            case _ if name in _WRAPPERS:
                self._wrapped(name, arguments, depth)
        self._behind_dashes(first, name, arguments, depth)

    def _wrapped(self, name: str, arguments: Words, depth: int) -> None:
        if name in ("flock", "runuser", "watch"):
            self._code(arguments)
        if name in ("command", "type", "hash", "which") and arguments:
            # Such a look shows that the script has a use for the program.
            for word in arguments[:16]:
                if not word[0].startswith("-"):
                    self.look([word], depth + 1)
        wrapper = _WRAPPERS[name]
        start = _options_end(arguments, wrapper.valued)
        while start < len(arguments) and _ASSIGNMENT.match(arguments[start][0]):
            start += 1
        self.look(arguments[start + wrapper.before :], depth + 1)

    def _shell(self, arguments: Words) -> None:
        """``sh -c CODE`` and ``sh FILE``; letters may be joined to ``-c`` as in ``-lc``."""
        code = False
        for word in arguments:
            text = word[0]
            if text.startswith("-") and len(text) > 1 and not text.startswith("--"):
                code = code or "c" in text
            elif not text.startswith(("-", "+")):
                (self.found.texts if code else self.found.scripts).update(word)
                return

    def _code(self, arguments: Words) -> None:
        """Shell code behind ``-c`` or ``--command``."""
        for option, word in pairwise(arguments):
            if option[0] in ("-c", "--command", "--session-command"):
                self.found.texts.update(word)

    def _find(self, arguments: Words, depth: int) -> None:
        for number, word in enumerate(arguments):
            if word[0] in ("-exec", "-execdir", "-ok", "-okdir"):
                rest = arguments[number + 1 :]
                end = next((n for n, w in enumerate(rest) if w[0] in (";", "+")), len(rest))
                self.look(rest[:end], depth + 1)

    def _daemon(self, arguments: Words) -> None:
        for option, word in pairwise(arguments):
            if option[0] in ("-x", "--exec", "-a", "--startas"):
                self.found.programs.update(word)
        for word in arguments:
            name, equals, value = word[0].partition("=")
            if equals and name in ("--exec", "--startas"):
                self.found.programs.add(value)

    def _behind_dashes(self, first: str, name: str, arguments: Words, depth: int) -> None:
        """A command behind ``--`` that a script of the app's own is to start; or ``set -- CMD``."""
        is_script = "/" in first or name.endswith(".sh") or name.startswith("wait-for")
        if name in _WRAPPERS or not (is_script or name == "set"):
            return
        for number, word in enumerate(arguments[:32]):
            if word[0] == "--":
                self.look(arguments[number + 1 :], depth + 1)
                return


def _options_end(words: Words, valued: Collection[str]) -> int:
    """Where the arguments begin."""
    position = 0
    while position < len(words) and words[position][0].startswith("-"):
        text = words[position][0]
        position += 2 if text in valued else 1
        if text == "--":
            break
    return position


def runners(script: Script) -> Iterator[str]:
    """Functions that start what they are given: ``run() { "$@"; }``."""
    for command in script.commands:
        if not command.function or not command.words:
            continue
        first = command.words[0]
        given = [
            n
            for n, word in enumerate(command.words)
            if len(word) == 1 and isinstance(word[0], Use) and word[0].name in ("@", "*", "1")
        ]
        is_wrapped = len(first) == 1 and first[0] in _WRAPPERS
        if given and (given[0] == 0 or is_wrapped):
            yield command.function
