"""The stages in order: reference -> Image -> Trace -> KeepSet -> Layer + Config + Profile ->
Verdict -> Report.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from probes.errors import ProbeError
from probes.files.recorder import merge
from probes.model import Activity, Plan, Trace, TraceWarning
from slimpy import __version__
from slimpy.engine.interrupts import INTERRUPTS
from slimpy.engine.observe import Observation, Observer
from slimpy.engine.protocol import Engine, Workspace
from slimpy.engine.session import scratch_directory, temporary_tag
from slimpy.errors import AppExitedError, EngineLostError, TraceError
from slimpy.events import Progress, Stopwatch
from slimpy.harden import account as accounts
from slimpy.harden import seccomp
from slimpy.image import listing
from slimpy.image.spool import Spool
from slimpy.image.tree import Tree
from slimpy.keep import packages
from slimpy.keep.decide import decide
from slimpy.model import (
    Account,
    Image,
    ImagePath,
    KeepSet,
    Profile,
    Reason,
    Verdict,
    display,
    epoch,
)
from slimpy.pack.accounts import ensure_account
from slimpy.pack.archive import write_archive
from slimpy.pack.config import slim_config
from slimpy.pack.layer import Packed, write_layer
from slimpy.report import document
from slimpy.settings import BuildOptions, checked_tag, default_tag
from slimpy.traces import load, merged
from slimpy.verify.causes import find_causes
from slimpy.verify.compare import compare
from slimpy.verify.failures import as_slim_error, check_original

TOOLBOX = ("/.slimpy",)
"""What the tracer adds to the container that it watches."""
PASSWD = ImagePath("/etc/passwd")
GROUP = ImagePath("/etc/group")


@dataclass(frozen=True, slots=True)
class Original:
    """The pristine image under work, and what its run showed."""

    image: Image
    tree: Tree
    contents: Spool
    trace: Trace


@dataclass(frozen=True, slots=True)
class Attempt:
    """One slim image, and what came of its proof; ``image`` carries a temporary tag until it is
    settled.
    """

    keep: KeepSet
    account: Account
    profile: Profile
    packed: Packed
    image: Image
    verdict: Verdict
    observation: Observation


def build(engine: Engine, options: BuildOptions, progress: Progress) -> document.Report:
    """Make, prove, tag and report a slim image.

    Returns:
        The report, already written; its status tells whether the slim image answers like the
        original.

    Raises:
        SlimError: the original cannot be used, the engine failed, or something cannot be written.
    """
    watch = Stopwatch(progress)
    document.check_writable(options.report_directory)
    saved = [load(file) for file in options.traces]
    with watch.stage("image") as stage:
        image = engine.inspect(options.reference, pull=options.pull)
        stage.summary = f"{image.reference}: {image.size / 1e6:.1f} MB, {image.architecture}"
    if not options.named:
        options = replace(options, tag=checked_tag(default_tag(options.reference, image.tags)))
    with scratch_directory() as scratch, contextlib.ExitStack() as stack:
        workspace = stack.enter_context(engine.workspace(image))
        with watch.stage("index") as stage:
            tree = _index(workspace, image)
            stage.summary = f"{len(tree):,} paths"
        with watch.stage("trace") as stage:
            trace = merged(_trace(workspace, options.plan, image, progress), saved, image)
            stage.summary = _trace_summary(trace)
        contents = stack.enter_context(Spool(workspace.archive, scratch, tree))
        original = Original(image, tree, contents, trace)
        with watch.stage("decide") as stage:
            keep = _keep(original, options)
            stage.summary = f"{len(keep.reasons):,} of {len(tree):,} paths kept"
        prover = Prover(engine, workspace, original, options, scratch, watch)
        with prover.proven(keep) as attempt:
            return _settle(engine, options, original, attempt, watch)


def trace(
    engine: Engine,
    reference: str,
    plan: Plan,
    progress: Progress,
    *,
    accompany: Callable[[Mapping[int, tuple[str, int]]], None] | None = None,
) -> tuple[Image, Trace]:
    """Run an image under a plan and return what was seen, without building anything.

    Args:
        accompany: called while the app serves, with the address of each of its ports.

    Raises:
        SlimError: the original cannot be used, or the engine failed.
    """
    watch = Stopwatch(progress)
    with watch.stage("image") as stage:
        image = engine.inspect(reference)
        stage.summary = f"{image.reference}: {image.size / 1e6:.1f} MB, {image.architecture}"
    with engine.workspace(image) as workspace, watch.stage("trace") as stage:
        seen = _trace(workspace, plan, image, progress, accompany=accompany)
        stage.summary = _trace_summary(seen)
    return image, seen


def _index(workspace: Workspace, image: Image) -> Tree:
    entries = listing.parse(workspace.listing())
    created = epoch(image.created)
    return Tree(
        listing.normalised(entries, container_time=workspace.container_time, created=created)
    )


def _trace(
    workspace: Workspace,
    plan: Plan,
    image: Image,
    progress: Progress,
    *,
    accompany: Callable[[Mapping[int, tuple[str, int]]], None] | None = None,
) -> Trace:
    observer = Observer(workspace, plan, traced=True, tell=progress.update, accompany=accompany)
    try:
        seen = observer.observe(image)
    except ProbeError as error:
        raise as_slim_error(error, image.reference) from error
    if accompany is None or seen.exchanges:
        check_original(seen.exchanges, seen.log)
    if not seen.activity.complete:
        message = "The tracer ended before the app did, so files that the app used may be unknown."
        raise TraceError(message, hint="Was it killed, or out of memory? Run the command again.")
    return Trace(
        image=image.id,
        activity=seen.activity,
        exchanges=seen.exchanges,
        ports=seen.ports,
        uids=seen.identities,
        changed=seen.changed,
        warnings=seen.warnings,
    )


def _keep(
    original: Original,
    options: BuildOptions,
    missing: Mapping[ImagePath, tuple[Reason, ...]] | None = None,
) -> KeepSet:
    return decide(
        original.image,
        original.tree,
        original.trace,
        original.contents,
        includes=options.includes,
        extra=missing,
        ignore=TOOLBOX,
        level=options.level,
        disabled=options.disabled,
    )


def _trace_summary(trace: Trace) -> str:
    paths = len({event.path for event in trace.activity.events if event.error is None})
    calls = len({use.name for use in trace.activity.syscalls})
    return f"{len(trace.exchanges)} probes answered, {paths:,} paths touched, {calls} system calls"


@dataclass(frozen=True, slots=True)
class Prover:
    """Packs slim images and proves them: user by user in order of preference, a few rounds of
    mending each.
    """

    engine: Engine
    workspace: Workspace
    original: Original
    options: BuildOptions
    scratch: Path
    watch: Stopwatch

    @contextlib.contextmanager
    def proven(self, keep: KeepSet) -> Iterator[Attempt]:
        """The first attempt that answers like the original, else the best one; temporary tags go
        at the end.
        """
        made: list[str] = []
        try:
            yield self._first_good(keep, made)
        finally:
            for tag in made:
                # An engine that is gone must not hide why: the next start takes the tag away.
                with contextlib.suppress(EngineLostError):
                    self.engine.remove_tag(tag)

    def _first_good(self, keep: KeepSet, made: list[str]) -> Attempt:
        best: Attempt | None = None
        first_failure = ""
        for account in self._accounts():
            if account.is_root and first_failure:
                account = replace(account, why=f"{account.why}; as another user: {first_failure}")
            attempt = self._mended(keep, account, made)
            if best is None or attempt.verdict.same > best.verdict.same or attempt.verdict.passed:
                best = attempt
            if attempt.verdict.passed:
                break
            keep = attempt.keep
            first_failure = first_failure or _first_difference(attempt.verdict)
        assert best is not None
        return best

    def _accounts(self) -> tuple[Account, ...]:
        found = accounts.choose(
            self.original.image,
            self.original.tree,
            self.original.trace,
            passwd=self._small_file(PASSWD),
            group=self._small_file(GROUP),
        )
        return (
            tuple(account for account in found if account.is_root) if self.options.root else found
        )

    def _mended(self, keep: KeepSet, account: Account, made: list[str]) -> Attempt:
        """Attempts as one user until it answers alike or nothing more can be mended."""
        calls = Activity()
        missing: dict[ImagePath, tuple[Reason, ...]] = {}
        attempt = self._attempt(keep, account, calls, made, 0)
        for number in range(1, self.options.repair + 1):
            if attempt.verdict.passed:
                break
            seen = self._diagnose(attempt)
            causes = find_causes(self.original.tree, keep, account, seen, round_number=number)
            calls = merge((calls, seen))
            refused = self._newly_allowed(calls, attempt.profile)
            sentences = (
                *causes.sentences,
                *(f"system call not in the profile: {name}" for name in refused),
            )
            attempt = replace(attempt, verdict=replace(attempt.verdict, causes=sentences))
            if not (causes or refused):
                break
            self.watch.progress.update(
                f"round {number}: mending {len(sentences)} causes, such as {sentences[0]}"
            )
            missing = {**missing, **causes.missing}
            keep = _keep(self.original, self.options, missing)
            account = replace(account, chown=tuple(sorted({*account.chown, *causes.forbidden})))
            attempt = self._attempt(keep, account, calls, made, number)
        return attempt

    def _newly_allowed(self, calls: Activity, profile: Profile) -> tuple[str, ...]:
        """System calls that a profile would also let through if ``calls`` had been traced."""
        activity = merge((self.original.trace.activity, calls))
        wider = seccomp.profile(activity, no_new_privileges=False)
        return tuple(sorted(set(wider.allowed) - set(profile.allowed)))

    def _attempt(
        self, keep: KeepSet, account: Account, extra: Activity, made: list[str], number: int
    ) -> Attempt:
        activity = merge((self.original.trace.activity, extra))
        profile = seccomp.profile(activity, no_new_privileges=False)
        with self.watch.stage("pack") as stage:
            tag = temporary_tag()
            made.append(tag)
            packed, image = self._packed(keep, account, tag, number)
            stage.summary = (
                f"{packed.layer.files:,} files, {packed.layer.content_size / 1e6:.1f} MB"
            )
        with self.watch.stage("prove") as stage:
            verdict, seen = self._verdict(image, profile)
            stage.summary = _verdict_summary(verdict, account, profile)
        return Attempt(keep, account, profile, packed, image, verdict, seen)

    def _packed(
        self, keep: KeepSet, account: Account, tag: str, number: int
    ) -> tuple[Packed, Image]:
        original = self.original
        layer = self.scratch / f"layer-{number}-{account.uid}.tar"
        archive = self.scratch / "image.tar"
        try:
            packed = write_layer(
                original.tree,
                keep,
                account,
                original.contents,
                layer,
                replaced=self._accounts_files(keep, account),
            )
            labels = {"io.slimpy.version": __version__, "io.slimpy.source": original.image.id}
            config = slim_config(
                original.image, packed.layer, account, labels, ports=original.trace.ports
            )
            write_archive(packed.layer, config, tag, archive)
            return packed, self.engine.load(archive, tag)
        finally:
            layer.unlink(missing_ok=True)
            archive.unlink(missing_ok=True)

    def _accounts_files(self, keep: KeepSet, account: Account) -> dict[ImagePath, bytes]:
        """/etc/passwd and /etc/group with a line for the user, where the image has such files."""
        if account.is_root or PASSWD not in keep or GROUP not in keep:
            return {}
        old = {path: self._small_file(path) for path in (PASSWD, GROUP)}
        passwd, group = ensure_account(old[PASSWD], old[GROUP], account.uid, account.gid)
        new = {PASSWD: passwd, GROUP: group}
        return {path: data for path, data in new.items() if data != old[path]}

    def _small_file(self, path: ImagePath) -> bytes:
        try:
            return self.original.contents.read(path, limit=1 << 20)
        except FileNotFoundError:
            return b""

    def _observer(self, *, traced: bool, profile: Profile | None) -> Observer:
        trace = self.original.trace
        return Observer(
            self.workspace,
            self.options.plan,
            traced=traced,
            seccomp=seccomp.to_json(profile) if profile else None,
            replay=trace.exchanges,
            ports=trace.ports,
        )

    def _verdict(self, image: Image, profile: Profile) -> tuple[Verdict, Observation]:
        fat = self.original.trace.exchanges
        try:
            seen = self._observer(traced=False, profile=profile).observe(image)
        except (ProbeError, AppExitedError) as error:
            lines = (str(error), *getattr(error, "log", ()), *getattr(error, "details", ()))
            return Verdict(compare(fat, ()), causes=tuple(lines), started=False), Observation()
        return Verdict(compare(fat, seen.exchanges)), seen

    def _diagnose(self, attempt: Attempt) -> Activity:
        """The slim image once more, traced and without a profile: what does it look for in vain?"""
        with self.watch.stage("diagnose"):
            observer = self._observer(traced=True, profile=None)
            try:
                return observer.observe(attempt.image).activity
            except ProbeError as error:
                return error.activity or Activity()
            except AppExitedError:
                return Activity()


def _first_difference(verdict: Verdict) -> str:
    for item in verdict.comparisons:
        for difference in item.differences:
            return f"{item.name}: {difference}"
    return verdict.causes[0] if verdict.causes else "it did not start"


def _verdict_summary(verdict: Verdict, account: Account, profile: Profile) -> str:
    return (
        f"{verdict.same} of {len(verdict.comparisons)} answers the same, "
        f"as {account.user or 'root'}, "
        f"{len(profile.allowed)} system calls allowed"
    )


def _settle(
    engine: Engine, options: BuildOptions, original: Original, attempt: Attempt, watch: Stopwatch
) -> document.Report:
    """Write the report, and last of all tag the image if it may be tagged."""
    tagged = attempt.verdict.passed or options.keep_failed
    with watch.stage("owners") as stage:
        owned = packages.survey(original.tree, original.contents)
        stage.summary = f"{len(owned.owners):,} paths belong to packages"
    outcome = document.Outcome(
        image=original.image,
        tree=original.tree,
        trace=original.trace,
        keep=attempt.keep,
        account=attempt.account,
        profile=attempt.profile,
        verdict=attempt.verdict,
        slim=attempt.image,
        tag=options.tag if tagged else "",
        seconds=dict(watch.seconds),
        slimpy=__version__,
        directory=str(options.report_directory),
        warnings=(
            *owned.warnings,
            *_skipped(attempt.packed),
            *seccomp.unknown_calls(original.trace.activity),
        ),
    )
    report = document.build(outcome)
    with INTERRUPTS.deferred():
        document.write(
            report,
            attempt.keep,
            original.tree,
            attempt.profile,
            owned.owners,
            options.report_directory,
        )
        if tagged:
            engine.tag(attempt.image, options.tag)
    return report


def _skipped(packed: Packed) -> tuple[TraceWarning, ...]:
    """What the packer had to leave out is told, not hidden."""
    return tuple(
        TraceWarning("not-packed", f"{display(path)} is not in the slim image: {why}")
        for path, why in sorted(packed.skipped.items())
    )
