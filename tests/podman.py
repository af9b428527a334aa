"""A Podman service of the tests' own, with a store of its own that goes with it."""

from __future__ import annotations

import contextlib
import os
import pwd
import resource
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from slimpy.engine.podman import PodmanEngine, connect
from tests.polling import eventually

_SECONDS = 60.0


@contextlib.contextmanager
def service(directory: Path, user: str = "") -> Iterator[PodmanEngine]:
    """A running service, connected; of an ordinary user if one is named."""
    socket = directory / "podman.sock"
    own = _own(directory, user)
    command = [*own, "podman", "system", "service", "--time", "0", f"unix://{socket}"]
    with (directory / "service.log").open("wb") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
        try:
            eventually(socket.is_socket, timeout=_SECONDS)
            engine = connect({"CONTAINER_HOST": f"unix://{socket}"})
            try:
                yield engine
            finally:
                engine.close()
        finally:
            process.terminate()
            process.wait(_SECONDS)
            podman = [*own, "podman", "rm", "--all", "--force", "--time", "0"]
            subprocess.run(podman, capture_output=True, check=False)
            if user:  # its files belong to ids that only its own namespace knows
                unshared = [*own, "podman", "unshare", "rm", "-rf", str(directory / "root")]
                subprocess.run(unshared, capture_output=True, check=False)
                subprocess.run([*own, "podman", "system", "migrate"], capture_output=True)
            overlay = ["umount", "--lazy", str(directory / "root/overlay")]
            while subprocess.run(overlay, capture_output=True, check=False).returncode == 0:
                pass  # it may be mounted more than once
            shutil.rmtree(directory / "root", ignore_errors=True)


def _own(directory: Path, user: str) -> list[str]:
    """What starts its programs with settings of their own, as that user."""
    variables = {**_configured(directory), "XDG_RUNTIME_DIR": str(directory / "user")}
    (directory / "user").mkdir(mode=0o700)
    if not user:
        return ["env", *(f"{name}={value}" for name, value in variables.items())]
    account = pwd.getpwnam(user)
    for path in (directory, *directory.iterdir()):
        os.chown(path, account.pw_uid, account.pw_gid)
    variables |= {"HOME": str(directory / "user"), "PATH": os.environ["PATH"]}
    who = ("setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups")
    return [*who, "env", "-i", "-C", "/", *(f"{name}={value}" for name, value in variables.items())]


def give(engine: PodmanEngine, *images: str) -> None:
    """Copy images from the Docker Engine into its store."""
    with (
        subprocess.Popen(["docker", "save", *images], stdout=subprocess.PIPE) as saved,
        contextlib.closing(engine._client.api.load_image(saved.stdout)) as messages,
    ):
        assert not [message for message in messages if "error" in message]
    assert saved.returncode == 0


def _configured(directory: Path) -> dict[str, str]:
    """Settings with which it runs in a container too, and with cgroups of both versions."""
    limits = []
    for name, number in (("nofile", resource.RLIMIT_NOFILE), ("nproc", resource.RLIMIT_NPROC)):
        soft, _ = resource.getrlimit(number)
        value = 4096 if soft == resource.RLIM_INFINITY else min(soft, 4096)
        # Podman 4.3 has the two the wrong way round in its Docker-compatible API.
        limits.append(f'"{name}={value}:{value}"')
    containers = directory / "containers.conf"
    containers.write_text(
        f"[containers]\ndefault_ulimits = [{', '.join(limits)}]\n"
        '[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n'
    )
    storage = directory / "storage.conf"
    storage.write_text(
        f'[storage]\ndriver = "overlay"\ngraphroot = "{directory}/root"\n'
        f'runroot = "{directory}/run"\n'
    )
    return {"CONTAINERS_CONF": str(containers), "CONTAINERS_STORAGE_CONF": str(storage)}
