"""Two JSON documents, and a third one that shows what the app changes by itself."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from slimpy.verify import moments
from slimpy.verify.texts import Words, difference, excerpt

DEEPEST = 100
"""Levels that are compared value by value; what lies deeper must be equal as a whole."""

ABSENT = object()
"""Stands for a document that there is not."""

_EPOCH = re.compile(r"[12]\d{9}(?:\d{3}|\d{6}|\d{9})?")
_RUNNING = re.compile(
    r"(?:^|_)(?:pid|ppid|uptime|elapsed|took|latency|rss|heap_(?:used|total))(?:$|_)", re.IGNORECASE
)
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])|-")


class NotJsonError(ValueError):
    """A text is not a JSON document that can be compared."""


def parse(text: str) -> Any:
    """The document in a text.

    Raises:
        NotJsonError: it is none, or nested too deeply.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        message = "not JSON"
        raise NotJsonError(message) from error


def json_difference(fat: Any, again: Any, slim: Any, words: Words) -> str:
    """A sentence with the first place where ``slim`` is not the document that ``fat`` is; empty if
    it is.

    ``again`` is the document that the original gave the second time, or `ABSENT`.
    """
    return _Walk(words).compare(fat, again, slim, "$", 0)


class _Walk:
    def __init__(self, words: Words) -> None:
        self._words = words

    def compare(self, fat: Any, again: Any, slim: Any, path: str, depth: int) -> str:
        if _equal(fat, slim) or depth > DEEPEST:
            return "" if _equal(fat, slim) else f"{path} differs"
        if isinstance(fat, Mapping) and isinstance(slim, Mapping):
            return self._mapping(fat, again, slim, path, depth)
        if isinstance(fat, list) and isinstance(slim, list):
            return self._list(fat, again, slim, path, depth)
        if isinstance(fat, str) and isinstance(slim, str):
            return self._string(fat, again, slim, path)
        if type(fat) is type(slim) and not isinstance(fat, bool) and isinstance(fat, int | float):
            if self._number(fat, again, slim, path):
                return ""
        elif again is not ABSENT and _sort(fat) != _sort(again) == _sort(slim):
            return ""  # such as null now and a number then
        return f"{path} is {_shown(slim)} instead of {_shown(fat)}"

    def _mapping(
        self, fat: Mapping[str, Any], again: Any, slim: Mapping[str, Any], path: str, depth: int
    ) -> str:
        own = again if isinstance(again, Mapping) else None
        for key in fat:
            if key not in slim:
                if own is not None and key not in own:
                    continue
                return f"{path} has no {_shown(key)}"
            below = ABSENT if own is None else own.get(key, ABSENT)
            found = self.compare(fat[key], below, slim[key], f"{path}.{key}", depth + 1)
            if found:
                return found
        # A key that only the second answer has shows that the app makes up its keys.
        invents = own is not None and not own.keys() <= fat.keys()
        new = [key for key in slim if key not in fat]
        return f"{path} has {_shown(new[0])}, which is new" if new and not invents else ""

    def _list(self, fat: list[Any], again: Any, slim: list[Any], path: str, depth: int) -> str:
        own = again if isinstance(again, list) else None
        varies = own is not None and len(own) != len(fat)
        if len(fat) != len(slim) and not varies:
            return f"{path} has {len(slim)} items instead of {len(fat)}"
        if fat and not slim:
            return "" if own == [] else f"{path} is empty"
        for index, (one, two) in enumerate(zip(fat, slim, strict=False)):
            below = own[index] if own is not None and index < len(own) else ABSENT
            found = self.compare(one, below, two, f"{path}[{index}]", depth + 1)
            if found and not (varies and _sort(one) == _sort(two)):
                return found
        return ""

    def _string(self, fat: str, again: Any, slim: str, path: str) -> str:
        for name, value in self._words.fat.items():
            if value == fat and self._words.slim.get(name) == slim:
                return ""
        found = difference(fat, again if isinstance(again, str) else None, slim, self._words)
        return f"{path}: {found}" if found else ""

    def _number(self, fat: float, again: Any, slim: float, path: str) -> bool:
        """Whether a number may differ: it does by itself, it is a moment, or its name says so."""
        if isinstance(again, int | float) and again != fat:
            return True
        for name, value in self._words.fat.items():
            if value == str(fat) and self._words.slim.get(name) == str(slim):
                return True
        if _RUNNING.search(_HUMP.sub("_", path.rpartition(".")[2])):
            return True
        ours, theirs = str(fat).partition(".")[0], str(slim).partition(".")[0]
        moment = _EPOCH.fullmatch(ours) and _EPOCH.fullmatch(theirs)
        return bool(moment) and moments.near_epoch(ours, theirs)


def _equal(left: Any, right: Any) -> bool:
    """Equal also in type: True is not 1."""
    return type(left) is type(right) and (left is right or _dumped(left) == _dumped(right))


def _dumped(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _sort(value: Any) -> str:
    match value:
        case bool():
            return "truth value"
        case int() | float():
            return "number"
        case _:
            return type(value).__name__


def _shown(value: Any) -> str:
    return excerpt(json.dumps(value, ensure_ascii=False)[:200])
