"""The syntax of Dockerfiles: directives, comments, continued lines, flags, JSON, here-documents.

After the reference of Dockerfiles (docs.docker.com/reference/dockerfile), as BuildKit reads it.
What does not follow it becomes a problem with a line, never an exception.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

from slimpy.lint.source import Text, joined
from slimpy.lint.words import plain, split

LARGEST = 1 << 20
"""Bytes of a Dockerfile that are read; the largest real ones have some ten thousand."""

MOST_INSTRUCTIONS = 4000
MOST_PROBLEMS = 200

KEYWORDS = frozenset(
    {
        *("ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK"),
        *("LABEL", "MAINTAINER", "ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME"),
        "WORKDIR",
    }
)
_WITH_HEREDOC = frozenset({"ADD", "COPY", "RUN"})
_WITH_FLAGS = frozenset({"ADD", "COPY", "FROM", "HEALTHCHECK", "RUN"})
_WITH_JSON = frozenset({"ADD", "CMD", "COPY", "ENTRYPOINT", "RUN", "SHELL", "VOLUME"})
_DIRECTIVE = re.compile(r"#\s*([A-Za-z][A-Za-z0-9]*)\s*=\s*(.+?)\s*$")
_DIRECTIVES = frozenset({"syntax", "escape", "check"})
_HEREDOC = re.compile(r"[0-9]*<<(-?)([^<]+)")
_HEREDOC_NAME = re.compile(r"(['\"]?)([A-Za-z0-9_.-]+)\1")
_FLAG = re.compile(r"--([a-z][a-z0-9-]*)(?:=|$)")


@dataclass(frozen=True, slots=True)
class Heredoc:
    """A here-document: its name, whether it was quoted (then nothing in it is replaced), and its
    lines.
    """

    name: str
    quoted: bool
    body: Text


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction: ``keyword`` in capitals, flags without dashes, and the text behind them.

    ``words`` are those of the JSON form, None where it has another form. ``line`` and ``end`` are
    its first and last line.
    """

    keyword: str
    line: int
    end: int
    flags: tuple[tuple[str, str], ...]
    rest: Text
    words: tuple[str, ...] | None = None
    heredocs: tuple[Heredoc, ...] = ()

    def flag(self, name: str) -> str | None:
        """The value of a flag, None if it is not given."""
        return next((value for key, value in self.flags if key == name), None)


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is no Dockerfile syntax."""

    line: int
    message: str


@dataclass(frozen=True, slots=True)
class Dockerfile:
    """A file in its parts; ``comments`` are line -> text behind the sharp."""

    instructions: tuple[Instruction, ...] = ()
    directives: dict[str, str] = field(default_factory=dict)
    comments: dict[int, str] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    escape: str = "\\"


def parse(text: str) -> Dockerfile:
    """Read a Dockerfile; beyond the bounds it is not looked at, and a problem says so."""
    return _Parser(text).read()


def json_words(text: str) -> tuple[str, ...] | None:
    """The strings of a JSON list, None if it is no such list."""
    if not text.startswith("["):
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return tuple(value) if all(isinstance(item, str) for item in value) else None


class _Parser:
    """Goes through the lines once."""

    def __init__(self, text: str) -> None:
        self.lines = [line.removesuffix("\r") for line in text.removeprefix("\ufeff").split("\n")]
        self.at = 0
        self.escape = "\\"
        self.directives: dict[str, str] = {}
        self.comments: dict[int, str] = {}
        self.instructions: list[Instruction] = []
        self.problems: list[Problem] = []

    def read(self) -> Dockerfile:
        self._read_directives()
        continued = re.compile(
            rf"(?:^|(?<=[^{re.escape(self.escape)}])){re.escape(self.escape)}[ \t]*$"
        )
        while self.at < len(self.lines):
            if self._skip_comment_or_blank():
                continue
            if len(self.instructions) >= MOST_INSTRUCTIONS:
                self._problem(f"There are more than {MOST_INSTRUCTIONS} instructions.")
                break
            self._instruction(continued)
        return Dockerfile(
            tuple(self.instructions),
            self.directives,
            self.comments,
            tuple(self.problems),
            self.escape,
        )

    def _read_directives(self) -> None:
        while self.at < len(self.lines):
            found = _DIRECTIVE.match(self.lines[self.at].strip())
            name = found[1].lower() if found else ""
            if found is None or name not in _DIRECTIVES:
                return
            if name in self.directives:
                self._problem(f"The directive {name} is given twice.")
            self.directives[name] = found[2]
            if name == "escape":
                if found[2] in ("\\", "`"):
                    self.escape = found[2]
                else:
                    self._problem("The escape character can only be \\ or `.")
            self.at += 1

    def _skip_comment_or_blank(self) -> bool:
        line = self.lines[self.at].strip()
        if line.startswith("#"):
            self.comments[self.at + 1] = line[1:].strip()
        elif line:
            return False
        self.at += 1
        return True

    def _instruction(self, continued: re.Pattern[str]) -> None:
        start = self.at + 1
        text = joined(self._pieces(continued)).stripped()
        if not text.value:
            return  # a lone escape character; what it continues into is told
        keyword = re.split(r"\s", text.value, maxsplit=1)[0]
        name, rest = keyword.upper(), text.cut(len(keyword)).stripped()
        flags: tuple[tuple[str, str], ...] = ()
        if name in _WITH_FLAGS:
            flags, rest = self._flags(rest)
        words = json_words(rest.value) if name in _WITH_JSON else None
        heredocs: tuple[Heredoc, ...] = ()
        if name in _WITH_HEREDOC and words is None and "<<" in rest.value:
            heredocs = self._heredocs(rest, start)
        self.instructions.append(Instruction(name, start, self.at, flags, rest, words, heredocs))

    def _pieces(self, continued: re.Pattern[str]) -> list[tuple[str, int]]:
        """The lines of an instruction, without what continues them; comments between are none."""
        pieces = []
        while True:
            line, number = self.lines[self.at], self.at + 1
            ending = continued.search(line)
            pieces.append((line[: ending.start()] if ending else line, number))
            self.at += 1
            if ending is None:
                return pieces
            blank = 0
            while self.at < len(self.lines) and self._skip_comment_or_blank():
                if self.at not in self.comments:
                    blank = blank or self.at
            if self.at >= len(self.lines):
                self._problem("The last line is continued, but no line follows.", number)
                return pieces
            if blank:
                self._problem("An empty line stands within an instruction.", blank)

    def _flags(self, rest: Text) -> tuple[tuple[tuple[str, str], ...], Text]:
        flags, end = [], 0
        for word in split(rest.value, self.escape):
            found = _FLAG.match(word.text)
            if found is None:
                break
            value = plain(word.text[found.end() :], self.escape) or ""
            flags.append((found[1], value))
            end = word.offset + len(word.text)
        return tuple(flags), rest.cut(end).stripped()

    def _heredocs(self, rest: Text, start: int) -> tuple[Heredoc, ...]:
        found = []
        for word in split(rest.value, self.escape):
            match = _HEREDOC.fullmatch(word.text)
            name = _HEREDOC_NAME.fullmatch(match[2]) if match else None
            if match and name:
                body = self._body(name[2], dashed=bool(match[1]), start=start)
                found.append(Heredoc(name[2], bool(name[1]), body))
        return tuple(found)

    def _body(self, name: str, *, dashed: bool, start: int) -> Text:
        pieces: list[tuple[str, int]] = []
        while self.at < len(self.lines):
            line = self.lines[self.at]
            line = line.lstrip("\t") if dashed else line
            self.at += 1
            if line == name:
                return joined(pieces)
            pieces.append((line + "\n", self.at))
        self._problem(f"The here-document {name} has no end.", start)
        return joined(pieces)

    def _problem(self, message: str, line: int | None = None) -> None:
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(Problem(line or self.at + 1, message))
