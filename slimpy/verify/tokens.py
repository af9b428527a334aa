"""Texts as tokens of known kinds: what may differ between two runs of the same app by its nature.

The rule is to excuse as little as can be: moments, identifiers, addresses and durations differ
between two runs of one program; words, plain numbers and structure do not, unless the app itself
gives another answer to the same request.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from slimpy.verify import moments


class Kind(StrEnum):
    """What a token is."""

    UUID = "uuid"
    POINTER = "pointer"  # 0x7f...
    JWT = "jwt"
    DURATION = "duration"
    LABELLED = "labelled"  # pid=7, uptime: 12
    CAPTURED = "captured"  # a variable that the user's plan takes out of an answer

    MOMENT = "moment"  # date and time of day, or a time of day with seconds
    DATE = "date"
    EPOCH = "epoch"  # seconds, or fractions of them, since 1970
    HEX = "hex"  # a long hexadecimal identifier; a container's host name is 12 digits
    OPAQUE = "opaque"  # a long mixture of letters and digits
    ADDRESS = "address"  # IP, with or without a port, or MAC

    NUMBER = "number"
    WORD = "word"
    SPACE = "space"
    MARK = "mark"


_ALWAYS = frozenset(
    {Kind.UUID, Kind.POINTER, Kind.JWT, Kind.DURATION, Kind.LABELLED, Kind.CAPTURED}
)


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of text."""

    kind: Kind
    text: str

    @property
    def key(self) -> str:
        """What two tokens must share to be equal without further thought."""
        if self.kind not in _ALWAYS:
            return self.text
        label = self.text if self.kind is Kind.CAPTURED else ""
        if self.kind is Kind.LABELLED:
            label = "".join(char for char in self.text if char.isalpha()).lower()
        return f"\0{self.kind}{label}"


_DAY = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]{0,6}"
_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]{0,6}"
_CLOCK = r"\d{1,2}:\d\d:\d\d(?:[.,]\d{1,9})?"
_ZONE = r"(?:\s?(?:Z|UTC|GMT|[+-]\d\d:?\d\d)\b)?"
_DATE_TIME = "|".join(
    (
        # ISO 8601 and RFC 3339
        rf"\b\d{{4}}[-/]\d\d[-/]\d\d[T ,_]{{1,2}}\d\d:\d\d(?::\d\d(?:[.,]\d{{1,9}})?)?{_ZONE}",
        # RFC 9110 section 5.6.7, and file listings
        rf"\b(?:{_DAY},?\s)?\d{{1,2}}[ -]{_MONTH}[ -]\d{{2,4}}\s\d\d:\d\d(?::\d\d)?{_ZONE}",
        # asctime(3) and date(1)
        rf"\b{_DAY}\s{_MONTH}\s{{1,2}}\d{{1,2}}\s{_CLOCK}(?:\s[A-Z]{{3,5}})?\s\d{{4}}\b",
        # the Common Log Format
        rf"\b\d\d/{_MONTH}/\d{{4}}:{_CLOCK}{_ZONE}",
        rf"\b{_CLOCK}{_ZONE}(?![:\w])",
    )
)
# Whole seconds are as often a setting as a measurement, so only fractions of them are excused.
_SPAN = (
    r"\b\d+(?:\.\d+)?\s?(?:ns|µs|μs|us|ms|nanoseconds|microseconds|milliseconds)\b"
    r"|\b\d+\.\d+\s?(?:s|secs?|seconds)\b"
)
_IP = (
    r"\b(?:\d{1,3}\.){3}\d{1,3}(?::\d{1,5})?\b"
    r"|(?<![\w:])(?:[0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F]{0,4}(?![\w:])"
)
_HEX = (
    r"\b(?=[0-9a-f]*[a-f])(?=[0-9a-f]*\d)[0-9a-f]{12,128}\b"
    r"|\b(?=[0-9A-F]*[A-F])(?=[0-9A-F]*\d)[0-9A-F]{16,128}\b"
)
_MIXED = r"\b(?=[\w-]*\d)(?=[\w-]*[a-z])(?=[\w-]*[A-Z])[A-Za-z0-9_-]{20,256}\b"
_PATTERNS = {
    Kind.CAPTURED: r"\x00\d+\x00",
    Kind.UUID: r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b",
    Kind.MOMENT: _DATE_TIME,
    Kind.DATE: r"\b\d{4}-\d\d-\d\d\b",
    Kind.POINTER: r"\b0x[0-9a-fA-F]{6,16}\b",
    Kind.JWT: r"\beyJ[\w-]{5,}\.[\w-]{5,}\.[\w-]*",
    Kind.ADDRESS: _IP,
    Kind.DURATION: _SPAN,
    Kind.LABELLED: r"\b(?:pid|ppid|uptime|elapsed|took)[ \t]?[:=]?[ \t]?\d+(?:\.\d+)?\b",
    Kind.HEX: _HEX,
    Kind.OPAQUE: _MIXED,
    Kind.EPOCH: r"\b[12]\d{9}(?:\d{3}|\d{6}|\d{9})?(?:\.\d{1,9})?\b",
    Kind.NUMBER: r"\d+(?:\.\d+)?",
    Kind.WORD: r"\w+",
    Kind.SPACE: r"\s+",
    Kind.MARK: r".",
}
_TOKENS = re.compile(
    "|".join(f"(?P<{kind}>{pattern})" for kind, pattern in _PATTERNS.items()), re.DOTALL
)
_MAC = re.compile(r"(?:[0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}")
_SHORTEST_CAPTURE = 6


def tokens(text: str, captured: Mapping[str, str]) -> list[Token]:
    """The tokens of a text. ``captured`` are values that the user's plan knows to differ, by
    variable."""
    text = text.replace("\0", "\ufffd")
    for number, (_, value) in enumerate(sorted(captured.items())):
        if len(value) >= _SHORTEST_CAPTURE:
            text = text.replace(value, f"\0{number}\0")
    return [_token(found) for found in _TOKENS.finditer(text)]


def _token(found: re.Match[str]) -> Token:
    return Token(Kind(found.lastgroup or "mark"), found[0])


def alike(fat: Token, slim: Token, *, repeated: bool) -> bool:
    """Whether one token may stand for the other.

    ``repeated``: the app was asked twice and gave ``fat`` both times, so it is not made up for each
    answer.
    """
    if fat.key == slim.key:
        return True
    if fat.kind is not slim.kind:
        return False
    match fat.kind:
        case Kind.MOMENT:
            return moments.near(fat.text, slim.text)
        case Kind.DATE:
            return moments.next_day(fat.text, slim.text)
        case Kind.EPOCH:
            return moments.near_epoch(fat.text, slim.text)
        case Kind.HEX:
            return len(fat.text) == len(slim.text)
        case Kind.OPAQUE:
            return not repeated and len(fat.text) == len(slim.text)
        case Kind.ADDRESS:
            return _local(fat.text) and _local(slim.text)
        case _:
            return False


def _local(text: str) -> bool:
    """Whether an address belongs to a container or its host."""
    if _MAC.fullmatch(text):
        return True
    host = text.partition(":")[0] if "." in text else text
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return False
