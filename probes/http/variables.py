"""Variables taken out of answers, and put into later requests as ``{name}``."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from probes.model import HttpAnswer

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

_FIELD = re.compile(r"\{\{|\}\}|\{([A-Za-z_][A-Za-z0-9_]*)\}")
_BODY_FIELD = re.compile(rb"\{\{([A-Za-z_][A-Za-z0-9_]*)\}\}|\{([A-Za-z_][A-Za-z0-9_]*)\}")
_STEP = re.compile(r"""\.([^.\[\]]+)|\[(\d{1,9})\]|\[(?:"([^"]*)"|'([^']*)')\]""")


class NotCapturedError(Exception):
    """A variable that an earlier call should have captured is not there."""


class CaptureError(Exception):
    """A capture cannot be understood, or finds nothing in the answer."""


def names_in(text: str) -> tuple[str, ...]:
    """The variables that a text asks for; ``{{`` and ``}}`` stand for the braces themselves."""
    return tuple(found[1] for found in _FIELD.finditer(text) if found[1])


def fill(text: str, values: Mapping[str, str | None]) -> str:
    """A text with its variables put in; names that are not in ``values`` stay as they are.

    Raises:
        NotCapturedError: a value is None: it was to be captured and was not.
    """

    def put(found: re.Match[str]) -> str:
        name = found[1]
        if name is None:
            return found[0][0]
        return _value(name, values) if name in values else found[0]

    return _FIELD.sub(put, text)


def fill_body(body: bytes, values: Mapping[str, str | None]) -> bytes:
    """The same for a body: only known variables are touched, since braces mean much else there.

    ``{{name}}`` of a known variable stands for ``{name}`` itself.

    Raises:
        NotCapturedError: a value is None.
    """

    def put(found: re.Match[bytes]) -> bytes:
        name = (found[1] or found[2]).decode("ascii")
        if name not in values:
            return found[0]
        return found[0][1:-1] if found[1] else _value(name, values).encode()

    return _BODY_FIELD.sub(put, body)


def fill_json(value: object, values: Mapping[str, str | None]) -> object:
    """A JSON value with the variables put into its strings, by the rule for bodies.

    Raises:
        NotCapturedError: a value is None.
    """
    match value:
        case str():
            raw = value.encode("utf-8", "surrogatepass")
            return fill_body(raw, values).decode("utf-8", "surrogatepass")
        case list() | tuple():
            return [fill_json(item, values) for item in value]
        case dict():
            return {key: fill_json(item, values) for key, item in value.items()}
        case _:
            return value


def _value(name: str, values: Mapping[str, str | None]) -> str:
    value = values[name]
    if value is None:
        message = f"the variable {name} was not captured"
        raise NotCapturedError(message)
    return value


def check(spec: str) -> None:
    """See that a capture can be understood.

    Raises:
        CaptureError: it cannot; the message says why.
    """
    kind, _, rest = spec.partition(":")
    match kind:
        case "json":
            _steps(rest)
        case "header" if rest.strip():
            return
        case "regex" if rest:
            try:
                re.compile(rest)
            except (re.error, RecursionError, OverflowError) as error:
                message = f"is not a regular expression: {error}"
                raise CaptureError(message) from error
        case _:
            message = "must be json:$.path, header:name or regex:pattern"
            raise CaptureError(message)


def capture(spec: str, answer: HttpAnswer) -> str:
    """The value that a capture takes out of an answer; a regular expression gives its first group,
    or all.

    Raises:
        CaptureError: there is nothing to take.
    """
    kind, _, rest = spec.partition(":")
    match kind:
        case "json":
            return _from_json(rest, answer)
        case "header":
            for name, value in answer.headers:
                if name == rest.strip().lower():
                    return value
            message = f"the answer has no header {rest.strip()}"
            raise CaptureError(message)
        case _:
            found = re.search(rest, answer.body.decode("utf-8", "replace"))
            if found is None:
                message = f"nothing in the answer matches {rest}"
                raise CaptureError(message)
            return (found[1] or "") if found.re.groups else found[0]


def _steps(path: str) -> tuple[str | int, ...]:
    """The steps of a path such as ``$.items[0]["a key"]``."""
    if not path.startswith("$"):
        message = f"must begin with $, such as json:$.token, not {path!r}"
        raise CaptureError(message)
    steps: list[str | int] = []
    at = 1
    while at < len(path):
        found = _STEP.match(path, at)
        if found is None:
            message = f"cannot be understood from {path[at:]!r} on"
            raise CaptureError(message)
        key = next((group for group in (found[1], found[3], found[4]) if group is not None), None)
        steps.append(int(found[2]) if key is None else key)
        at = found.end()
    return tuple(steps)


def _from_json(path: str, answer: HttpAnswer) -> str:
    try:
        value: Any = json.loads(answer.body)
    except (ValueError, RecursionError) as error:
        message = "the answer is not JSON"
        raise CaptureError(message) from error
    for step in _steps(path):
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError) as error:
            message = f"the answer has nothing at {path}"
            raise CaptureError(message) from error
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
