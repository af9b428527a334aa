"""The values that flow through slimpy, one way: Image -> Trace -> KeepSet -> Layer + Profile ->
Verdict -> Report.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NewType

from probes.model import TraceWarning

ImagePath = NewType("ImagePath", str)
"""A path inside an image: absolute, normalised, no trailing slash; undecodable bytes are surrogate
escapes.

Never handed to a host function; links are resolved by ``slimpy.image.links`` only.
"""

ROOT = ImagePath("/")
HIGHEST_PORT = 65535


def encoded(path: str) -> bytes:
    """The path as the bytes that the image holds."""
    return path.encode("utf-8", "surrogateescape")


def decoded(path: bytes) -> str:
    """The inverse of `encoded`: undecodable bytes become surrogate escapes."""
    return path.decode("utf-8", "surrogateescape")


def display(text: str) -> str:
    """Text out of an image, safe on a terminal and in JSON: control characters and raw bytes as
    ``\\xNN``.
    """
    if text.isprintable():
        return text
    out = []
    for char in text:
        code = ord(char)
        if char.isprintable() and not 0xDC80 <= code <= 0xDCFF:
            out.append(char)
        elif 0xDC80 <= code <= 0xDCFF:
            out.append(f"\\x{code - 0xDC00:02x}")
        else:
            out.append(f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")
    return "".join(out)


def epoch(timestamp: str) -> int:
    """Whole seconds since the epoch of an engine's RFC 3339 time; 0 where there is none or it
    makes no sense.
    """
    whole, _, zone = re.sub(r"\.[0-9]+", "", timestamp).partition("Z")
    try:
        moment = datetime.fromisoformat(whole + zone)
    except ValueError:
        return 0
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0, int(moment.timestamp()))


class FileType(StrEnum):
    """The type of an entry, by the letter that find prints."""

    FILE = "f"
    DIRECTORY = "d"
    LINK = "l"
    CHARACTER = "c"
    BLOCK = "b"
    FIFO = "p"
    SOCKET = "s"


@dataclass(frozen=True, slots=True)
class Entry:
    """One path of an image, known without reading contents.

    ``mode`` is the 12 permission bits; ``size`` in bytes; ``mtime`` in whole seconds;
    ``inode`` is non-zero and equal for all names of one hard-linked file, else 0.
    """

    path: ImagePath
    type: FileType
    mode: int = 0o755
    uid: int = 0
    gid: int = 0
    size: int = 0
    mtime: int = 0
    target: str = ""
    inode: int = 0


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """The image's HEALTHCHECK as an argument list (shell form is ``/bin/sh -c``)."""

    argv: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Image:
    """Identity and configuration of an image in an engine's store.

    ``config`` is the ``config`` object of the OCI image configuration (Env, Cmd, Entrypoint, User,
    ...), as the
    engine gives it; ``size`` in bytes.
    """

    reference: str
    id: str
    architecture: str
    os: str
    size: int
    created: str
    config: Mapping[str, Any]
    tags: tuple[str, ...] = ()
    variant: str = ""
    layers: tuple[str, ...] = ()  # diffIDs, the base first

    @property
    def entrypoint(self) -> tuple[str, ...]:
        """ENTRYPOINT, empty where there is none."""
        return _strings(self.config.get("Entrypoint"))

    @property
    def command(self) -> tuple[str, ...]:
        """CMD, empty where there is none."""
        return _strings(self.config.get("Cmd"))

    @property
    def environment(self) -> dict[str, str]:
        """ENV as a mapping."""
        pairs = (item.partition("=") for item in _strings(self.config.get("Env")))
        return {name: value for name, _, value in pairs if name}

    @property
    def user(self) -> str:
        """USER as written; empty means root."""
        return str(self.config.get("User") or "")

    @property
    def workdir(self) -> ImagePath:
        """WORKDIR; the root where there is none."""
        return _absolute(str(self.config.get("WorkingDir") or "/"))

    @property
    def volumes(self) -> tuple[ImagePath, ...]:
        """VOLUME paths, sorted."""
        return tuple(sorted({_absolute(path) for path in _keys(self.config.get("Volumes"))}))

    @property
    def exposed(self) -> tuple[int, ...]:
        """TCP ports of EXPOSE, sorted; what is no port number is left out."""
        ports = (item.partition("/") for item in _keys(self.config.get("ExposedPorts")))
        numbers = {
            int(port)
            for port, _, kind in ports
            if kind in ("", "tcp") and re.fullmatch("[0-9]{1,5}", port)
        }
        return tuple(sorted(number for number in numbers if 0 < number <= HIGHEST_PORT))

    @property
    def healthcheck(self) -> HealthCheck | None:
        """HEALTHCHECK's command, or None where there is none or it is switched off."""
        check = self.config.get("Healthcheck")
        match _strings(check.get("Test")) if isinstance(check, Mapping) else ():
            case ["CMD", *argv] if argv:
                return HealthCheck(tuple(argv))
            case ["CMD-SHELL", command]:
                shell = _strings(self.config.get("Shell")) or ("/bin/sh", "-c")
                return HealthCheck((*shell, command))
        return None


