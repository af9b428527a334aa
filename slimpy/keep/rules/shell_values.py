"""What the words of a shell script can stand for, as far as its own text and ENV tell."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from slimpy.keep.rules.shell_syntax import Use, Word

UNKNOWN = "\0"
"""Stands in a value for text that is only known when the script runs."""

MOST_VALUES = 16
"""Of a word that could stand for more than this nothing is known."""

LONGEST = 4096  # characters of one value
DEEPEST = 12  # variables in the values of variables
MOST_WORDS = 64  # assignments to one name; a list with more is data

_ARGUMENTS = frozenset("@*#?!-$123456789")
_SAME = frozenset({"cd", "realpath", "readlink", "echo", "printf", "cygpath"})


class Values:
    """The variables of all scripts together: they source and start one another.

    Which assignment comes first is not looked at: a variable stands for all that it is ever set to.
    """

    def __init__(
        self, environment: Mapping[str, str], workdir: str, command: Callable[[str], str | None]
    ) -> None:
        self._environment = {"HOME": "/root", **environment}
        self._workdir = workdir
        self._command = command
        self._assigned: dict[str, dict[Word, str]] = {}

    def add(self, assignments: Iterable[tuple[str, Word]], script: str) -> None:
        """Take assignments of a script into account."""
        for name, word in assignments:
            words = self._assigned.setdefault(name, {})
            if len(words) <= MOST_WORDS:
                words.setdefault(word, script)

    def expand(self, word: Word, script: str, depth: int = 0) -> tuple[str, ...]:
        """All that a word of ``script`` can stand for, sorted; with `UNKNOWN` where that is open.

        Braces with a list in them are taken for the list.
        """
        found = {""}
        for part in word:
            values = (part,) if isinstance(part, str) else self._use(part, script, depth)
            if len(found) * len(values) > MOST_VALUES:
                values = (UNKNOWN,)
            found = {(left + right)[:LONGEST] for left in found for right in values}
        braced = {text for value in found for text in _braces(value)}
        return tuple(sorted(braced if len(braced) <= 4 * MOST_VALUES else found))

    def variable(self, name: str, depth: int = 0) -> tuple[str, ...]:
        """All values of a variable; empty if none is known."""
        if depth > DEEPEST:
            return ()
        found = set()
        if name in self._environment:
            found.add(self._environment[name])
        words = self._assigned.get(name, {})
        if len(words) <= MOST_WORDS:
            for word, where in words.items():
                if not _is_about(word, name):
                    found.update(self.expand(word, where, depth + 1))
        values = tuple(sorted(found))
        return values if len(values) <= MOST_VALUES else ()

    def search_path(self) -> tuple[str, ...]:
        """Directories that the scripts add to PATH."""
        found: set[str] = set()
        for word, where in self._assigned.get("PATH", {}).items():
            own = tuple(
                part if isinstance(part, str) or part.name != "PATH" else ":" for part in word
            )
            for value in self.expand(own, where):
                found.update(part for part in value.split(":") if part.startswith("/"))
        return tuple(sorted(part for part in found if UNKNOWN not in part))

    def _use(self, use: Use, script: str, depth: int) -> tuple[str, ...]:
        if depth > DEEPEST:
            return (UNKNOWN,)
        if use.printed:
            return self._output(use.printed, script, depth)
        values: tuple[str, ...] = ()
        if use.name in ("0", "BASH_SOURCE"):
            values = (script,)
        elif use.name == "PWD":
            values = (self._workdir,)
        elif use.name and use.name not in _ARGUMENTS:
            values = self.variable(use.name, depth)
        if use.default is not None:
            values = tuple(sorted({*values, *self.expand(use.default, script, depth + 1)}))
        if use.cut:
            values = tuple(_cut(value, use.cut) for value in values)
        return values or (UNKNOWN,)

    def _output(self, words: Sequence[Word], script: str, depth: int) -> tuple[str, ...]:
        """What a command prints, for the few that scripts use to find out where they are."""
        texts = [self.expand(word, script, depth + 1) for word in words[:4]]
        name = texts[0][0]
        arguments = [values for values in texts[1:] if not values[0].startswith("-")]
        match name:
            case "pwd":
                return (self._workdir,)
            case "dirname" if arguments:
                return tuple(_cut(value, "%/*") for value in arguments[0])
            case "basename" if arguments:
                return tuple(_cut(value, "##*/") for value in arguments[0])
            case "command" | "which" if arguments:
                found = (self._command(value) for value in arguments[0])
                return tuple(path or UNKNOWN for path in found)
            case _ if name in _SAME and len(arguments) == 1:
                return arguments[0]
        return (UNKNOWN,)


def _is_about(word: Word, name: str) -> bool:
    """Whether a variable is set to something made of itself, as in ``x=$x:more``."""
    return any(isinstance(part, Use) and part.name == name for part in word)


def _cut(value: str, cut: str) -> str:
    """A value without what ``%`` or ``#`` and a pattern take off it (sh(1)); else `UNKNOWN`."""
    match cut:
        case "%/*":
            return value.rpartition("/")[0] or ("/" if value.startswith("/") else ".")
        case "##*/":
            return value.rpartition("/")[2]
        case "%/" | "%%/":
            return value.removesuffix("/")
    return UNKNOWN


def _braces(value: str, depth: int = 0) -> Iterator[str]:
    """``a{b,c}d`` as ``abd`` and ``acd`` (bash(1), Brace Expansion); no braces within braces."""
    before, brace, rest = value.partition("{")
    inside, end, after = rest.partition("}")
    if not brace or not end or "," not in inside or depth >= 4 or before.endswith("$"):
        yield value
        return
    for choice in inside.split(",")[:MOST_VALUES]:
        yield from _braces(f"{before}{choice}{after}", depth + 1)
