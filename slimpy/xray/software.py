"""Which system, packages, accounts and tools an image has, out of few small files of it."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from slimpy.model import Entry, FileType, ImagePath, decoded
from slimpy.sbom import streaming
from slimpy.xray.stack import Placed

MOST_BYTES = 128 << 20
"""How much of package databases is kept together, in bytes."""
_ACCOUNTS = ("/etc/passwd", "/etc/shadow")
_MOST_ACCOUNTS = 32 << 20

_JAR = re.compile(r".*/([A-Za-z][\w.-]*?)-([0-9][\w.-]*)\.jar")

SHELLS = frozenset(
    (
        *(
            "sh",
            "bash",
            "dash",
            "ash",
            "zsh",
            "ksh",
        ),
        *(
            "mksh",
            "fish",
            "csh",
            "tcsh",
            "busybox",
            "rbash",
        ),
    )
)
"""Names of programs that are shells."""
COMPILERS = re.compile(
    r"(?:[\w.]+-)*(?:gcc|g\+\+|cc1|cc1plus|clang|clang\+\+|tcc|rustc|go|javac|ghc|gfortran|as|ld)"
    r"(?:-[0-9.]+)?"
)
"""Names of programs that make programs."""
FETCHERS = frozenset(
    (
        *(
            "curl",
            "wget",
            "nc",
            "ncat",
            "netcat",
            "socat",
        ),
        *(
            "ssh",
            "scp",
            "telnet",
            "ftp",
            "nmap",
            "tcpdump",
        ),
        *("gdb",),
    )
)
"""Names of programs that an intruder is glad of."""
MANAGERS = frozenset(
    (
        *(
            "apt",
            "apt-get",
            "dpkg",
            "apk",
            "rpm",
            "dnf",
        ),
        *(
            "microdnf",
            "yum",
            "zypper",
            "pacman",
            "pip",
            "pip3",
        ),
        *(
            "npm",
            "yarn",
            "pnpm",
            "gem",
            "bundle",
            "cargo",
        ),
        *(
            "composer",
            "conda",
            "uv",
            "poetry",
        ),
    )
)
"""Names of programs that install others."""
_BIN = re.compile(r".*/(?:s?bin|cargo/bin|go/bin)/[^/]+|.*/(?:cc1|cc1plus)|/busybox/[^/]+")
_NO_LOGIN = re.compile(r".*/(?:nologin|false|sync|true|shutdown|halt)|")


@dataclass(frozen=True, slots=True)
class Package:
    """An installed package; ``kind`` is that of package URLs: deb, apk, rpm, pypi, npm, maven..."""

    kind: str
    name: str
    version: str


@dataclass(frozen=True, slots=True)
class User:
    """An account of ``/etc/passwd``; ``password`` is ``none``, ``locked``, ``set`` or ``empty``."""

    name: str
    uid: int
    shell: str
    login: bool
    password: str


@dataclass(frozen=True, slots=True)
class Software:
    """What is installed. Paths of programs are sorted; ``warnings`` are sentences on what could not
    be read.
    """

    system: str
    packages: tuple[Package, ...]
    users: tuple[User, ...]
    shells: tuple[str, ...]
    compilers: tuple[str, ...]
    managers: tuple[str, ...]
    tools: tuple[str, ...]
    warnings: tuple[str, ...]


def wanted(path: str, size: int) -> int:
    """How many bytes of a file are needed here; 0 for none."""
    if path in _ACCOUNTS:
        return size if size <= _MOST_ACCOUNTS else 0
    return streaming.wanted(path, size)


def survey(visible: Mapping[str, Placed], texts: Mapping[int, bytes]) -> Software:
    """Sum up an image.

    Args:
        visible: what is in it.
        texts: the files that `wanted` asked for, by the numbers of their contents.
    """
    noted = {
        ImagePath(path): texts[placed.member.content]
        for path, placed in visible.items()
        if placed.member.content in texts
    }
    catalogue = streaming.survey(_entries(visible), noted)
    found = dict.fromkeys(
        Package(item.ecosystem.value, item.name, item.version) for item in catalogue.packages
    )
    found |= dict.fromkeys(_jars(visible))
    programs = sorted(_programs(visible))
    return Software(
        system=catalogue.distribution.name,
        packages=tuple(sorted(found, key=lambda item: (item.kind, item.name, item.version))),
        users=tuple(_users(noted)),
        shells=_named(programs, SHELLS.__contains__),
        compilers=_named(programs, lambda name: COMPILERS.fullmatch(name) is not None),
        managers=_named(programs, MANAGERS.__contains__),
        tools=_named(programs, FETCHERS.__contains__),
        warnings=tuple(
            f"{item.text} ({item.count:,} times)" if item.count > 1 else item.text
            for item in catalogue.warnings
        ),
    )


def _entries(visible: Mapping[str, Placed]) -> Iterator[Entry]:
    for path, placed in visible.items():
        member = placed.member
        if member.type is FileType.LINK or (member.is_file and streaming.tells(path)):
            yield Entry(ImagePath(path), member.type, size=member.length, target=member.target)


def _programs(visible: Mapping[str, Placed]) -> Iterator[str]:
    for path, placed in visible.items():
        member = placed.member
        runs = member.type is FileType.LINK or (member.is_file and bool(member.mode & 0o111))
        if runs and _BIN.fullmatch(path):
            yield path


def _named(programs: Iterable[str], fits: Callable[[str], object]) -> tuple[str, ...]:
    return tuple(path for path in programs if fits(posixpath.basename(path)))


def _jars(visible: Mapping[str, Placed]) -> Iterator[Package]:
    """Jars by their names: they would have to be held whole to be looked into."""
    for path in visible:
        if path.endswith(".jar") and (jar := _JAR.fullmatch(path)):
            yield Package("maven", jar[1], jar[2])


def _users(texts: Mapping[ImagePath, bytes]) -> Iterator[User]:
    hashes = {}
    for line in decoded(texts.get(ImagePath("/etc/shadow"), b"")).split("\n"):
        name, colon, rest = line.partition(":")
        if colon:
            hashes[name] = rest.partition(":")[0]
    for line in decoded(texts.get(ImagePath("/etc/passwd"), b"")).split("\n")[:10_000]:
        fields = line.split(":")
        if len(fields) < 7 or not re.fullmatch("[0-9]{1,10}", fields[2]):
            continue
        shadow = fields[1] if fields[1] != "x" else hashes.get(fields[0])
        login = not _NO_LOGIN.fullmatch(fields[6])
        yield User(fields[0], int(fields[2]), fields[6], login, _password(shadow))


def _password(shadow: str | None) -> str:
    if shadow is None:
        return "none"
    if not shadow:
        return "empty"
    return "locked" if shadow.startswith(("*", "!")) else "set"
