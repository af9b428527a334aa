"""A blob as a stream that goes on where it broke: ``Range`` requests (RFC 9110 section 14)."""

from __future__ import annotations

import re

import requests

from slimpy.errors import ImageNotFoundError, SourceError
from slimpy.image.oci import Descriptor
from slimpy.image.registry import answers
from slimpy.image.registry.retries import PassingError
from slimpy.image.registry.transport import Call, Transport

_MOST = 1 << 18  # bytes of one read
_BREAKS = 50
"""How often one blob's transfer may break, however much came in between."""
_PROGRESS = 1 << 16
"""Bytes after which a transfer counts as going on, so that the attempts are counted anew."""
_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)")


class Download:
    """A blob's bytes as the registry has them; they are not checked here.

    Args:
        url: of the blob, relative to the registry.
        scopes: what the realm has to allow.
    """

    def __init__(
        self, transport: Transport, url: str, scopes: tuple[str, ...], blob: Descriptor
    ) -> None:
        self._transport = transport
        self._url = url
        self._scopes = scopes
        self._blob = blob
        self._what = f"The blob {blob.digest}"
        self._response: requests.Response | None = None
        self._received = 0
        self._failed = 0  # attempts that did not bring much
        self._since = 0  # bytes since the last break
        self._breaks = 0
        self._pace = answers.Pace(transport.access.retries.now)

    def read(self, size: int, /) -> bytes:
        """At least one and at most ``size`` bytes; none at the end.

        Raises:
            SourceError: the registry does not have it, or its connection breaks again and again.
        """
        while True:
            try:
                return self._some(min(size, _MOST))
            except PassingError as fault:
                self.close()
                if self._received >= self._blob.size:
                    return b""
                self._failed += 1
                self._since = 0
                self._breaks += 1
                if self._breaks > _BREAKS:
                    raise
                self._transport.access.retries.wait(self._failed, fault)

    def close(self) -> None:
        """End the transfer."""
        if self._response is not None:
            self._response.close()
            self._response = None

    def _some(self, size: int) -> bytes:
        if self._response is None:
            if self._received >= self._blob.size:
                return b""
            self._response = self._opened()
        data = self._pace.read(self._response, size)
        if not data and self._received < self._blob.size:
            message = f"{self._what} ended after {self._received} of {self._blob.size} bytes."
            raise PassingError(message, hint="Try again.")
        self._received += len(data)
        self._since += len(data)
        if self._since >= _PROGRESS:
            self._failed = 0
        return data

    def _opened(self) -> requests.Response:
        headers = {"Range": f"bytes={self._received}-"} if self._received else {}
        call = Call(
            "GET",
            self._url,
            self._what,
            self._scopes,
            headers=headers,
            expected=frozenset((200, 206) if headers else (200,)),
        )
        try:
            response = self._transport.send(call)
        except ImageNotFoundError as error:
            raise SourceError(error.message, hint="The image in the registry is broken.") from error
        try:
            self._position(response)
        except BaseException:
            response.close()
            raise
        return response

    def _position(self, response: requests.Response) -> None:
        """Check where an answer begins, and skip what is known already."""
        size, length = self._blob.size, answers.content_length(response)
        if response.status_code == 206:
            given = _RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
            if not given or int(given[1]) != self._received or given[3] not in ("*", str(size)):
                message = f"{self._what}: the registry sent another part than the one asked for."
                raise SourceError(message)
            return
        if length is not None and length != size:
            message = f"{self._what} has {length} bytes in the registry, not {size}."
            raise SourceError(message, hint="The image in the registry is damaged.")
        left = self._received
        while left:
            data = self._pace.read(response, min(left, _MOST))
            if not data:
                message = f"{self._what} ended early."
                raise PassingError(message)
            left -= len(data)
