"""Secrets that lie in an image. Values are never kept whole: what is found is masked at once."""

from __future__ import annotations

import math
import posixpath
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice

from slimpy.model import decoded

LARGEST = 1 << 20
"""Bytes of a file that is looked into; larger ones hold data, not settings."""
MOST_IN_A_FILE = 20
_MOST_TRIED = 200
_NUL_WITHIN = 8192  # bytes: a file with a NUL there is no text
_LEAST_ENTROPY = 3.0  # bits a character, for values that only their name makes secret


class Weight(StrEnum):
    """How sure and how bad: ``high`` for keys and tokens by their own form, ``medium`` for what
    its name makes secret, ``low`` for what lies among tests, examples and documentation.
    """

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


@dataclass(frozen=True, slots=True)
class Found:
    """A secret: what it is, on which line (from 1; 0 for the whole file), its value masked."""

    kind: str
    weight: Weight
    line: int
    masked: str
    span: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class _Token:
    """What is recognised by its form. ``anchors``: one of these texts has to be there."""

    kind: str
    anchors: tuple[bytes, ...]
    pattern: re.Pattern[bytes]
    group: int = 0
    believed: Callable[[bytes], bool] = lambda _value: True


def entropy(value: bytes | str) -> float:
    """Shannon's entropy of a text, in bits a character."""
    if not value:
        return 0.0
    total = len(value)
    return -sum(n / total * math.log2(n / total) for n in Counter(value).values())


def mask(value: bytes | str, shown: int = 0) -> str:
    """What may be told of a secret: its first characters, if any, and its length."""
    text = decoded(value) if isinstance(value, bytes) else value
    return f"{text[:shown]}*** ({len(text)} characters)"


def _is_random(value: bytes) -> bool:
    return entropy(value) >= _LEAST_ENTROPY and not _EXAMPLE.search(value)


_IN_URL = "password in a URL"
_SNAKE_OIL = "/etc/ssl/private/ssl-cert-snakeoil.key"
"""Debian's key for tests, made when its package is installed."""


def _is_word(value: bytes) -> bool:
    return _WORD.fullmatch(value) is not None


