"""Docker's and its transport's exceptions as ours."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import requests
from docker.errors import APIError, DockerException, ImageNotFound, NotFound

from slimpy.errors import DiskFullError, EngineLostError, SlimError

_DISK_FULL = "no space left on device"
_STATE = "container state improper"
"""How Podman refuses what a container's state forbids: as a failure of its own (500)."""


@contextlib.contextmanager
def translated(doing: str, *, refusals: bool = False) -> Iterator[None]:
    """Turn exceptions of the SDK into ours; ImageNotFound passes.

    Args:
        doing: what was under way, as in "The engine failed while DOING".
        refusals: let what the engine refuses (4xx) pass as APIError, for callers who know better
            what it means.
    """
    try:
        yield
    except ImageNotFound:
        raise
    except NotFound as error:
        message = f"Something of ours vanished from the engine while {doing}: {explained(error)}."
        raise EngineLostError(
            message, hint="Was the engine cleaned up meanwhile? Run the command again."
        ) from error
    except APIError as error:
        if is_disk_full(error):
            raise disk_full(doing) from error
        if refusals and (error.is_client_error() or _STATE in str(error).lower()):
            raise
        message = f"The engine failed while {doing}: {explained(error)}."
        raise EngineLostError(message, hint="Look at the engine's own log.") from error
    except (DockerException, requests.RequestException, ConnectionError, TimeoutError) as error:
        raise engine_lost(doing) from error


def engine_lost(doing: str) -> EngineLostError:
    """Nothing comes from the engine any more."""
    message = f"The engine stopped answering while {doing}."
    return EngineLostError(message, hint="Is it still running? docker info")


def disk_full(doing: str) -> SlimError:
    """The engine's disk is full."""
    message = f"There is no space left at the engine while {doing}."
    return DiskFullError(message, hint="Free some: docker system df shows what takes it.")


def load_failed(text: str) -> SlimError:
    """The engine read the archive and refused it."""
    if _DISK_FULL in text.lower():
        return disk_full("loading the slim image")
    message = f"The engine refused the slim image: {text[:300]}."
    return EngineLostError(message, hint="Look at the engine's own log.")


def is_disk_full(error: Exception) -> bool:
    """Whether the engine says that its disk is full."""
    return _DISK_FULL in str(error).lower()


def explained(error: Exception) -> str:
    """What the engine says, on one short line without a full stop."""
    text = getattr(error, "explanation", None) or str(error)
    return " ".join(str(text).split())[:300].rstrip(".")


def root_cause(error: BaseException) -> str:
    """What the operating system says at the bottom of a chain of exceptions; may be empty."""
    reason = ""
    for _ in range(20):
        if isinstance(error, OSError) and error.strerror:
            reason = error.strerror
        inner = [item for item in error.args if isinstance(item, BaseException)]
        below = error.__cause__ or error.__context__ or next(iter(inner), None)
        if below is None:
            break
        error = below
    return reason
