"""The torture image, packed whole, is the same image again: all attributes of every path."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tarfile
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import pytest

from slimpy.image.listing import find_arguments, normalised, parse
from slimpy.image.spool import Spool
from slimpy.image.tree import Tree
from slimpy.model import Account, Image, ImagePath, KeepSet, Reason, Rule, encoded
from slimpy.pack.archive import write_archive
from slimpy.pack.config import serialised, slim_config
from slimpy.pack.layer import Packed, write_layer
from tests.engine.images import torture

pytestmark = pytest.mark.engine

ENGINES_OWN = ("/proc", "/sys", "/dev", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf")
CREATED = 1_234_567_890
OWNED = (ImagePath("/torture/own"), ImagePath("/torture/own/log"), ImagePath("/torture/third"))
ACCOUNT = Account("33:34", 33, 34, "default", "a test", OWNED)
LABELS = {"test": "torture"}


def docker(*arguments: str, stdin: IO[bytes] | None = None) -> bytes:
    done = subprocess.run(
        ["docker", *arguments], stdin=stdin, capture_output=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return done.stdout


@dataclass(frozen=True)
class Box:
    """A started container that does nothing by itself."""

    id: str

    @property
    def made(self) -> int:
        """When it was made, in whole seconds since the epoch."""
        text = docker("inspect", "-f", "{{.Created}}", self.id).decode().strip()
        return int(datetime.fromisoformat(text[:19] + "+00:00").timestamp())

    def execute(self, *argv: str, stdin: bytes = b"") -> bytes:
        with tempfile.TemporaryFile() as file:
            file.write(stdin)
            file.seek(0)
            return docker("exec", "-i", "--user", "0", self.id, *argv, stdin=file)

    def listing(self) -> bytes:
        return self.execute("find", *find_arguments(ENGINES_OWN))

    def archive(self, paths: Sequence[ImagePath]) -> Iterator[bytes]:
        names = b"".join(b"." + encoded(path) + b"\0" for path in paths)
        yield self.execute(
            "tar", "-C", "/", "-c", "--format=posix", "--xattrs", "--xattrs-include=*",
            "--numeric-owner", "--sparse", "--no-recursion", "--null", "--verbatim-files-from",
            "-T", "-", stdin=names,
        )  # fmt: skip


def start(image: str) -> Box:
    arguments = ("--network", "none", "--user", "0", "--entrypoint", "sleep")
    return Box(docker("run", "-d", *arguments, image, "infinity").decode().strip())


@dataclass(frozen=True)
class Fingerprint:
    """All that can be told of one path, by programs in the container and Python's tar reader."""

    type: str
    mode: str
    uid: str
    gid: str
    size: str
    mtime: int
    target: bytes
    names: frozenset[bytes]
    device: tuple[int, int]
    xattrs: tuple[tuple[str, str], ...]
    digest: str


def fingerprints(box: Box) -> dict[bytes, Fingerprint]:
    prune = [part for path in ENGINES_OWN for part in ("-path", path, "-o")][:-1]
    output = box.execute(
        "find", "/", "(", *prune, ")", "-prune", "-o",
        "-printf", r"%p\0%y\0%m\0%U\0%G\0%s\0%Ts\0%l\0%i\0",
    ).split(b"\0")[:-1]  # fmt: skip
    rows = {row[0]: row[1:] for row in zip(*[iter(output)] * 9, strict=True)}
    groups: dict[bytes, set[bytes]] = {}
    for path, row in rows.items():
        groups.setdefault(row[7], set()).add(path)
    archived = dict(read_tar(box, rows))
    found = {}
    for path, (kind, mode, uid, gid, size, mtime, target, inode) in rows.items():
        device, xattrs, digest = archived.get(path, ((0, 0), (), ""))
        found[path] = Fingerprint(
            kind.decode(), mode.decode(), uid.decode(), gid.decode(),
            size.decode() if kind == b"f" else "", int(mtime), target,
            frozenset(groups[inode]) if kind != b"d" else frozenset(), device, xattrs, digest,
        )  # fmt: skip
    return found


Archived = tuple[tuple[int, int], tuple[tuple[str, str], ...], str]


