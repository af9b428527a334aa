"""A bundle in earnest: its command starts the app, which does its work and nothing else."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from probes.model import Trace
from slimpy.engine.docker import DockerEngine
from slimpy.engine.protocol import Confinement, RunSpec
from slimpy.harden import apparmor, writable
from slimpy.harden.capabilities import candidates
from slimpy.harden.forms.bundle import bundle
from slimpy.harden.hardening import Hardening, profile_name, volume_name
from slimpy.harden.seccomp import profile, to_json
from slimpy.image.listing import normalised, parse
from slimpy.image.tree import Tree
from slimpy.model import Account, Image, KeepSet, Reason, Rule

docker = pytest.importorskip("docker")

pytestmark = pytest.mark.engine

PROGRAM = r"""
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static void tell(const char *name, long result) {
    printf("%s %s\n", name, result == -1 ? strerrorname_np(errno) : "ok");
}
#define TRY(name, ...) tell(#name, syscall(SYS_##name, __VA_ARGS__))

static long written(const char *path) {
    int file = open(path, O_WRONLY | O_CREAT, 0644);
    if (file < 0) return -1;
    return close(file);
}

static long bound(int port) {
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons(port)};
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&name, sizeof name)) return -1;
    return listen(listener, 1);
}

static void attack(void) {
    TRY(mount, 0L, 0L, 0L, 0L, 0L);
    TRY(ptrace, 9999L, 0L, 0L, 0L);
    TRY(bpf, -1L, 0L, 0L);
    TRY(unshare, 0L);
    TRY(keyctl, -1L, 0L, 0L, 0L, 0L);
    TRY(init_module, 0L, 0L, 0L);
    TRY(kexec_load, 0L, 0L, 0L, 0xffffL);
    tell("tiocsti", syscall(SYS_ioctl, 0L, 0x5412L, "x"));
    tell("tiocsti-high", syscall(SYS_ioctl, 0L, 0x100005412L, "x"));
    tell("tioclinux", syscall(SYS_ioctl, 0L, 0x541cL, "x"));
    tell("af-alg", syscall(SYS_socket, 38L, 5L, 0L));
    tell("af-packet", syscall(SYS_socket, 17L, 2L, 0L));
    tell("af-vsock", syscall(SYS_socket, 40L, 1L, 0L));
    tell("af-vsock-high", syscall(SYS_socket, 0x100000028L, 1L, 0L));
    tell("prctl-mm", syscall(SYS_prctl, 35L, 1L, 0L, 0L, 0L));
    tell("personality", syscall(SYS_personality, 0x40000L));
    long child = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0L, 0L, 0L, 0L);
    if (child == 0) _exit(0);
    tell("clone-newuser", child == -1 ? -1 : 0);
    tell("write-etc", written("/etc/made"));
    tell("write-root", written("/made"));
    tell("chmod-app", chmod("/app", 0777));
    tell("exec-tmp", execl("/tmp/none", "none", (char *)0));
}

int main(void) {
    char line[256];
    prctl(PR_SET_NAME, "app");
    personality(0xffffffff);
    ioctl(0, 0x5401, line); /* TCGETS */
    tell("write-run", written("/run/app.pid"));
    tell("write-tmp", written("/tmp/upload"));
    tell("write-data", written("/data/app.db"));
    tell("write-seeded", written("/srv/cache/new"));
    tell("read-seeded", access("/srv/cache/seed", R_OK));
    tell("bind-80", bound(80));
    FILE *status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof line, status)) {
        char *name = strtok(line, ":"), *value = strtok(NULL, " \t\n");
        if (strstr("Uid CapEff CapBnd NoNewPrivs Seccomp", name)) printf("%s %s\n", name, value);
    }
    if (getenv("ATTACK")) attack();
    return 0;
}
"""

FILES = ("app", "etc/", "data/", "run/", "tmp/", "srv/cache/", "srv/cache/seed")
USER = 65532


def tar_of(program: bytes) -> bytes:
    """The image's files: the program, and directories that belong to the user."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name in FILES:
            info = tarfile.TarInfo(name.rstrip("/"))
            info.uid = info.gid = 0 if name in ("app", "etc/") else USER
            info.mode = 0o755 if name == "app" or name.endswith("/") else 0o644
            info.type = tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
            data = program if name == "app" else b""
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


