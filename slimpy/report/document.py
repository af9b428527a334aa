"""Builds the report's document from the values of a whole run. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from probes.model import Answer, CommandAnswer, Exchange, HttpAnswer, NoAnswer, Trace, TraceWarning
from slimpy.engine.deliver import Delivered
from slimpy.harden.dangerous import DANGEROUS, still_blocked
from slimpy.harden.hardening import Hardening
from slimpy.harden.seccomp import unknown_calls
from slimpy.image.tree import Tree
from slimpy.keep.coverage import Coverage
from slimpy.keep.weights import LevelWeight
from slimpy.model import Account, Entry, FileType, Image, KeepSet, Level, Profile, Verdict, display
from slimpy.report.costs import costs
from slimpy.report.files import check_writable, reserved, write
from slimpy.report.schema import (
    SCHEMA,
    SLIMMED,
    VERSION,
    AccountFacts,
    ConfigFacts,
    Count,
    ExchangeFacts,
    HardeningFacts,
    HistoryFacts,
    ImageFacts,
    OutputFacts,
    Report,
    RoundFacts,
    RuleFacts,
    SeccompFacts,
    TraceFacts,
    WarningFacts,
    WritableFacts,
    encode,
)
from slimpy.report.tables import content_size, kept_entries, removed_entries
from slimpy.report.tsv import escape

__all__ = ["Outcome", "Report", "build", "check_writable", "encode", "reserved", "write"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """All that a run came to.

    ``slim`` is None where none was made; ``tag`` is its lasting name, empty where it was not
    tagged; ``seconds`` by stage; ``directory`` is where the report will lie, for people.
    """

    image: Image
    tree: Tree
    trace: Trace
    keep: KeepSet
    account: Account
    profile: Profile
    hardening: Hardening
    verdict: Verdict | None
    slim: Image | None
    tag: str
    seconds: Mapping[str, float]
    slimpy: str
    directory: str
    warnings: tuple[TraceWarning, ...] = ()
    before_margin: int = 0  # system calls allowed without the profile's margin
    widened: tuple[str, ...] = ()  # what rounds of mending allowed or added
    level: Level | None = None
    levels: tuple[LevelWeight, ...] = ()
    coverage: Coverage | None = None
    outputs: tuple[Delivered, ...] = ()
    history: tuple[HistoryFacts, ...] = ()
    rounds: tuple[RoundFacts, ...] = ()


def build(outcome: Outcome) -> Report:
    """The document of a run."""
    image, slim, keep = outcome.image, outcome.slim, outcome.keep
    return Report(
        schema=SCHEMA,
        version=VERSION,
        slimpy=outcome.slimpy,
        status=_status(outcome.verdict),
        image=ImageFacts(display(image.reference), display(image.id), image.size),
        slim=ImageFacts(display(outcome.tag), display(slim.id), slim.size) if slim else None,
        factor=round(image.size / slim.size, 2) if slim and slim.size else None,
        kept=_count(kept_entries(outcome.tree, keep), keep),
        removed=_count(removed_entries(outcome.tree, keep), keep),
        placeholders=len(keep.placeholders),
        kept_by_rule=_by_rule(outcome.tree, keep),
        refused={escape(path): display(why) for path, why in sorted(keep.refused.items())},
        trace=_trace(outcome.trace),
        exchanges=_exchanges(outcome.trace, outcome.verdict),
        causes=tuple(map(display, outcome.verdict.causes)) if outcome.verdict else (),
        account=_account(outcome.account),
        seccomp=_seccomp(outcome.profile, outcome.before_margin),
        hardening=_hardening(outcome.hardening, outcome.widened),
        warnings=_warnings(outcome),
        seconds={name: round(spent, 3) for name, spent in outcome.seconds.items()},
        directory=display(outcome.directory),
        level=outcome.level or "",
        levels=outcome.levels,
        coverage=outcome.coverage,
        outputs=tuple(
            OutputFacts(display(item.destination), item.digest) for item in outcome.outputs
        ),
        config=_config(image),
        rule_costs=costs(outcome.tree, keep),
        history=outcome.history,
        rounds=tuple(
            replace(item, causes=tuple(map(display, item.causes))) for item in outcome.rounds
        ),
    )


def _status(verdict: Verdict | None) -> str:
    if verdict is None:
        return "failed: the slim image was never run"
    if not verdict.started:
        return "failed: the slim image did not start"
    if not verdict.comparisons:
        return "failed: there was nothing to compare"
    if verdict.passed:
        return SLIMMED
    total = len(verdict.comparisons)
    return f"failed: {total - verdict.same} of {total} answers differ"


def _config(image: Image) -> ConfigFacts:
    check = image.healthcheck
    return ConfigFacts(
        architecture=display(image.architecture),
        os=display(image.os),
        created=display(image.created),
        user=display(image.user),
        workdir=escape(image.workdir),
        entrypoint=tuple(map(display, image.entrypoint)),
        command=tuple(map(display, image.command)),
        healthcheck=tuple(map(display, check.argv)) if check else (),
        ports=image.exposed,
        volumes=tuple(map(escape, image.volumes)),
        layers=tuple(map(display, image.layers)),
    )


def _count(entries: Iterable[Entry], keep: KeepSet) -> Count:
    kinds: Counter[FileType] = Counter()
    total = 0
    seen: set[int] = set()
    for entry in entries:
        kinds[entry.type] += 1
        if entry.inode not in seen:
            total += content_size(entry, keep)
        if entry.inode:
            seen.add(entry.inode)
    files, directories = kinds.pop(FileType.FILE, 0), kinds.pop(FileType.DIRECTORY, 0)
    links = kinds.pop(FileType.LINK, 0)
    return Count(files, directories, links, kinds.total(), total)


def _by_rule(tree: Tree, keep: KeepSet) -> tuple[RuleFacts, ...]:
    """Rules with what they keep, the heaviest first."""
    paths: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    seen: set[int] = set()
    for entry in kept_entries(tree, keep):
        rule = next((reason.rule.value for reason in keep.reasons[entry.path]), "unknown")
        paths[rule] += 1
        if entry.inode not in seen:
            sizes[rule] += content_size(entry, keep)
        if entry.inode:
            seen.add(entry.inode)
    facts = (RuleFacts(rule, paths[rule], sizes[rule]) for rule in paths)
    return tuple(sorted(facts, key=lambda item: (-item.bytes, item.rule)))


def _trace(trace: Trace) -> TraceFacts:
    activity = trace.activity
    listeners = {f"{item.protocol} {item.address}:{item.port}" for item in activity.listeners}
    executables = {process.executable for process in activity.processes if process.executable}
    return TraceFacts(
        events=len(activity.events),
        paths=len({event.path for event in activity.events}),
        syscalls=len({use.name for use in activity.syscalls}),
        executables=tuple(sorted(map(escape, executables))),
        processes=len(activity.processes),
        listeners=tuple(sorted(map(display, listeners))),
        ports=tuple(sorted(trace.ports)),
        complete=activity.complete,
    )


def _exchanges(trace: Trace, verdict: Verdict | None) -> tuple[ExchangeFacts, ...]:
    if verdict is None or not verdict.comparisons:
        return tuple(_unanswered(exchange) for exchange in trace.exchanges)
    return tuple(
        ExchangeFacts(
            display(item.name),
            display(item.kind),
            item.sameness.value,
            display(item.fat),
            display(item.slim),
            tuple(map(display, item.differences)),
        )
        for item in verdict.comparisons
    )


def _unanswered(exchange: Exchange) -> ExchangeFacts:
    fat = display(_in_short(exchange.answer))
    return ExchangeFacts(display(exchange.name), exchange.kind, "unknown", fat, "", ())


def _in_short(answer: Answer) -> str:
    match answer:
        case HttpAnswer():
            return f"status {answer.status}, {answer.size} bytes"
        case CommandAnswer():
            return f"exit code {answer.exit_code}, {len(answer.stdout)} bytes of output"
        case NoAnswer():
            return f"no answer: {answer.reason}"


def _account(account: Account) -> AccountFacts:
    return AccountFacts(
        display(account.user),
        account.uid,
        account.gid,
        account.source,
        display(account.why),
        tuple(map(escape, account.chown)),
    )


def _hardening(hardening: Hardening, widened: Iterable[str]) -> HardeningFacts:
    return HardeningFacts(
        capabilities=hardening.capabilities,
        no_new_privileges=hardening.no_new_privileges,
        read_only=hardening.read_only,
        writable=tuple(
            WritableFacts(escape(place.path), place.kind, display(place.why))
            for place in hardening.writable
        ),
        apparmor=hardening.apparmor_state if hardening.apparmor else "",
        widened=tuple(map(display, widened)),
        shortfalls=tuple(map(display, hardening.shortfalls())),
    )


def _seccomp(profile: Profile, before_margin: int) -> SeccompFacts:
    return SeccompFacts(
        before_margin=before_margin,
        allowed=tuple(map(display, profile.allowed)),
        architectures=profile.architectures,
        refused={display(name): display(why) for name, why in sorted(profile.refused.items())},
        dangerous=len(DANGEROUS),
        still_blocked=still_blocked(profile),
    )


def _warnings(outcome: Outcome) -> tuple[WarningFacts, ...]:
    """All warnings of the run, equal ones added up, in the order of the stages."""
    activity = outcome.trace.activity
    counts: Counter[tuple[str, str]] = Counter()
    for group in (
        activity.warnings,
        outcome.trace.warnings,
        outcome.keep.warnings,
        unknown_calls(activity),
        outcome.warnings,
    ):
        for warning in group:
            counts[warning.code, warning.text] += warning.count
    return tuple(
        WarningFacts(display(code), display(text), count) for (code, text), count in counts.items()
    )
