"""Native parts of Node packages: add-ons and the libraries that come with them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from slimpy.image.tree import name
from slimpy.keep.rules.reach import files_below
from slimpy.keep.scene import Scene
from slimpy.model import ROOT, Entry, FileType, ImagePath

_NATIVE = re.compile(r"\.(node|so(\.\d+){0,4})$")
_WORD = re.compile(r"[^A-Za-z0-9_]+")
_SYSTEMS = frozenset(
    {
        *("darwin", "win32", "windows", "freebsd", "openbsd", "netbsd", "android", "sunos"),
        *("aix", "openharmony", "wasm32"),
    }
)
_OURS = {
    "amd64": frozenset({"x64", "x86_64", "amd64"}),
    "386": frozenset({"ia32", "x86", "i386", "i686"}),
    "arm64": frozenset({"arm64", "aarch64"}),
    "arm": frozenset({"arm", "armv6", "armv7", "armv7l"}),
    "ppc64le": frozenset({"ppc64", "ppc64le"}),
    "s390x": frozenset({"s390x"}),
    "riscv64": frozenset({"riscv64"}),
    "loong64": frozenset({"loong64", "loongarch64"}),
    "mips64le": frozenset({"mips", "mipsel", "mips64el"}),
}
"""Node's and other names of an OCI architecture."""

_MACHINES = frozenset().union(*_OURS.values())
_MUSL = frozenset({"musl", "linuxmusl"})
_GLIBC = frozenset({"glibc", "gnu", "gnueabihf"})


def native_files(scene: Scene, directory: ImagePath) -> Iterator[ImagePath]:
    """Add-ons and shared objects in a package that this image's platform can load."""
    for entry in files_below(scene, directory, skip=_is_elsewhere, most_bytes=1 << 30):
        inside = entry.path.removeprefix(directory)
        if _NATIVE.search(inside) and not is_foreign(scene, inside):
            yield entry.path


def is_foreign(scene: Scene, path: str) -> bool:
    """Whether a name says that it is for another system, machine or C library than the image's.

    Names follow Node's ``process.platform`` and ``process.arch``, such as ``linux-x64``.
    """
    words = set(_WORD.split(path.lower()))
    if words & _SYSTEMS:
        return True
    machines = words & _MACHINES
    ours = _OURS.get(scene.image.architecture, frozenset({scene.image.architecture}))
    if machines and not machines & ours:
        return True
    return bool(words & (_GLIBC if has_musl(scene) else _MUSL))


def has_musl(scene: Scene) -> bool:
    """Whether the image's C library is musl."""
    library = scene.walk("/lib").real or ROOT
    return any(name(entry.path).startswith("ld-musl-") for entry in scene.tree.children(library))


def _is_elsewhere(entry: Entry) -> bool:
    """What is another package, or left over from compiling."""
    if entry.type is FileType.DIRECTORY:
        return name(entry.path) in ("node_modules", "obj", "obj.target", ".deps")
    return not _NATIVE.search(entry.path)
