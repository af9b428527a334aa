"""A Kubernetes probe out of an image's HEALTHCHECK."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from slimpy.model import Image

_URL = re.compile(
    r"http://(localhost|127\.0\.0\.1|\[::1\])(?::([0-9]{1,5}))?(/[A-Za-z0-9/._~%?&=+-]*)?"
)
_QUIET = re.compile(
    r"-[fsSLkqO-]+|-O/dev/null|--(?:fail|silent|show-error|location|quiet|spider|no-verbose)"
    r"|--(?:max-time|connect-timeout|timeout|tries)=[0-9.]+"
)
_WITH_NUMBER = frozenset(("-m", "-T", "-t", "--max-time", "--connect-timeout", "--timeout"))
_WITH_SINK = frozenset(("-o", "-O", "--output"))
_SHELLS = re.compile(r"(?:.*/)?(?:ba|da|a)?sh")
_NANOSECONDS = 10**9
_MOST_SECONDS = 24 * 3600


@dataclass(frozen=True, slots=True)
class _Request:
    host: str
    port: int
    path: str


def probe(image: Image, ports: Sequence[int]) -> dict[str, Any] | None:
    """A probe that asks what HEALTHCHECK asks; None where the image has none.

    A plain request for a page of one of the ``ports`` that can be reached from outside is left to
    the kubelet, so that neither shell nor client runs in the container; anything else is the
    command itself.
    """
    if image.healthcheck is None:
        return None
    request = _request(image.healthcheck.argv)
    if request is not None and request.port in ports:
        # Without it the kubelet asks for the pod's address, which an app may not answer to.
        host = {"name": "Host", "value": f"{request.host}:{request.port}"}
        action: dict[str, Any] = {
            "httpGet": {"path": request.path, "port": request.port, "httpHeaders": [host]}
        }
    else:
        action = {"exec": {"command": list(image.healthcheck.argv)}}
    return action | _timing(image.config.get("Healthcheck") or {})


def _timing(check: Mapping[str, Any]) -> dict[str, int]:
    """Seconds and counts, with Docker's defaults (Dockerfile reference, HEALTHCHECK)."""
    found = {
        "periodSeconds": _seconds(check.get("Interval"), 30),
        "timeoutSeconds": _seconds(check.get("Timeout"), 30),
        "failureThreshold": _count(check.get("Retries"), 3),
    }
    delay = _seconds(check.get("StartPeriod"), 0)
    return {"initialDelaySeconds": delay, **found} if delay else found


def _seconds(nanoseconds: Any, default: int) -> int:
    if not isinstance(nanoseconds, int) or nanoseconds <= 0:
        return default
    return max(1, min(round(nanoseconds / _NANOSECONDS), _MOST_SECONDS))


def _count(value: Any, default: int) -> int:
    return min(value, 1000) if isinstance(value, int) and value > 0 else default


def _request(argv: Sequence[str]) -> _Request | None:
    """The request of a curl or wget that does nothing else, at most with ``|| exit 1`` behind."""
    words = _words(argv)
    if words[-3:] == ["||", "exit", "1"]:
        words = words[:-3]
    if len(words) < 2:
        return None
    client = words[0].rpartition("/")[2]
    urls = [match for word in words[1:] if (match := _URL.fullmatch(word))]
    others = [word for word in words[1:] if not _URL.fullmatch(word)]
    if client not in ("curl", "wget") or len(urls) != 1 or not _harmless(others):
        return None
    # Without it curl is content with an answer of any status, which the kubelet is not.
    if client == "curl" and not any(re.fullmatch(r"--fail|-[a-zA-Z]*f.*", word) for word in others):
        return None
    host, port, path = urls[0].groups()
    return _Request(host, int(port or 80), path or "/")


def _words(argv: Sequence[str]) -> list[str]:
    if len(argv) != 3 or not _SHELLS.fullmatch(argv[0]) or argv[1] != "-c":
        return list(argv)
    if re.search(r"[$`;&<>(){}*!]|\|(?!\|)", argv[2].replace("||", "")):
        return []
    try:
        return shlex.split(argv[2])
    except ValueError:
        return []


def _harmless(options: Sequence[str]) -> bool:
    """Whether options change nothing about the request: no method, header, body or proxy."""
    rest = list(options)
    while rest:
        word = rest.pop(0)
        if (word in _WITH_NUMBER and rest and rest[0].isdigit()) or (
            word in _WITH_SINK and rest and rest[0] in ("/dev/null", "-")
        ):
            rest.pop(0)
        elif not _QUIET.fullmatch(word):
            return False
    return True
