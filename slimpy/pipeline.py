"""The stages in order: reference -> Image -> Trace -> KeepSet -> Layer + Config + Profile ->
Verdict -> Report.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from probes.errors import ProbeError
from probes.model import Activity, Plan, Trace, TraceWarning
from slimpy import __version__
from slimpy.engine import deliver
from slimpy.engine.acquire import acquired
from slimpy.engine.deliver import Delivered
from slimpy.engine.interrupts import INTERRUPTS
from slimpy.engine.observe import Observation, Observer
from slimpy.engine.protocol import Confinement, Engine, Workspace
from slimpy.engine.session import scratch_directory
from slimpy.errors import ReportError, TraceError, UsageError
from slimpy.events import Progress, Stopwatch
from slimpy.harden import seccomp
from slimpy.harden.forms.bundle import bundle
from slimpy.image import listing, platforms, references
from slimpy.image.spool import Spool
from slimpy.image.tree import Tree
from slimpy.keep.coverage import coverage
from slimpy.keep.scene import Scene
from slimpy.keep.weights import weigh
from slimpy.model import Image, ImagePath, KeepSet, Reason, display, epoch
from slimpy.pack.layer import Packed
from slimpy.report import buildfile, document
from slimpy.report.schema import RoundFacts
from slimpy.sbom import components, cyclonedx, owners
from slimpy.sbom.catalogue import survey
from slimpy.settings import BuildOptions, checked_tag, default_tag
from slimpy.traces import SavedTrace, encode, load, merged
from slimpy.verify.check import Checked, check_confined
from slimpy.verify.failures import as_slim_error, check_original
from slimpy.verify.prove import TOOLBOX, Attempt, Confiner, Original, Prover, keep_files
from slimpy.xray.steps import steps

if TYPE_CHECKING:
    from slimpy.image.registry.access import Access

NOTHING: Mapping[ImagePath, tuple[Reason, ...]] = MappingProxyType({})


def build(
    engine: Engine, options: BuildOptions, progress: Progress, *, access: Access | None = None
) -> document.Report:
    """Make, prove, tag and report a slim image.

    Args:
        access: how registries are reached; as nobody by default.

    Returns:
        The report, already written; its status tells whether the slim image answers like the
        original.

    Raises:
        SlimError: the original cannot be used, the engine failed, or something cannot be written.
    """
    saved = [load(file) for file in options.traces]

    def traced(workspace: Workspace, image: Image) -> Trace:
        return merged(_trace(workspace, options.plan, image, progress), saved, image)

    return _built(engine, options, progress, access, traced)


def restore(
    engine: Engine,
    options: BuildOptions,
    saved: SavedTrace,
    missing: Mapping[ImagePath, tuple[Reason, ...]],
    progress: Progress,
    *,
    access: Access | None = None,
) -> document.Report:
    """Build again from the trace of an earlier build: nothing is traced, the rest is the same.

    The original answers the probes once more, untraced: its answers are not saved, and those of
    another day may differ by themselves.

    Args:
        missing: what the slim image of that build had missed at first.

    Raises:
        ReportError: the image is not the one that was traced.
        SlimError: see `build`.
    """

    def recalled(workspace: Workspace, image: Image) -> Trace:
        if image.id != saved.image:
            message = f"{display(options.reference)} is another image now than when it was traced."
            raise ReportError(message, hint="Build it again; see --keep and --keep-package.")
        free = _seen(workspace, options.plan, image, progress, ports=saved.ports)
        empty = Trace(image.id, Activity(), free.exchanges, free.ports)
        return merged(empty, [saved], image)

    return _built(engine, options, progress, access, recalled, "ask", missing)


def _built(
    engine: Engine,
    options: BuildOptions,
    progress: Progress,
    access: Access | None,
    traced: Callable[[Workspace, Image], Trace],
    stage_name: str = "trace",
    missing: Mapping[ImagePath, tuple[Reason, ...]] = NOTHING,
) -> document.Report:
    watch = Stopwatch(progress)
    with contextlib.ExitStack() as stack:
        stack.enter_context(document.reserved(options.report_directory))
        deliver.check([references.parse_destination(text) for text in options.outputs])
        with watch.stage("image") as stage:
            image = stack.enter_context(_acquired(engine, options, access))
            stage.summary = _image_summary(image)
        if not options.named:
            name = references.parse(options.reference).called(image.tags)
            options = replace(options, tag=checked_tag(default_tag(name, image.tags)))
        if options.store and options.tag in image.tags:
            message = f"The slim image cannot have the name of the original, {options.tag}."
            raise UsageError(message, hint="Choose another with --tag; tag it anew afterwards.")
        scratch = stack.enter_context(scratch_directory())
        workspace = stack.enter_context(engine.workspace(image))
        with watch.stage("index") as stage:
            tree = _index(workspace, image)
            stage.summary = f"{len(tree):,} paths"
        with watch.stage(stage_name) as stage:
            trace = traced(workspace, image)
            stage.summary = _trace_summary(trace)
        contents = stack.enter_context(Spool(workspace.archive, scratch, tree))
        original = Original(image, tree, contents, trace)
        with watch.stage("decide") as stage:
            keep = keep_files(original, options, missing)
            stage.summary = f"{len(keep.reasons):,} of {len(tree):,} paths kept"
        prover = Prover(engine, workspace, original, options, scratch, watch, missing)
        with (
            prover.proven(keep) as attempt,
            _delivered(prover, attempt, access) as (delivered, put),
        ):
            return _settle(prover, attempt, delivered, put)


def profile(
    engine: Engine, options: BuildOptions, progress: Progress, *, access: Access | None = None
) -> Attempt:
    """Find and prove the tightest restrictions for an image as it is; nothing is packed or tagged.

    Returns:
        The proof; its verdict tells whether the image answers the same under its ``hardening``.

    Raises:
        SlimError: the original cannot be used, or the engine failed.
    """
    watch = Stopwatch(progress)
    with contextlib.ExitStack() as stack:
        with watch.stage("image") as stage:
            image = stack.enter_context(_acquired(engine, options, access))
            stage.summary = _image_summary(image)
        scratch = stack.enter_context(scratch_directory())
        workspace = stack.enter_context(engine.workspace(image))
        with watch.stage("index") as stage:
            tree = _index(workspace, image)
            stage.summary = f"{len(tree):,} paths"
        with watch.stage("trace") as stage:
            seen = _trace(workspace, options.plan, image, progress)
            stage.summary = _trace_summary(seen)
        contents = stack.enter_context(Spool(workspace.archive, scratch, tree))
        original = Original(image, tree, contents, seen)
        prover = Confiner(engine, workspace, original, options, scratch, watch)
        return stack.enter_context(prover.proven(keep_files(original, options)))


def check(
    engine: Engine,
    reference: str,
    plan: Plan,
    confinement: Confinement,
    progress: Progress,
    *,
    access: Access | None = None,
) -> Checked:
    """Run an image freely and then under restrictions, with the same probes; say what differs.

    Raises:
        SlimError: the image cannot be used, or the engine failed.
    """
    watch = Stopwatch(progress)
    with contextlib.ExitStack() as stack:
        with watch.stage("image") as stage:
            image = stack.enter_context(acquired(engine, reference, access=access))
            stage.summary = _image_summary(image)
        workspace = stack.enter_context(engine.workspace(image))
        with watch.stage("trace") as stage:
            free = _trace(workspace, plan, image, progress)
            stage.summary = _trace_summary(free)
        with watch.stage("check") as stage:
            checked = check_confined(workspace, image, plan, free, confinement)
            stage.summary = f"{checked.same} of {len(checked.comparisons)} answers the same"
    return checked


def trace(
    engine: Engine,
    reference: str,
    plan: Plan,
    progress: Progress,
    *,
    accompany: Callable[[Mapping[int, tuple[str, int]]], None] | None = None,
    access: Access | None = None,
) -> tuple[Image, Trace]:
    """Run an image under a plan and return what was seen, without building anything.

    Args:
        accompany: called while the app serves, with the address of each of its ports.

    Raises:
        SlimError: the original cannot be used, or the engine failed.
    """
    watch = Stopwatch(progress)
    with contextlib.ExitStack() as stack:
        with watch.stage("image") as stage:
            image = stack.enter_context(acquired(engine, reference, access=access))
            stage.summary = _image_summary(image)
        workspace = stack.enter_context(engine.workspace(image))
        with watch.stage("trace") as stage:
            seen = _trace(workspace, plan, image, progress, accompany=accompany)
            stage.summary = _trace_summary(seen)
    return image, seen


def _acquired(
    engine: Engine, options: BuildOptions, access: Access | None
) -> contextlib.AbstractContextManager[Image]:
    platform = platforms.parse(options.platform) if options.platform else None
    return acquired(engine, options.reference, pull=options.pull, platform=platform, access=access)


def _image_summary(image: Image) -> str:
    return f"{image.reference}: {image.size / 1e6:.1f} MB, {image.architecture}"


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
    seen = _seen(workspace, plan, image, progress, traced=True, accompany=accompany)
    if not seen.activity.complete:
        message = "The tracer ended before the app did, so files that the app used may be unknown."
        raise TraceError(message, hint="Was it killed, or out of memory? Run the command again.")
    return Trace(
        image=image.id,
        activity=seen.activity,
        exchanges=seen.exchanges,
        ports=seen.ports,
        uids=seen.identities,
        warnings=seen.warnings,
    )


def _seen(
    workspace: Workspace,
    plan: Plan,
    image: Image,
    progress: Progress,
    *,
    traced: bool = False,
    ports: tuple[int, ...] = (),
    accompany: Callable[[Mapping[int, tuple[str, int]]], None] | None = None,
) -> Observation:
    """What the original does and answers; it must pass its own probes."""
    observer = Observer(
        workspace, plan, traced=traced, ports=ports, tell=progress.update, accompany=accompany
    )
    try:
        seen = observer.observe(image)
    except ProbeError as error:
        failure = as_slim_error(error, image.reference)
        failure.hint = " ".join(filter(None, (failure.hint, *workspace.notes)))
        raise failure from error
    if accompany is None or seen.exchanges:
        check_original(seen.exchanges, seen.log)
    return seen


def _trace_summary(trace: Trace) -> str:
    paths = len({event.path for event in trace.activity.events if event.error is None})
    calls = len({use.name for use in trace.activity.syscalls})
    return f"{len(trace.exchanges)} probes answered, {paths:,} paths touched, {calls} system calls"


@contextlib.contextmanager
def _delivered(
    prover: Prover, attempt: Attempt, access: Access | None
) -> Iterator[tuple[tuple[Delivered, ...], Callable[[], None]]]:
    """The outputs, prepared if the proof passed; and what puts them in their places."""
    engine, options, watch = prover.engine, prover.options, prover.watch
    if not options.outputs or not _may_go_out(attempt, options):
        yield (), lambda: None
        return
    destinations = [references.parse_destination(text) for text in options.outputs]
    with contextlib.ExitStack() as stack:
        with watch.stage("outputs") as stage:
            images = stack.enter_context(deliver.packed([prover.archive(attempt.image)]))
            outputs = deliver.prepared(engine, images, destinations, options.tag, access=access)
            delivered, put = stack.enter_context(outputs)
            stage.summary = ", ".join(item.destination for item in delivered)
        yield delivered, put


def _may_go_out(attempt: Attempt, options: BuildOptions) -> bool:
    return attempt.verdict.passed or options.keep_failed


def _settle(
    prover: Prover, attempt: Attempt, delivered: tuple[Delivered, ...], put: Callable[[], None]
) -> document.Report:
    """Write the report, and last of all tag the image if it may be tagged, and ``put`` outputs."""
    engine, options, original, watch = (
        prover.engine,
        prover.options,
        prover.original,
        prover.watch,
    )
    tagged = _may_go_out(attempt, options)
    with watch.stage("owners") as stage:
        owned = owners.survey(original.tree, original.contents)
        stage.summary = f"{len(owned.owners):,} paths belong to packages"
    keep = attempt.candidate.keep
    with watch.stage("packages") as stage:
        inventories, warnings, stage.summary = _inventories(
            original, keep, attempt.image, options.tag
        )
    scene = Scene(original.image, original.tree, original.trace, original.contents, TOOLBOX)
    with watch.stage("survey") as stage:
        reached = coverage(scene, keep, owned.owners, options.plan)
        levels = weigh(scene, keep, options.level, wishes=options.wishes, disabled=options.disabled)
        stage.summary = f"{len(reached.routes)} routes found were not called"
    outcome = document.Outcome(
        image=original.image,
        tree=original.tree,
        trace=original.trace,
        keep=keep,
        account=attempt.candidate.account,
        profile=attempt.profile,
        hardening=attempt.hardening,
        widened=attempt.candidate.widened,
        before_margin=prover.before_margin(attempt.candidate),
        verdict=attempt.verdict,
        slim=attempt.image,
        tag=options.tag if tagged and options.store else "",
        outputs=delivered,
        seconds=dict(watch.seconds),
        slimpy=__version__,
        directory=str(options.report_directory),
        level=options.level,
        levels=levels,
        coverage=reached,
        history=steps(engine.history(original.image), len(original.image.layers)),
        rounds=tuple(
            RoundFacts(item.number, item.alike, item.probes, item.causes)
            for item in attempt.candidate.rounds
        ),
        warnings=(
            *owned.warnings,
            *warnings,
            *(_skipped(attempt.packed) if attempt.packed else ()),
            *seccomp.unknown_calls(original.trace.activity),
        ),
    )
    report = document.build(outcome)
    with INTERRUPTS.deferred():
        document.write(
            report,
            attempt.candidate.keep,
            original.tree,
            attempt.profile,
            owned.owners,
            options.report_directory,
            bundle(attempt.hardening),
            {**inventories, **_again(prover, attempt)},
        )
        if tagged and options.store:
            engine.tag(attempt.image, options.tag)
        put()
        INTERRUPTS.conclude()
    return report


def _again(prover: Prover, attempt: Attempt) -> dict[str, str | bytes]:
    """What `restore` needs: the trace and the settings, as files."""
    original = prover.original
    missing = attempt.candidate.missing
    return {
        buildfile.TRACE: encode(original.trace, original.image),
        buildfile.FILE: buildfile.encode(prover.options, original.image, missing),
    }


def _inventories(
    original: Original, keep: KeepSet, slim: Image, name: str
) -> tuple[dict[str, str], tuple[TraceWarning, ...], str]:
    """The packages before and after as documents, what could not be read, and a summary."""
    # Of jars and programs only those that ship are looked into: the others were never fetched.
    catalogue = survey(original.tree, original.contents, whole=keep.reasons)
    image = original.image
    fat = components.inventory(
        catalogue, image.reference, image.id, created=image.created, keep=keep
    )
    left = components.slimmed(fat, catalogue, keep, name, slim.id)
    documents = {cyclonedx.FAT: cyclonedx.encode(fat), cyclonedx.SLIM: cyclonedx.encode(left)}
    summary = f"{len(left.components):,} of {len(fat.components):,} packages are left"
    return documents, catalogue.warnings, summary


def _skipped(packed: Packed) -> tuple[TraceWarning, ...]:
    """What the packer had to leave out is told, not hidden."""
    return tuple(
        TraceWarning("not-packed", f"{display(path)} is not in the slim image: {why}")
        for path, why in sorted(packed.skipped.items())
    )
