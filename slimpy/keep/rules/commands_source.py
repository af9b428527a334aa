"""Names of programs in source code and configuration: constants where a call starts a program."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass

from slimpy.keep.rules.commands_words import WORDS, is_build_tool

LARGEST = 1 << 20
"""Bytes of the largest text that is searched."""

MOST_NAMES = 256  # of one file

_QUOTED = rb"""[rbf]?(["'`])([^"'`\r\n\\$]{1,200})"""
_CALL = {
    "python": re.compile(
        rb"\b(?:(?:subprocess|sp)\.\w{3,20}|run|Popen|call|check_call|check_output|system|popen"
        rb"|getoutput|getstatusoutput|which|exec[lv]p?e?|spawn[lv]p?e?|posix_spawnp?"
        rb"|create_subprocess_exec|create_subprocess_shell|Command)\(\s{0,40}[\[(]?\s{0,40}"
        + _QUOTED
    ),
    "javascript": re.compile(
        rb"\b(?:exec|execSync|execFile|execFileSync|spawn|spawnSync|execa|execaSync|which)"
        rb"\)?\(\s{0,40}" + _QUOTED
    ),
    "ruby": re.compile(
        rb"(?:\b(?:system|exec|spawn|popen|popen[23]e?|capture[23]e?|pipeline)[( ]\s{0,40}\[?)"
        + _QUOTED
    ),
    "php": re.compile(
        rb"\b(?:exec|shell_exec|system|passthru|popen|proc_open|Process)\(\s{0,40}\[?\s{0,40}"
        + _QUOTED
    ),
    "perl": re.compile(
        rb"(?:\b(?:system|exec|qx|readpipe)\s?[({]?\s{0,40}|\bopen\b[^;\n]{0,80},\s?)" + _QUOTED
    ),
}
_MARK = {
    "python": (b"subprocess", b"os.", b"system", b"which"),
    "javascript": (b"child_process", b"execa", b"which"),
    "ruby": (b"system", b"exec", b"spawn", b"popen", b"capture", b"%x", b"`"),
    "php": (b"exec", b"system", b"passthru", b"popen", b"proc_open", b"Process", b"`"),
    "perl": (b"system", b"exec", b"qx", b"open", b"`"),
}
_SUFFIXES = {
    **dict.fromkeys((".py", ".pyw"), "python"),
    **dict.fromkeys((".js", ".mjs", ".cjs", ".ts"), "javascript"),
    **dict.fromkeys((".rb", ".rake", ".gemspec", ".ru"), "ruby"),
    **dict.fromkeys((".php", ".phtml", ".inc"), "php"),
    **dict.fromkeys((".pl", ".pm", ".cgi"), "perl"),
    **dict.fromkeys((".conf", ".ini", ".xml", ".service", ".desktop", ".cfg"), "settings"),
}
_INTERPRETERS = (
    (b"python", "python"),
    (b"node", "javascript"),
    (b"ruby", "ruby"),
    (b"perl", "perl"),
    (b"php", "php"),
)

_BACKTICKS = re.compile(rb"(?:(?<=[=\s(])`|%x[({\[])([^`)}\]\r\n\\$#]{1,200})")

# A list that begins with a program's name and has an option further on: ["tool", x, "--flag"].
_LIST = re.compile(rb"""\[\s{0,40}(["'])([^"'\s\\$]{1,80})\1\s?,[^\]\[]{0,240}["']-""")

_SETTING = re.compile(
    rb"""(?:^[ \t]*(?:command|exec|ExecStart|ExecStartPre|Exec|exec-start|program)[ \t]*="""
    rb"""[ \t]*(?P<line>[^\r\n]{1,400})$)|\bcommand=(?P<quote>["'])(?P<value>[^"'<>]{1,400})""",
    re.MULTILINE,
)

_RUNTIMES = re.compile(
    r"/(?:python\d[\d.]*|perl[\d.]*|perl5|perl-base|ruby)(?:/|$)|/node_modules/npm/|/lib/node/"
)
_INSTALLED = re.compile(r"/(?:site-packages|dist-packages|node_modules|gems|vendor)/")

_FOR_PEOPLE = frozenset({"bash", "fish", "open", "start", "xdg-open", "zsh"})
"""What libraries start for somebody at a terminal or a desktop."""

_COMMENT = re.compile(rb"^[ \t]*(?:#(?!!)|//|\*)[^\n]*", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Language:
    """What a text is written in; ``installed`` if it is a library and not the app itself."""

    name: str
    installed: bool = False


def language(path: str, head: bytes) -> Language | None:
    """What to search a file as; None if it is not searched: data, and libraries of the runtimes."""
    name = _SUFFIXES.get(path[path.rfind(".") :] if "." in path else "")
    if name is None and head.startswith(b"#!"):
        line = head.partition(b"\n")[0]
        name = next((value for mark, value in _INTERPRETERS if mark in line), None)
    if name is None:
        return None
    installed = _INSTALLED.search(path) is not None
    if not installed and _RUNTIMES.search(path) is not None:
        return None
    return Language(name, installed)


def names(data: bytes, source: Language) -> Iterator[str]:
    """First words of the commands that a text starts, each once; not all of them exist."""
    found: set[str] = set()
    for raw in _commands(data, source):
        word = _first_word(raw)
        if not word or word in found:
            continue
        if source.installed and (is_build_tool(word) or word in _FOR_PEOPLE):
            continue
        found.add(word)
        yield word
        if len(found) >= MOST_NAMES:
            return


def _commands(data: bytes, source: Language) -> Iterator[str]:
    if source.name == "settings":
        for match in _SETTING.finditer(data):
            value = match["line"] or match["value"] or b""
            yield html.unescape(value.decode("utf-8", "replace"))
        return
    if not any(mark in data for mark in _MARK[source.name]):
        return
    data = _COMMENT.sub(b"", data)
    for match in _CALL[source.name].finditer(data):
        yield match[match.lastindex or 0].decode("utf-8", "replace")
    if source.name in ("ruby", "php", "perl"):
        for match in _BACKTICKS.finditer(data):
            text = match[1].decode("utf-8", "replace")
            # Texts of libraries quote words so, too.
            if not (source.installed and text in WORDS):
                yield text
    if not source.installed and source.name in ("python", "javascript"):
        for match in _LIST.finditer(data):
            yield match[2].decode("utf-8", "replace")


def _first_word(command: str) -> str:
    """The program of a command line: without quotes, and without variables set before it."""
    for word in command.strip().lstrip("@-+!:").split()[:8]:
        word = word.strip("\"'`();")
        if word and "=" not in word:
            return word if not any(char in word for char in "<>{}*?[]$%\0") else ""
    return ""
