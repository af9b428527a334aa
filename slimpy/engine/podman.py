"""Podman as an Engine, through its Docker-compatible socket; where it differs is said here."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

import docker
from docker.errors import DockerException

from slimpy.engine.docker import FIRST_TIMEOUT, DockerEngine
from slimpy.engine.docker_errors import explained, root_cause
from slimpy.engine.traits import PODMAN
from slimpy.errors import EngineUnavailableError

VARIABLE = "CONTAINER_HOST"
"""Where Podman's own client finds a service."""
_SYSTEM = Path("/run/podman/podman.sock")
_BELOW = "podman/podman.sock"
_HINT = (
    "Start its service: systemctl --user start podman.socket (for root: systemctl start "
    "podman.socket), or podman system service --time 0."
)


class PodmanEngine(DockerEngine):
    """Podman's service, which speaks the Docker Engine's API."""

    name = "podman"
    traits = PODMAN


def connect(environment: Mapping[str, str] | None = None) -> PodmanEngine:
    """Connect to the service that CONTAINER_HOST names, else to the user's, else to the system's.

    Args:
        environment: the process's own by default.

    Raises:
        EngineUnavailableError: none answers.
    """
    found = os.environ if environment is None else environment
    reasons = []
    for url in _addresses(found):
        try:
            client = docker.DockerClient(base_url=url, version="auto", timeout=FIRST_TIMEOUT)
            engine = PodmanEngine(client)
        except (DockerException, OSError, ValueError) as error:
            reasons.append(f"at {url}: {root_cause(error) or explained(error)}")
            continue
        engine.begin()
        return engine
    why = "; ".join(reasons) or "there is no socket of it"
    message = f"No Podman service answers: {why}."
    raise EngineUnavailableError(message, hint=_HINT)


def _addresses(environment: Mapping[str, str]) -> Iterator[str]:
    if named := environment.get(VARIABLE):
        yield named
        return
    own = environment.get("XDG_RUNTIME_DIR")
    for path in (*([Path(own) / _BELOW] if own else []), _SYSTEM):
        if _is_socket(path):
            yield f"unix://{path}"


def _is_socket(path: Path) -> bool:
    try:
        return stat.S_ISSOCK(path.stat().st_mode)
    except OSError:
        return False
