"""A second opinion on secrets, by the detect-secrets library, on small files of settings only: it
reads a quarter of a megabyte a second. It never asks a service whether what it found is valid.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from slimpy.errors import UsageError
from slimpy.model import decoded
from slimpy.xray.secrets import SETTINGS, Found, Weight, is_aside, is_text, mask

LARGEST = 64 << 10
"""Bytes of one file."""
ALTOGETHER = 2 << 20
"""Bytes of all files of an image."""
_LONGEST_LINE = 2000
_LEFT_OUT = frozenset(
    # Hashes and addresses look to these like secrets; names are judged by our own patterns.
    ("Base64HighEntropyString", "HexHighEntropyString", "IPPublicDetector", "KeywordDetector")
)

Opinion = Callable[[str, bytes], tuple[Found, ...]]
"""The secrets of a file: path, contents."""


def opinion() -> Opinion:
    """The second opinion for one image.

    Raises:
        UsageError: the library is not installed.
    """
    try:
        from detect_secrets.core.plugins.initialize import from_plugin_classname
        from detect_secrets.settings import default_settings
    except ImportError as error:
        message = "--detect-secrets needs the library detect-secrets, which is not installed."
        raise UsageError(message, hint="Install it: pip install 'slimpy[secrets]'") from error
    with default_settings() as settings:
        names = sorted(settings.plugins.keys() - _LEFT_OUT)
    plugins: list[Any] = [from_plugin_classname(name) for name in names]
    left = ALTOGETHER

    def look(path: str, data: bytes) -> tuple[Found, ...]:
        nonlocal left
        if not SETTINGS.fullmatch(path) or not is_text(data) or len(data) > min(LARGEST, left):
            return ()
        left -= len(data)
        lines = enumerate(data.splitlines(), start=1)
        return tuple(
            item for number, line in lines for item in _in_line(plugins, path, number, line)
        )

    return look


def _in_line(plugins: list[Any], path: str, number: int, line: bytes) -> Iterator[Found]:
    text = " ".join(decoded(line[:_LONGEST_LINE]).split())  # blanks make some patterns very slow
    for plugin in plugins:
        for secret in plugin.analyze_line(filename=path, line=text, line_number=number):
            weight = Weight.LOW if is_aside(path) else Weight.HIGH
            masked = mask(secret.secret_value or "")
            yield Found(f"{secret.type} (detect-secrets)", weight, number, masked)
