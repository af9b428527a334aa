"""One blob on its way into a repository: skipped, mounted, or sent; going on where it broke.

Source: OCI distribution specification 1.1, "Pushing blobs".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from enum import StrEnum
from typing import BinaryIO
from urllib.parse import quote

import requests

from slimpy.errors import ImageNotFoundError, SourceError
from slimpy.image.oci import Descriptor
from slimpy.image.registry.origins import joined, upload_location
from slimpy.image.registry.repository import Repository
from slimpy.image.registry.retries import PassingError
from slimpy.image.registry.transport import Call, Part

Opened = Callable[[], AbstractContextManager[BinaryIO]]
"""Opens what is sent, from its beginning."""

_WHOLE = 4 << 20
"""Bytes up to which a blob is sent with the request that ends its upload."""
_SMALLER = 16 << 20
"""Bytes of a request, where a registry (or what stands before it) finds a whole blob too large."""
_BREAKS = 50
_PROGRESS = 1 << 16
_SKIP = 1 << 18
_RANGE = re.compile(r"(?:bytes[= ])?0-([0-9]{1,18})")
_OCTETS = {"Content-Type": "application/octet-stream"}
_TOO_LARGE = 413


class Way(StrEnum):
    """How a blob came to be in the repository."""

    THERE = "there already"
    MOUNTED = "taken from another repository"
    SENT = "sent"


def upload(repository: Repository, blob: Descriptor, opened: Opened) -> Way:
    """See to it that a blob is in a repository; read only if it has to be sent.

    Raises:
        RegistryDeniedError: this login may not write there.
        SourceError: the registry does not take it, or breaks off again and again.
    """
    if repository.has(blob):
        return Way.THERE
    return _Upload(repository, blob, opened).run()


class _Upload:
    """The state of one upload: where it goes on, and how much the registry has."""

    def __init__(self, repository: Repository, blob: Descriptor, opened: Opened) -> None:
        self._repository = repository
        self._transport = repository.transport
        self._blob = blob
        self._opened = opened
        self._what = f"The upload of {blob.digest} to {repository.name.repository}"
        self._chunk = self._transport.access.chunk
        self._location = ""  # of the upload under way
        self._offset = 0  # bytes that the registry has
        self._sure = False  # whether the two are known to be right
        self._mounts = list(repository.others)

    def run(self) -> Way:
        """Do it, and again where it broke."""
        failed = breaks = 0
        while True:
            before = self._offset
            try:
                return self._attempt()
            except PassingError as fault:
                self._sure = False
                if self._offset >= before + _PROGRESS:
                    failed = 0
                failed, breaks = failed + 1, breaks + 1
                if breaks > _BREAKS:
                    raise
                self._transport.access.retries.wait(failed, fault)

    def _attempt(self) -> Way:
        if self._location and not self._sure and self._realigned():
            return Way.SENT
        if not self._location and self._started():
            return Way.MOUNTED
        try:
            self._send()
        except _TooLargeError as error:
            if self._chunk and self._chunk <= _SMALLER:
                raise SourceError(error.message, hint=error.hint) from error
            self._chunk, self._location = _SMALLER, ""
            return self._attempt()
        return Way.SENT

    def _send(self) -> None:
        with self._opened() as file:
            _skip(file, self._offset, self._what)
            left = self._blob.size - self._offset
            if left <= min(_WHOLE, self._chunk or _WHOLE) and not self._offset:
                self._finish(Part(file, left) if left else b"")
                return
            while self._offset < self._blob.size:
                self._send_part(file)
        self._finish(b"")

    def _send_part(self, file: BinaryIO) -> None:
        left = self._blob.size - self._offset
        size = min(left, self._chunk or left)
        end = self._offset + size
        headers = {**_OCTETS}
        if size < self._blob.size:
            headers["Content-Range"] = f"{self._offset}-{end - 1}"
        call = self._call("PATCH", self._location, (202, _TOO_LARGE), headers, Part(file, size))
        self._sure = False
        response = self._answer(call)
        self._location = self._next(response)
        found = _RANGE.fullmatch(response.headers.get("Range", "").strip())
        if found is not None and int(found[1]) + 1 != end:
            message = f"{self._what}: the registry took only a part."
            raise PassingError(message)
        self._offset, self._sure = end, True

    def _finish(self, body: bytes | Part) -> None:
        separator = "&" if "?" in self._location else "?"
        url = f"{self._location}{separator}digest={quote(self._blob.digest, safe='')}"
        self._sure = False
        self._answer(self._call("PUT", url, (201, 204, _TOO_LARGE), _OCTETS, body))

    def _started(self) -> bool:
        """Begin an upload; whether that was all, as the registry had the blob elsewhere."""
        query = ""
        if self._mounts:
            origin = quote(self._mounts.pop(0), safe="")
            query = f"?mount={quote(self._blob.digest, safe='')}&from={origin}"
        url = self._repository.url(f"blobs/uploads/{query}")
        call = self._call("POST", url, (201, 202) if query else (202,), {}, b"")
        response = self._answer(call)
        if response.status_code == 201:
            return True
        self._location, self._offset, self._sure = self._next(response), 0, True
        least = response.headers.get("OCI-Chunk-Min-Length", "")
        if self._chunk and least.isascii() and least.isdigit():
            self._chunk = max(self._chunk, int(least[:12]))
        return False

    def _realigned(self) -> bool:
        """Ask how much the registry has; whether it has all of it, stored."""
        call = self._call("GET", self._location, (204,), {}, None)
        try:
            response = self._answer(call)
        except PassingError:
            raise
        except SourceError:  # it knows nothing of that upload any more
            if self._repository.has(self._blob):
                return True
            self._location = ""
            return False
        found = _RANGE.fullmatch(response.headers.get("Range", "").strip())
        # "0-0" is one byte or none, so that it is better to begin anew.
        received = int(found[1]) + 1 if found and int(found[1]) else 0
        if not received or received > self._blob.size:
            self._location = ""
            return False
        self._location = self._next(response) if "Location" in response.headers else self._location
        self._offset, self._sure = received, True
        return False

    def _next(self, response: requests.Response) -> str:
        base = joined(f"{self._transport.origin}/", response.request.url or "/")
        return upload_location(base, response.headers.get("Location", ""))

    def _call(
        self,
        method: str,
        url: str,
        expected: tuple[int, ...],
        headers: dict[str, str],
        body: bytes | Part | None,
    ) -> Call:
        return Call(
            method,
            url,
            self._what,
            self._repository.scopes,
            headers=headers,
            body=body,
            expected=frozenset(expected),
            patience=self._transport.access.commit_seconds,
        )

    def _answer(self, call: Call) -> requests.Response:
        """An answer without its body; not tried again here, as the whole upload is."""
        try:
            response = self._transport.finished(call)
        except ImageNotFoundError as error:
            hint = "Make the repository first; some registries want that."
            raise SourceError(error.message, hint=hint) from error
        if response.status_code == _TOO_LARGE:
            message = f"{self._what}: the registry finds it too large."
            raise _TooLargeError(message, hint="A proxy before it may have a limit.")
        return response


class _TooLargeError(SourceError):
    """The registry does not take requests of that size."""


def _skip(file: BinaryIO, count: int, what: str) -> None:
    if count and file.seekable():
        file.seek(count)
        return
    while count:
        data = file.read(min(count, _SKIP))
        if not data:
            message = f"{what}: what is to be sent ended early."
            raise SourceError(message)
        count -= len(data)