_EXAMPLE = re.compile(
    rb"example|sample|dummy|placeholder|changeme|change[-_ ]me|your[-_]|xxxx|1234567|abcdefg|"
    rb"\.\.\.|<[a-z _-]+>|redacted|foobar|insert|todo",
    re.IGNORECASE,
)
_TOKENS = (
    _Token(
        "AWS access key",
        (b"AKIA", b"ASIA"),
        re.compile(rb"(?<![A-Za-z0-9/+])(?:AKIA|ASIA)[A-Z2-7]{16}(?![A-Za-z0-9/+])"),
        believed=_is_random,
    ),
    _Token(
        "AWS secret key",
        (b"aws_secret", b"AWS_SECRET", b"aws_session", b"SecretAccessKey"),
        re.compile(
            rb"(?i)(?:aws_secret_access_key|SecretAccessKey|aws_session_token)[\"']?\s{0,4}[=:]\s{0,4}"
            rb"[\"']?([A-Za-z0-9/+=]{40,1000})"
        ),
        1,
        _is_random,
    ),
    _Token(
        "GitHub token",
        (b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_", b"github_pat_"),
        re.compile(rb"\b(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{22,255})"),
        believed=_is_random,
    ),
    _Token("GitLab token", (b"glpat-",), re.compile(rb"\bglpat-[\w-]{20,64}"), believed=_is_random),
    _Token(
        "Slack token",
        (b"xoxb-", b"xoxp-", b"xoxa-", b"xoxr-", b"xoxs-"),
        re.compile(rb"\bxox[abprs]-[0-9A-Za-z]{1,20}-[0-9A-Za-z-]{10,200}"),
        believed=_is_random,
    ),
    _Token(
        "Slack webhook",
        (b"hooks.slack.com/services/",),
        re.compile(rb"hooks\.slack\.com/services/T\w{6,12}/B\w{6,12}/(\w{20,30})"),
        1,
        _is_random,
    ),
    _Token(
        "Stripe key",
        (b"k_live_",),
        re.compile(rb"\b[sr]k_live_[A-Za-z0-9]{20,128}"),
        believed=_is_random,
    ),
    _Token(
        "Google API key",
        (b"AIza",),
        re.compile(rb"(?<![\w-])AIza[\w-]{35}(?![\w-])"),
        believed=_is_random,
    ),
    _Token(
        "npm token",
        (b"npm_",),
        re.compile(rb"\bnpm_[A-Za-z0-9]{36}\b"),
        believed=_is_random,
    ),
    _Token("PyPI token", (b"pypi-AgE",), re.compile(rb"\bpypi-AgE[\w-]{50,255}")),
    _Token("Docker token", (b"dckr_pat_",), re.compile(rb"\bdckr_pat_[\w-]{20,64}")),
    _Token(
        "SendGrid key",
        (b"SG.",),
        re.compile(rb"\bSG\.[\w-]{20,24}\.[\w-]{39,50}"),
        believed=_is_random,
    ),
    _Token(
        "Azure storage key",
        (b"AccountKey=",),
        re.compile(rb"AccountKey=([A-Za-z0-9+/]{86}==)"),
        1,
        _is_random,
    ),
    _Token(
        _IN_URL,
        (b"://",),
        re.compile(
            rb"\b[a-z][a-z0-9+.-]{1,15}://[^\s/:@'\"<>{}$]{1,64}:([^\s/@'\"<>{}$*%]{6,128})@[\w.\[-]"
        ),
        1,
        lambda value: _is_random(value) and not _is_word(value),
    ),
)
_WORD = re.compile(
    rb"(?i)(?:user|pass|my|the|some|db|api)?(?:password|passwd|secret|pass|pw|token)"
)
_KEY = re.compile(rb"-----BEGIN ((?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?)-----")
_KEY_HEADER = re.compile(rb"(?:\\n|\n|^)[ \t]{0,8}[A-Za-z-]{1,30}: [^\n\\]{0,200}")
_NO_BASE64 = re.compile(rb"\\[nr]|[^A-Za-z0-9+/]")
_KEY_SEEN = 1200  # bytes after the first line of a key
_KEY_LEAST = 40  # characters; a key for Ed25519 has 64
_KEY_ENTROPY = 3.5
_FILES = (
    (re.compile(r"(?:.*/)?\.netrc"), "login in .netrc", re.compile(rb"\bpassword\s+(\S{3,200})")),
    (
        re.compile(r"(?:.*/)?(?:\.npmrc|\.yarnrc(?:\.yml)?)|/(?:usr/)?(?:local/)?etc/npmrc"),
        "npm login",
        re.compile(
            rb"(?mi)^[^#;\n]{0,300}(?:_authToken|_password|_auth|npmAuthToken)[\"']?\s{0,4}[=: ]"
            rb"\s{0,4}[\"']?([^\s$\"']{6,2000})"
        ),
    ),
    (
        re.compile(r"(?:.*/)?\.pypirc"),
        "login in .pypirc",
        re.compile(rb"(?m)^\s{0,8}password\s{0,4}[=:]\s{0,4}(\S{3,500})"),
    ),
    (
        re.compile(r"(?:.*/)?(?:\.docker/config\.json|\.dockercfg|\.dockerconfigjson|auth\.json)"),
        "registry login",
        re.compile(rb"\"(?:auth|identitytoken)\"\s{0,4}:\s{0,4}\"([A-Za-z0-9+/=._-]{8,4000})\""),
    ),
    (
        re.compile(r"(?:.*/)?\.git-credentials"),
        "git login",
        re.compile(rb"://[^\s/:@]{1,100}:([^\s/@]{3,500})@"),
    ),
    (
        re.compile(r"(?:.*/)?\.pgpass"),
        "database login",
        re.compile(rb"(?m)^(?:[^:#\n]{1,100}:){4}(.{3,200})$"),
    ),
    (
        re.compile(r"/etc/shadow-?"),
        "password hash",
        re.compile(rb"(?m)^[^:\n]{1,64}:(\$[^:\n]{10,200}):"),
    ),
    (
        re.compile(r"(?:.*/)?\.htpasswd"),
        "password hash",
        re.compile(rb"(?m)^[^:\n]{1,64}:(\$[^:\n]{10,200})$"),
    ),
)
"""Files that are known by their names to hold logins, and where in them these stand."""

_KNOWN = frozenset(("config.json", "auth.json", "shadow", "shadow-", "npmrc"))

SETTINGS = re.compile(
    r"(?:.*/)?(?:\.env(?:\.[\w.-]+)?|[^/]*\.(?:env|ini|cfg|conf|cnf|config|properties|ya?ml|toml|"
    r"json|tfvars|tfstate)|credentials|secrets?(?:\.\w+)?|settings\.py|config\.php|wp-config\.php)",
    re.IGNORECASE,
)
"""Paths of files of settings."""
_NAMES = (
    r"(?:[\w.-]{0,40}[_.-])?(?:pass(?:word|wd|phrase)?|pwd|secret(?:_?key)?|token|api_?key|"
    r"access_?key|private_?key|auth_?token|client_?secret|credentials?|key_?base|signing_?key|"
    r"encryption_?key)"
)
_ASSIGNED = re.compile(
    rb"(?im)^[ \t]{0,40}(?:export |-e |- |set )?[\"']?("
    + _NAMES.encode()
    + rb")[\"']?[ \t]{0,8}(?:=|:|=>)[ \t]{0,8}[\"']?([^\s\"'#;,]{8,300})"
)
_SECRET_NAME = re.compile(_NAMES, re.IGNORECASE)
_NO_VALUE = re.compile(
    rb"(?i)(?:true|false|yes|no|on|off|none|null|nil|required|optional|unset|string|integer|"
    rb"password|basic|bearer|default|unknown|undefined|disabled|enabled|"
    rb"/.*|\./.*|~.*|.*\$.*|.*\{.*|.*\(.*|.*\[.*|<.*|\*+|x+|%.*|@.*|&.*|!.*|https?://.*|file:.*|"
    rb".*_file|[a-z]+(?:[._-][a-z]+)*|[0-9.]+)"
)
"""Values that are settings, references, words or numbers; a password that is a word goes unseen,
but else every translation would be one.
"""
_ASIDE = re.compile(
    r"(?:^|/)(?:tests?|testing|__tests__|spec|specs|fixtures?|testdata|test[-_]data|examples?|"
    r"samples?|demos?|docs?|man|mocks?|tutorials?|vignettes|i18n|locale|locales)(?:/|$)|"
    r"(?:^|/)(?:test_[^/]*|[^/]*_test|[^/]*\.(?:md|rst|txt|html|pod|po|d\.ts))(?:\.\w+)?$",
    re.IGNORECASE,
)
_LIBRARIES = re.compile(
    r"/(?:site-packages|dist-packages|node_modules|usr/lib/python[\d.]+|usr/local/lib/python[\d.]+|"
    r"usr/share|usr/lib|usr/local/go|gems|perl5?|vendor|usr/local/lib/ruby)/"
)


def is_wanted(size: int) -> bool:
    """Whether a file of that many bytes is to be looked into."""
    return 0 < size <= LARGEST


def is_text(data: bytes) -> bool:
    """Whether a file's beginning is that of a text."""
    return b"\0" not in data[:_NUL_WITHIN]


def is_aside(path: str) -> bool:
    """Whether a path lies among tests, examples and documentation, or is a key made for tests."""
    return bool(_ASIDE.search(path)) or path == _SNAKE_OIL


def in_file(path: str, data: bytes) -> tuple[Found, ...]:
    """The secrets of one file, each once, in the order of their lines."""
    if not is_text(data):
        return ()
    found: dict[tuple[str, int], Found] = {}
    for item in islice(_in_file(path, data), _MOST_TRIED):
        found.setdefault((item.kind, item.line), item)
        if len(found) >= MOST_IN_A_FILE:
            break
    return tuple(sorted(found.values(), key=lambda item: (item.line, item.kind)))


def _in_file(path: str, data: bytes) -> Iterator[Found]:
    aside = is_aside(path)
    library = bool(_LIBRARIES.search(path))
    yield from _private_keys(data, aside)
    for token in _TOKENS:
        if any(anchor in data for anchor in token.anchors):
            for match in token.pattern.finditer(data):
                value = match[token.group]
                if token.believed(value):
                    shown = 4 if token.group == 0 else 0
                    weak = aside or (library and token.kind == _IN_URL)
                    yield _found(token.kind, data, match.start(), mask(value, shown), weak)
    base = posixpath.basename(path)
    if base.startswith(".") or base in _KNOWN:
        for name, kind, pattern in _FILES:
            if name.fullmatch(path):
                for match in pattern.finditer(data):
                    yield _found(kind, data, match.start(), mask(match[1]), aside)
    if SETTINGS.fullmatch(path) and not aside and not library:
        for match in _ASSIGNED.finditer(data):
            if _is_secret_value(match[2]):
                kind = f"value of {decoded(match[1])}"
                line = data.count(b"\n", 0, match.start()) + 1
                yield Found(kind, Weight.MEDIUM, line, mask(match[2]))


def _private_keys(data: bytes, aside: bool) -> Iterator[Found]:
    if b"PRIVATE KEY" not in data:
        return
    for match in islice(_KEY.finditer(data), _MOST_TRIED):
        after = data[match.end() : match.end() + _KEY_SEEN].partition(b"-----END")[0]
        body = _NO_BASE64.sub(b"", _KEY_HEADER.sub(b"", after))
        if len(body) < _KEY_LEAST or entropy(body) < _KEY_ENTROPY or b"..." in after:
            continue
        locked = b"ENCRYPTED" in match[1] or b"ENCRYPTED" in after
        kind = "private key" + (" (encrypted)" if locked else "")
        yield _found(kind, data, match.start(), f"{decoded(match[1]).lower()} ***", aside)


def _found(kind: str, data: bytes, start: int, masked: str, aside: bool) -> Found:
    weight = Weight.LOW if aside else Weight.HIGH
    return Found(kind, weight, data.count(b"\n", 0, start) + 1, masked)


def _is_secret_value(value: bytes) -> bool:
    return (
        not _NO_VALUE.fullmatch(value)
        and not _EXAMPLE.search(value)
        and entropy(value) >= _LEAST_ENTROPY
    )


def in_variable(name: str, value: str) -> Found | None:
    """The secret that a variable of the environment or of the build holds, if it does."""
    data = value.encode("utf-8", "surrogateescape")
    for token in _TOKENS:
        if (match := token.pattern.search(data)) and token.believed(match[token.group]):
            return Found(token.kind, Weight.HIGH, 0, mask(match[token.group]))
    if _KEY.search(data):
        return Found("private key", Weight.HIGH, 0, "private key ***")
    known = _SECRET_NAME.fullmatch(name)
    if known and len(value) >= 4 and not _NO_SETTING.fullmatch(value):
        return Found(f"value of {name}", Weight.MEDIUM, 0, mask(value))
    return None


_NO_SETTING = re.compile(
    r"(?i)(?:true|false|yes|no|on|off|none|null|required|/.*|\./.*|.*\$.*|<.*>|\*+|x+|file:.*|.*_file)"
)
_PAIR = re.compile(
    r"(?<![\w.-])([A-Za-z_][\w.-]{0,80})="
    r"(\"(?:[^\"\\]|\\.){0,2000}\"|'[^']{0,2000}'|[^\s;&|\"']{1,2000})"
)
_SPACED = re.compile(r"(?:ENV|LABEL) +([A-Za-z_][\w.-]{0,80}) +(?![^ ]*=)(.{1,2000})")
_FLAG = re.compile(
    r"(--?(?:pass(?:word|wd)?|token|secret|api-key|auth-token|http-password)[= ]+)"
    r"([^\s\"'$]{3,500})",
    re.I,
)
_CURL = re.compile(
    r"(\b(?:curl|wget)\b[^\n;&|]{0,300}?(?:-u|--user)[= ]?[\"']?[\w.@-]{1,64}:)([^\s\"'$]{3,200})"
)


_LOGIN = re.compile(
    r"(\b(?:login|account|user|machine)\s+[^\s;&|]{1,100}\s+password\s+)([^\s\"'$]{3,500})"
)
_HEADER = re.compile(r"(\bAuthorization: *(?:Basic|Bearer|token) +)([^\s\"'$]{8,2000})", re.I)
_WHOLE_KEY = re.compile(
    r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----"
    r".{40,20000}?(?:-----END [A-Z0-9 ]{1,60}-----|\Z)",
    re.DOTALL,
)


def in_text(text: str) -> tuple[tuple[Found, ...], str]:
    """The secrets of an instruction, and the text with these masked."""
    spans: dict[tuple[int, int], Found] = {}
    for token in _TOKENS:
        data = text.encode("latin-1", "replace")  # one byte a character keeps the places
        if any(anchor in data for anchor in token.anchors):
            for match in token.pattern.finditer(data):
                if token.believed(match[token.group]):
                    spans[match.span(token.group)] = Found(
                        token.kind, Weight.HIGH, 0, mask(match[token.group])
                    )
    spaced = _SPACED.fullmatch(text)  # the old form of ENV: a name, a space, the value
    for found in (*([spaced] if spaced else ()), *_PAIR.finditer(text)):
        value = found[2].strip("\"'")
        known = in_variable(found[1], value)
        if known is not None:
            spans.setdefault(found.span(2), known)
    for found in _WHOLE_KEY.finditer(text):
        spans[found.span()] = Found("private key", Weight.HIGH, 0, "private key ***")
    for pattern in (_FLAG, _CURL, _LOGIN, _HEADER):
        for found in pattern.finditer(text):
            spans.setdefault(
                found.span(2), Found("password in a command", Weight.MEDIUM, 0, mask(found[2]))
            )
    return _masked(text, spans)


def _masked(text: str, spans: dict[tuple[int, int], Found]) -> tuple[tuple[Found, ...], str]:
    """What overlaps is masked as a whole, and told as the one that starts first."""
    found: list[Found] = []
    parts: list[str] = []
    last = 0
    for (start, end), item in sorted(spans.items(), key=lambda pair: (pair[0][0], -pair[0][1])):
        if start >= last:
            parts += [text[last:start], "***"]
            found.append(item)
        last = max(last, end)
    return tuple(found), "".join((*parts, text[last:]))
