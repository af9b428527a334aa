"""Says to a registry who we are: Basic (RFC 7617), or Bearer with tokens of the realm that the
registry names (the distribution project's token authentication specification, with its OAuth2 form
for identity tokens).

Nothing is said until a registry asks; and never to anybody but the registry and its realm.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from slimpy.errors import RegistryDeniedError, SourceError
from slimpy.image.registry.challenges import Challenge, parse
from slimpy.image.registry.credentials import Login
from slimpy.image.registry.origins import Origin
from slimpy.model import display

CLIENT = "slimpy"
"""What we call ourselves to a realm."""

_SHORTEST = 60.0  # seconds that a token is good for at least, by the specification
_LONGEST = 3600.0
_MARGIN = 10.0  # seconds before its end from which a token is not used any more
_LONGEST_TOKEN = 1 << 18


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """A question to a realm: ``form`` is None for GET."""

    url: str
    headers: Mapping[str, str] = field(repr=False)
    form: Mapping[str, str] | None = field(default=None, repr=False)


Ask = Callable[[TokenRequest], bytes]
"""Puts a question to a realm and gives back its answer, bounded."""


@dataclass(frozen=True, slots=True)
class _Token:
    value: str = field(repr=False)
    until: float


@dataclass(slots=True)
class Authority:
    """What one registry is told about us.

    Args:
        registry: where the login and the tokens are sent.
        login: None is nobody.
        ask: see `Ask`.
        now: seconds on any clock that does not jump.
    """

    registry: Origin
    login: Login | None
    ask: Ask
    now: Callable[[], float]
    _challenge: Challenge | None = field(default=None, init=False)
    _tokens: dict[tuple[str, ...], _Token] = field(default_factory=dict, init=False)

    def header(self, scopes: tuple[str, ...]) -> str:
        """The ``Authorization`` header of a request; empty while the registry has not asked.

        Args:
            scopes: what the request needs, such as ``repository:team/app:pull``.

        Raises:
            RegistryDeniedError: the realm refuses.
        """
        if self.login is not None and self.login.registry_token:
            return f"Bearer {self.login.registry_token}" if self._challenge else ""
        if self._challenge is None:
            return ""
        if self._challenge.scheme == "basic":
            return self._basic()
        token = self._tokens.get(scopes)
        if token is None or self.now() >= token.until:
            token = self._tokens[scopes] = self._token(self._challenge, scopes)
        return f"Bearer {token.value}"

    def asked(self, header: str, scopes: tuple[str, ...], sent: str) -> bool:
        """The registry answered 401; whether it makes sense to ask again.

        Args:
            header: its ``WWW-Authenticate``.
            scopes: of the request.
            sent: the ``Authorization`` that it had.
        """
        known = {challenge.scheme: challenge for challenge in parse(header)}
        chosen = known.get("bearer") or known.get("basic")
        if chosen is None or (chosen.scheme == "basic" and self._basic() in ("", sent)):
            return False
        self._challenge = chosen
        self._tokens.pop(scopes, None)
        return not (self.login is not None and self.login.registry_token and sent)

    def _basic(self) -> str:
        if self.login is None or not self.login.username:
            return ""
        pair = f"{self.login.username}:{self.login.password}".encode()
        return f"Basic {base64.b64encode(pair).decode()}"

    def _token(self, challenge: Challenge, scopes: tuple[str, ...]) -> _Token:
        realm = challenge["realm"]
        origin = Origin.of(realm)
        if origin.plain and not (origin.loopback and self.registry.loopback):
            message = f"{self.registry} wants the login to be sent to {origin} without encryption."
            raise SourceError(message, hint="It was not sent. Set the registry's realm to https.")
        asked = tuple(dict.fromkeys((*scopes, *challenge["scope"].split())))
        answer = self.ask(self._question(realm, challenge["service"], asked))
        return self._parsed(answer, origin)

    def _question(self, realm: str, service: str, scopes: tuple[str, ...]) -> TokenRequest:
        identity = self.login.identity_token if self.login is not None else ""
        if identity:
            form = {
                "grant_type": "refresh_token",
                "refresh_token": identity,
                "client_id": CLIENT,
                "service": service,
                "scope": " ".join(scopes),
            }
            return TokenRequest(realm, {}, form)
        query = [("service", service)] if service else []
        query += [("scope", scope) for scope in scopes]
        basic = self._basic()
        query += [("account", self.login.username)] if self.login is not None and basic else []
        separator = "&" if "?" in realm else "?"
        headers = {"Authorization": basic} if basic else {}
        return TokenRequest(f"{realm}{separator}{urlencode(query)}", headers)

    def _parsed(self, answer: bytes, origin: Origin) -> _Token:
        try:
            found: Any = json.loads(answer)
        except (ValueError, RecursionError):
            found = None
        found = found if isinstance(found, dict) else {}
        value = found.get("token") or found.get("access_token")
        good = isinstance(value, str) and len(value) <= _LONGEST_TOKEN
        if not good or not (value.isascii() and value.isprintable() and " " not in value):
            message = f"{display(str(origin))} did not answer with a token."
            raise RegistryDeniedError(message)
        seconds = found.get("expires_in")
        known = isinstance(seconds, int | float) and not isinstance(seconds, bool)
        life = min(max(float(seconds), _SHORTEST), _LONGEST) if known else _SHORTEST
        return _Token(value, self.now() + life - _MARGIN)