def read_tar(box: Box, rows: dict[bytes, list[bytes]]) -> Iterator[tuple[bytes, Archived]]:
    """Devices, attributes and digests; one archive for each path's own header, so no hard links."""
    stdin = b"".join(b"." + path + b"\0" for path in sorted(rows) if rows[path][0] != b"s")
    data = box.execute(
        "tar", "-C", "/", "-c", "--format=posix", "--xattrs", "--xattrs-include=*",
        "--hard-dereference", "--no-recursion", "--null", "--verbatim-files-from", "-T", "-",
        stdin=stdin,
    )  # fmt: skip
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.seek(0)
        with tarfile.open(fileobj=file, encoding="utf-8") as tar:
            for member in tar:
                content = tar.extractfile(member) if member.isreg() else None
                digest = hashlib.sha256(content.read()).hexdigest() if content else ""
                xattrs = tuple(
                    item for item in sorted(member.pax_headers.items()) if "xattr" in item[0]
                )
                path = member.name.encode("utf-8", "surrogateescape").removeprefix(b".")
                devices = (member.devmajor, member.devminor)
                yield path or b"/", (devices, xattrs, digest)


def pack(box: Box, place: Path) -> tuple[Tree, Packed]:
    """Everything of the box, as the pipeline does it."""
    place.mkdir()
    entries = parse([box.listing()])
    tree = Tree(normalised(entries, container_time=box.made, created=CREATED))
    keep = KeepSet({entry.path: (Reason(Rule.INCLUDE),) for entry in tree})
    with Spool(box.archive, place, tree) as spool:
        packed = write_layer(tree, keep, ACCOUNT, spool, place / "layer.tar")
    return tree, packed


def image_of(reference: str) -> Image:
    (facts,) = json.loads(docker("inspect", "--type", "image", reference))
    return Image(
        reference, facts["Id"], facts["Architecture"], facts["Os"], facts["Size"],
        facts["Created"], facts["Config"],
    )  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """What the tests of this file look at: both images, and how the second came about."""

    fat: dict[bytes, Fingerprint]
    slim: dict[bytes, Fingerprint]
    fat_made: int
    slim_made: int
    packed: tuple[Packed, Packed]
    ids: tuple[str, str]
    image: Image
    config: dict[str, Any]
    archive: Path
    tree: Tree


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outcome]:
    place = tmp_path_factory.mktemp("torture")
    fat_tag, slim_tag = (f"slimpy-test-{kind}:{uuid.uuid4().hex}" for kind in ("fat", "slim"))
    boxes: list[Box] = []
    try:
        docker("save", "-o", str(place / "base.tar"), "debian:bookworm")
        torture.archive(place / "base.tar", fat_tag, place / "fat.tar")
        docker("load", "-q", "-i", str(place / "fat.tar"))
        image = image_of(fat_tag)
        results = []
        for number in range(2):
            box = start(fat_tag)
            boxes.append(box)
            box.execute("sh", "-c", torture.PREPARE)
            results.append((box, *pack(box, place / str(number))))
        ids = []
        for number, (_, _, packed) in enumerate(results):
            config = slim_config(image, packed.layer, ACCOUNT, LABELS, ports=(8080,))
            out = place / f"slim{number}.tar"
            ids.append(write_archive(packed.layer, config, slim_tag, out))
        docker("load", "-q", "-i", str(place / "slim0.tar"))
        slim = start(slim_tag)
        boxes.append(slim)
        yield Outcome(
            fingerprints(results[0][0]), fingerprints(slim), results[0][0].made, slim.made,
            (results[0][2], results[1][2]), (ids[0], ids[1]), image_of(slim_tag), config,
            place / "slim0.tar", results[0][1],
        )  # fmt: skip
    finally:
        for box in boxes:
            docker("rm", "-f", "-v", box.id)
        for tag in (slim_tag, fat_tag):
            subprocess.run(
                ["docker", "rmi", "-f", tag], capture_output=True, timeout=60, check=False
            )


def expected(path: bytes, fat: Fingerprint, outcome: Outcome) -> Fingerprint:
    """The fat image's fingerprint with every documented change, and no other."""
    if path.decode("utf-8", "surrogateescape") in OWNED_NAMES:
        fat = replace(fat, uid="33", gid="34")
    if fat.type in "dl" and fat.mtime >= outcome.fat_made:
        fat = replace(fat, mtime=CREATED)
    # Docker sets times before the epoch to it; the layer itself has them.
    return replace(fat, mtime=max(0, fat.mtime))


# One file has three names here, and so they get the owner together.
OWNED_NAMES = {*OWNED, "/torture/hard/z-first", "/torture/hard/a-second"}


