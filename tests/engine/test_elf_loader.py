"""The closure of every ELF file of a big image, compared with what the image's own loaders say."""

from __future__ import annotations

import io
import re
import shlex
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import docker
import pytest
from docker.models.containers import Container

from slimpy.elf.closure import closure
from slimpy.elf.facts import ElfFacts
from slimpy.elf.files import ElfFiles
from slimpy.elf.loader import Libc, flavour
from slimpy.elf.process import BY_GLIBC
from slimpy.image.links import resolve
from slimpy.model import FileType, ImagePath, Rule
from tests.engine import elf_cases
from tests.trees import TarImage
from tests.unit.elf.workbench import GLIBC_LOADER, MUSL_LOADER, Workbench

pytestmark = pytest.mark.engine

DOCKERFILE = Path(__file__).parent / "images" / "elf-zoo.Dockerfile"
SMALL_LOADER = "/lib/ld-linux.so.2"
ENVIRONMENT = {"LD_LIBRARY_PATH": "/nowhere:/cases/environment/env"}
_FOUND = re.compile(r"\t(?!linux-vdso\.so|linux-gate\.so)(?:.* => )?(.*) \(0x[0-9a-f]+\)$")
_LOST = re.compile(r"\t(.*) => not found$")
_MUSL_LOST = re.compile(r"Error loading shared library (.*): No such file or directory \(needed by")
_FATAL = "error while loading shared libraries"


@dataclass(frozen=True)
class Answer:
    """What a loader said of one file: real paths found, names not found, or its error."""

    found: frozenset[str]
    lost: frozenset[str]
    fatal: str = ""


@dataclass
class Zoo:
    """The running container, and the image as it was exported from it."""

    container: Container
    image: TarImage
    files: ElfFiles = field(init=False)

    def __post_init__(self) -> None:
        self.files = ElfFiles(self.image.tree, self.image)

    def elf_paths(self) -> list[ImagePath]:
        """All files that begin like an ELF file."""
        return [
            entry.path
            for entry in self.image.tree
            if entry.type is FileType.FILE and entry.size > 64
            and self.image.read(entry.path, 4) == b"\x7fELF"
        ]  # fmt: skip

    def ask(self, paths: Sequence[str], environment: Mapping[str, str]) -> dict[str, Answer]:
        """What the loaders say of each file, all in one run inside the container."""
        lines = ["exec 2>&1", f"export {' '.join(f'{k}={v}' for k, v in environment.items())}"]
        for path in paths:
            loader = loader_of(self.files.get(ImagePath(path)))
            option = " --list" if loader == MUSL_LOADER else ""
            traced = "" if option else "LD_TRACE_LOADED_OBJECTS=1 "
            quoted = shlex.quote(path)
            lines += [f"echo @@ {quoted}", f"{traced}{loader}{option} {quoted} </dev/null"]
        put(self.container, {"/tmp/ask.sh": "\n".join(lines).encode()})
        output = self.container.exec_run(["sh", "/tmp/ask.sh"], workdir="/").output.decode()
        parts = (part.partition("\n") for part in re.split("^@@ ", output, flags=re.M)[1:])
        return {path: self.answer(text) for path, _, text in parts}

    def answer(self, text: str) -> Answer:
        """One file's output as real paths and names, without the loader itself."""
        lines = text.splitlines()
        found = {match[1] for line in lines if (match := _FOUND.match(line))}
        real = {str(resolve(self.image.tree, path).real) for path in found}
        lost = {match[1] for line in lines if (match := _LOST.match(line))}
        lost |= {match[1] for line in lines if (match := _MUSL_LOST.match(line))}
        fatal = next((line for line in lines if _FATAL in line and not lost), "")
        return Answer(frozenset(real - self.loaders), frozenset(lost), fatal)

    def closed(self, path: ImagePath, environment: Mapping[str, str]) -> Answer:
        """Our answer for the same file."""
        tree = self.image.tree
        outcome = closure(tree, self.image, [path], environment=environment, known=self.files)
        found = {
            real
            for real, reasons in outcome.needed.items()
            if any(r.rule is Rule.LIBRARY and r.detail != BY_GLIBC for r in reasons)
        }
        lost = frozenset(item.name for item in outcome.missing)
        return Answer(frozenset(found - self.loaders - {path}), lost)

    @property
    def loaders(self) -> set[str]:
        """The real paths of the image's loaders."""
        names = (GLIBC_LOADER, SMALL_LOADER, MUSL_LOADER)
        return {str(resolve(self.image.tree, name).real) for name in names}


def loader_of(facts: ElfFacts | None) -> str:
    """Which loader to ask: the file's own, else the one of its libc and class."""
    if facts is not None and facts.interpreter:
        return facts.interpreter
    if facts is not None and flavour(facts) is Libc.MUSL:
        return MUSL_LOADER
    return SMALL_LOADER if facts is not None and facts.bits == 32 else GLIBC_LOADER


