"""The floor, measured again on this machine's runtimes: a program of three instructions starts."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import tarfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from slimpy.engine.docker import DockerEngine
from slimpy.harden.floor import Runtime
from slimpy.harden.measure import Case, measure
from slimpy.harden.seccomp import to_json
from slimpy.model import Profile

docker = pytest.importorskip("docker")

pytestmark = pytest.mark.engine

PROGRAM = ".globl _start\n_start: mov $42, %edi\n mov $60, %eax\n syscall\n"
TIMES = 6


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("floor")
    (directory / "p.S").write_text(PROGRAM)
    command = ["gcc", "-nostdlib", "-static", "-o", directory / "p", directory / "p.S"]
    subprocess.run(command, check=True, timeout=60)
    return directory / "p"


@pytest.fixture(scope="module")
def image(engine: DockerEngine, program: Path) -> Iterator[str]:
    """An image that holds the program and nothing else."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        tar.add(program, "p")
    client = docker.from_env(timeout=120)
    tag = f"slimpy-test-floor:{uuid.uuid4().hex[:8]}"
    repository, _, version = tag.partition(":")
    client.api.import_image_from_data(buffer.getvalue(), repository=repository, tag=version)
    yield tag
    client.images.remove(tag, force=True)
    client.close()


def test_the_engines_own_runtime(image: str) -> None:
    client = docker.from_env(timeout=120)

    def start(profile: Profile, case: Case) -> str | None:
        options = [f"seccomp={to_json(profile)}"]
        options += ["no-new-privileges"] if case.no_new_privileges else []
        container = client.containers.create(
            image, ["/p"], user=case.user, init=case.init, security_opt=options,
            network_mode="none", labels=["slimpy-test"],
        )  # fmt: skip
        try:
            container.start()
            code = container.wait(timeout=60)["StatusCode"]
        except docker.errors.APIError as error:
            return str(error.explanation)
        finally:
            container.remove(force=True)
        return None if code == 42 else f"exit code {code}"

    found = measure(start, times=TIMES)
    client.close()
    assert {item.case: item.failures for item in found if item.failures} == {}
    assert sum(item.starts for item in found) == 8 * TIMES


def oci_bundle(directory: Path, runtime: str, program: Path) -> Path:
    (directory / "rootfs").mkdir()
    shutil.copy(program, directory / "rootfs" / "p")
    subprocess.run([runtime, "spec"], cwd=directory, check=True, timeout=60)
    return directory / "config.json"


def configure(config: Path, profile: Profile, case: Case) -> None:
    """The OCI runtime's own configuration for a case (runtime-spec, config.md)."""
    value = json.loads(config.read_text())
    uid, gid = map(int, case.user.split(":"))
    value["process"] |= {
        "terminal": False,
        "args": ["/p"],
        "user": {"uid": uid, "gid": gid},
        "noNewPrivileges": case.no_new_privileges,
    }
    value["mounts"] = [mount for mount in value["mounts"] if mount["type"] != "cgroup"]
    value["linux"].pop("resources", None)
    value["linux"]["seccomp"] = json.loads(to_json(profile))
    config.write_text(json.dumps(value))


# crun looks at the host's cgroups even where it is told to leave them alone, and refuses hybrid
# ones: it gets a mount namespace in which there are none.
COMMANDS: dict[Runtime, list[str]] = {
    "runc": ["runc"],
    "crun": [
        *("unshare", "--mount", "sh", "-c"),
        'mount -t tmpfs none /sys/fs/cgroup && exec "$@"',
        *("sh", "crun", "--cgroup-manager=disabled"),
    ],
}


@pytest.mark.parametrize("runtime", COMMANDS)
def test_a_runtime_without_an_engine(runtime: Runtime, program: Path, tmp_path: Path) -> None:
    if shutil.which(runtime) is None:
        pytest.skip(f"{runtime} is not installed")
    config = oci_bundle(tmp_path, runtime, program)
    root = [] if os.geteuid() == 0 else ["sudo", "-n"]

    def start(profile: Profile, case: Case) -> str | None:
        configure(config, profile, case)
        command = [*root, *COMMANDS[runtime], "run", f"slimpy-test-{uuid.uuid4().hex}"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=60, check=False)
        return None if done.returncode == 42 else done.stderr.decode(errors="replace")[-300:]

    cases = [Case(nnp, user) for nnp in (True, False) for user in ("0:0", "65532:65532")]
    found = measure(start, runtime=runtime, cases=cases, times=TIMES)
    assert {item.case: item.failures for item in found if item.failures} == {}


def test_without_its_rows_the_program_does_not_start(image: str) -> None:
    """Else the measurement above would pass under any profile."""
    client = docker.from_env(timeout=120)
    profile = {
        "defaultAction": "SCMP_ACT_ERRNO",
        "syscalls": [{"names": ["execve", "exit", "exit_group"], "action": "SCMP_ACT_ALLOW"}],
    }
    container = client.containers.create(
        image, ["/p"], security_opt=[f"seccomp={json.dumps(profile)}"], labels=["slimpy-test"]
    )
    try:
        with pytest.raises(docker.errors.APIError):
            container.start()
    finally:
        container.remove(force=True)
        client.close()
