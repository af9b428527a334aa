"""Secrets that end up in the image or its history. Values are never quoted in full."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from slimpy.lint.context import is_secret
from slimpy.lint.finding import Finding, Rule, Severity
from slimpy.lint.source import Text
from slimpy.lint.subject import Check, Subject
from slimpy.lint.words import pairs, plain

IN_ENV = Rule(
    "SL050",
    "secret-in-env",
    Severity.ERROR,
    "ENV or LABEL holds a secret",
    "Whoever can pull the image reads it with docker inspect; so does every process in the "
    "container.",
    "ENV DB_PASSWORD=hunter2-hunter2",
    "ENV DB_PASSWORD_FILE=/run/secrets/db",
)
IN_ARG = Rule(
    "SL051",
    "secret-in-arg",
    Severity.WARNING,
    "A secret is passed as a build argument",
    "Arguments stay in the image's history. A secret mount leaves no trace.",
    "ARG NPM_TOKEN\nRUN echo $NPM_TOKEN > /root/.npmrc",
    "RUN --mount=type=secret,id=npm,target=/root/.npmrc npm ci --cache /tmp/npm && rm -rf "
    "/root/.npm",
)
VALUE = Rule(
    "SL052",
    "secret-value",
    Severity.ERROR,
    "The file holds what looks like a key or password",
    "It is in the repository, in the image's history, and on every machine that builds or pulls "
    "it.",
    "RUN curl -u deploy:s3cretpass https://example.org/app.tgz -o /app.tgz",
    "RUN --mount=type=secret,id=netrc,target=/root/.netrc curl -n https://example.org/app.tgz -o "
    "/app.tgz",
)
COPIED = Rule(
    "SL053",
    "secret-copied",
    Severity.ERROR,
    "A file that usually holds a secret is copied into the image",
    "It stays in its layer even if a later RUN deletes it.",
    "COPY id_rsa /root/.ssh/id_rsa",
    "RUN --mount=type=ssh ssh -T git@example.org",
)
RULES = (IN_ENV, IN_ARG, VALUE, COPIED)

_NAME = re.compile(
    r"(?:^|_)(?:PASSWORDS?|PASSWD|PASSPHRASE|PASS|PWD|SECRETS?|TOKENS?|API_?KEYS?|ACCESS_?KEY|PRIVATE_?KEY"
    r"|SECRET_?KEY|CREDENTIALS?|AUTH|ACCESS_KEY_ID|KEY_BASE|SIGNING_KEY|ENCRYPTION_KEY)$",
    re.IGNORECASE,
)
_NO_SECRET = re.compile(
    r"^(?:|true|false|yes|no|on|off|none|null|0|1|/.*|\./.*|.*\$.*|<.*>|\*+|x+|file:.*|.*_FILE"
    r"|(?:change|replace|set|your|insert)[-_ ]?(?:me|this|it|here)?.*|dummy|example|placeholder"
    r"|required|unset|todo|disabled|enabled|basic|bearer|dev|test)$",
    re.IGNORECASE | re.DOTALL,
)
_VALUES = (
    ("an AWS access key", re.compile(r"(?<![A-Z0-9])(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Z0-9])")),
    ("a GitHub token", re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_\w{22,255})")),
    ("a GitLab token", re.compile(r"\bglpat-[\w-]{20,64}")),
    ("a Slack token", re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{10,250}")),
    ("a Stripe key", re.compile(r"\b[sr]k_live_[A-Za-z0-9]{16,128}")),
    ("a Google API key", re.compile(r"\bAIza[\w-]{35}")),
    ("an npm token", re.compile(r"\bnpm_[A-Za-z0-9]{36}")),
    ("a PyPI token", re.compile(r"\bpypi-[\w-]{50,255}")),
    ("a private key", re.compile(r"-----BEGIN (?:[A-Z]{1,12} ){0,3}PRIVATE KEY-----")),
    ("a JSON Web Token", re.compile(r"\beyJ[\w-]{10,500}\.eyJ[\w-]{10,2000}\.[\w-]{10,500}")),
    (
        "a password in a URL",
        re.compile(r"\b[a-z][a-z0-9+.-]{1,15}://[^\s/:@'\"]{1,64}:(?![$<*{])[^\s/@'\"]{3,128}@"),
    ),
    (
        "a login header",
        re.compile(r"\bAuthorization: *(?:Basic|Bearer) +(?!\$)[\w.~+/=-]{8,500}", re.I),
    ),
)
_CURL_USER = re.compile(r"[^:$]{1,64}:(?!\$).{3,}")
_LONGEST_LINE = 20_000  # characters of an instruction that are searched
_MOST_FINDINGS = 100


def variables(subject: Subject) -> Iterator[Finding]:
    """ENV, LABEL and ARG with names of secrets."""
    used = _used_arguments(subject)
    for item in subject.recipe.file.instructions:
        if item.keyword not in ("ENV", "LABEL", "ARG"):
            continue
        for name, raw, offset in pairs(item.rest.value, subject.escape):
            if not _NAME.search(name.rpartition(".")[2]):
                continue
            line = item.rest.line(offset)
            value = plain(raw, subject.escape) or ""
            if item.keyword == "ARG":
                yield from _argument(name, value, line, used=name in used)
            elif not _NO_SECRET.match(value):
                yield IN_ENV.at(
                    line,
                    f"{item.keyword} {name} is set to {masked(value)}.",
                    "Pass it when the container starts: --env-file, a secret, or a file below "
                    "/run/secrets.",
                )
            elif item.keyword == "ENV" and _from_argument(raw, used):
                yield IN_ENV.at(
                    line,
                    f"ENV {name} keeps the value of a build argument in the image.",
                    "Pass it when the container starts.",
                )


def values(subject: Subject) -> Iterator[Finding]:
    """Anything that is written like a key."""
    count = 0
    for item in subject.recipe.file.instructions:
        for text in (item.rest, *(heredoc.body for heredoc in item.heredocs)):
            for kind, line, found in _keys(text):
                count += 1
                if count > _MOST_FINDINGS:
                    return
                yield VALUE.at(
                    line,
                    f"{kind[0].upper()}{kind[1:]} stands in the file: {masked(found)}.",
                    "Take it back where it was issued, and use RUN --mount=type=secret.",
                )
    yield from _logins(subject)


def files(subject: Subject) -> Iterator[Finding]:
    """Files with secrets that are copied by their names."""
    for stage in subject.recipe.stages:
        for step, sources, _ in subject.copies(stage):
            for source in sources:
                if is_secret(posixpath.basename(source.rstrip("/"))):
                    yield COPIED.at(
                        step.line,
                        f"{source} usually holds a secret.",
                        "Use RUN --mount=type=secret for the build, or mount it when the "
                        "container starts.",
                    )


def masked(value: str) -> str:
    """A value that is told by its first two characters only."""
    shown = value[:2] if len(value) >= 8 else ""
    return f"{shown}*** ({len(value)} characters)"


def _argument(name: str, value: str, line: int, *, used: bool) -> Iterator[Finding]:
    if value and not _NO_SECRET.match(value):
        yield VALUE.at(
            line,
            f"ARG {name} has the default {masked(value)}.",
            "Take it back where it was issued, and use RUN --mount=type=secret.",
        )
    elif used:
        yield IN_ARG.at(
            line,
            f"ARG {name} is used in RUN, and stays in the image's history.",
            f"RUN --mount=type=secret,id={name.lower()} ...",
        )


def _used_arguments(subject: Subject) -> frozenset[str]:
    """Arguments of the build that RUN or ENV refer to."""
    names = {
        name
        for item in subject.recipe.file.instructions
        if item.keyword == "ARG"
        for name, _, _ in pairs(item.rest.value, subject.escape)
        if _NAME.search(name)
    }
    if not names:
        return frozenset()
    reference = re.compile(r"\$\{?([A-Za-z_]\w*)")
    used: set[str] = set()
    for item in subject.recipe.file.instructions:
        if item.keyword in ("RUN", "ENV", "LABEL"):
            for text in (item.rest.value, *(each.body.value for each in item.heredocs)):
                used.update(found[1] for found in reference.finditer(text))
    return frozenset(names & used)


def _from_argument(raw: str, used: frozenset[str]) -> bool:
    return any(name in used for name in re.findall(r"\$\{?([A-Za-z_]\w*)", raw))


def _keys(text: Text) -> Iterator[tuple[str, int, str]]:
    whole = text.value
    for start in range(0, max(len(whole), 1), _LONGEST_LINE):
        part = whole[start : start + _LONGEST_LINE + 512]
        for kind, pattern in _VALUES:
            for found in pattern.finditer(part):
                if found.start() < _LONGEST_LINE:
                    yield kind, text.line(start + found.start()), found[0]


def _logins(subject: Subject) -> Iterator[Finding]:
    """Passwords as arguments of programs that fetch something."""
    for run in subject.runs:
        for command in run.named("curl", "wget"):
            words = command.arguments
            for number, word in enumerate(words):
                value = (
                    words[number + 1]
                    if word in ("-u", "--user") and number + 1 < len(words)
                    else ""
                )
                value = value or (
                    word.partition("=")[2]
                    if word.startswith(("--password=", "--http-password="))
                    else ""
                )
                if (
                    value
                    and (_CURL_USER.fullmatch(value) or word.startswith("--"))
                    and "$" not in value
                ):
                    yield VALUE.at(
                        command.line,
                        f"A password is given to {command.name}: {masked(value)}.",
                        "RUN --mount=type=secret,id=netrc,target=/root/.netrc curl -n ...",
                    )


CHECKS: tuple[Check, ...] = (variables, values, files)