@pytest.fixture(scope="module")
def image(engine: DockerEngine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    directory = tmp_path_factory.mktemp("app")
    (directory / "app.c").write_text(PROGRAM)
    command = ["gcc", "-static", "-O1", "-o", directory / "app", directory / "app.c"]
    subprocess.run(command, check=True, timeout=120)
    client = docker.from_env(timeout=120)
    tag = f"slimpy-test-hardened:{uuid.uuid4().hex[:8]}"
    repository, _, version = tag.partition(":")
    client.api.import_image_from_data(
        tar_of((directory / "app").read_bytes()),
        repository=repository,
        tag=version,
        changes=['ENTRYPOINT ["/app"]', f"USER {USER}:{USER}", "VOLUME /data"],
    )
    yield engine.inspect(tag, pull=False)
    client.images.remove(tag, force=True)
    client.close()


@dataclass(frozen=True)
class Bundle:
    """What was computed, and where its files lie."""

    hardening: Hardening
    directory: Path

    def run(self, *options: str) -> dict[str, str]:
        """The app's own account of a run by the bundle's script."""
        done = subprocess.run(
            ["sh", self.directory / "docker-run.sh", *options],
            env={**os.environ, "PORT_80": "0"},
            capture_output=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return dict(line.split(" ", 1) for line in done.stdout.decode().splitlines())


@pytest.fixture(scope="module")
def made(
    engine: DockerEngine, image: Image, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Bundle]:
    """The bundle of what a traced run of the image showed; nothing of it is written by hand."""
    with engine.workspace(image) as workspace:
        entries = normalised(
            parse(workspace.listing()), container_time=workspace.container_time, created=0
        )
        tree = Tree(entries)
        with workspace.run(RunSpec(traced=True)) as container:
            container.start()
            assert container.wait(60) == 0
            activity = container.activity()
    trace = Trace(image.id, activity, ports=(80,))
    keep = KeepSet({item.path: (Reason(Rule.TOUCHED),) for item in tree})
    account = Account(image.user, USER, USER, "image", "The image has it.")
    places = writable.compute(image, tree, keep, trace, account)
    name = profile_name(image.reference)
    hardening = Hardening(
        image=image.reference,
        original=image.reference,
        config=image,
        profile=profile(activity, no_new_privileges=True),
        account=account,
        capabilities=candidates(activity, account),
        writable=places.places,
        ports=trace.ports,
        apparmor=apparmor.text(apparmor.Confined(name, tree, keep, trace, places)),
    )
    directory = tmp_path_factory.mktemp("hardening")
    for file, text in bundle(hardening).items():
        (directory / file).write_text(text)
    yield Bundle(hardening, directory)
    remove_volumes(f"{hardening.name}-{volume_name(place)}" for place in hardening.volumes)


def remove_volumes(names: Iterator[str]) -> None:
    client = docker.from_env(timeout=120)
    for name in names:
        client.volumes.get(name).remove(force=True)
    client.close()


def test_what_was_computed(made: Bundle) -> None:
    assert made.hardening.capabilities == ()
    facts = [(place.path, place.kind, place.seeded) for place in made.hardening.writable]
    assert facts == [
        ("/data", "volume", False),
        ("/run", "tmpfs", False),
        ("/srv/cache", "volume", True),
        ("/tmp", "tmpfs", False),
    ]
    limited = made.hardening.profile.limited
    assert limited["ioctl"] == "not TIOCLINUX, TIOCSTI"
    assert limited["socket"] == "only AF_INET, AF_INET6, AF_NETLINK, AF_UNIX"
    assert limited["personality"] == "only 0xffffffff"
    assert "PR_SET_NAME" in limited["prctl"]


def test_the_app_works_under_all_of_it(made: Bundle) -> None:
    for _ in range(3):
        facts = made.run()
        state = {key: value for key, value in facts.items() if key[0].isupper()}
        assert {facts[key] for key in facts.keys() - state.keys()} == {"ok"}
        assert state == {
            "Uid": str(USER),
            "CapEff": "0" * 16,
            "CapBnd": "0" * 16,
            "NoNewPrivs": "1",
            "Seccomp": "2",
        }


REFUSED: Sequence[str] = (
    *("mount", "ptrace", "bpf", "unshare", "keyctl", "init_module", "kexec_load"),
    *("tiocsti", "tiocsti-high", "tioclinux", "af-alg", "af-packet", "af-vsock", "af-vsock-high"),
    *("prctl-mm", "personality", "clone-newuser"),
)


def test_an_attacker_inside_gets_nowhere(made: Bundle) -> None:
    facts = made.run("--env", "ATTACK=1")
    assert {name: facts[name] for name in REFUSED} == dict.fromkeys(REFUSED, "EPERM")
    assert facts["write-etc"] == facts["write-root"] == "EROFS"
    assert facts["chmod-app"] in ("EROFS", "EPERM")
    assert facts["exec-tmp"] == "ENOENT"


def test_without_the_bundle_the_same_attacks_get_further(made: Bundle) -> None:
    """Else the kernel refused them, and the test above proved nothing of ours."""
    client = docker.from_env(timeout=120)
    container = client.containers.create(
        made.hardening.image,
        environment={"ATTACK": "1"},
        user="0",
        security_opt=["seccomp=unconfined"],
        cap_add=["SYS_ADMIN", "SYS_BOOT", "SYS_MODULE"],
        labels=["slimpy-test"],
    )
    try:
        container.start()
        container.wait(timeout=60)
        output = container.logs(stderr=False)
    finally:
        container.remove(force=True, v=True)
        client.close()
    facts = dict(line.split(" ", 1) for line in output.decode().splitlines())
    free = {name for name in REFUSED if facts[name] != "EPERM"}
    assert len(free) >= 12, facts
    assert {"mount", "unshare", "keyctl", "tiocsti", "clone-newuser", "personality"} <= free
    assert facts["write-etc"] == "ok"


@pytest.mark.parametrize("with_margin", [True, False])
@pytest.mark.parametrize("nnp", [True, False])
def test_limits_on_arguments_let_every_kind_of_start_through(
    made: Bundle, image: Image, engine: DockerEngine, with_margin: bool, nnp: bool
) -> None:
    """The runtime's own prctl calls pass without no-new-privileges, too, as root and as a user."""
    with engine.workspace(image) as workspace:
        with workspace.run(RunSpec(traced=True)) as container:
            container.start()
            assert container.wait(60) == 0
            activity = container.activity()
        strict = profile(activity, no_new_privileges=nnp, margin=with_margin)
        assert "prctl" in strict.limited
        for user in (None, "0:0"):
            confinement = Confinement(seccomp=to_json(strict), no_new_privileges=nnp)
            spec = RunSpec(traced=False, user=user, confinement=confinement)
            with workspace.run(spec) as container:
                container.start()
                assert container.wait(60) == 0
                assert b"write-tmp ok" in container.output()[0]
