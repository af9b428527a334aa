"""Images that want to reach the machine through the embedded engine: nothing outside the image's
root is read or written, and nothing stays mounted.
"""

from __future__ import annotations

import io
import os
import stat
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from slimpy.engine.embedded.engine import EmbeddedEngine
from slimpy.engine.protocol import Confinement, RunSpec
from slimpy.errors import SlimError
from slimpy.image.oci import CONFIG_TYPE, LAYER_TYPE, Descriptor, Manifest
from tests.polling import eventually
from tests.sources import MemorySource, configuration, digest, link, tar

pytestmark = pytest.mark.engine

PLACE = Path(f"/var/tmp/slimpy-test-outside-{os.getpid()}")
"""Outside of every image; links of the images point here."""
SOURCE = """
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
int main(int count, char **paths) {
    for (int i = 1; i < count; i++) {
        char text[64] = "";
        int file = open(paths[i], O_RDONLY | O_NONBLOCK);
        if (file >= 0 && read(file, text, sizeof text - 1) >= 0)
            printf("read %s: %s\\n", paths[i], text);
        file = open(paths[i], O_WRONLY | O_CREAT | O_APPEND, 0644);
        if (file >= 0)
            (void)!write(file, "owned", 5);
    }
    mknod("/disk", S_IFBLK | 0600, makedev(254, 0));
    printf("disk %d\\n", open("/disk", O_RDONLY));
    return 0;
}
"""


@cache
def app() -> bytes:
    """A static program that reads and writes the paths of its arguments, and tries for a disk."""
    with tempfile.TemporaryDirectory() as directory:
        (Path(directory) / "app.c").write_text(SOURCE)
        out = Path(directory) / "app"
        command = ["gcc", "-static", "-O1", "-o", str(out), str(Path(directory) / "app.c")]
        subprocess.run(command, check=True, timeout=60)
        return out.read_bytes()


def program() -> tarfile.TarInfo:
    info = tarfile.TarInfo("app")
    info.mode, info.size = 0o755, len(app())
    return info


@pytest.fixture
def outside() -> Iterator[Path]:
    PLACE.mkdir(exist_ok=True)
    (PLACE / "canary").write_text("secret")
    yield PLACE
    found = {path.name: path.read_text() for path in PLACE.iterdir()}
    for path in PLACE.iterdir():
        path.unlink()
    PLACE.rmdir()
    assert found == {"canary": "secret"}


def mounts() -> list[str]:
    """What is mounted on this machine and could be ours; other engines may be at work."""
    lines = Path("/proc/self/mounts").read_text().splitlines()
    return [line for line in lines if "slimpy" in line and "/var/lib/" not in line]


def image(engine: EmbeddedEngine, members: dict[str, Any], **config: Any) -> Any:
    settings = {"Entrypoint": ["/app", str(PLACE / "canary")], **config}
    packed = tar_with_app(members)
    data = configuration((packed,), config=settings)
    blob = Descriptor(LAYER_TYPE, digest(packed), len(packed))
    manifest = Manifest(Descriptor(CONFIG_TYPE, digest(data), len(data)), (blob,))
    return engine.import_image(MemorySource(data, {blob.digest: packed}, manifest))