def _strings(value: object) -> tuple[str, ...]:
    """A list of texts; nothing where an image's configuration holds something else."""
    if not isinstance(value, list | tuple):
        return ()
    return tuple(item for item in value if isinstance(item, str))


def _keys(value: object) -> tuple[str, ...]:
    return _strings(tuple(value)) if isinstance(value, Mapping) else ()


def _absolute(path: str) -> ImagePath:
    """Where a runtime finds a path of the configuration: below the root, without ``..``."""
    return ImagePath("/" + posixpath.normpath(f"/{path}").lstrip("/"))


class Level(StrEnum):
    """How much caution: what is kept beyond what ran and what that is linked to."""

    MINIMAL = "minimal"  # what ran, and what that is linked to
    BALANCED = "balanced"  # what the app's own code can reach
    SAFE = "safe"  # whole installed packages of what ran

    def includes(self, other: Level) -> bool:
        """Whether the rules of another level apply at this one."""
        order = tuple(Level)
        return order.index(other) <= order.index(self)


class Rule(StrEnum):
    """Why a path is kept; the value is the stable name used in reports."""

    TOUCHED = "touched"  # the run did something with it
    LINK = "link"  # a symbolic link on the way to something kept
    PARENT = "parent"  # a directory above something kept
    LOADER = "elf-interpreter"  # PT_INTERP of a kept ELF file
    LIBRARY = "elf-needed"  # DT_NEEDED of a kept ELF file
    INTERPRETER = "script-interpreter"  # #! of a kept script
    SCRIPT = "script-command"  # a command that a kept script names
    LISTED = "listed"  # an entry of a directory whose listing was read
    HARDLINK = "hard-link"  # another name of the same file
    SYSTEM = "system"  # accounts, name service, certificates, time zone
    CONFIG = "image-config"  # entrypoint, working directory, volume, health check, home
    STATE = "state-directory"  # an empty directory that programs expect
    INCLUDE = "include"  # the user asked for it
    REPAIR = "repair"  # the slim image missed it
    APP = "app-files"  # the app's own files, beside those that it touched
    SERVED = "served-directory"  # the rest of a directory of data that was served or listed
    PYTHON = "python-reach"  # what kept Python code can import, and its data
    NODE = "node-reach"  # what kept Node packages can require, and their data
    JAVA = "java-runtime"  # the Java runtime as a unit, jars of the class path
    RUBY = "ruby-reach"  # what kept Ruby code can require
    PHP = "php-runtime"  # enabled extensions, ini files, Composer's autoload
    PERL = "perl-reach"  # what kept Perl code can use
    DOTNET = "dotnet-runtime"  # the shared framework and the app's assemblies
    ERLANG = "erlang-runtime"  # applications of the Erlang runtime in use
    SHELL = "shell-commands"  # commands and files that kept shell scripts name, in every branch
    COMMAND = "named-commands"  # programs that kept programs start by name
    PLUGIN = "plugins"  # libraries that kept ones load by name, and their siblings
    DATA = "system-data"  # locales, character sets, time zones, fonts, terminals in use
    PACKAGE = "whole-package"  # the rest of an installed package of which something ran
    DATABASE = "package-database"  # what scanners tell packages by, reduced to what ships


