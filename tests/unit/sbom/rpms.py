"""Packages that rpmbuild makes, and roots that rpm installs them into."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

PLACE = "/usr/lib/sysimage/rpm"
DATABASE = f"{PLACE}/rpmdb.sqlite"
CHROOT = () if os.getuid() == 0 else ("unshare", "--map-root-user")

SPEC = """Name: {name}
{epoch}
Version: {version}
Release: 4.el9
Summary: A package
License: MIT
BuildArch: noarch
Provides: {name}-by-another-name = 7
%description
Nothing.
%install
{install}
%files
{files}
"""


def run(*command: str) -> str:
    """What a tool of rpm prints; it must not complain."""
    done = subprocess.run(command, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.decode(errors="surrogateescape")


def built(top: Path, name: str, *paths: str, version: str = "1.2", epoch: int = 0) -> Path:
    """A package with these files in it."""
    install = "\n".join(
        f"mkdir -p %{{buildroot}}{path.rpartition('/')[0]}; echo {name} > %{{buildroot}}{path}"
        for path in paths
    )
    files = "\n".join(paths)
    spec = top / f"{name}.spec"
    text = SPEC.format(
        name=name, version=version, epoch=f"Epoch: {epoch}" if epoch else "",
        install=install, files=files,
    )  # fmt: skip
    spec.write_text(text, errors="surrogateescape")
    options = ("--define", f"_topdir {top}", "--define", "_invalid_encoding_terminates_build 0")
    run("rpmbuild", "-bb", *options, str(spec))
    return next((top / "RPMS").rglob(f"{name}-*.rpm"))


def rpm(root: Path, *arguments: str) -> str:
    """The real rpm at a root of its own; ordinary users get one in a namespace."""
    options = ("--root", str(root), "--dbpath", PLACE, "--define", "_db_backend sqlite")
    return run(*CHROOT, "rpm", *options, *arguments)


def installed(root: Path, *packages: Path) -> Path:
    """A root with these packages; the older path of the database leads to it."""
    (root / "var/lib").mkdir(parents=True)
    (root / "var/lib/rpm").symlink_to(f"../..{PLACE}")
    (root / "etc").mkdir()
    (root / "etc/os-release").write_text("ID=fedora\nVERSION_ID=40\n")
    rpm(root, "-i", "--nodeps", "--ignorearch", *map(str, packages))
    return root