def tar_with_app(members: dict[str, Any]) -> bytes:
    """An archive with the program first."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        archive.addfile(program(), io.BytesIO(app()))
        end = archive.offset
    return out.getvalue()[:end] + tar(members)


CASES: dict[str, tuple[dict[str, Any], dict[str, Any], Confinement]] = {
    "plain": ({}, {}, Confinement()),
    "proc is a link": ({"proc": link("proc", str(PLACE))}, {}, Confinement()),
    "dev is a link": ({"dev": link("dev", str(PLACE))}, {}, Confinement()),
    "sys is a link": ({"sys": link("sys", f"../..{PLACE}")}, {}, Confinement()),
    "etc is a link": ({"etc": link("etc", str(PLACE))}, {}, Confinement()),
    "hosts is a link": ({"etc/hosts": link("etc/hosts", f"{PLACE}/canary")}, {}, Confinement()),
    "passwd is a link": (
        {"etc/passwd": link("etc/passwd", f"../../..{PLACE}/canary")},
        {"User": "secret"},
        Confinement(),
    ),
    "toolbox is a link": ({".slimpy": link(".slimpy", str(PLACE))}, {}, Confinement()),
    "workdir outside": (
        {"w": link("w", str(PLACE))},
        {"WorkingDir": "/w/../../../../../../w/deep"},
        Confinement(),
    ),
    "volume outside": (
        {"v": link("v", str(PLACE))},
        {"Volumes": {"/v": {}, "/../../x": {}}},
        Confinement(read_only=True, volumes=("/v/more",)),
    ),
    "tmpfs outside": (
        {"t": link("t", str(PLACE))},
        {},
        Confinement(tmpfs={"/t": "size=1m", "/t/../../y": ""}),
    ),
    "entrypoint outside": (
        {"p": link("p", "/bin/true")},
        {"Entrypoint": ["/p"]},
        Confinement(),
    ),
    "entrypoint up": ({}, {"Entrypoint": ["../../../../bin/true"]}, Confinement()),
}


@pytest.mark.parametrize("traced", [False, True], ids=["plainly", "traced"])
@pytest.mark.parametrize("name", CASES)
def test_the_machine_is_out_of_reach(
    name: str, traced: bool, embedded_engine: EmbeddedEngine, outside: Path
) -> None:
    members, config, confinement = CASES[name]
    before, was = mounts(), outside.stat()
    said = b""
    try:
        with (
            image(embedded_engine, members, **config) as made,
            embedded_engine.workspace(made) as workspace,
            workspace.run(RunSpec(traced=traced, confinement=confinement)) as container,
        ):
            list(workspace.listing())
            container.start()
            assert container.wait(20) is not None
            said = container.output()[0]
            assert container.read_file(f"{PLACE}/canary") != b"secret"
    except SlimError as error:
        assert "\n" not in error.message
    assert b"secret" not in said
    assert b"disk -1" in said or b"disk" not in said
    assert mounts() == before
    now = outside.stat()
    assert (stat.S_IMODE(now.st_mode), now.st_uid) == (stat.S_IMODE(was.st_mode), was.st_uid)
    assert not list((embedded_engine.store.directory / "runs").iterdir())


def test_nothing_lives_on_when_the_owner_is_killed(
    embedded_engine: EmbeddedEngine, tmp_path: Path
) -> None:
    """The kernel ends what a killed process leaves behind."""
    script = tmp_path / "owner.py"
    script.write_text(
        "import sys\n"
        "from pathlib import Path\n"
        "from slimpy.engine.embedded import namespaces\n"
        "from slimpy.engine.embedded.engine import EmbeddedEngine\n"
        "from slimpy.engine.embedded.store import LayerStore\n"
        "from slimpy.engine.protocol import RunSpec\n"
        "users = namespaces.mapping()\n"
        "engine = EmbeddedEngine(users, LayerStore(Path(sys.argv[1]), users))\n"
        "image = engine.inspect('debian:bookworm', pull=False)\n"
        "spec = RunSpec(traced=True, command=('/bin/sleep', '4321'))\n"
        "with engine.workspace(image) as workspace, workspace.run(spec) as run:\n"
        "    run.start()\n"
        "    print('up', flush=True)\n"
        "    run.wait(600)\n"
    )
    place = embedded_engine.store.directory.parent
    root = str(Path(__file__).parents[2])
    with subprocess.Popen(
        [sys.executable, str(script), str(place)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": root},
    ) as owner:
        assert owner.stdout is not None and owner.stdout.readline() == b"up\n"
        assert sleepers()
        owner.kill()
    assert eventually(lambda: not sleepers(), timeout=20)
    debian = embedded_engine.inspect("debian:bookworm", pull=False)
    with embedded_engine.workspace(debian):
        pass
    assert not list((embedded_engine.store.directory / "runs").iterdir())


def sleepers() -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if b"/bin/sleep\x004321" in path.read_bytes():
                found.append(path.parent.name)
        except OSError:
            continue
    return found