def put(container: Container, files: Mapping[str, bytes]) -> None:
    """Put small files into a container."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for path, data in files.items():
            member = tarfile.TarInfo(path.lstrip("/"))
            member.size, member.mode = len(data), 0o755
            tar.addfile(member, io.BytesIO(data))
    assert container.put_archive("/", archive.getvalue())


def add_cases(container: Container, directory: Path) -> None:
    """Build the cases here and put them into the container, links as links."""
    for name in ("root", "scratch"):
        (directory / name).mkdir()
    elf_cases.build(Workbench(directory / "root", directory / "scratch"))
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for path in sorted((directory / "root").rglob("*")):
            # Directories of the image may be links there: only what lies in them is put in.
            if path.is_symlink() or path.is_file():
                tar.add(path, str(path.relative_to(directory / "root")))
    assert container.put_archive("/", archive.getvalue())


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zoo]:
    """The image with the cases in it, ldconfig run, started and exported."""
    client = docker.from_env(timeout=300)
    directory = tmp_path_factory.mktemp("zoo")
    tag = "slimpy-test-elf-zoo"
    client.images.build(
        path=str(DOCKERFILE.parent), dockerfile=DOCKERFILE.name, tag=tag, network_mode="host",
        rm=True,
    )  # fmt: skip
    container = client.containers.create(
        tag, ["sleep", "infinity"], network_mode="none", labels={"slimpy.test": "elf"}
    )
    try:
        add_cases(container, directory)
        container.start()
        assert container.exec_run(["ldconfig"]).exit_code == 0
        archive = directory / "export.tar"
        with archive.open("wb") as file:
            for chunk in container.export(1 << 20):
                file.write(chunk)
        image = TarImage(archive)
        yield Zoo(container, image)
        image.close()
        archive.unlink()
    finally:
        container.remove(force=True)
        client.close()


def comparable(zoo: Zoo, paths: frozenset[str]) -> set[str]:
    """A directory for special CPUs stands for the path beside it, a hard link for its first name.

    A loader names one file once; a minified image needs every name by which it was opened.
    """
    plain = {re.sub(r"/glibc-hwcaps/[^/]+/", "/", path) for path in paths}
    entries = {path: zoo.image.tree.get(path) for path in plain}
    return {
        path if entry is None else zoo.image.tree.hardlinks(entry)[0].path
        for path, entry in entries.items()
    }


def differences(zoo: Zoo, paths: Sequence[ImagePath], environment: Mapping[str, str]) -> list[str]:
    """What the loaders and the closure say differently; prints the counts."""
    theirs = zoo.ask(paths, environment)
    assert theirs.keys() == set(paths)
    out = []
    for path in paths:
        expected, ours = theirs[path], zoo.closed(path, environment)
        if expected.fatal:
            print(f"the loader refuses: {expected.fatal}")
        if comparable(zoo, expected.found) != comparable(zoo, ours.found):
            more, less = sorted(ours.found - expected.found), sorted(expected.found - ours.found)
            out.append(f"{path}: too much {more}, too little {less}")
        if expected.lost != ours.lost:
            out.append(f"{path}: missing {sorted(ours.lost)}, not {sorted(expected.lost)}")
    found = sum(len(answer.found) for answer in theirs.values())
    lost = sum(bool(answer.lost) for answer in theirs.values())
    print(f"{len(paths)} ELF files, {found} libraries found, {lost} files lack some, "
          f"{sum(bool(answer.fatal) for answer in theirs.values())} refused by the loader, "
          f"{len(out)} differences")  # fmt: skip
    print(*out, sep="\n")
    return out


def test_every_elf_file_is_closed_like_the_loaders_do(zoo: Zoo) -> None:
    paths = zoo.elf_paths()
    assert len(paths) > 1000
    assert not differences(zoo, paths, {})


def test_the_environment_counts_like_for_the_loaders(zoo: Zoo) -> None:
    paths = [path for path in zoo.elf_paths() if path.startswith("/cases/")]
    assert len(paths) > 50
    assert not differences(zoo, paths, ENVIRONMENT)


def test_the_cases_cover_found_and_missing(zoo: Zoo) -> None:
    answers = zoo.ask(["/cases/runpath/main", "/cases/rpath/main", "/cases/musl-rpath/main"], {})
    assert answers["/cases/runpath/main"] == Answer(
        frozenset({"/cases/runpath/deep/liba.so"}), frozenset({"libb.so"})
    )
    for name in ("rpath", "musl-rpath"):
        deep = f"/cases/{name}/deep"
        assert answers[f"/cases/{name}/main"] == Answer(
            frozenset({f"{deep}/liba.so", f"{deep}/libb.so"}), frozenset({"libcases-gone.so"})
        )
