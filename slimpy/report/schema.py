"""The report's document: versioned, plain values only, every text safe to print.

Sizes are bytes of contents, times are seconds. Paths are escaped as in the tables beside it
(`slimpy.report.tsv`), so that each stays one line and can be read back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from slimpy.keep.coverage import Coverage
from slimpy.keep.weights import LevelWeight

FILE = "report.json"
SCHEMA = "slimpy-report"
VERSION = 1
"""Raised when a key changes its meaning or goes; a new key does not raise it."""

SLIMMED = "slimmed"
"""The status of a build whose slim image answers like the original."""


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """One of the two images; ``reference`` is empty where it was given no name."""

    reference: str
    id: str
    size: int


@dataclass(frozen=True, slots=True)
class ConfigFacts:
    """How the original is meant to run, as its configuration says; ``layers`` are diffIDs, the
    base first, ``created`` its own time (RFC 3339).
    """

    architecture: str
    os: str
    created: str
    user: str
    workdir: str
    entrypoint: tuple[str, ...]
    command: tuple[str, ...]
    healthcheck: tuple[str, ...]
    ports: tuple[int, ...]
    volumes: tuple[str, ...]
    layers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HistoryFacts:
    """One step that made the original, the first one first: its instruction as it may have stood in
    the Dockerfile, secrets masked, without the values of build arguments.

    ``bytes`` are those of its layer's files, ``empty`` says that it made no layer; both are null
    where the engine does not tell. ``layer`` counts from 1; 0 where it made none, or nobody knows.
    """

    instruction: str
    created: str
    bytes: int | None
    empty: bool | None
    layer: int = 0


@dataclass(frozen=True, slots=True)
class RoundFacts:
    """A round of mending: how many of the ``probes`` the slim image answered ``alike`` before it,
    and in sentences the causes that the round found, and mended unless the user's wishes forbid it.
    """

    round: int
    alike: int
    probes: int
    causes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OutputFacts:
    """Where the slim image went besides, as the user wrote it, and its manifest's digest there."""

    destination: str
    digest: str


@dataclass(frozen=True, slots=True)
class Count:
    """How many paths of each kind, and the bytes of their contents (hard links once)."""

    files: int = 0
    directories: int = 0
    links: int = 0
    others: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class TraceFacts:
    """What the run of the original showed; ``listeners`` as ``tcp 0.0.0.0:80``."""

    events: int
    paths: int
    syscalls: int
    executables: tuple[str, ...]
    processes: int
    listeners: tuple[str, ...]
    ports: tuple[int, ...]
    complete: bool


@dataclass(frozen=True, slots=True)
class ExchangeFacts:
    """One probe: both answers in short, and the verdict: ``unknown`` if the slim was not asked."""

    name: str
    kind: str
    verdict: str
    fat: str
    slim: str
    differences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """Whom the slim image runs as, and what was handed to that user."""

    user: str
    uid: int
    gid: int
    source: str
    why: str
    chown: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SeccompFacts:
    """The profile in short; ``seccomp.json`` is the whole of it.

    ``before_margin`` counts what would be allowed without calls of the same purpose.
    """

    allowed: tuple[str, ...]
    before_margin: int
    architectures: tuple[str, ...]
    refused: Mapping[str, str]
    dangerous: int
    still_blocked: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WritableFacts:
    """A directory that must be writable: ``kind`` is ``tmpfs`` or ``volume``."""

    path: str
    kind: str
    why: str


@dataclass(frozen=True, slots=True)
class HardeningFacts:
    """The restrictions under which the slim image was proven; ``hardening/`` has them as files.

    ``capabilities`` are all that it keeps; ``widened`` says in sentences what had to be allowed
    beyond the strictest, and why; ``shortfalls`` what is left to wish for.
    """

    capabilities: tuple[str, ...]
    no_new_privileges: bool
    read_only: bool
    writable: tuple[WritableFacts, ...]
    apparmor: str
    widened: tuple[str, ...]
    shortfalls: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RuleFacts:
    """What a rule keeps: each path counts once, for the first of its reasons."""

    rule: str
    paths: int
    bytes: int


@dataclass(frozen=True, slots=True)
class RuleCost:
    """What a rule asks for: each path counts for all of its rules, so costs overlap.

    ``alone_paths`` and ``alone_bytes`` are what no other rule asks for.
    """

    rule: str
    paths: int
    bytes: int
    alone_paths: int
    alone_bytes: int


@dataclass(frozen=True, slots=True)
class WarningFacts:
    """Something that the report cannot vouch for, and how often."""

    code: str
    text: str
    count: int


@dataclass(frozen=True, slots=True)
class Report:
    """What was done, why, and whether it holds.

    ``status`` is ``slimmed`` or ``failed: ...``; ``factor`` is original size by slim size, None
    where there is no slim image; ``placeholders`` are kept by name only; ``refused`` is path ->
    why; ``directory`` is where the report lies; ``seconds`` by stage, in the order of their begin;
    ``levels`` is what each level of caution would weigh, ``level`` the one that was built;
    ``history`` is what made the original, ``rounds`` how the slim image was mended.
    """

    schema: str
    version: int
    slimpy: str
    status: str
    image: ImageFacts
    slim: ImageFacts | None
    factor: float | None
    kept: Count
    removed: Count
    placeholders: int
    kept_by_rule: tuple[RuleFacts, ...]
    refused: Mapping[str, str]
    trace: TraceFacts
    exchanges: tuple[ExchangeFacts, ...]
    causes: tuple[str, ...]
    account: AccountFacts
    seccomp: SeccompFacts
    hardening: HardeningFacts
    warnings: tuple[WarningFacts, ...]
    seconds: Mapping[str, float]
    directory: str
    level: str = ""
    levels: tuple[LevelWeight, ...] = ()
    coverage: Coverage | None = None
    outputs: tuple[OutputFacts, ...] = ()
    config: ConfigFacts | None = None
    rule_costs: tuple[RuleCost, ...] = ()
    history: tuple[HistoryFacts, ...] = ()
    rounds: tuple[RoundFacts, ...] = ()

    @property
    def slimmed(self) -> bool:
        """Whether the slim image answers like the original."""
        return self.status == SLIMMED


def encode(report: Report) -> str:
    """The document as indented JSON, ending in a newline."""
    return msgspec.json.format(msgspec.json.encode(report), indent=2).decode() + "\n"


def decode(data: bytes) -> Report:
    """The inverse of `encode`; keys that this version does not know are passed over.

    Raises:
        msgspec.MsgspecError: no JSON, or a key is missing or of another type.
    """
    return msgspec.json.decode(data, type=Report)