@dataclass(frozen=True, slots=True, order=True)
class Reason:
    """One reason to keep a path. ``by`` names the path or thing that asks for it, ``detail`` says
    how, for people.
    """

    rule: Rule
    by: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class KeepSet:
    """What ships: path -> reasons, and what was refused or only stands in.

    ``placeholders`` are kept as empty files or empty directories: a listing must show the name.
    ``refused`` are paths that something asked for and that cannot or must not ship, with the
    reason. ``rewritten`` are kept files that ship with these contents instead of their own.
    """

    reasons: Mapping[ImagePath, tuple[Reason, ...]]
    placeholders: frozenset[ImagePath] = frozenset()
    refused: Mapping[ImagePath, str] = field(default_factory=lambda: MappingProxyType({}))
    warnings: tuple[TraceWarning, ...] = ()
    rewritten: Mapping[ImagePath, bytes] = field(default_factory=lambda: MappingProxyType({}))

    def __contains__(self, path: object) -> bool:
        return path in self.reasons

    def widened(self, extra: Mapping[ImagePath, Iterable[Reason]]) -> KeepSet:
        """A new KeepSet that also holds ``extra``; placeholders named there become whole."""
        reasons = dict(self.reasons)
        for path, why in extra.items():
            reasons[path] = tuple(dict.fromkeys((*reasons.get(path, ()), *why)))
        return replace(self, reasons=reasons, placeholders=self.placeholders - extra.keys())


@dataclass(frozen=True, slots=True)
class Account:
    """Whom the slim image runs as, and why.

    ``chown`` are existing paths handed to that user; ``user`` is the USER line (``uid:gid`` or the
    image's own words).
    """

    user: str
    uid: int
    gid: int
    source: str  # "image", "dropped-to", "default", "root"
    why: str
    chown: tuple[ImagePath, ...] = ()

    @property
    def is_root(self) -> bool:
        """Whether the slim image still runs as uid 0."""
        return self.uid == 0


@dataclass(frozen=True, slots=True)
class Layer:
    """A packed layer: its bytes lie in a host file; ``diff_id`` is the sha256 of the uncompressed
    tar.
    """

    path: str
    diff_id: str
    size: int  # bytes of the tar
    files: int
    content_size: int  # bytes of the regular files in it


@dataclass(frozen=True, slots=True)
class Profile:
    """A seccomp profile: ``document`` is Docker's JSON form; ``allowed`` the names it lets
    through, of which ``margin`` are those that no run showed, and ``limited`` (name -> what passes)
    those let through with certain arguments only.
    """

    document: Mapping[str, Any]
    allowed: tuple[str, ...]
    architectures: tuple[str, ...]
    refused: Mapping[str, str] = field(
        default_factory=lambda: MappingProxyType({})
    )  # name -> why not allowed
    margin: tuple[str, ...] = ()
    limited: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


class Sameness(StrEnum):
    """The verdict on one exchange."""

    SAME = "same"
    DIFFERENT = "different"
    BROKEN = "broken"  # no answer at all from the slim image


@dataclass(frozen=True, slots=True)
class Comparison:
    """One exchange, fat against slim; ``differences`` are sentences for people."""

    name: str
    kind: str
    sameness: Sameness
    fat: str  # a short description of each answer
    slim: str
    differences: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of the same probes on both images; ``causes`` name paths behind a failure, with
    what was refused.
    """

    comparisons: tuple[Comparison, ...]
    causes: tuple[str, ...] = ()
    started: bool = True

    @property
    def same(self) -> int:
        """How many exchanges were answered alike."""
        return sum(item.sameness is Sameness.SAME for item in self.comparisons)

    @property
    def passed(self) -> bool:
        """True only if something was compared and nothing differs."""
        return self.started and bool(self.comparisons) and self.same == len(self.comparisons)
