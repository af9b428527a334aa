"""A Podman service of the tests' own, with a store of its own that goes with it."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from slimpy.engine.podman import PodmanEngine, connect
from tests.polling import eventually

_SECONDS = 60.0


@contextlib.contextmanager
def service(directory: Path) -> Iterator[PodmanEngine]:
    """A running service, connected."""
    socket = directory / "podman.sock"
    environment = {**os.environ, **_configured(directory)}
    with (directory / "service.log").open("wb") as log:
        process = subprocess.Popen(
            ["podman", "system", "service", "--time", "0", f"unix://{socket}"],
            env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
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
            podman = ["podman", "rm", "--all", "--force", "--time", "0"]
            subprocess.run(podman, env=environment, capture_output=True, check=False)
            overlay = ["umount", "--lazy", str(directory / "root/overlay")]
            while subprocess.run(overlay, capture_output=True, check=False).returncode == 0:
                pass  # it may be mounted more than once
            shutil.rmtree(directory / "root", ignore_errors=True)


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
