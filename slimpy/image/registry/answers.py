"""What a registry answers, bounded, and what its refusals mean to a user."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import requests
import urllib3

from slimpy.errors import ImageNotFoundError, RegistryDeniedError, SlimError, SourceError
from slimpy.image.registry.retries import PassingError, retry_after
from slimpy.model import display

BUSY = frozenset((408, 425, 429, 500, 502, 503, 504))
"""Answers that may be others a little later."""

_CHUNK = 1 << 18
_ERROR_LIMIT = 1 << 16  # bytes of an error that are read
_SHOWN = 300  # characters of it that are told
_WINDOW = 60.0
_LEAST = 16 << 10


@dataclass(slots=True)
class Pace:
    """Reads answers, and ends one that drips: a minute of waiting has to bring 16 KiB at least.

    The time that passes between reads is the reader's own and does not count.
    """

    now: Callable[[], float] = time.monotonic
    waited: float = field(default=0.0, init=False)
    received: int = field(default=0, init=False)

    def read(self, response: requests.Response, most: int) -> bytes:
        """See `some`.

        Raises:
            PassingError: too few bytes came in the last minute, or the connection broke.
        """
        began = self.now()
        data = some(response, most)
        self.waited += self.now() - began
        self.received += len(data)
        if self.waited >= _WINDOW:
            if self.received < _LEAST:
                message = f"The registry sent only {self.received} bytes in a minute."
                self.waited, self.received = 0.0, 0
                raise PassingError(message)
            self.waited, self.received = 0.0, 0
        return data


def some(response: requests.Response, most: int) -> bytes:
    """At least one and at most ``most`` bytes of an answer as they were sent; none at its end.

    Raises:
        PassingError: the connection broke, or was silent for too long.
    """
    try:
        return bytes(response.raw.read1(most, decode_content=False) or b"")
    except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        message = "The connection to the registry broke in the middle of an answer."
        raise PassingError(message) from error


def body(response: requests.Response, limit: int, what: str, pace: Pace) -> bytes:
    """A whole answer; the response is closed.

    Raises:
        SourceError: it has more than ``limit`` bytes.
        PassingError: it broke.
    """
    parts: list[bytes] = []
    size = 0
    with response:
        while data := pace.read(response, _CHUNK):
            size += len(data)
            if size > limit:
                message = f"{what} has more than {limit} bytes."
                raise SourceError(message)
            parts.append(data)
        _check_complete(response, size)
    return b"".join(parts)


def content_length(response: requests.Response) -> int | None:
    """The size that an answer says it has, in bytes."""
    value = response.headers.get("Content-Length", "").strip()
    return int(value) if value.isascii() and value.isdigit() and len(value) < 19 else None


def refused(response: requests.Response, what: str, host: str) -> SlimError:
    """What a user has to know about an answer that was not hoped for; the response is closed.

    Args:
        what: the thing that was asked for, such as "The manifest of app:1".
        host: the registry.
    """
    status = response.status_code
    said = _said(response)
    told = f"{host} answered {status}{': ' + said if said else ''}."
    if status == 401:
        message = (
            f"{what}: {host} asks for a login or refuses this one{': ' + said if said else ''}."
        )
        return RegistryDeniedError(message, hint=f"Log in first: docker login {host}")
    if status == 403:
        message = f"{what}: {host} does not allow it{': ' + said if said else ''}."
        hint = "Does it exist under that name? May this account do that?"
        return RegistryDeniedError(message, hint=hint)
    if status == 404:
        message = f"{what} is not there: {told}"
        return ImageNotFoundError(message, hint="See which tags there are; names are exact.")
    if status in BUSY:
        headers = response.headers
        wait = retry_after(headers.get("Retry-After", ""), headers.get("Date", ""))
        hint = "Try again later."
        if wait is not None:
            hint = f"It asks to wait {wait:.0f} s."
        message = f"{what}: {told}"
        return PassingError(message, hint=hint, wait=wait)
    return SourceError(f"{what}: {told}")


def _said(response: requests.Response) -> str:
    """The registry's own words on one short line."""
    try:
        data = b""
        with response:
            while len(data) < _ERROR_LIMIT and (part := some(response, _CHUNK)):
                data += part
        found = json.loads(data[:_ERROR_LIMIT])
        errors = found["errors"]
        texts = [f"{item.get('code', '')}: {item.get('message', '')}" for item in errors[:3]]
    except (PassingError, ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return ""
    return display(" ".join("; ".join(texts).split()))[:_SHOWN].rstrip(".")


def _check_complete(response: requests.Response, size: int) -> None:
    said = content_length(response)
    if said is not None and said != size and response.request.method != "HEAD":
        message = f"The registry's answer ended after {size} of {said} bytes."
        raise PassingError(message)
