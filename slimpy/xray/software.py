"""Which system, packages, accounts and tools an image has, out of few small files of it."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from slimpy.model import FileType, decoded
from slimpy.xray.stack import Placed

MOST_BYTES = 128 << 20
"""How much of package databases is kept together, in bytes."""
_DATABASE = 32 << 20
_HEAD = 4096
_JSON = 256 << 10

_WHOLE = frozenset(
    (
        "/var/lib/dpkg/status",
        "/lib/apk/db/installed",
        "/usr/lib/apk/db/installed",
        "/etc/passwd",
        "/etc/shadow",
        "/etc/os-release",
        "/usr/lib/os-release",
        "/etc/alpine-release",
    )
)
_DISTROLESS = "/var/lib/dpkg/status.d/"
_RPM = re.compile(r"/(?:var/lib/rpm|usr/lib/sysimage/rpm)/(?:Packages|rpmdb\.sqlite|Packages\.db)")
_PYTHON = re.compile(r".*/[^/]+\.(?:dist-info/METADATA|egg-info/PKG-INFO)")
_NODE = re.compile(r".*/node_modules/((?:@[^/]+/)?[^/]+)/package\.json")
_GEM = re.compile(r".*/specifications/(?:default/)?([\w.-]+?)-([0-9][\w.]*)(?:-[\w.-]+)?\.gemspec")
_JAR = re.compile(r".*/([A-Za-z][\w.-]*?)-([0-9][\w.-]*)\.jar")
_COMPOSER = re.compile(r".*/vendor/composer/installed\.json")

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
    """An installed package; ``kind`` is that of package URLs: deb, apk, pypi, npm, gem, maven..."""

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
    """What is installed. Paths of programs are sorted; ``unread`` names databases that are there
    and that we cannot read.
    """

    system: str
    packages: tuple[Package, ...]
    users: tuple[User, ...]
    shells: tuple[str, ...]
    compilers: tuple[str, ...]
    managers: tuple[str, ...]
    tools: tuple[str, ...]
    unread: tuple[str, ...]


def wanted(path: str, size: int) -> int:
    """How many bytes of a file are needed here; 0 for none."""
    if path in _WHOLE or path.startswith(_DISTROLESS):
        return size if size <= _DATABASE else 0
    if path.endswith(("/METADATA", "/PKG-INFO")) and _PYTHON.fullmatch(path):
        return _HEAD
    if path.endswith("/package.json") and _NODE.fullmatch(path):
        return size if size <= _JSON else 0
    return size if _COMPOSER.fullmatch(path) and size <= _DATABASE else 0


def survey(visible: Mapping[str, Placed], texts: Mapping[str, bytes]) -> Software:
    """Sum up an image.

    Args:
        visible: what is in it.
        texts: the files that `wanted` asked for, as the last layer has them.
    """
    here = {path: data for path, data in texts.items() if path in visible}
    found = dict.fromkeys((*_system(here), *_languages(here), *_by_name(visible)))
    programs = sorted(_programs(visible))
    return Software(
        system=_release(here),
        packages=tuple(sorted(found, key=lambda item: (item.kind, item.name, item.version))),
        users=tuple(_users(here)),
        shells=_named(programs, SHELLS.__contains__),
        compilers=_named(programs, lambda name: COMPILERS.fullmatch(name) is not None),
        managers=_named(programs, MANAGERS.__contains__),
        tools=_named(programs, FETCHERS.__contains__),
        unread=tuple(sorted(path for path in visible if _RPM.fullmatch(path))),
    )


def _programs(visible: Mapping[str, Placed]) -> Iterator[str]:
    for path, placed in visible.items():
        member = placed.member
        runs = member.type is FileType.LINK or (member.is_file and bool(member.mode & 0o111))
        if runs and _BIN.fullmatch(path):
            yield path


def _named(programs: Iterable[str], fits: Callable[[str], object]) -> tuple[str, ...]:
    return tuple(path for path in programs if fits(posixpath.basename(path)))


def _release(texts: Mapping[str, bytes]) -> str:
    """The name that os-release(5) gives the system; empty where there is none."""
    data = texts.get("/etc/os-release") or texts.get("/usr/lib/os-release") or b""
    found = re.search(rb"(?m)^PRETTY_NAME=[\"']?([^\"'\n]{1,200})", data)
    return decoded(found[1]) if found else ""


def _system(texts: Mapping[str, bytes]) -> Iterator[Package]:
    for path, data in texts.items():
        if path == "/var/lib/dpkg/status" or (
            path.startswith(_DISTROLESS) and not path.endswith(".md5sums")
        ):
            for block in data.split(b"\n\n"):
                status = _field(block, b"Status")
                if not status or status.endswith(" installed"):
                    yield from _package("deb", block, b"Package", b"Version")
        elif path.endswith("/apk/db/installed"):
            for block in data.split(b"\n\n"):
                yield from _package("apk", block, b"P", b"V")


def _languages(texts: Mapping[str, bytes]) -> Iterator[Package]:
    for path, data in texts.items():
        if path.endswith(("/METADATA", "/PKG-INFO")):
            yield from _package("pypi", data, b"Name", b"Version")
        elif node := _NODE.fullmatch(path):
            version = _json(data).get("version")
            if isinstance(version, str):
                yield Package("npm", node[1], version[:100])
        elif _COMPOSER.fullmatch(path):
            items = _json(data).get("packages")
            for item in items if isinstance(items, list) else ():
                if isinstance(item, dict) and isinstance(item.get("name"), str):
                    yield Package("composer", item["name"][:200], str(item.get("version"))[:100])


def _by_name(visible: Mapping[str, Placed]) -> Iterator[Package]:
    for path in visible:
        if path.endswith(".gemspec") and (gem := _GEM.fullmatch(path)):
            yield Package("gem", gem[1], gem[2])
        elif path.endswith(".jar") and (jar := _JAR.fullmatch(path)):
            yield Package("maven", jar[1], jar[2])


def _package(kind: str, block: bytes, name: bytes, version: bytes) -> Iterator[Package]:
    if found := _field(block, name):
        yield Package(kind, found, _field(block, version))


def _field(block: bytes, key: bytes) -> str:
    found = re.search(rb"(?m)^" + key + rb": ?([^\n]{0,300})", block)
    return decoded(found[1].strip()) if found else ""


def _json(data: bytes) -> dict[str, object]:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _users(texts: Mapping[str, bytes]) -> Iterator[User]:
    hashes = {}
    for line in decoded(texts.get("/etc/shadow", b"")).split("\n"):
        name, colon, rest = line.partition(":")
        if colon:
            hashes[name] = rest.partition(":")[0]
    for line in decoded(texts.get("/etc/passwd", b"")).split("\n")[:10_000]:
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
