"""Builds small real ELF files with gcc in a directory that stands for an image."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from slimpy.elf.closure import Closure, closure
from slimpy.model import ImagePath, Rule
from tests.trees import HostContents, tree_of

GLIBC_LOADER = "/lib64/ld-linux-x86-64.so.2"
MUSL_LOADER = "/lib/ld-musl-x86_64.so.1"


@dataclass
class Workbench:
    """A root directory under construction; every path given to it is one inside the image."""

    root: Path
    scratch: Path
    stubs: dict[tuple[str, bool], Path] = field(default_factory=dict)

    def host(self, path: str) -> Path:
        """Where a path of the image lies on this machine; its directory is made."""
        host = self.root / path.lstrip("/")
        host.parent.mkdir(parents=True, exist_ok=True)
        return host

    def link(self, path: str, target: str) -> None:
        """A symbolic link."""
        self.host(path).symlink_to(target)

    def write(self, path: str, data: bytes) -> None:
        """A plain file."""
        self.host(path).write_bytes(data)

    def loaders(self) -> None:
        """Put in this machine's loaders of glibc and musl."""
        for loader in (GLIBC_LOADER, MUSL_LOADER):
            shutil.copyfile(loader, self.host(loader))

    def library(
        self,
        path: str,
        *needs: str,
        soname: str | None = None,
        options: Sequence[str] = (),
        imports: Sequence[str] = (),
        bits: int = 64,
    ) -> None:
        """A shared library with these DT_NEEDED names; DT_SONAME is its file name by default."""
        name = path.rpartition("/")[2] if soname is None else soname
        self._link(
            path,
            needs,
            ["-shared", *([f"-Wl,-soname,{name}"] if name else []), *options],
            imports,
            bits,
        )

    def program(
        self,
        path: str,
        *needs: str,
        options: Sequence[str] = (),
        interpreter: str = GLIBC_LOADER,
        imports: Sequence[str] = (),
    ) -> None:
        """A program with these DT_NEEDED names, and libc.so.6 too if it imports functions.

        Without an ``interpreter`` it is a static one.
        """
        loader = f"--dynamic-linker={interpreter}" if interpreter else "--no-dynamic-linker"
        flags = ["-pie", "-Wl,-e,entry", f"-Wl,{loader}"]
        self._link(path, needs, [*flags, *options], imports, 64)

    def _link(
        self,
        path: str,
        needs: Sequence[str],
        options: Sequence[str],
        imports: Sequence[str],
        bits: int,
    ) -> None:
        calls = " ".join(f"{name}();" for name in imports)
        declared = " ".join(f"void {name}(void);" for name in imports)
        source = self.scratch / "source.c"
        source.write_text(f"{declared} void entry(void) {{ {calls} }}")
        stubs = [str(self._stub(name, bits == 32)) for name in needs]
        if imports:
            libc = self.scratch / "imported.c"
            libc.write_text("".join(f"void {name}(void) {{}}" for name in imports))
            stubs.append(str(libc.with_suffix(".so")))
            self._gcc(bits, ["-shared", "-Wl,-soname,libc.so.6", "-o", stubs[-1], str(libc)])
        self._gcc(bits, [*options, "-o", str(self.host(path)), str(source), *stubs])

    def _stub(self, name: str, small: bool) -> Path:
        """A library to link against, so that DT_NEEDED holds exactly ``name``."""
        key = (name, small)
        if key not in self.stubs:
            stub = self.scratch / f"stub{len(self.stubs)}.so"
            source = self.scratch / "stub.c"
            source.write_text("")
            bits = 32 if small else 64
            self._gcc(bits, ["-shared", f"-Wl,-soname,{name}", "-o", str(stub), str(source)])
            self.stubs[key] = stub
        return self.stubs[key]

    def _gcc(self, bits: int, arguments: Sequence[str]) -> None:
        common = ["-nostdlib", "-fPIC", "-fno-builtin", "-w", "-Wl,--no-as-needed"]
        unresolved = ["-Wl,--unresolved-symbols=ignore-all"]
        subprocess.run(["gcc", f"-m{bits}", *common, *unresolved, *arguments], check=True)

    def closure(
        self, *files: str, environment: Mapping[str, str] | None = None, workdir: str = "/"
    ) -> Closure:
        """The closure of these files of the image."""
        return closure(
            tree_of(self.root),
            HostContents(self.root),
            [ImagePath(path) for path in files],
            environment=environment or {},
            workdir=ImagePath(workdir),
        )


def rpath(text: str) -> list[str]:
    """Linker options for DT_RPATH."""
    return ["-Wl,--disable-new-dtags", f"-Wl,-rpath,{text}"]


def runpath(text: str) -> list[str]:
    """Linker options for DT_RUNPATH."""
    return ["-Wl,--enable-new-dtags", f"-Wl,-rpath,{text}"]


def libraries(outcome: Closure) -> set[str]:
    """The libraries of a closure, without loaders, links and configuration."""
    return {
        path
        for path, reasons in outcome.needed.items()
        if any(reason.rule is Rule.LIBRARY for reason in reasons)
    }


def lost(outcome: Closure) -> set[tuple[str, str]]:
    """What is missing, as (name, by)."""
    return {(item.name, item.by) for item in outcome.missing}
