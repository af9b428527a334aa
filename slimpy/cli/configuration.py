"""`slimpy.toml`: what a project keeps in every build, beside its app."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from slimpy.engine.choice import EngineName
from slimpy.errors import UsageError
from slimpy.lint.finding import EVERYTHING, Choice, Severity
from slimpy.model import Level
from slimpy.settings import Wishes
from slimpy.xray import thresholds
from slimpy.xray.thresholds import Thresholds

DEFAULT = Path("slimpy.toml")
LARGEST = 1 << 20  # bytes of the file


@dataclass(frozen=True, slots=True)
class Configuration:
    """The values of the file; None and nothing where it does not say. Flags come on top."""

    wishes: Wishes = field(default_factory=Wishes)
    level: Level | None = None
    probe_file: Path | None = None
    repair: int | None = None
    root: bool | None = None
    engine: EngineName | None = None
    lint: Choice = EVERYTHING
    xray: Thresholds | None = None


def load(file: Path | None) -> Configuration:
    """Read ``file``, or `slimpy.toml` of the working directory if there is one.

    Raises:
        UsageError: it cannot be read, or says what is not understood; names file, line and key.
    """
    if file is None:
        if not DEFAULT.is_file():
            return Configuration()
        file = DEFAULT
    return parse(_text(file), file)


def parse(text: str, file: Path) -> Configuration:
    """The configuration that ``text`` says; paths in it are relative to ``file``.

    Raises:
        UsageError: see `load`.
    """
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        message = f"{file} is not TOML: {error}."
        raise UsageError(message) from error
    for key in document:
        if key not in _KEYS:
            message = f"{file}:{_line(text, key)}: there is no key {key!r}."
            raise UsageError(message, hint=f"The keys are: {', '.join(sorted(_KEYS))}.")
    given = {}
    for key, value in document.items():
        wanted, read = _KEYS[key]
        try:
            given[key] = read(value)
        except ValueError as error:
            message = f"{file}:{_line(text, key)}: {key!r} takes {wanted}."
            raise UsageError(message) from error
    return _configuration(given, file)


def _configuration(given: Mapping[str, Any], file: Path) -> Configuration:
    probe_file = given.get("probe-file")
    return Configuration(
        wishes=Wishes(
            keep=given.get("keep", ()),
            packages=given.get("keep-package", ()),
            programs=given.get("keep-bin", ()),
            shell=given.get("keep-shell", False),
            drop=given.get("drop", ()),
        ),
        level=given.get("level"),
        probe_file=None if probe_file is None else file.parent / probe_file,
        repair=given.get("repair"),
        root=given.get("as-root"),
        engine=given.get("engine"),
        lint=given.get("lint", EVERYTHING),
        xray=given.get("xray"),
    )


def _text(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            return opened.read(LARGEST).decode()
    except OSError as error:
        message = f"{file} cannot be read: {error.strerror}."
        raise UsageError(message) from error
    except UnicodeDecodeError as error:
        message = f"{file} is not UTF-8: {error}."
        raise UsageError(message) from error


def _line(text: str, key: str) -> int:
    """The line on which a key stands, from 1; 1 where it is spelled in an unusual way."""
    pattern = re.compile(rf"[ \t]*\[*[ \t]*[\"']?{re.escape(key)}[\"']?[ \t]*[=.\]]")
    for number, line in enumerate(text.splitlines(), 1):
        if pattern.match(line):
            return number
    return 1


def _strings(value: object) -> tuple[str, ...]:
    """A text, or a list of texts; none is empty."""
    items = value if isinstance(value, list) else [value]
    if not all(isinstance(item, str) and item for item in items):
        raise ValueError
    return tuple(items)


def _string(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError
    return value


def _rounds(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 5:
        raise ValueError
    return value


def _lint(value: object) -> Choice:
    """The table of `slim lint`: rules that are ignored, and the least level."""
    if not isinstance(value, dict) or not value.keys() <= {"ignore", "level"}:
        raise ValueError
    ignored = frozenset(name.lower() for name in _strings(value.get("ignore", [])))
    return Choice(ignored, Severity(_string(value["level"])) if "level" in value else None)


_KEYS: Mapping[str, tuple[str, Callable[[object], object]]] = {
    "keep": ("a pattern or a list of patterns", _strings),
    "keep-package": ("a name or a list of names", _strings),
    "keep-bin": ("a name or a list of names", _strings),
    "keep-shell": ("true or false", _flag),
    "drop": ("a pattern or a list of patterns", _strings),
    "level": (f"one of {', '.join(Level)}", lambda value: Level(_string(value))),
    "probe-file": ("the path of a file", _string),
    "repair": ("a number from 0 to 5", _rounds),
    "as-root": ("true or false", _flag),
    "engine": (f"one of {', '.join(EngineName)}", lambda value: EngineName(_string(value))),
    "lint": (f"a table of ignore (rules) and level ({', '.join(Severity)})", _lint),
    "xray": (f"a table of {', '.join(thresholds.KEYS)}", thresholds.of_table),
}
"""Each key with what it takes, and how that is read; ValueError means that it is something else."""
