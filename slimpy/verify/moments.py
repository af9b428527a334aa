"""Points in time in two answers: are both the moment of asking, or did a time zone or a clock go
wrong?"""

from __future__ import annotations

import re
from datetime import date

LONGEST_APART = 31 * 86_400
"""Seconds that may lie between the two runs."""

QUARTER = 900
"""Seconds. Time zones differ by quarters of an hour, two runs hardly ever do so to the second."""

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_CLOCK = re.compile(r"(?<!\d)(\d{1,2}):(\d\d)(?::(\d\d)(?:[.,]\d+)?)?")
_OFFSET = re.compile(r"[+-]\d\d:?\d\d$")
_ZONES = re.compile(r"\b[A-Z]{2,5}\b|Z$|(?<=[\d ])[+-]\d\d:?\d\d$")


def near(fat: str, slim: str) -> bool:
    """Whether two moments, written alike and in the same zone, are those of two runs of one app."""
    if _ZONES.findall(fat) != _ZONES.findall(slim) or _shape(fat) != _shape(slim):
        return False
    ours, theirs = _seconds(fat), _seconds(slim)
    if ours is None or theirs is None:
        return False
    return _two_runs(theirs - ours)


def near_epoch(fat: str, slim: str) -> bool:
    """The same for seconds, or thousandths and smaller parts of them, since 1970."""
    digits = len(fat.partition(".")[0])
    if digits != len(slim.partition(".")[0]):
        return False
    unit = 10 ** (digits - 10)
    ours, theirs = (int(text.partition(".")[0]) for text in (fat, slim))
    # Finer units never hit a whole quarter by chance, so that rule is theirs too.
    return _two_runs((theirs - ours) / unit)


def next_day(fat: str, slim: str) -> bool:
    """Whether two dates are at most a day apart: midnight may lie between two runs."""
    try:
        return abs((date.fromisoformat(fat) - date.fromisoformat(slim)).days) <= 1
    except ValueError:
        return False


def _two_runs(apart: float) -> bool:
    return abs(apart) <= LONGEST_APART and (abs(apart) < 1 or apart % QUARTER != 0)


def _shape(text: str) -> str:
    return re.sub(r"[A-Za-z]+", "a", re.sub(r"\d+", "0", text))


def _seconds(text: str) -> float | None:
    """Seconds since some fixed point, in the text's own zone; a time alone counts from midnight."""
    clock = _CLOCK.search(text)
    if clock is None:
        return None
    hours, minutes, seconds = (int(part or 0) for part in clock.groups())
    rest = text[: clock.start()] + " " + _OFFSET.sub("", text[clock.end() :])
    of_day = hours * 3600 + minutes * 60 + seconds
    numbers = [int(part) for part in re.findall(r"\d+", rest)]
    month = next((name for name in re.findall(r"[a-z]{3}", rest.lower()) if name in _MONTHS), None)
    try:
        return of_day + 86_400 * _day(numbers, month)
    except ValueError:
        return None


def _day(numbers: list[int], month: str | None) -> int:
    """The number of the day that stands beside a time, 0 if none does; ValueError if it is none."""
    match sorted(numbers) if month else numbers:
        case []:
            return 0
        case [day, year] if month:
            century = 0 if year > 99 else 2000
            return date(century + year, _MONTHS.index(month) + 1, day).toordinal()
        case [year, number, day]:
            return date(year, number, day).toordinal()
        case _:
            message = "not a day"
            raise ValueError(message)
