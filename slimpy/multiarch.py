"""One build for several platforms: each that can run here is slimmed and proven on its own, and
the outputs hold an index of them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from slimpy.engine import deliver
from slimpy.engine.interrupts import INTERRUPTS
from slimpy.engine.protocol import Engine
from slimpy.engine.session import scratch_directory
from slimpy.errors import PlatformError
from slimpy.events import Progress
from slimpy.image import hybrid, platforms, references
from slimpy.image.oci import Platform
from slimpy.image.references import FILES, Reference, Transport
from slimpy.image.sources import platforms_of
from slimpy.model import display
from slimpy.pipeline import build
from slimpy.report.platforms import SCHEMA, VERSION, PlatformReports
from slimpy.report.schema import OutputFacts, Report
from slimpy.settings import BuildOptions

if TYPE_CHECKING:
    from slimpy.image.registry.access import Access

_ONE_PLATFORM = frozenset(Transport) - (FILES - {Transport.DOCKER_ARCHIVE}) - {Transport.REGISTRY}
"""Transports that cannot hold an index."""


def build_all(
    engine: Engine, options: BuildOptions, progress: Progress, *, access: Access | None = None
) -> PlatformReports:
    """Build each platform of an index that the engine can run; the others are named.

    Returns:
        The reports, already written, each into a directory of its platform.

    Raises:
        UsageError: the image is in an engine's store, or an output cannot hold an index.
        PlatformError: no platform of it can run here.
        SlimError: see `pipeline.build`.
    """
    reference = references.parse(options.reference)
    found = platforms_of(reference, access=access)
    wanted = [item for item in found if _runs(engine, item)]
    left_out = {str(item): _why(engine, item) for item in found if item not in wanted}
    if not wanted:
        names = ", ".join(display(name) for name in left_out) or "nothing"
        message = f"The image {options.reference} is for {names}; none of them can run here."
        raise PlatformError(message, hint="Use a machine of its kind.")
    destinations = [references.parse_destination(text) for text in options.outputs]
    _check(destinations, len(wanted))
    reports: dict[str, Report] = {}
    archives: list[Path] = []
    with scratch_directory() as scratch:
        for platform in wanted:
            archive = scratch / f"{platforms.file_name(platform)}.tar"
            own = _options(options, platform, archive if destinations else None)
            report = build(engine, own, progress, access=access)
            reports[str(platform)] = report
            archives.append(archive)
        outputs: tuple[OutputFacts, ...] = ()
        if destinations and _may_go_out(reports, options):
            outputs = _delivered(engine, archives, destinations, options.tag, access)
    return PlatformReports(SCHEMA, VERSION, display(options.reference), reports, left_out, outputs)


def _runs(engine: Engine, platform: Platform) -> bool:
    return platform.os == "linux" and platforms.runs_on(engine.architecture, platform.architecture)


def _why(engine: Engine, platform: Platform) -> str:
    if platform.os != "linux":
        return "slimpy traces Linux programs only"
    return f"the engine is on {engine.architecture}, which does not run it"


def _check(destinations: Sequence[Reference], count: int) -> None:
    deliver.check(destinations)
    for where in destinations:
        if count > 1 and where.transport in _ONE_PLATFORM:
            raise hybrid.one_platform_only(where.text, count)


def _options(options: BuildOptions, platform: Platform, archive: Path | None) -> BuildOptions:
    name = platforms.file_name(platform)
    return replace(
        options,
        platform=str(platform),
        report_directory=options.report_directory / name,
        outputs=(f"{Transport.DOCKER_ARCHIVE}:{archive}",) if archive else (),
        tag=f"{options.tag}-{name}"[:255],
        named=True,
    )


def _may_go_out(reports: Mapping[str, Report], options: BuildOptions) -> bool:
    return options.keep_failed or all(report.slimmed for report in reports.values())


def _delivered(
    engine: Engine,
    archives: Sequence[Path],
    destinations: Sequence[Reference],
    name: str,
    access: Access | None,
) -> tuple[OutputFacts, ...]:
    with contextlib.ExitStack() as stack:
        images = stack.enter_context(deliver.packed(archives))
        delivered, put = stack.enter_context(
            deliver.prepared(engine, images, destinations, name, access=access)
        )
        with INTERRUPTS.deferred():
            put()
            INTERRUPTS.conclude()
    return tuple(OutputFacts(display(item.destination), item.digest) for item in delivered)
