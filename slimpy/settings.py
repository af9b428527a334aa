"""What the user asked for, as one value."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from probes.model import Plan
from slimpy.errors import UsageError
from slimpy.model import Level, Rule

_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_NAME = re.compile(r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*")
_ID = re.compile(r"(?:sha256:)?[0-9a-f]{1,64}")
_DIGEST = re.compile(r"[a-z0-9]+:[0-9a-f]{32,128}")
_LONGEST_NAME = 255
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*(?::[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is kept or left out because the user says so, whatever ran.

    ``keep`` and ``drop`` are patterns of paths, ``packages`` and ``programs`` names; ``shell``
    stands for a shell and the everyday tools.
    """

    keep: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    shell: bool = False
    drop: tuple[str, ...] = ()

    def and_also(self, other: Wishes) -> Wishes:
        """These and the other ones."""
        return Wishes(
            keep=(*self.keep, *other.keep),
            packages=(*self.packages, *other.packages),
            programs=(*self.programs, *other.programs),
            shell=self.shell or other.shell,
            drop=(*self.drop, *other.drop),
        )


@dataclass(frozen=True, slots=True)
class ProbeFlags:
    """The options that say how an image is probed, as they were given; None: not given."""

    probe_file: Path | None = None
    http: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()
    variables: tuple[str, ...] = ()
    network: str | None = None
    ready: str | None = None
    ready_timeout: float | None = None
    crawl: bool | None = None
    crawl_depth: int | None = None
    crawl_pages: int | None = None


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """Everything `slim build` needs to know; ``repair`` is the number of rounds in which missing
    things are added.
    """

    reference: str
    tag: str
    report_directory: Path
    plan: Plan = field(default_factory=Plan)
    flags: ProbeFlags = field(default_factory=ProbeFlags)  # of which the plan was made
    wishes: Wishes = field(default_factory=Wishes)
    level: Level = Level.BALANCED
    disabled: frozenset[Rule] = frozenset()  # rules left out, to measure them
    margin: bool = True  # also allow system calls that serve the same purpose as traced ones
    traces: tuple[Path, ...] = ()  # of earlier runs, merged in
    keep_failed: bool = False
    repair: int = 3
    pull: bool = True
    root: bool = False  # keep root: no switch to another user
    package_db: bool = True  # a package database of what ships
    named: bool = (
        True  # the user chose ``tag``; else it is made from the image's own name once that is known
    )
    platform: str = ""  # that the image has to be for; empty where there is no choice
    outputs: tuple[str, ...] = ()  # where the slim image goes (slimpy.image.references)
    store: bool = True  # it stays in the engine's store, under ``tag``


def default_tag(reference: str, tags: tuple[str, ...] = ()) -> str:
    """``NAME.slim:TAG`` beside the input.

    Args:
        reference: as the user gave it: name, name:tag, name@digest, or an ID.
        tags: the image's own tags, for a reference that is an ID.
    """
    name = reference
    if reference.startswith("sha256:") or re.fullmatch(r"[0-9a-f]{12,64}", reference):
        named = [tag for tag in tags if not tag.startswith("<none>")]
        name = named[0] if named else f"image-{reference.removeprefix('sha256:')[:12]}"
    name, _, digest = name.partition("@")
    repository, _, tag = name.rpartition(":")
    if not repository or "/" in tag:
        repository, tag = name, ""
    tag = tag or (digest.removeprefix("sha256:")[:12] if digest else "latest")
    return f"{repository}.slim:{tag}"


def default_report_directory(reference: str) -> Path:
    """``slim-report/NAME-TAG`` below the working directory."""
    return Path("slim-report") / _file_name(reference)


def default_trace_file(reference: str) -> Path:
    """``NAME-TAG.trace`` in the working directory."""
    return Path(f"{_file_name(reference)}.trace")


def _file_name(reference: str) -> str:
    """An image's name with nothing in it that a file system minds."""
    name = default_tag(reference).replace(".slim:", "-")
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")


def checked_tag(tag: str) -> str:
    """A tag that an engine will take, with ``:latest`` where none is given.

    Raises:
        UsageError: it is not a valid name.
    """
    name, version = _split(tag)
    if not _is_name(name) or not _TAG.fullmatch(version):
        message = f"The output name {tag!r} is not a valid image name."
        raise UsageError(
            message, hint="Use lower-case letters, digits, dots, dashes: --tag team/app.slim:1.0"
        )
    return f"{name}:{version}"


def checked_reference(reference: str) -> str:
    """The reference, if it can be one: ``name``, ``name:tag``, ``name@digest`` or an ID.

    Raises:
        UsageError: no image can have that name.
    """
    if _ID.fullmatch(reference):
        return reference
    whole, at, digest = reference.partition("@")
    name, version = _split(whole)
    good = _is_name(name) and _TAG.fullmatch(version) and (not at or _DIGEST.fullmatch(digest))
    if not good:
        message = f"{reference!r} is not the name or ID of an image."
        raise UsageError(message, hint="Give a name such as team/app:1.0; see: docker images")
    return reference


def _split(name: str) -> tuple[str, str]:
    """Name and tag, ``latest`` where none is given; a registry's port is no tag."""
    repository, colon, version = name.rpartition(":")
    return (repository, version) if colon and "/" not in version else (name, "latest")


def _is_name(name: str) -> bool:
    first, slash, rest = name.partition("/")
    is_host = bool(slash) and ("." in first or ":" in first or first == "localhost")
    parts = rest.split("/") if is_host else name.split("/")
    good = all(_NAME.fullmatch(part) for part in parts) and (not is_host or _HOST.fullmatch(first))
    return bool(good) and len(name) <= _LONGEST_NAME
