"""Which loader a program asks for, and where that loader looks: found in the image itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase

from probes.model import TraceWarning
from slimpy.elf import ldcache
from slimpy.elf.facts import Abi, ElfFacts
from slimpy.elf.ldcache import DamagedCacheError, LdCache
from slimpy.image.contents import Contents
from slimpy.image.links import Resolution, resolve
from slimpy.image.tree import Tree
from slimpy.model import FileType, ImagePath, decoded, display

MAXIMUM_LOADER = 8 << 20  # bytes
MAXIMUM_TEXT_FILE = 1 << 20  # bytes
MAXIMUM_CONFIGS = 256  # files that ld.so.conf includes

# glibc's system_dirs (elf/dl-load.c): directories with a slash and a NUL behind each, in a row.
_SYSTEM_DIRECTORIES = re.compile(rb"(?:/[\x21-\x7e]{0,200}lib[\x21-\x7e]{0,200}/\0)+")
_CACHE = re.compile(rb"/[\x21-\x7e]{0,200}/ld\.so\.cache\0")
_PRELOAD = re.compile(rb"/[\x21-\x7e]{0,200}/ld\.so\.preload\0")
_MUSL_PATH = re.compile(rb"/etc/ld-musl-[\w.-]{1,64}\.path\0")
# gcompat's stand-in for glibc's loader hands the program to musl's, with a library of its own.
_MUSL_STAND_IN = re.compile(
    rb"(/[\x21-\x7e]{0,200}/(?:ld-musl-[\w.-]+\.so\.1|libgcompat\.so\.0))\0"
)
_LIB = re.compile(r"/(lib[^/]*(?:/[^/]+-linux-[^/]+)?)$")
_MUSL_DEFAULT = "/lib:/usr/local/lib:/usr/lib"

_TRIPLETS = {
    ("EM_386", 32): "i386-linux-gnu",
    ("EM_X86_64", 64): "x86_64-linux-gnu",
    ("EM_X86_64", 32): "x86_64-linux-gnux32",
    ("EM_AARCH64", 64): "aarch64-linux-gnu",
    ("EM_ARM", 32): "arm-linux-gnueabihf",
    ("EM_PPC64", 64): "powerpc64le-linux-gnu",
    ("EM_S390", 64): "s390x-linux-gnu",
    ("EM_RISCV", 64): "riscv64-linux-gnu",
}
# Where the ABIs put glibc's and musl's loader; for libraries without a program of their ABI.
_USUAL = {
    ("EM_386", 32): ("/lib/ld-linux.so.2", "/lib/ld-musl-i386.so.1"),
    ("EM_X86_64", 64): ("/lib64/ld-linux-x86-64.so.2", "/lib/ld-musl-x86_64.so.1"),
    ("EM_X86_64", 32): ("/libx32/ld-linux-x32.so.2", "/lib/ld-musl-x32.so.1"),
    ("EM_AARCH64", 64): ("/lib/ld-linux-aarch64.so.1", "/lib/ld-musl-aarch64.so.1"),
    ("EM_ARM", 32): ("/lib/ld-linux-armhf.so.3", "/lib/ld-musl-armhf.so.1"),
    ("EM_PPC64", 64): ("/lib64/ld64.so.2", "/lib/ld-musl-powerpc64le.so.1"),
    ("EM_S390", 64): ("/lib/ld64.so.1", "/lib/ld-musl-s390x.so.1"),
    ("EM_RISCV", 64): ("/lib/ld-linux-riscv64-lp64d.so.1", "/lib/ld-musl-riscv64.so.1"),
}


class Libc(StrEnum):
    """Whose search rules a loader follows."""

    GLIBC = "glibc"
    MUSL = "musl"


@dataclass(frozen=True, slots=True)
class Loader:
    """A program interpreter of an image and what it brings with it.

    ``directories`` are searched last: glibc's are compiled into it, musl's may come from a file.
    ``extra`` are ld.so.conf's directories where the image has no cache. ``configs`` are the files
    that it reads; ``companions`` are what it starts or loads itself; ``preload`` is what
    ld.so.preload names; ``lib`` is what ``$LIB`` stands for. ``place.real`` is None where the image
    does not have it.
    """

    interpreter: str
    place: Resolution
    libc: Libc
    directories: tuple[str, ...]
    extra: tuple[str, ...] = ()
    cache: LdCache = field(default_factory=LdCache)
    preload: tuple[str, ...] = ()
    lib: str = "lib"
    configs: tuple[Resolution, ...] = ()
    companions: tuple[Resolution, ...] = ()
    warnings: tuple[TraceWarning, ...] = ()


def usual_interpreters(tree: Tree, abi: Abi, libc: Libc | None) -> tuple[str, ...]:
    """The loaders of an ABI (and a libc) that the image has at their usual places.

    Where it has none, the name of one that would do: glibc's, if ``libc`` leaves it open.
    """
    glibc, musl = _USUAL.get(abi[:2], ("/lib/ld.so.1", "/lib/ld-musl-unknown.so.1"))
    names = {Libc.GLIBC: (glibc,), Libc.MUSL: (musl,), None: (glibc, musl)}[libc]
    return tuple(name for name in names if resolve(tree, name).real is not None) or names[:1]


def flavour(facts: ElfFacts) -> Libc | None:
    """Whose libc a library was linked with, or None where its needs do not tell."""
    for name in facts.needed:
        if name == "libc.so" or name.startswith("libc.musl-"):
            return Libc.MUSL
        if name == "libc.so.6" or name.startswith(("ld-linux", "ld64.so")):
            return Libc.GLIBC
    return None


def examine(tree: Tree, contents: Contents, interpreter: str, abi: Abi) -> Loader:
    """What the loader at ``interpreter`` (as PT_INTERP names it) would do; never fails.

    The search directories are read out of the loader: distributions compile different ones into it.
    """
    place = resolve(tree, interpreter)
    code = _read(tree, contents, place.real, MAXIMUM_LOADER)
    musl = _MUSL_PATH.search(code)
    stand_in = [resolve(tree, decoded(path)) for path in _MUSL_STAND_IN.findall(code)]
    if musl or stand_in or "/ld-musl-" in interpreter:
        path_file = decoded(musl[0][:-1]) if musl else _musl_path_file(interpreter)
        return _musl(tree, contents, interpreter, place, path_file, tuple(stand_in))
    return _glibc(tree, contents, interpreter, place, code, abi)


def _read(tree: Tree, contents: Contents, path: ImagePath | None, limit: int) -> bytes:
    entry = tree.get(path) if path else None
    if path is None or entry is None or entry.type is not FileType.FILE:
        return b""
    try:
        return contents.read(path, limit)
    except FileNotFoundError:
        return b""


def _musl_path_file(interpreter: str) -> str:
    return f"/etc/{interpreter.rpartition('/')[2].partition('.so')[0]}.path"


def _musl(
    tree: Tree,
    contents: Contents,
    interpreter: str,
    place: Resolution,
    path_file: str,
    stand_in: tuple[Resolution, ...],
) -> Loader:
    """musl's rules (load_library in ldso/dynlink.c): the path file lies in the loader's prefix."""
    prefix = "" if stand_in else interpreter.rpartition("/")[0].rpartition("/")[0]
    config = resolve(tree, prefix + path_file)
    if config.real is None:
        paths = _MUSL_DEFAULT
    else:
        paths = decoded(_read(tree, contents, config.real, MAXIMUM_TEXT_FILE))
    return Loader(
        interpreter,
        place,
        Libc.MUSL,
        tuple(path for path in re.split("[:\n]", paths) if path),
        configs=(config,) if config.real else (),
        companions=stand_in,
    )


def _glibc(
    tree: Tree, contents: Contents, interpreter: str, place: Resolution, code: bytes, abi: Abi
) -> Loader:
    directories = _system_directories(code, abi)
    cache_place = resolve(tree, _compiled_in(_CACHE, code, "/etc/ld.so.cache"))
    preload_place = resolve(tree, _compiled_in(_PRELOAD, code, "/etc/ld.so.preload"))
    cache, warnings = LdCache(), []
    if cache_place.real is not None:
        try:
            cache = ldcache.parse(_read(tree, contents, cache_place.real, ldcache.MAXIMUM_SIZE))
        except DamagedCacheError as error:
            warnings.append(
                TraceWarning("loader-cache", f"{display(cache_place.real)}: {display(str(error))}")
            )
    return Loader(
        interpreter,
        place,
        Libc.GLIBC,
        directories,
        extra=() if cache.entries else tuple(_configured(tree, contents)),
        cache=cache,
        preload=_preloaded(decoded(_read(tree, contents, preload_place.real, MAXIMUM_TEXT_FILE))),
        lib=_lib(directories),
        configs=tuple(config for config in (cache_place, preload_place) if config.real),
        warnings=tuple(warnings),
    )


def _system_directories(code: bytes, abi: Abi) -> tuple[str, ...]:
    """The longest row of directories in the loader; every usual one where it has none."""
    rows = [row.split(b"\0")[:-1] for row in _SYSTEM_DIRECTORIES.findall(code)]
    if rows:
        return tuple(decoded(path).rstrip("/") for path in max(rows, key=len))
    triplet = _TRIPLETS.get(abi[:2], "")
    multiarch = (f"/lib/{triplet}", f"/usr/lib/{triplet}") if triplet else ()
    return (*multiarch, "/lib64", "/usr/lib64", "/lib", "/usr/lib")


def _compiled_in(pattern: re.Pattern[bytes], code: bytes, default: str) -> str:
    found = pattern.search(code)
    return decoded(found[0][:-1]) if found else default


def _lib(directories: tuple[str, ...]) -> str:
    """What ``$LIB`` stands for: the end of the first system directory, with Debian's triplet."""
    found = _LIB.search(directories[0]) if directories else None
    return found[1] if found else "lib"


