"""Asks a credential helper, ``docker-credential-NAME``, for a login.

Source: the protocol of docker-credential-helpers: ``get`` reads the server from standard input and
writes a JSON object.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from slimpy import proc
from slimpy.errors import ProgramError

TOKEN_USER = "<token>"
"""The user name that says that the secret is an identity token."""

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_NOT_FOUND = b"credentials not found"
_SECONDS = 60.0  # it may ask the user to unlock a key ring
_LARGEST = 1 << 20  # bytes of its answer


def ask(program: str, server: str, environment: Mapping[str, str]) -> tuple[str, str] | None:
    """User name and secret for a server, None where the helper knows none.

    Args:
        program: the helper's name without ``docker-credential-``.
        environment: what the helper gets; it needs the user's session.

    Raises:
        ProgramError: there is no such helper, or it failed; its output is not repeated.
    """
    if not _NAME.fullmatch(program):
        message = f"{program!r} is no name of a credential helper."
        raise ProgramError(message)
    name = f"docker-credential-{program}"
    code, output = proc.exchange(
        (name, "get"), stdin=server.encode(), environment=environment, timeout=_SECONDS
    )
    if code != 0:
        if _NOT_FOUND in output.lower():
            return None
        message = f"The program {name} failed with exit code {code}."
        raise ProgramError(message)
    return _parsed(output, name)


def _parsed(output: bytes, name: str) -> tuple[str, str] | None:
    try:
        found = json.loads(output if len(output) <= _LARGEST else b"")
    except (ValueError, RecursionError):
        found = None
    username = found.get("Username") if isinstance(found, dict) else None
    secret = found.get("Secret") if isinstance(found, dict) else None
    if not isinstance(username, str) or not isinstance(secret, str):
        message = f"The program {name} did not answer with a login."
        raise ProgramError(message)
    return (username, secret) if username or secret else None
