"""What the embedded engine holds a container back from: the machine's kernel settings, its devices,
its tools for reading images, its users; and that nothing of a container stays.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from slimpy.engine.embedded.engine import EmbeddedEngine
from slimpy.engine.embedded.workspace import EmbeddedWorkspace
from slimpy.engine.protocol import Confinement, RunSpec
from slimpy.errors import ContainerStartError
from slimpy.image.oci import CONFIG_TYPE, LAYER_TYPE, Descriptor, Manifest
from slimpy.model import Image
from tests.polling import eventually
from tests.sources import MemorySource, configuration, digest, link, tar

pytestmark = pytest.mark.engine

DEADLINE = 30.0
TRACED = pytest.mark.parametrize("traced", [False, True], ids=["plainly", "traced"])

# A node of the null device does no harm; that it opens shows that a disk's would, too.
NODES = """
for place in $(cut -d' ' -f5 /proc/self/mountinfo); do
    [ -d "$place" ] || continue
    mknod "$place/node" c 1 3 2>/dev/null || continue
    echo "made in $place"
    (: >"$place/node") 2>/dev/null && echo "OPENED in $place"
done
true
"""
KERNEL = """
for path in /proc/sys/kernel/core_pattern /proc/sysrq-trigger /proc/irq /proc/bus /sys; do
    [ -w "$path" ] && echo "can write $path"
done
for path in /proc/keys /proc/timer_list; do
    [ -s "$path" ] || [ -n "$(head -c 1 "$path" 2>/dev/null)" ] && echo "can read $path"
done
true
"""
CALLS = """
$! = 0; my $pid = syscall(56, 0x10000000 | 17, 0, 0, 0, 0);
exit 0 if defined $pid && $pid == 0;
print "clone ", $! + 0, "\\n";
$! = 0; syscall(435, 0, 0); print "clone3 ", $! + 0, "\\n";
$! = 0; syscall(103, 3, 0, 0); print "syslog ", $! + 0, "\\n";
"""
EXIT_BY_OLD_CALL = '__asm__(".globl _start\\n_start: mov $1,%eax\\nmov $42,%ebx\\nint $0x80");'


@pytest.fixture(scope="module")
def debian(embedded_engine: EmbeddedEngine) -> Iterator[EmbeddedWorkspace]:
    image = embedded_engine.inspect("debian:bookworm", pull=False)
    with embedded_engine.workspace(image) as workspace:
        yield workspace


def said(workspace: EmbeddedWorkspace, spec: RunSpec, image: Image | None = None) -> str:
    """What a container wrote until its end, which has to be a good one."""
    with workspace.run(spec, image) as container:
        container.start()
        assert container.wait(DEADLINE) == 0, container.output()
        return container.output()[0].decode()


def shell(script: str, *, traced: bool = True, **confinement: object) -> RunSpec:
    return RunSpec(
        traced=traced,
        command=("/bin/sh", "-c", script),
        confinement=Confinement(**confinement),  # type: ignore[arg-type]
    )


@contextlib.contextmanager
def extended(
    engine: EmbeddedEngine, members: dict[str, bytes | tarfile.TarInfo]
) -> Iterator[Image]:
    """Debian's image with one more layer."""
    base = engine.inspect("debian:bookworm", pull=False)
    packed = tar(members)
    names = (*base.layers, digest(packed))
    data = configuration((), rootfs={"type": "layers", "diff_ids": names}, config=dict(base.config))
    layers = tuple(Descriptor(LAYER_TYPE, name, len(packed)) for name in names)
    manifest = Manifest(Descriptor(CONFIG_TYPE, digest(data), len(data)), layers)
    with engine.import_image(MemorySource(data, {digest(packed): packed}, manifest)) as image:
        yield image


def test_the_tools_that_read_the_image_cannot_be_changed(debian: EmbeddedWorkspace) -> None:
    """What ships is read with them, from another container."""
    script = (
        "for path in tar find ../ld.so; do (: >>/.slimpy/bin/$path) && echo changed $path; done"
    )
    script += "; touch /.slimpy/new && echo made; rm /.slimpy/bin/tar && echo removed; true"
    assert said(debian, shell(script)) == ""


@TRACED
def test_no_device_can_be_opened_wherever_it_is_made(
    debian: EmbeddedWorkspace, traced: bool
) -> None:
    """Users cannot even make one."""
    spec = shell(NODES, traced=traced, tmpfs={"/run": "dev,exec"}, volumes=("/srv",))
    made = said(debian, spec)
    if not debian.users.in_user_namespace:
        assert "made in /srv" in made and "made in /run" in made
    assert "OPENED" not in made


@TRACED
def test_the_kernel_is_shown_but_not_its_settings(debian: EmbeddedWorkspace, traced: bool) -> None:
    assert said(debian, shell(KERNEL, traced=traced)) == ""


