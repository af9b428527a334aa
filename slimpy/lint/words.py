"""Words of a Dockerfile: how they are split, unquoted, and filled with variables.

As the reference of Dockerfiles has it ("Environment replacement", "Escape"), and BuildKit does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

Values = Mapping[str, str | None]
"""Variable -> value; None where it is set, but only known when the image is built."""

LONGEST_VALUE = 8192
"""Characters of a word with its variables filled in: they may name each other again and again."""

_REFERENCE = re.compile(r"\$(?:([A-Za-z_]\w*|[0-9@*#?])|\{([A-Za-z_]\w*)([^{}]*)\})")


@dataclass(frozen=True, slots=True)
class RawWord:
    """A word as it is written, quotes and all, and where it begins."""

    text: str
    offset: int


def split(text: str, escape: str) -> Iterator[RawWord]:
    """The words of a text, at white space that is neither quoted nor escaped."""
    start, quote, at = -1, "", 0
    while at < len(text):
        char = text[at]
        if not quote and char.isspace():
            if start >= 0:
                yield RawWord(text[start:at], start)
            start = -1
        else:
            if start < 0:
                start = at
            if quote:
                if char == quote:
                    quote = ""
                elif char == escape and quote == '"':
                    at += 1
            elif char in "'\"":
                quote = char
            elif char == escape:
                at += 1
        at += 1
    if start >= 0:
        yield RawWord(text[start:], start)


def plain(raw: str, escape: str, values: Values | None = None) -> str | None:
    """The word as the instruction receives it; None where a variable's value is not known, or
    what comes of it is too long.

    Without ``values``, variables are left as they are written.
    """
    parts: list[str] = []
    quote, at = "", 0
    while at < len(raw):
        char = raw[at]
        if char == quote:
            quote = ""
        elif not quote and char in "'\"":
            quote = char
        elif char == escape and quote != "'" and at + 1 < len(raw):
            after = raw[at + 1]
            # In double quotes only what is special there loses its escape.
            parts.append(after if not quote or after in (quote, "$", escape) else char + after)
            at += 1
        elif char == "$" and quote != "'" and values is not None:
            found = _REFERENCE.match(raw, at)
            if found is None and raw.startswith("${", at):
                return None  # one within another
            value = _value(found, values, escape) if found else char
            if value is None:
                return None
            parts.append(value)
            at = found.end() - 1 if found else at
        else:
            parts.append(char)
        at += 1
    whole = "".join(parts)
    return whole if values is None or len(whole) <= LONGEST_VALUE else None


def names(raw: str) -> tuple[str, ...]:
    """The variables that a text refers to."""
    return tuple(found[1] or found[2] for found in _REFERENCE.finditer(raw))


def pairs(text: str, escape: str) -> tuple[tuple[str, str, int], ...]:
    """NAME=VALUE pairs of ENV, LABEL and ARG: name, raw value, offset.

    The old form of ENV (``ENV NAME the rest``) is one pair.
    """
    found = list(split(text, escape))
    if found and "=" not in found[0].text:
        name = found[0]
        rest = text[name.offset + len(name.text) :].strip()
        if len(found) > 1 and all("=" not in word.text for word in found[1:2]):
            return ((name.text, rest, name.offset),)
    out = []
    for word in found:
        name_text, _, value = word.text.partition("=")
        out.append((plain(name_text, escape) or "", value, word.offset))
    return tuple(out)


def _value(found: re.Match[str], values: Values, escape: str) -> str | None:
    """What a reference stands for; None if that is not known.

    A default can hold no braces, so this goes no deeper than one variable within another.
    """
    name, operator = found[1] or found[2], found[3] or ""
    value = values.get(name)
    if not operator:
        return value
    default = re.match(r"(:?)([-+])(.*)", operator, re.DOTALL)
    if default is None or (name in values and value is None):
        return None
    is_set = bool(value) if default[1] else name in values
    if name not in values:
        # A variable of the base image may have the name.
        return None if default[2] == "+" else plain(default[3], escape, values)
    if default[2] == "-":
        return value if is_set else plain(default[3], escape, values)
    return plain(default[3], escape, values) if is_set else ""