def _preloaded(text: str) -> tuple[str, ...]:
    """The names in ld.so.preload: separated by blanks or colons, comments after ``#``."""
    lines = (line.partition("#")[0] for line in text.splitlines())
    return tuple(name for line in lines for name in re.split(r"[\s:]+", line) if name)


def _configured(tree: Tree, contents: Contents) -> Iterator[str]:
    """The directories in ld.so.conf and what it includes (ldconfig(8))."""
    waiting, seen = ["/etc/ld.so.conf"], set[ImagePath]()
    while waiting and len(seen) < MAXIMUM_CONFIGS:
        real = resolve(tree, waiting.pop(0)).real
        if real is None or real in seen:
            continue
        seen.add(real)
        for line in decoded(_read(tree, contents, real, MAXIMUM_TEXT_FILE)).splitlines():
            words = line.partition("#")[0].split()
            if words[:1] == ["include"]:
                waiting.extend(path for pattern in words[1:] for path in _matching(tree, pattern))
            elif words and words[0].startswith("/"):
                yield words[0].partition("=")[0].rstrip("/")


def _matching(tree: Tree, pattern: str) -> Iterator[str]:
    """The files that an ``include`` names: a pattern in its last component, relative to /etc."""
    directory, _, last = (pattern if pattern.startswith("/") else f"/etc/{pattern}").rpartition("/")
    real = resolve(tree, directory or "/").real
    for entry in tree.children(real) if real else ():
        name = entry.path.rpartition("/")[2]
        if fnmatchcase(name, last) and not name.startswith("."):
            yield entry.path