@pytest.mark.parametrize("path", ["/proc", "/proc/sys", "/sys", "/proc/self/root/proc"])
def test_a_volume_does_not_uncover_the_kernel(debian: EmbeddedWorkspace, path: str) -> None:
    """Docker's runtime refuses to start such an image, too."""
    image = replace(debian.image, config={**debian.image.config, "Volumes": {path: {}}})
    with pytest.raises(ContainerStartError) as caught, debian.run(shell(KERNEL), image):
        pass
    assert path in caught.value.message


def test_a_volume_behind_a_link_does_not_uncover_the_kernel(
    embedded_engine: EmbeddedEngine,
) -> None:
    with (
        extended(embedded_engine, {"data": link("data", "/proc")}) as image,
        embedded_engine.workspace(image) as workspace,
        pytest.raises(ContainerStartError),
        workspace.run(shell(KERNEL, volumes=("/data",))),
    ):
        pass


def test_a_volume_below_a_volume_is_one(debian: EmbeddedWorkspace) -> None:
    script = "touch /srv/a/b/new /srv/new && echo both"
    spec = shell(script, read_only=True, volumes=("/srv/a/b", "/srv"))
    assert said(debian, spec) == "both\n"


@TRACED
def test_calls_are_refused_as_elsewhere(debian: EmbeddedWorkspace, traced: bool) -> None:
    """EPERM, and ENOSYS where the C library has another way."""
    spec = RunSpec(traced=traced, command=("/usr/bin/perl", "-e", CALLS))
    assert said(debian, spec) == "clone 1\nclone3 38\nsyslog 1\n"


def test_programs_with_old_calls_run(embedded_engine: EmbeddedEngine, tmp_path: Path) -> None:
    """As 32-bit programs make them."""
    source, program = tmp_path / "old.c", tmp_path / "old"
    source.write_text(EXIT_BY_OLD_CALL)
    command = ["gcc", "-static", "-nostdlib", "-o", str(program), str(source)]
    subprocess.run(command, check=True, timeout=60)
    with extended(embedded_engine, {"empty": b""}) as image:
        spec = RunSpec(
            traced=False,
            command=("/bin/sh", "-c", "chmod 755 /old; exec /old"),
            files=(("/old", program.read_bytes()),),
        )
        with embedded_engine.workspace(image) as workspace, workspace.run(spec) as container:
            container.start()
            assert container.wait(DEADLINE) == 42


def test_a_tree_of_any_depth_is_cleaned_up(embedded_engine: EmbeddedEngine) -> None:
    script = 'chdir "/srv"; for (1 .. 3000) { mkdir "d"; chdir "d" or die }'
    image = embedded_engine.inspect("debian:bookworm", pull=False)
    before = set((embedded_engine.store.directory / "runs").iterdir())
    with embedded_engine.workspace(image) as workspace:
        assert said(workspace, RunSpec(traced=False, command=("/usr/bin/perl", "-e", script))) == ""
    assert set((embedded_engine.store.directory / "runs").iterdir()) == before


OWNER = """
import sys
from pathlib import Path
from slimpy.engine.embedded import namespaces
from slimpy.engine.embedded.engine import EmbeddedEngine
from slimpy.engine.embedded.store import LayerStore
from slimpy.engine.protocol import RunSpec
users = namespaces.mapping()
engine = EmbeddedEngine(users, LayerStore(Path(sys.argv[1]), users))
image = engine.inspect("debian:bookworm", pull=False)
script = "cp /bin/sleep /srv/s; chmod 4755 /srv/s; exec chroot --userspec=1000:1000 / /srv/s 4597"
spec = RunSpec(traced=False, command=("/bin/sh", "-c", script))
with engine.workspace(image) as workspace, workspace.run(spec) as run:
    run.start()
    print(run.keeper.init, flush=True)
    run.wait(600)
"""


def test_a_setuid_program_does_not_outlive_its_killed_owner(
    embedded_engine: EmbeddedEngine, tmp_path: Path
) -> None:
    """The kernel forgets the signal at a parent's death when a program gains privilege."""
    script = tmp_path / "owner.py"
    script.write_text(OWNER)
    place = str(embedded_engine.store.directory.parent)
    search = os.pathsep.join([str(Path(__file__).parents[2]), *filter(None, sys.path)])
    environment = {**os.environ, "PYTHONPATH": search}
    with subprocess.Popen(
        [sys.executable, str(script), place], stdout=subprocess.PIPE, env=environment
    ) as owner:
        assert owner.stdout is not None
        init = Path("/proc") / str(int(owner.stdout.readline()))
        eventually(lambda: (init / "cmdline").read_bytes() == b"/srv/s\x004597\0", timeout=DEADLINE)
        owner.kill()
    assert eventually(lambda: not init.exists(), timeout=DEADLINE)
    image = embedded_engine.inspect("debian:bookworm", pull=False)
    with embedded_engine.workspace(image):  # takes away what the killed one left
        pass
