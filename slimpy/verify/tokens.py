"""Texts as tokens of known kinds: what may differ between two runs of the same app by its nature.

The rule is to excuse as little as can be: moments, identifiers, addresses and durations differ between two runs of one
program; words, plain numbers and structure do not, unless the app itself gives another answer to the same request.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum


class Kind(StrEnum):
    """What a token is. Tokens of the first group may always differ, if both are of the same kind."""

    UUID = "uuid"
    MOMENT = "moment"  # date and time of day, or a time of day with seconds
    POINTER = "pointer"  # 0x7f...
    JWT = "jwt"
    HEX = "hex"  # a long hexadecimal identifier; a container's host name is 12 digits
    DURATION = "duration"
    LABELLED = "labelled"  # pid=7, uptime: 12
    CAPTURED = "captured"  # a variable that the user takes out of an answer

    DATE = "date"  # excused a day apart: midnight may lie between two runs
    ADDRESS = "address"  # excused among private ones
    EPOCH = "epoch"  # seconds, or fractions of them, since 1970; excused a day apart
    NUMBER = "number"
    WORD = "word"
    SPACE = "space"
    MARK = "mark"


_ALWAYS = frozenset(
    {
        Kind.UUID,
        Kind.MOMENT,
        Kind.POINTER,
        Kind.JWT,
        Kind.DURATION,
        Kind.LABELLED,
        Kind.CAPTURED,
    }
)


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of text."""

    kind: Kind
    text: str

    @property
    def key(self) -> str:
        """What two tokens must share to be equal without further thought."""
        return f"\0{self.kind}" if self.kind in _ALWAYS else self.text


_DAY = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]{0,6}"
_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]{0,6}"
_CLOCK = r"\d{1,2}:\d\d:\d\d(?:[.,]\d{1,9})?"
_ZONE = r"(?:\s?(?:Z|UTC|GMT|[+-]\d\d:?\d\d)\b)?"
_TOKENS = re.compile(
    "|".join(
        (
            r"(?P<captured>\x00\d+\x00)",
            r"(?P<uuid>\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b)",
            # ISO 8601 and RFC 3339; RFC 9110 section 5.6.7 and asctime(3); the Common Log Format.
            rf"(?P<moment>\b\d{{4}}[-/]\d\d[-/]\d\d[T ,_]{{1,2}}\d\d:\d\d(?::\d\d(?:[.,]\d{{1,9}})?)?{_ZONE}"
            rf"|\b(?:{_DAY},?\s)?\d{{1,2}}[ -]{_MONTH}[ -]\d{{2,4}}\s{_CLOCK}{_ZONE}"
            rf"|\b{_DAY}\s{_MONTH}\s{{1,2}}\d{{1,2}}\s{_CLOCK}(?:\s[A-Z]{{3,5}})?\s\d{{4}}\b"
            rf"|\b\d\d/{_MONTH}/\d{{4}}:{_CLOCK}{_ZONE}"
            rf"|\b{_CLOCK}{_ZONE}(?![:\w]))",
            r"(?P<date>\b\d{4}-\d\d-\d\d\b)",
            r"(?P<pointer>\b0x[0-9a-fA-F]{6,16}\b)",
            r"(?P<jwt>\beyJ[\w-]{5,}\.[\w-]{5,}\.[\w-]*)",
            r"(?P<address>\b(?:\d{1,3}\.){3}\d{1,3}(?::\d{1,5})?\b"
            r"|(?<![\w:])(?:[0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F]{0,4}(?![\w:]))",
            # Whole seconds are as often a setting as a measurement, so only fractions of them are excused.
            r"(?P<duration>\b\d+(?:\.\d+)?\s?(?:ns|µs|μs|us|ms|nanoseconds|microseconds|milliseconds)\b"
            r"|\b\d+\.\d+\s?(?:s|secs?|seconds)\b)",
            r"(?P<labelled>\b(?:pid|ppid|uptime|elapsed|took)[ \t]?[:=]?[ \t]?\d+(?:\.\d+)?\b)",
            r"(?P<hex>\b(?=[0-9a-f]*[a-f])(?=[0-9a-f]*\d)[0-9a-f]{12,128}\b"
            r"|\b(?=[0-9A-F]*[A-F])(?=[0-9A-F]*\d)[0-9A-F]{16,128}\b)",
            r"(?P<epoch>\b[12]\d{9}(?:\d{3}|\d{6}|\d{9})?(?:\.\d{1,9})?\b)",
            r"(?P<number>\d+(?:\.\d+)?)",
            r"(?P<word>\w+)",
            r"(?P<space>\s+)",
            r"(?P<mark>.)",
        )
    ),
    re.DOTALL,
)
_SHORTEST_CAPTURE = 6


def tokens(text: str, captured: Mapping[str, str]) -> list[Token]:
    """The tokens of a text. ``captured`` are values that the user's plan knows to differ, by variable."""
    text = text.replace("\0", "\ufffd")
    for number, (_, value) in enumerate(sorted(captured.items())):
        if len(value) >= _SHORTEST_CAPTURE:
            text = text.replace(value, f"\0{number}\0")
    return [_token(found) for found in _TOKENS.finditer(text)]


def _token(found: re.Match[str]) -> Token:
    return Token(Kind(found.lastgroup or "mark"), found[0])


def alike(fat: Token, slim: Token, *, again: bool) -> bool:
    """Whether one token may stand for the other. ``again``: the app repeated ``fat`` when asked twice."""
    if fat.key == slim.key:
        return True
    if fat.kind is not slim.kind:
        return False
    match fat.kind:
        case Kind.HEX:
            return len(fat.text) == len(slim.text)
        case Kind.DATE:
            return _next_day(fat.text, slim.text)
        case Kind.ADDRESS:
            return _private(fat.text) and _private(slim.text)
        case Kind.EPOCH:
            return not again and _same_day(fat.text, slim.text)
        case _:
            return False


def _next_day(left: str, right: str) -> bool:
    try:
        return abs((date.fromisoformat(left) - date.fromisoformat(right)).days) <= 1
    except ValueError:
        return False


def _private(text: str) -> bool:
    """Whether an address (with or without a port) belongs to a container or its host."""
    host = text.partition(":")[0] if "." in text else text
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return False


def _same_day(left: str, right: str) -> bool:
    digits = len(left.partition(".")[0])
    if digits != len(right.partition(".")[0]):
        return False
    unit = 10 ** (digits - 10)
    return bool(abs(float(left) - float(right)) <= 86_400 * unit)
