"""The user's HTTP calls: from the plan to a request, and from the answer to what was not as
expected."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Literal
from urllib.parse import urlencode

from probes.http.client import Request
from probes.http.urls import absolute
from probes.http.variables import CaptureError, capture, fill, fill_body, fill_json
from probes.model import Answer, HttpAnswer, HttpCall, NoAnswer, Page, Upload


def is_safe(call: HttpCall) -> bool:
    """Whether a call may be sent a second time: it changes nothing by definition, and nothing is
    taken from it."""
    return call.method in ("GET", "HEAD") and not call.capture


def is_plain(call: HttpCall) -> bool:
    """Whether a call is just what the crawl would ask: a GET without anything besides."""
    return (
        is_safe(call)
        and call.method == "GET"
        and not (call.headers or call.follow or _has_body(call))
    )


def request_of(
    call: HttpCall, scheme: Literal["http", "https"], port: int, values: Mapping[str, str | None]
) -> Request:
    """The request for a call, with the variables put in.

    Raises:
        NotCapturedError: a variable was not captured.
    """
    body, content_type = _body(call, values)
    headers = [(name, fill(value, values)) for name, value in call.headers.items()]
    if content_type and "content-type" not in {name.lower() for name, _ in headers}:
        headers.append(("content-type", content_type))
    return Request(
        page=_page(scheme, port, fill(call.path, values)),
        method=call.method,
        headers=tuple(headers),
        body=body,
        timeout=call.timeout,
        follow=call.follow,
    )


def _page(scheme: Literal["http", "https"], port: int, path: str) -> Page:
    """A path as written; or a whole URL, as a Location header has it, that leads to the app."""
    path = path.partition("#")[0]
    if not path.startswith("/"):
        found = absolute(Page(scheme, port, "/"), path)
        if found is not None:
            return found
        path = f"/{path}"
    return Page(scheme, port, path)


def _has_body(call: HttpCall) -> bool:
    given = (call.body, call.json, call.form)
    return bool(call.files) or any(item is not None for item in given)


def _body(call: HttpCall, values: Mapping[str, str | None]) -> tuple[bytes, str]:
    """The body and its media type."""
    if call.files:
        return _multipart(_form(call, values), call.files)
    if call.form is not None:
        return urlencode(_form(call, values)).encode(), "application/x-www-form-urlencoded"
    if call.json is not None:
        text = json.dumps(fill_json(call.json, values), ensure_ascii=False)
        return text.encode("utf-8", "backslashreplace"), "application/json"
    if call.body is not None:
        return fill_body(call.body, values), ""
    return b"", ""


def _form(call: HttpCall, values: Mapping[str, str | None]) -> dict[str, str]:
    return {name: fill(value, values) for name, value in (call.form or {}).items()}


def _multipart(form: Mapping[str, str], files: tuple[Upload, ...]) -> tuple[bytes, str]:
    """RFC 7578. The boundary comes from the contents: both images get the very same bytes."""
    parts = [(_disposition(name), value.encode()) for name, value in form.items()]
    for file in files:
        head = _disposition(file.field, file.filename)
        parts.append((head + f"\r\nContent-Type: {_line(file.content_type)}", file.content))
    digest = hashlib.sha256()
    for head, content in parts:
        digest.update(head.encode() + content)
    boundary = f"----part{digest.hexdigest()[:32]}"
    out = bytearray()
    for head, content in parts:
        out += f"--{boundary}\r\n{head}\r\n\r\n".encode() + content + b"\r\n"
    out += f"--{boundary}--\r\n".encode()
    return bytes(out), f"multipart/form-data; boundary={boundary}"


def _disposition(field: str, filename: str | None = None) -> str:
    text = f'Content-Disposition: form-data; name="{_quoted(field)}"'
    return text if filename is None else f'{text}; filename="{_quoted(filename)}"'


def _quoted(text: str) -> str:
    """As browsers do it (HTML, "multipart/form-data encoding algorithm")."""
    return text.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")


def _line(text: str) -> str:
    return text.replace("\r", " ").replace("\n", " ")


def unmet(call: HttpCall, answer: Answer) -> tuple[str, ...]:
    """One sentence for each expectation of the call that the answer does not meet."""
    if not isinstance(answer, HttpAnswer):
        reason = answer.reason if isinstance(answer, NoAnswer) else "not an HTTP answer"
        return (f"an answer was expected, but there was none: {reason}",)
    sentences = _status_unmet(call, answer)
    text = answer.body.decode("utf-8", "replace")
    for part in call.expect.contains:
        if part not in text:
            sentences.append(f"the body does not contain {part!r}")
    for name, part in call.expect.headers.items():
        values = [value for key, value in answer.headers if key == name.lower()]
        if not values:
            sentences.append(f"there is no header {name}")
        elif not any(part.lower() in value.lower() for value in values):
            sentences.append(f"the header {name} is {values[0][:200]!r}, not {part!r}")
    return tuple(sentences)


def _status_unmet(call: HttpCall, answer: HttpAnswer) -> list[str]:
    expected = call.expect.status
    if expected and answer.status not in expected:
        return [f"status {' or '.join(map(str, expected))} was expected, but it is {answer.status}"]
    if not expected and answer.status >= 500:
        return [f"a status below 500 was expected, but it is {answer.status}"]
    return []


def captures(call: HttpCall, answer: Answer) -> tuple[dict[str, str | None], tuple[str, ...]]:
    """The variables of a call, None for those that the answer does not hold, and a sentence for
    each of these."""
    values: dict[str, str | None] = {}
    sentences = []
    for name, spec in call.capture.items():
        values[name] = None
        if isinstance(answer, HttpAnswer):
            try:
                values[name] = capture(spec, answer)
            except CaptureError as error:
                sentences.append(f"{name} could not be captured: {error}")
    return values, tuple(sentences)