def test_the_torture_is_real(outcome: Outcome) -> None:
    """Guards the other tests: the engine did not lose the odd things before they were packed."""
    fat = {path: outcome.fat[path] for path in outcome.fat if path.startswith(b"/torture")}
    for path in torture.names():
        assert path.encode("utf-8", "surrogateescape") in outcome.fat
    assert {entry.type for entry in fat.values()} == set("fdlcbps")
    keys = {key for entry in fat.values() for key, _ in entry.xattrs}
    wanted = {"security.capability", "user.text", "user.raw", "user.d", "system.posix_acl_access"}
    assert {f"SCHILY.xattr.{key}" for key in wanted} <= keys
    assert {len(entry.names) for entry in fat.values() if entry.type != "d"} == {1, 2, 3}
    assert max(len(path) for path in fat) > 256
    assert [key for key, _ in fat[b"/torture/hard/cap2"].xattrs] == [
        "SCHILY.xattr.security.capability"
    ]
    assert fat[b"/torture/large-owner"].uid == "4000000000"
    assert fat[b"/torture/before-1970"].mtime < 0
    assert fat[b"/torture/setuid"].mode == "4755"
    assert b"/etc/issue" not in outcome.fat
    assert outcome.fat[b"/usr/share/man"].type == "l"


def test_every_path_is_what_it_was(outcome: Outcome) -> None:
    skipped = {encoded(path) for path in outcome.packed[0].skipped}
    wanted = set(outcome.fat) - skipped - {b"/.dockerenv"}
    # The slim image's own volume and engine files are there as in any container.
    assert wanted == set(outcome.slim) - {b"/.dockerenv"}
    different = {}
    for path in sorted(wanted):
        fat, slim = expected(path, outcome.fat[path], outcome), outcome.slim[path]
        # The slim container has the engine's mount points and /etc/mtab made in it again.
        if slim.type in "dl" and slim.mtime >= outcome.slim_made:
            fat, slim = replace(fat, mtime=0), replace(slim, mtime=0)
        if fat != slim:
            different[path] = (fat, slim)
    assert different == {}


def test_what_cannot_be_packed_is_reported(outcome: Outcome) -> None:
    skipped = outcome.packed[0].skipped
    assert set(skipped) == {
        "/torture/app.sock", "/torture/.wh.literal", "/torture/.wh.directory",
        "/torture/.wh.directory/below",
    }  # fmt: skip
    assert "socket" in skipped[ImagePath("/torture/app.sock")]


def test_two_runs_give_the_same_bytes(outcome: Outcome) -> None:
    first, second = (packed.layer for packed in outcome.packed)
    assert first.diff_id == second.diff_id
    assert Path(first.path).read_bytes() == Path(second.path).read_bytes()
    assert outcome.ids[0] == outcome.ids[1]


def test_the_engine_knows_it_by_our_id(outcome: Outcome) -> None:
    assert outcome.image.id == outcome.ids[0]
    ours = outcome.config["config"]
    theirs = {key: value for key, value in outcome.image.config.items() if value}
    assert {key: theirs[key] for key in ours} == ours
    assert ours["User"] == "33:34"
    assert set(ours["ExposedPorts"]) == {"80/tcp", "53/udp", "8080/tcp"}
    assert outcome.image.healthcheck is not None
    assert outcome.image.environment["MODE"] == "a=b"


def test_times_before_the_epoch_are_in_the_layer(outcome: Outcome) -> None:
    with tarfile.open(outcome.packed[0].layer.path) as tar:
        assert tar.getmember("torture/before-1970").mtime == -6


def test_the_owner_can_write_what_it_was_given(outcome: Outcome) -> None:
    arguments = ("--rm", "--network", "none", outcome.image.id)
    script = "echo more >> log && cat log && id -u && pwd && test ! -w /torture"
    output = docker("run", *arguments, "sh", "-c", script)
    assert output == b"line\nmore\n33\n/torture/own\n"


@pytest.mark.parametrize("transport", ["oci-archive", "docker-archive"])
def test_another_tool_reads_the_archive_both_ways(outcome: Outcome, transport: str) -> None:
    skopeo = shutil.which("skopeo")
    if skopeo is None:
        pytest.skip("skopeo is not installed here")
    command = [skopeo, "inspect", f"{transport}:{outcome.archive}"]
    done = subprocess.run(command, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert facts["Layers"] == [outcome.packed[0].layer.diff_id]
    assert facts["Labels"] == {"kind": "torture", "test": "torture"}
    raw = subprocess.run(
        [*command, "--config", "--raw"], capture_output=True, timeout=120, check=True
    )
    assert raw.stdout.strip() == serialised(outcome.config)


def test_gnu_tar_reads_the_layer_without_complaint(outcome: Outcome) -> None:
    tar = shutil.which("tar")
    if tar is None:
        pytest.skip("GNU tar is not installed here")
    command = [tar, "-t", "-f", outcome.packed[0].layer.path]
    done = subprocess.run(command, capture_output=True, timeout=120, check=True)
    assert done.stderr == b""
    # The root is 0755 and 0:0 in every container of this engine, so it has no entry.
    assert len(done.stdout.splitlines()) == len(outcome.tree) - len(outcome.packed[0].skipped) - 1
