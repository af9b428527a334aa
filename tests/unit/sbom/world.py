"""Images as directories of this machine, small enough to be written down."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from slimpy.image.tree import Tree
from slimpy.model import ImagePath, KeepSet, Reason, Rule
from slimpy.sbom.catalogue import survey
from slimpy.sbom.components import Inventory, inventory
from slimpy.sbom.database import with_database
from slimpy.sbom.package import Catalogue
from tests.trees import HostContents, tree_of

IMAGE = "sha256:" + "5" * 64
OS_RELEASE = 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n'

STATUS = """Package: base
Status: install ok installed
Architecture: amd64
Version: 1.0-1
Maintainer: Some One <one@example.org>
Description: base
 of everything

Package: libz
Status: install ok installed
Architecture: amd64
Multi-Arch: same
Source: zlib (1:1.2.13)
Version: 1:1.2.13-1+b1
Maintainer: Some One <one@example.org>
Conffiles:
 /etc/z.conf 0123456789abcdef0123456789abcdef
 /etc/gone.conf 0123456789abcdef0123456789abcdef
Description: compression

Package: tool
Status: install ok installed
Architecture: all
Version: 2~rc1
Maintainer: Some One <one@example.org>
Description: unused

Package: left
Status: deinstall ok config-files
Architecture: all
Version: 3
Description: only its configuration is there
"""
DPKG = {
    "/etc/os-release": OS_RELEASE,
    "/etc/debian_version": "12.1\n",
    "/etc/z.conf": "z",
    "/etc/gone.conf": "z",
    "/usr/lib/libz.so.1": "z" * 9,
    "/usr/lib/base": "b",
    "/usr/bin/tool": "t",
    "/usr/share/doc/base/copyright": "c",
    "/var/lib/dpkg/status": STATUS,
    "/var/lib/dpkg/arch": "amd64\n",
    "/var/lib/dpkg/info/format": "1\n",
    "/var/lib/dpkg/info/base.list": (
        "/.\n/usr\n/usr/lib\n/usr/lib/base\n/usr/share/doc/base\n/usr/share/doc/base/copyright\n"
    ),
    "/var/lib/dpkg/info/base.md5sums": (
        "92eb5ffee6ae2fec3ad71c777531578f  usr/lib/base\n"
        "4a8a08f09d37b73795649038408b5f33  usr/share/doc/base/copyright\n"
    ),
    "/var/lib/dpkg/info/libz:amd64.list": (
        "/.\n/etc\n/etc/z.conf\n/etc/gone.conf\n/lib\n/lib/libz.so.1\n"
    ),
    "/var/lib/dpkg/info/libz:amd64.md5sums": ("c56bd5480f6e5413cb62a0ad9666613a  lib/libz.so.1\n"),
    "/var/lib/dpkg/info/tool.list": "/.\n/usr\n/usr/bin\n/usr/bin/tool\n",
    "/var/lib/dpkg/info/tool.postinst": "#!/bin/sh\n",
}
APK = """C:Q1abc=
P:musl
V:1.2.4_git20230717-r4
A:x86_64
L:MIT
o:musl
F:lib
R:ld-musl-x86_64.so.1
a:0:0:755
Z:Q1def=
R:gone.so
Z:Q1ghi=
F:usr
F:usr/gone
M:0:0:700

P:busybox
V:1.36.1-r15
A:x86_64
L:GPL-2.0-only
o:busybox
F:bin
R:busybox

"""


def write(root: Path, files: Mapping[str, str | bytes]) -> Path:
    """Files below a directory; ``-> target`` is a link."""
    for name, data in files.items():
        path = root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(data, str) and data.startswith("-> "):
            path.symlink_to(data[3:])
        else:
            path.write_bytes(data.encode() if isinstance(data, str) else data)
    return root


def image(root: Path) -> tuple[Tree, HostContents]:
    """A directory as an image."""
    return tree_of(root), HostContents(root)


def surveyed(root: Path, files: Mapping[str, str | bytes]) -> Catalogue:
    """The packages of an image with these files."""
    return survey(*image(write(root, files)))


def listed(root: Path, files: Mapping[str, str | bytes], keep: KeepSet | None = None) -> Inventory:
    """The same as records."""
    return inventory(
        surveyed(root, files), "team/app:1", IMAGE, created="2024-05-06T07:08:09Z", keep=keep
    )


def keeping(paths: Iterable[str], rule: Rule = Rule.TOUCHED) -> KeepSet:
    """What ships."""
    return KeepSet({ImagePath(path): (Reason(rule),) for path in paths})


def reduced(root: Path, keep: KeepSet) -> KeepSet:
    """What ships of a root, with the databases."""
    tree, contents = image(root)
    return with_database(tree, contents, keep, survey(tree, contents))


def shipped(root: Path, keep: KeepSet, target: Path) -> Path:
    """What the packer would write, as a directory."""
    for path in sorted(keep.reasons):
        source, place = root / path.lstrip("/"), target / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        if source.is_symlink():
            place.symlink_to(source.readlink())
        elif source.is_dir():
            place.mkdir(exist_ok=True)
        elif path in keep.rewritten:
            place.write_bytes(keep.rewritten[path])
        else:
            shutil.copy2(source, place)
    return target
