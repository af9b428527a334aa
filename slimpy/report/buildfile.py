"""A build beside its report: what was asked and what its rounds of mending found, so that it can be
done again from its trace, with more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from slimpy.errors import ReportError
from slimpy.model import Image, ImagePath, Level, Reason, Rule, display
from slimpy.report.tsv import escape, unescape
from slimpy.settings import BuildOptions, ProbeFlags, Wishes

SCHEMA = "slimpy-build"
VERSION = 1
FILE = "build.json"
TRACE = "build.trace"
LARGEST = 64 << 20
"""Bytes of the document that are read at the most."""


@dataclass(frozen=True, slots=True)
class SavedBuild:
    """The settings of a build.

    What may be private is not among them: calls, commands and values of variables. ``private``
    says which options were given for those.
    """

    schema: str
    version: int
    image: str  # the original's ID
    reference: str
    tag: str
    named: bool
    platform: str
    outputs: tuple[str, ...]
    store: bool
    wishes: Wishes
    level: Level
    disabled: tuple[Rule, ...]
    margin: bool
    repair: int
    root: bool
    package_db: bool
    probe_file: str
    flags: ProbeFlags
    private: tuple[str, ...]
    missing: tuple[tuple[str, tuple[tuple[Rule, str, str], ...]], ...]


def encode(
    options: BuildOptions, image: Image, missing: Mapping[ImagePath, tuple[Reason, ...]]
) -> str:
    """The settings of a build as JSON, ending in a newline.

    Args:
        missing: what the slim image missed at first, with the reasons to keep it.
    """
    flags = options.flags
    saved = SavedBuild(
        schema=SCHEMA,
        version=VERSION,
        image=image.id,
        reference=options.reference,
        tag=options.tag,
        named=options.named,
        platform=options.platform,
        outputs=options.outputs,
        store=options.store,
        wishes=options.wishes,
        level=options.level,
        disabled=tuple(sorted(options.disabled)),
        margin=options.margin,
        repair=options.repair,
        root=options.root,
        package_db=options.package_db,
        probe_file=str(flags.probe_file.absolute()) if flags.probe_file else "",
        flags=replace(flags, probe_file=None, http=(), commands=(), runs=(), variables=()),
        private=tuple(_private(flags)),
        missing=tuple((escape(path), tuple(map(_row, why))) for path, why in missing.items()),
    )
    return msgspec.json.format(msgspec.json.encode(saved), indent=2).decode() + "\n"


def load(directory: Path) -> SavedBuild:
    """Read the settings that lie in a report's directory.

    Raises:
        ReportError: they are not there, are damaged, or of another version.
    """
    file = directory / FILE
    where = display(str(file))
    try:
        with file.open("rb") as opened:
            data = opened.read(LARGEST + 1)
        if len(data) > LARGEST:
            message = f"The settings of the build, {where}, are too large."
            raise ReportError(message, hint="Build the image again.")
        saved = msgspec.json.decode(data, type=SavedBuild)
    except OSError as error:
        message = f"The settings of the build, {where}, cannot be read: {error.strerror or error}."
        raise ReportError(message, hint="Build the image again with this version.") from error
    except (msgspec.MsgspecError, RecursionError) as error:
        message = f"The settings of the build, {where}, are damaged."
        raise ReportError(message, hint="Build the image again.") from error
    if (saved.schema, saved.version) != (SCHEMA, VERSION):
        found = f"{display(saved.schema)} version {saved.version}"
        message = f"{where} is {found}; this slimpy reads {SCHEMA} version {VERSION}."
        raise ReportError(message, hint="Build the image again with this version.")
    return saved


def missing(saved: SavedBuild) -> dict[ImagePath, tuple[Reason, ...]]:
    """What the slim image had missed at first.

    Raises:
        ReportError: the names are damaged.
    """
    try:
        return {
            ImagePath(unescape(path)): tuple(
                Reason(rule, unescape(by), unescape(detail)) for rule, by, detail in rows
            )
            for path, rows in saved.missing
        }
    except ValueError as error:
        message = "The settings of the build are damaged: a name cannot be read."
        raise ReportError(message, hint="Build the image again.") from error


def _row(reason: Reason) -> tuple[Rule, str, str]:
    return reason.rule, escape(reason.by), escape(reason.detail)


def _private(flags: ProbeFlags) -> Iterator[str]:
    """Options whose values are not saved."""
    for name, values in (("http", flags.http), ("exec", flags.commands), ("run", flags.runs)):
        if values:
            yield f"--{name} ({len(values)})" if len(values) > 1 else f"--{name}"
    for variable in flags.variables:
        yield f"--env {variable.partition('=')[0]}"
