"""Fields of tab-separated lines, for names of any bytes: one line each, printable, reversible."""

from __future__ import annotations

import re

_SPECIAL = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}
_BACK = {"\\": "\\", "t": "\t", "n": "\n", "r": "\r"}
_ESCAPE = re.compile(
    r"\\(?:([\\tnr])|x([0-9a-f]{2})|u([0-9a-f]{4})|U(00(?:0[0-9a-f]|10)[0-9a-f]{4})|(.?))",
    re.DOTALL,
)


def escape(text: str) -> str:
    r"""The text with backslash, control, invisible characters and raw bytes escaped.

    A byte that is not UTF-8 becomes ``\xNN``; a character that does not print ``\uNNNN``.
    """
    if text.isprintable() and "\\" not in text:
        return text
    return "".join(_escaped(char) for char in text)


def _escaped(char: str) -> str:
    if char in _SPECIAL:
        return _SPECIAL[char]
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    if char.isprintable():
        return char
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def unescape(text: str) -> str:
    """The inverse of `escape`.

    Raises:
        ValueError: a backslash begins nothing that `escape` writes.
    """
    return _ESCAPE.sub(_unescaped, text) if "\\" in text else text


def _unescaped(match: re.Match[str]) -> str:
    special, byte, short, long, bad = match.groups()
    if special is not None:
        return _BACK[special]
    if bad is not None:
        message = f"not an escape: {match[0]!r}"
        raise ValueError(message)
    return chr(0xDC00 + int(byte, 16)) if byte else chr(int(short or long, 16))
