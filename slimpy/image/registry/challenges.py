"""What a registry asks for when it answers 401: the ``WWW-Authenticate`` header (RFC 9110 section
11.6.1, RFC 6750 section 3).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

_LONGEST = 8192  # characters of a header that are looked at
_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PARAMETER = re.compile(rf'\s*({_TOKEN})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))\s*(?:,|$)')
_SCHEME = re.compile(rf"[\s,]*({_TOKEN})(?=\s|,|$)")
_ESCAPED = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True)
class Challenge:
    """One way to log in that a registry offers; ``scheme`` and parameter names in lower case."""

    scheme: str
    parameters: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def __getitem__(self, name: str) -> str:
        """A parameter, empty where it is not there."""
        return self.parameters.get(name, "")


def parse(header: str) -> tuple[Challenge, ...]:
    """The challenges of a header, in its order; what makes no sense ends them."""
    header = header[:_LONGEST]
    found: list[Challenge] = []
    place = 0
    while scheme := _SCHEME.match(header, place):
        parameters: dict[str, str] = {}
        place = scheme.end()
        while parameter := _PARAMETER.match(header, place):
            name, quoted, plain = parameter.groups()
            value = plain if quoted is None else _ESCAPED.sub(r"\1", quoted)
            parameters.setdefault(name.lower(), value)
            place = parameter.end()
        found.append(Challenge(scheme[1].lower(), MappingProxyType(parameters)))
    return tuple(found)
